# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The thresholds in use on episodes that they were not calibrated on.

This is the test that can fail: it needs no splits, its trials are independent, and its interval
is the plain Clopper-Pearson interval of so many misses among so many hazards.

A conformal promise is kept on average over calibrations, so a single calibration may do worse
than alpha by chance. How much worse is known exactly if old and new episodes are exchangeable:
the count of misses is beta-binomial. More misses than all but 2.5 % of that distribution mean
that they are not exchangeable, that is, that the calibration does not cover these scenes.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.binomial import clopper_pearson, likely_count, likely_errors
from wm_ros.calibration.conformal import miss_rank, veto_rank
from wm_ros.calibration.episode_scores import EpisodeScores, present
from wm_ros.calibration.shorter import StepRisks
from wm_ros.calibration.thresholds import CONFORMAL, Calibration


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """
    A count and what it says.

    :param errors: how many.
    :param number: of how many episodes.
    :param promise: the bound that was promised; None if nothing was.
    :param limit: the highest count that is no evidence against the promise; None without one.
    """

    errors: int
    number: int
    promise: float | None = None
    limit: int | None = None

    @property
    def mean(self) -> float:
        """Return the share; NaN of none."""
        return self.errors / self.number if self.number else math.nan

    @property
    def ci95(self) -> tuple[float, float]:
        """Return the exact interval; all of [0, 1] where there is nothing to count."""
        return clopper_pearson(self.errors, self.number) if self.number else (0.0, 1.0)

    @property
    def is_kept(self) -> bool:
        """Say whether the count is one that the promise allows for."""
        return self.limit is None or self.errors <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), 'mean': self.mean if self.number else None, 'ci95': self.ci95,
                'promise_kept': None if self.promise is None else self.is_kept}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fresh:
    """
    What the thresholds in use did.

    :param miss: hazards of commands from rest judged OK.
    :param false_veto: safe commands from rest that were vetoed.
    :param abstain: either judged ABSTAIN; no promise, the price of the two.
    :param moving_miss: hazards judged OK in mid-motion; no promise, see docs/calibration.md.
    :param moving_false_veto: safe windows in mid-motion that were vetoed; no promise.
    :param late: hazards not announced while there was time to stop; no promise.
    :param miss_by_kind: ``miss`` by kind of hazard; no promise.
    :param shorter: misses and false vetoes by how many steps were looked at, where there are
        thresholds for fewer than all.
    """

    miss: Rate
    false_veto: Rate
    abstain: Rate
    moving_miss: Rate
    moving_false_veto: Rate
    late: Rate
    miss_by_kind: dict[str, Rate]
    shorter: dict[int, tuple[Rate, Rate]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        found: dict[str, Any] = {
            name: getattr(self, name).to_dict() for name in
            ('miss', 'false_veto', 'abstain', 'moving_miss', 'moving_false_veto', 'late')}
        return {**found, 'miss_by_kind': {
            kind: rate.to_dict() for kind, rate in self.miss_by_kind.items()}, 'shorter': {
            str(steps): {'miss': miss.to_dict(), 'false_veto': false_veto.to_dict()}
            for steps, (miss, false_veto) in self.shorter.items()}}


def measure(calibration: Calibration, scores: EpisodeScores) -> Fresh:
    """Count what the thresholds did on episodes."""
    lower, upper = calibration.lower, calibration.upper
    both = np.concatenate([present(scores.hazard), present(scores.safe)])
    kinds = np.array(scores.kind)
    below, above = _ranks(calibration)
    return Fresh(
        miss=_rate(scores.hazard < lower, scores.hazard, calibration.alpha_miss, below,
                   calibration.num_hazards),
        false_veto=_rate(scores.safe >= upper, scores.safe, calibration.alpha_veto, above,
                         calibration.num_safe),
        abstain=Rate(errors=int(((both >= lower) & (both < upper)).sum()), number=len(both)),
        moving_miss=_rate(scores.moving_hazard < lower, scores.moving_hazard),
        moving_false_veto=_rate(scores.moving_safe >= upper, scores.moving_safe),
        late=_rate(scores.timely < lower, scores.timely),
        miss_by_kind={
            kind: _rate(scores.hazard[kinds == kind] < lower, scores.hazard[kinds == kind])
            for kind in sorted(set(scores.kind) - {''})},
        shorter=_shorter(calibration, scores.by_step))


def _shorter(calibration: Calibration, risks: StepRisks | None) -> dict[int, tuple[Rate, Rate]]:
    """
    Count what the thresholds for fewer steps did.

    Their limits are those of a proven bound: how many hazards each of them was chosen on is not
    stored.
    """
    found: dict[int, tuple[Rate, Rate]] = {}
    if risks is None:
        return found
    for steps, pair in enumerate(calibration.shorter, 1):
        if pair is not None:
            hazard, safe = risks.of(steps)
            found[steps] = (
                _rate(hazard < pair.lower, hazard, calibration.alpha_miss),
                _rate(safe >= pair.upper, safe, calibration.alpha_veto))
    return found


def _ranks(calibration: Calibration) -> tuple[int, int]:
    """Return how many of the calibration's scores may count as errors, plus one, of each side."""
    if calibration.method != CONFORMAL:
        return 0, 0
    number = calibration.num_safe
    return (miss_rank(calibration.num_hazards, calibration.alpha_miss),
            number + 1 - veto_rank(number, calibration.alpha_veto))


def _rate(errors: NDArray[np.bool_], scores: NDArray[np.float64], promise: float | None = None,
          rank: int = 0, calibrated_on: int = 0) -> Rate:
    """Count errors; ``rank`` of the threshold among the calibration's scores, 0 if proven."""
    number = int((~np.isnan(scores)).sum())
    limit = None
    if promise is not None:
        limit = (likely_errors(number, rank=rank, number=calibrated_on) if rank
                 else likely_count(number, promise))
    return Rate(errors=int(errors.sum()), number=number, promise=promise, limit=limit)
