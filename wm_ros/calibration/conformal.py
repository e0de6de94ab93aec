# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Split conformal thresholds on exchangeable scores, one score for each episode.

Scores are high where it is dangerous. The order statistics are exact: no interpolation, which
would promise more than n scores can hold.
"""

import math

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import CalibrationError


def check_level(name: str, alpha: float) -> None:
    """Raise ValueError unless ``alpha`` is a share strictly between 0 and 1."""
    if not 0 < alpha < 1:
        raise ValueError(f'{name} = {alpha} must be above 0 and below 1')


def needed_scores(alpha: float) -> int:
    """Return the fewest scores of a class that can support ``alpha``."""
    return math.ceil(1 / alpha - 1e-9) - 1


def miss_rank(number: int, alpha: float) -> int:
    """Return j of the miss threshold, the j-th smallest of n scores; 0 if n is too small."""
    return math.floor(alpha * (number + 1) + 1e-9)


def veto_rank(number: int, alpha: float) -> int:
    """Return k of the veto threshold, the k-th smallest of n scores; n + 1 if n is too small."""
    return math.ceil((number + 1) * (1 - alpha) - 1e-9)


def miss_threshold(hazard_scores: NDArray[np.floating], alpha: float) -> float:
    """
    Return the threshold that at most a share ``alpha`` of hazards stays below.

    With n exchangeable hazard scores it is the j-th smallest, j = floor(alpha (n + 1)):
    P(new hazard's score < threshold) <= alpha.

    :raises CalibrationError: if n is too small for alpha, saying how many are needed.

    Source: Luo et al. 2021, arXiv 2109.14082, theorem 1 (class-conditional conformal).
    """
    check_level('alpha_miss', alpha)
    rank = miss_rank(len(hazard_scores), alpha)
    if rank < 1:
        needed = needed_scores(alpha)
        raise CalibrationError(
            f'{len(hazard_scores)} hazards cannot support alpha_miss = {alpha}: it takes '
            f'{needed}, so collect {needed - len(hazard_scores)} more episodes that end in one')
    return float(np.sort(hazard_scores)[rank - 1])


def veto_threshold(safe_scores: NDArray[np.floating], alpha: float) -> float:
    """
    Return the threshold that at most a share ``alpha`` of safe episodes exceeds.

    With n exchangeable safe scores it is the k-th smallest, k = ceil((n + 1)(1 - alpha)):
    P(new safe score > threshold) <= alpha.

    :raises CalibrationError: if n is too small for alpha, saying how many are needed.

    Source: Angelopoulos and Bates 2021, arXiv 2107.07511, section 1.
    """
    check_level('alpha_veto', alpha)
    rank = veto_rank(len(safe_scores), alpha)
    if rank > len(safe_scores):
        needed = needed_scores(alpha)
        raise CalibrationError(
            f'{len(safe_scores)} safe episodes cannot support alpha_veto = {alpha}: it takes '
            f'{needed}, so collect {needed - len(safe_scores)} more without a hazard')
    return float(np.sort(safe_scores)[rank - 1])
