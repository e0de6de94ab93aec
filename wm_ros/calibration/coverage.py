# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The coverage experiment: split held-out episodes, calibrate on one part, test on the other, often.

What it can show and what it cannot. Splits of one set of episodes are exchangeable by
construction, so the mean over splits must come out at floor(alpha (n + 1)) / (n + 1), or below
where both classes share one threshold, whatever the model is worth: a mean above alpha is an
error in the thresholds (an interpolated quantile fails here, ties do not). Whether *new* episodes
are exchangeable with those of the calibration is shown by the thresholds in use on episodes of
another seed, see ``fresh.py``.

Repeats are not independent, for they share their episodes: the spread over repeats says how well
the mean over splits is known, not how well the miss rate is. With N distinct hazards the rate is
known no better than from N trials, however often they are shuffled. So ``miss_ci95`` is the
Clopper-Pearson interval of N trials with miss_mean * N misses, rounded so that it gets wider.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.binomial import clopper_pearson, needed_trials
from wm_ros.calibration.conformal import (
    check_level,
    miss_rank,
    miss_threshold,
    needed_scores,
)
from wm_ros.calibration.episode_scores import EpisodeScores, count, present
from wm_ros.calibration.learn_then_test import proven_miss_threshold
from wm_ros.calibration.risk_control import controlled_threshold, late_losses
from wm_ros.calibration.thresholds import choose_thresholds
from wm_ros.errors import CalibrationError

MIN_REPEATS = 200
# Fewer test hazards than this say too little about any rate.
MIN_TEST = 20
_CALIBRATION_SHARE = 0.6
# Standard errors of the mean over splits by which it may pass alpha by chance.
_CHANCE = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """
    Promised against measured, for one alpha on both sides; None where n supports no answer.

    :param alpha: the promise: bound on the miss rate, and on the false-veto rate.
    :param miss_mean: share of test hazards judged OK, mean over repeats.
    :param miss_ci95: interval of the miss rate, see the module's text.
    :param false_veto_mean: share of safe test commands that were vetoed.
    :param repeats: random splits.
    :param hazards: distinct episodes with a hazard, in either part.
    :param safe: distinct episodes with a safe command.
    :param calibration_hazards: hazards in the calibrating part of each split, n.
    :param expected_miss: floor(alpha (n + 1)) / (n + 1), the exact rate of the threshold alone.
    :param threshold_miss_mean: measured rate of the threshold alone, before both are made one.
    :param promise_kept: miss_mean <= alpha, give or take three standard errors over repeats.
    :param false_veto_ci95: as ``miss_ci95``.
    :param abstain_mean: share of test commands judged ABSTAIN, over both classes.
    :param moving_miss_mean: share of test hazards judged OK in mid-motion, with the thresholds
        of commands from rest: nothing is promised of it.
    :param moving_miss_ci95: its interval.
    :param moving_hazards: distinct episodes with such a window.
    :param late_mean: share of test hazards that were not announced while there was time to stop,
        at a threshold that conformal risk control chose for alpha.
    :param late_at_lower_mean: the same at the thresholds of commands from rest.
    :param over_alpha: share of calibrations, drawn with replacement, whose miss rate on all
        hazards is over alpha: a conformal threshold promises nothing of it.
    :param proven_over_alpha: the same for Learn-then-Test: at most 1 - confidence.
    :param miss_by_kind: miss rate by kind of hazard; the promise is over all kinds together.
    """

    alpha: float
    miss_mean: float
    miss_ci95: tuple[float, float]
    false_veto_mean: float
    repeats: int
    hazards: int
    safe: int
    calibration_hazards: int
    expected_miss: float
    threshold_miss_mean: float
    promise_kept: bool
    false_veto_ci95: tuple[float, float]
    abstain_mean: float
    moving_miss_mean: float | None
    moving_miss_ci95: tuple[float, float] | None
    moving_hazards: int
    late_mean: float | None
    late_at_lower_mean: float
    over_alpha: float
    proven_over_alpha: float | None
    miss_by_kind: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def refusal(scores: EpisodeScores, alpha: float) -> str:
    """Say why these episodes cannot test alpha and how many more are needed; '' if they can."""
    check_level('alpha', alpha)
    for what, number in (('with a hazard', count(scores.hazard)),
                         ('with a safe command', count(scores.safe))):
        needed = needed_scores(alpha) + MIN_TEST
        if number < needed:
            return (f'alpha = {alpha:g} cannot be tested with {number} episodes {what}: it takes '
                    f'{needed_scores(alpha)} to calibrate and {MIN_TEST} to test, so collect '
                    f'{needed - number} more')
    return ''


