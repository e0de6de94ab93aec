# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Stay in a box: where the named links would go along the whole path, not at its points alone.

A path that starts outside, because somebody pushed the arm there, may lead back in: no link may
get further out than it is already.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Reason, Trajectory
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.config import GateConfig
from wm_ros.gate.kinematics import Kinematics
from wm_ros.gate.spline import cubic_extremes, cubic_positions

# No joint moves further than this between two places that are looked at, rad.
_RESOLUTION = 0.05
# One place takes some 20 us; a longer path would keep the gate from its watchdogs.
_MAX_PLACES = 1000
_SLACK_M = 1e-6

_Array = NDArray[np.float64]


def check_workspace(
        trajectory: Trajectory, start: JointSample, config: GateConfig,
        kinematics: Kinematics) -> None:
    """
    Check that ``boxed_links`` stay between ``workspace_lower`` and ``workspace_upper``.

    :raises CommandRefused: LIMIT, naming the link and the place, or a path too long to look at.
    """
    if not config.workspace_lower:
        return
    path = sample_path(trajectory, start)
    lower, upper = np.array(config.workspace_lower), np.array(config.workspace_upper)
    places = kinematics.places(path, config.boxed_links)
    excess = np.maximum(np.maximum(lower - places, places - upper), 0.0).max(axis=2)
    too_far = excess > excess[0] + _SLACK_M
    if too_far.any():
        row, column = np.argwhere(too_far)[0]
        place = ', '.join(f'{value:.3f}' for value in places[row, column])
        raise CommandRefused(
            Reason.LIMIT, f'{config.boxed_links[column]} would be at ({place}) m, outside '
            f'workspace_lower {list(config.workspace_lower)} to workspace_upper '
            f'{list(config.workspace_upper)}')


def sample_path(trajectory: Trajectory, start: JointSample) -> _Array:
    """
    Give configurations close together along a path, the measured one first.

    :returns: float64 (M, J), rad.
    :raises CommandRefused: LIMIT, if that takes too many.
    """
    positions = np.vstack([start.positions, trajectory.positions])
    durations = np.diff(np.concatenate([[0.0], trajectory.times]))
    velocities = None
    lengths = np.abs(np.diff(positions, axis=0)).max(axis=1)
    if trajectory.velocities is not None:
        # A controller leaves the measured velocity behind at once; the first stretch is straight.
        velocities = np.vstack([np.zeros(len(start.positions)), trajectory.velocities])
        extremes = cubic_extremes(positions[1:], velocities[1:], durations[1:])
        lengths[1:] = np.maximum(lengths[1:], extremes.speed.max(axis=1) * durations[1:])
    counts = np.maximum(1, np.ceil(lengths / _RESOLUTION)).astype(np.int64)
    if not counts.sum() <= _MAX_PLACES:
        raise CommandRefused(
            Reason.LIMIT, f'the path is {lengths.sum():.3g} rad long; at most '
            f'{_MAX_PLACES * _RESOLUTION:.0f} rad can be looked at; send it in parts')
    segment = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(segment)) - np.repeat(np.cumsum(counts) - counts, counts)
    fraction = (rank + 1) / counts[segment]
    path = positions[segment] + fraction[:, None] * np.diff(positions, axis=0)[segment]
    if velocities is not None and (is_cubic := segment > 0).any():
        path[is_cubic] = cubic_positions(
            positions, velocities, durations, segment[is_cubic], fraction[is_cubic])
    return np.vstack([start.positions, path])
