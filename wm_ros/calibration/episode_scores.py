# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One score of each class for each episode: what every promise here is about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.shorter import StepRisks
from wm_ros.errors import CalibrationError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpisodeScores:
    """
    Scores of E episodes, float64 (E,) each; NaN where an episode has none of a class.

    Windows of one episode depend on each other, episodes do not: so one window of each class is
    drawn from every episode, and whatever is split, counted or resampled is episodes.

    :param hazard: risk of a command from rest that ended in a hazard.
    :param safe: risk of a command from rest that did not.
    :param moving_hazard: risk of a window in mid-motion that ended in a hazard.
    :param moving_safe: risk of a window in mid-motion that did not.
    :param timely: highest risk before a hazard while there was still time to stop; -inf where
        the first look came too late.
    :param hazard_doubt: spread of the ensemble at the riskiest step of ``hazard``'s window; None
        if nobody asked.
    :param safe_doubt: the same of ``safe``.
    :param by_step: the risks of ``hazard``'s and ``safe``'s windows step by step; None if nobody
        asked.
    :param kind: of the hazard that ``hazard`` is about, '' where there is none.
    """

    hazard: NDArray[np.float64]
    safe: NDArray[np.float64]
    moving_hazard: NDArray[np.float64]
    moving_safe: NDArray[np.float64]
    timely: NDArray[np.float64]
    kind: tuple[str, ...]
    hazard_doubt: NDArray[np.float64] | None = None
    safe_doubt: NDArray[np.float64] | None = None
    by_step: StepRisks | None = None

    def __post_init__(self) -> None:
        """Refuse columns of different length and risks that are none."""
        for name in ('hazard', 'safe', 'moving_hazard', 'moving_safe', 'timely', 'kind'):
            values = getattr(self, name)
            if len(values) != len(self.hazard):
                raise ValueError(f'{name} has {len(values)} rows, hazard {len(self.hazard)}')
        for name in ('hazard', 'safe', 'moving_hazard', 'moving_safe'):
            values = getattr(self, name)
            wrong = np.flatnonzero((values < 0) | (values > 1))
            if wrong.size:
                raise CalibrationError(f'{name} of episode {wrong[0]} is {values[wrong[0]]}, not '
                                       'a risk between 0 and 1')

    def __len__(self) -> int:
        """Return the number of episodes."""
        return len(self.hazard)


def present(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores that are there."""
    return scores[~np.isnan(scores)]


def count(scores: NDArray[np.float64]) -> int:
    """Return how many episodes have a score."""
    return int((~np.isnan(scores)).sum())