def coverage(scores: EpisodeScores, alpha: float, *, repeats: int, seed: int = 0,
             confidence: float = 0.95) -> Coverage:
    """
    Repeat split, calibrate, test over episodes.

    Three fifths of the hazards calibrate, or as many as alpha takes.

    :param confidence: of Learn-then-Test.
    :raises CalibrationError: if the episodes cannot support alpha, see ``refusal``.
    :raises ValueError: if there are too few repeats.
    """
    if repeats < MIN_REPEATS:
        raise ValueError(f'repeats = {repeats} must be at least {MIN_REPEATS}')
    reason = refusal(scores, alpha)
    if reason:
        raise CalibrationError(reason)
    hazards = count(scores.hazard)
    number = max(int(_CALIBRATION_SHARE * hazards), needed_scores(alpha))
    tally = _Tally(scores)
    for calibrating, testing in _splits(scores, number, repeats, seed):
        tally.add(calibrating, testing, alpha)
    miss = tally.rate('miss')
    error = float(np.std(tally.misses, ddof=1)) / math.sqrt(repeats)
    over, proven = _violations(present(scores.hazard), alpha, repeats, seed, confidence)
    moving, vetoed = tally.rate('moving'), tally.rate('veto')
    return Coverage(
        alpha=alpha, miss_mean=miss, miss_ci95=clopper_pearson(miss * hazards, hazards),
        false_veto_mean=vetoed, repeats=repeats, hazards=hazards, safe=count(scores.safe),
        calibration_hazards=number, expected_miss=miss_rank(number, alpha) / (number + 1),
        threshold_miss_mean=tally.rate('bare'),
        promise_kept=miss <= alpha + _CHANCE * error,
        false_veto_ci95=clopper_pearson(vetoed * count(scores.safe), count(scores.safe)),
        abstain_mean=tally.rate('abstain'),
        moving_miss_mean=None if math.isnan(moving) else moving,
        moving_miss_ci95=None if math.isnan(moving) else clopper_pearson(
            moving * count(scores.moving_hazard), count(scores.moving_hazard)),
        moving_hazards=count(scores.moving_hazard),
        late_mean=None if tally.is_late_refused else tally.rate('late'),
        late_at_lower_mean=tally.rate('late_at_lower'), over_alpha=over,
        proven_over_alpha=proven, miss_by_kind=tally.by_kind())


