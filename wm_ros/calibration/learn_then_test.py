# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Learn then Test: thresholds whose error rates are bounded with a stated confidence.

A conformal threshold keeps its promise on average over calibrations; of single calibrations about
half do a little worse. Here the promise holds for this one calibration, with the confidence that
was asked for, at the price of a more careful threshold and more recordings.

A grid of thresholds, fixed before any score is seen, is walked from the safest on. At each one
the hypothesis "the error rate here is above alpha" is tested with the exact binomial tail; the
walk ends at the first that cannot be rejected. Because it ends there, no correction for the size
of the grid is due: a false step must be the first true hypothesis on the way, which is rejected
with probability 1 - confidence at most.

Source: Angelopoulos et al. 2021, arXiv 2110.01052, section 2 and algorithm 1.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.binomial import binomial_cdf, needed_trials
from wm_ros.calibration.conformal import check_level
from wm_ros.errors import CalibrationError

_STEPS = 1000
_LOG_ODDS = 11.5


def threshold_grid() -> NDArray[np.float64]:
    """
    Return the thresholds that are tried, rising from 0 to 1, evenly spaced in log odds between.

    At 0 nothing is OK, and at 1 only a risk of exactly 1 is vetoed: the safest of either side.
    """
    inner = 1 / (1 + np.exp(-np.linspace(-_LOG_ODDS, _LOG_ODDS, _STEPS + 1)))
    return np.concatenate([[0.0], inner, [1.0]])


def fixed_sequence(p_values: NDArray[np.floating], delta: float) -> int:
    """Return how many hypotheses are rejected before the first that is not, in their order."""
    kept = np.flatnonzero(~(np.asarray(p_values) <= delta))
    return int(kept[0]) if kept.size else len(p_values)


def miss_p_values(hazard_scores: NDArray[np.floating], thresholds: NDArray[np.floating],
                  alpha: float) -> NDArray[np.float64]:
    """Return the p-value of "more than alpha of hazards score below" at each threshold."""
    below = np.searchsorted(np.sort(hazard_scores), thresholds, side='left')
    return _tails(below, len(hazard_scores), alpha)


def veto_p_values(safe_scores: NDArray[np.floating], thresholds: NDArray[np.floating],
                  alpha: float) -> NDArray[np.float64]:
    """Return the p-value of "more than alpha of safe chunks reach it" at each threshold."""
    number = len(safe_scores)
    over = number - np.searchsorted(np.sort(safe_scores), thresholds, side='left')
    return _tails(over, number, alpha)


def proven_miss_threshold(hazard_scores: NDArray[np.floating], alpha: float, confidence: float
                          ) -> float:
    """
    Return the highest threshold below which at most a share ``alpha`` of hazards lies, proven.

    P over calibrations(miss rate at the threshold <= alpha) >= confidence.

    :param hazard_scores: one for each episode that ended in a hazard, (n,).
    :raises CalibrationError: if n is too small, saying how many more are needed.
    """
    _check_number('alpha_miss', len(hazard_scores), alpha, confidence, 'hazards')
    grid = threshold_grid()
    return float(grid[fixed_sequence(
        miss_p_values(hazard_scores, grid, alpha), 1 - confidence) - 1])


def proven_pair(hazard_scores: NDArray[np.floating], safe_scores: NDArray[np.floating], *,
                alpha_miss: float, alpha_veto: float, confidence: float) -> tuple[float, float]:
    """
    Return a lower and an upper threshold whose two promises hold together, with confidence.

    A pair (l, u) is bad if its miss rate or its false-veto rate is too high; its p-value is the
    larger of the two. Two walks start at (0, 1), which always abstains: one raises l, the other
    lowers u, each at half of 1 - confidence. A rate depends on its own threshold alone, so the
    ends of both walks together are a good pair. Where l > u, each single threshold between them
    keeps both promises: there the larger p-value of the two is small enough by itself.

    :raises CalibrationError: if there are too few of either, saying how many more are needed.
    """
    # Half the error probability for each walk.
    each = (1 + confidence) / 2
    _check_number('alpha_miss', len(hazard_scores), alpha_miss, each, 'hazards')
    _check_number('alpha_veto', len(safe_scores), alpha_veto, each, 'safe episodes')
    grid = threshold_grid()
    miss = miss_p_values(hazard_scores, grid, alpha_miss)
    veto = veto_p_values(safe_scores, grid, alpha_veto)[::-1]
    raised = fixed_sequence(np.maximum(miss, veto[0]), 1 - each)
    lowered = fixed_sequence(np.maximum(veto, miss[0]), 1 - each)
    if not raised or not lowered:
        raise CalibrationError(
            f'{int((np.asarray(safe_scores) >= 1).sum())} of {len(safe_scores)} safe episodes '
            f'have a risk of 1: no threshold spares them, so alpha_veto = {alpha_veto} cannot '
            'be promised; train the model further')
    return float(grid[raised - 1]), float(grid[::-1][lowered - 1])


def _tails(errors: NDArray[np.integer], number: int, alpha: float) -> NDArray[np.float64]:
    counts, place = np.unique(errors, return_inverse=True)
    return np.array([binomial_cdf(int(count), number, alpha) for count in counts])[place]


def _check_number(name: str, number: int, alpha: float, confidence: float, what: str) -> None:
    check_level(name, alpha)
    check_level('confidence', confidence)
    needed = needed_trials(alpha, confidence)
    if number < needed:
        ends = 'in one' if what == 'hazards' else 'without one'
        raise CalibrationError(
            f'{number} {what} cannot support {name} = {alpha} with confidence {confidence:g}: it '
            f'takes {needed} without a single error, so collect {needed - number} more episodes '
            f'that end {ends}')
