# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Conformal risk control: bound the expectation of any loss that grows with the threshold.

With the loss "missed or not" it is the conformal miss threshold. Its use here is the late
warning: a hazard that is announced when the arm cannot stop any more is as bad as a missed one.

Source: Angelopoulos et al. 2022, arXiv 2208.02814, theorem 1.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.conformal import check_level
from wm_ros.errors import CalibrationError

_SLACK = 1e-12


def controlled_threshold(losses: NDArray[np.floating], thresholds: NDArray[np.floating],
                         alpha: float, *, bound: float = 1.0) -> float:
    """
    Return the highest threshold at which a new episode's expected loss is at most alpha.

    It is the highest with n / (n + 1) * mean loss + bound / (n + 1) <= alpha.

    :param losses: of each episode at each threshold, (n, M), in [0, bound], not falling along
        the thresholds.
    :param thresholds: rising, the safest first, (M,); chosen without looking at the scores, or
        the scores themselves.
    :raises ValueError: if a loss falls with the threshold or is outside its bound.
    :raises CalibrationError: if n is too small for alpha or the safest threshold loses too much.
    """
    check_level('alpha', alpha)
    number = len(losses)
    if losses.shape[1] != len(thresholds):
        raise ValueError(f'losses have {losses.shape[1]} columns for {len(thresholds)} thresholds')
    if (losses < 0).any() or (losses > bound).any():
        raise ValueError(f'losses must be between 0 and {bound}')
    if (np.diff(losses, axis=1) < 0).any() or (np.diff(thresholds) < 0).any():
        raise ValueError('losses must not fall along rising thresholds')
    needed = int(np.ceil(bound / alpha - 1e-9)) - 1
    if number < needed:
        raise CalibrationError(f'{number} hazards cannot support alpha = {alpha}: it takes '
                               f'{needed}, so collect {needed - number} more')
    risk = (losses.sum(axis=0) + bound) / (number + 1)
    good = np.flatnonzero(risk <= alpha + _SLACK)
    if not good.size:
        raise CalibrationError(f'even at the safest threshold the mean loss over {number} hazards '
                               f'is {losses[:, 0].mean():.3g}, too much for alpha = {alpha}')
    return float(thresholds[good[-1]])


def timely_scores(risk: NDArray[np.floating], hazard_time_s: NDArray[np.floating],
                  episode: NDArray[np.integer], *, stop_s: float
                  ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Return for each episode the highest risk that was seen while there was still time to stop.

    A warning at a threshold is late exactly if this score is below the threshold.

    :param risk: of windows before a hazard, (W,).
    :param hazard_time_s: from each window to the hazard, (W,), s; infinite where none is known.
    :param episode: which episode a window is of, (W,).
    :param stop_s: how long the arm takes to stop, s.
    :returns: episodes with a hazard, (E,), rising, and their scores, (E,); a score is -inf where
        the first window was late already.
    """
    ahead = np.isfinite(hazard_time_s)
    episodes, place = np.unique(episode[ahead], return_inverse=True)
    in_time = np.where(hazard_time_s[ahead] >= stop_s, risk[ahead], -np.inf)
    scores = np.full(len(episodes), -np.inf)
    np.maximum.at(scores, place, in_time)
    return episodes.astype(np.int64), scores


def late_losses(scores: NDArray[np.floating], thresholds: NDArray[np.floating]
                ) -> NDArray[np.float64]:
    """Return 1 where a warning would be late or never come, else 0, (n, M)."""
    return (np.asarray(scores)[:, None] < np.asarray(thresholds)[None]).astype(np.float64)