def _splits(scores: EpisodeScores, number: int, repeats: int, seed: int
            ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """
    Yield the episodes to calibrate on and those to test on.

    A random order is cut behind its ``number``-th hazard: every set of hazards of that size is
    equally likely to calibrate, and the safe episodes come along in proportion.
    """
    rng = np.random.default_rng(seed)
    has_hazard = ~np.isnan(scores.hazard)
    for _ in range(repeats):
        order = rng.permutation(len(scores))
        cut = int(np.flatnonzero(has_hazard[order])[number - 1]) + 1
        yield order[:cut], order[cut:]


class _Tally:
    """Counts over splits: how many test episodes each figure was true of, and of how many."""

    def __init__(self, scores: EpisodeScores) -> None:
        self._scores = scores
        self._true: dict[str, int] = {}
        self._all: dict[str, int] = {}
        self._missed = np.zeros(len(scores), np.int64)
        self._tested = np.zeros(len(scores), np.int64)
        self.misses: list[float] = []
        self.is_late_refused = False

    def add(self, calibrating: NDArray[np.int64], testing: NDArray[np.int64], alpha: float
            ) -> None:
        """Calibrate on one part and count on the other."""
        scores = self._scores
        hazard = present(scores.hazard[calibrating])
        lower, upper = _thresholds(hazard, present(scores.safe[calibrating]), alpha)
        missed, tested = scores.hazard[testing] < lower, ~np.isnan(scores.hazard[testing])
        self._missed[testing] += missed
        self._tested[testing] += tested
        self.misses.append(missed.sum() / tested.sum())
        self._count('miss', present(scores.hazard[testing]) < lower)
        self._count('bare', present(scores.hazard[testing]) < miss_threshold(hazard, alpha))
        self._count('veto', present(scores.safe[testing]) >= upper)
        both = np.concatenate([present(scores.hazard[testing]), present(scores.safe[testing])])
        self._count('abstain', (both >= lower) & (both < upper))
        self._count('moving', present(scores.moving_hazard[testing]) < lower)
        self._count('late_at_lower', present(scores.timely[testing]) < lower)
        self._add_late(calibrating, testing, alpha)

    def _add_late(self, calibrating: NDArray[np.int64], testing: NDArray[np.int64],
                  alpha: float) -> None:
        timely = present(self._scores.timely[calibrating])
        grid = np.concatenate([[0.0], np.sort(timely[np.isfinite(timely)])])
        try:
            threshold = controlled_threshold(late_losses(timely, grid), grid, alpha)
        except CalibrationError:
            self.is_late_refused = True
            return
        self._count('late', present(self._scores.timely[testing]) < threshold)

    def _count(self, name: str, outcomes: NDArray[np.bool_]) -> None:
        self._true[name] = self._true.get(name, 0) + int(outcomes.sum())
        self._all[name] = self._all.get(name, 0) + len(outcomes)

    def rate(self, name: str) -> float:
        """Return the share, or NaN of none."""
        return self._true[name] / self._all[name] if self._all.get(name) else float('nan')

    def by_kind(self) -> dict[str, float]:
        """Return the miss rate of each kind of hazard."""
        kinds = np.array(self._scores.kind)
        found = {}
        for kind in sorted(set(kinds[self._tested > 0])):
            mine = (kinds == kind) & (self._tested > 0)
            found[str(kind)] = float(self._missed[mine].sum() / self._tested[mine].sum())
        return found


def _thresholds(hazard: NDArray[np.float64], safe: NDArray[np.float64], alpha: float
                ) -> tuple[float, float]:
    """Return the thresholds; where the safe ones happen to be too few, never veto (k > n)."""
    try:
        return choose_thresholds(hazard, safe, alpha, alpha)
    except CalibrationError:
        return miss_threshold(hazard, alpha), 1.0


def _violations(hazard: NDArray[np.float64], alpha: float, repeats: int, seed: int,
                confidence: float) -> tuple[float, float | None]:
    """
    Return how often a calibration is worse than alpha: conformal, and Learn-then-Test.

    The hazards at hand stand for all there are, so that the true rate of a threshold is known;
    calibrations of as many are drawn from them with replacement.
    """
    rng = np.random.default_rng(seed)
    number = len(hazard)
    can_prove = number >= needed_trials(alpha, confidence)
    conformal = proven = 0
    for _ in range(repeats):
        drawn = hazard[rng.integers(0, number, number)]
        conformal += bool((hazard < miss_threshold(drawn, alpha)).mean() > alpha)
        if can_prove:
            lower = proven_miss_threshold(drawn, alpha, confidence)
            proven += bool((hazard < lower).mean() > alpha)
    return conformal / repeats, proven / repeats if can_prove else None
