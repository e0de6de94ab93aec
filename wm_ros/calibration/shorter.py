# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Thresholds for a chunk of which only the first steps were looked at.

What is forwarded then ends with the last of those steps, so that a later hazard does not count.
The risk of fewer steps is lower, and so must its thresholds be: those of the whole horizon would
miss more than they promise.

Letters: E episodes, H steps of the whole horizon.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.learn_then_test import proven_pair
from wm_ros.calibration.thresholds import (
    LEARN_THEN_TEST,
    Pair,
    Promise,
    choose_thresholds,
    one_threshold,
)
from wm_ros.errors import CalibrationError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepRisks:
    """
    The risk of each episode's chunks step by step; NaN where an episode has none of a class.

    :param hazard: of the command that ended in a hazard, float64 (E, H), not falling.
    :param safe: of the command that stayed safe to the end of the horizon, float64 (E, H).
    :param happened: whether the hazard had happened by the end of each step, bool (E, H).
    """

    hazard: NDArray[np.float64]
    safe: NDArray[np.float64]
    happened: NDArray[np.bool_]

    def of(self, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the scores of hazards and of safe chunks where ``steps`` are looked at."""
        column = steps - 1
        hazard = self.hazard[self.happened[:, column], column]
        safe = self.safe[:, column]
        return hazard[~np.isnan(hazard)], safe[~np.isnan(safe)]


def shorter_thresholds(risks: StepRisks, promise: Promise) -> tuple[Pair | None, ...]:
    """
    Choose thresholds for 1 to H - 1 steps, each by itself and with the promise of the whole.

    :returns: lower and upper for each number of steps from 1 on; None where there are too few
        hazards within so few steps for the promise.
    """
    found: list[Pair | None] = []
    for steps in range(1, risks.safe.shape[1]):
        hazard, safe = risks.of(steps)
        try:
            found.append(_pair(hazard, safe, promise))
        except CalibrationError:
            found.append(None)
    return tuple(found)


def _pair(hazard: NDArray[np.float64], safe: NDArray[np.float64], promise: Promise) -> Pair:
    if promise.method != LEARN_THEN_TEST:
        return Pair(*choose_thresholds(hazard, safe, promise.alpha_miss, promise.alpha_veto))
    assert promise.confidence is not None
    return Pair(*one_threshold(*proven_pair(
        hazard, safe, alpha_miss=promise.alpha_miss, alpha_veto=promise.alpha_veto,
        confidence=promise.confidence)))
