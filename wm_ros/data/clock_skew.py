# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Find out whether pictures and joints have the same clock by what they show.

The change between two pictures rises when the arm is fast. Where it rises later than the joints'
speed does, the pictures' stamps are late by as much.

Letters: F frames, S joint samples.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode
from wm_ros.errors import DatasetError

# A lower correlation says nothing.
MIN_CORRELATION = 0.8
# The correlation at no lag must be lower by this: a lag must explain something.
_LEAST_GAIN = 0.1
_MAX_LAG_S = 1.0
_LAG_STEP_S = 0.02
_MIN_FRAMES = 15


@dataclass(frozen=True, slots=True)
class Skew:
    """
    How pictures and joints fit in time.

    :param lag_s: by how much the pictures' stamps are late, s.
    :param correlation: of picture change and joint speed at that lag.
    """

    lag_s: float
    correlation: float


def find_skew(episode: Episode) -> Skew | None:
    """
    Estimate the lag of the pictures behind the joints.

    :returns: the lag of the best correlation, 0 where another explains little more; None if the
        episode is too short, damaged or too still to tell.
    """
    if len(episode.frames) < _MIN_FRAMES:
        return None
    try:
        change = _changes(episode)
    except DatasetError:
        return None
    lags = np.arange(-_MAX_LAG_S, _MAX_LAG_S + _LAG_STEP_S / 2, _LAG_STEP_S)
    scores = np.array([_correlation(change, _travel(episode, lag)) for lag in lags])
    if np.isnan(scores).all():
        return None
    best = int(np.nanargmax(scores))
    at_zero = scores[len(lags) // 2]
    if scores[best] < at_zero + _LEAST_GAIN:
        return Skew(0.0, float(at_zero))
    return Skew(round(float(lags[best]), 3), float(scores[best]))


def _changes(episode: Episode) -> NDArray[np.float64]:
    """Return the mean change from each picture to the next, float64 (F - 1,)."""
    small = [cv2.resize(episode.decode(row), (80, 60), interpolation=cv2.INTER_AREA).astype(float)
             for row in range(len(episode.frames))]
    return np.array([np.abs(after - before).mean() for before, after in zip(
        small, small[1:], strict=False)])


def _travel(episode: Episode, lag_s: float) -> NDArray[np.float64]:
    """Return how far the joints went between pictures that are late by a lag, NaN outside."""
    stamps = (episode.joint_stamps_ns - episode.joint_stamps_ns[0]) / 1e9
    times = (episode.frame_stamps_ns - episode.joint_stamps_ns[0]) / 1e9 - lag_s
    steps = np.abs(np.diff(episode.positions.astype(np.float64), axis=0)).sum(axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    return np.diff(np.interp(times, stamps, travelled, left=np.nan, right=np.nan))


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    if known.sum() < _MIN_FRAMES - 1:
        return float('nan')
    first, second = first[known], second[known]
    if first.std() < 1e-6 or second.std() < 1e-6:
        return float('nan')
    return float(np.corrcoef(first, second)[0, 1])
