# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Two thresholds on the risk of a chunk: OK below the lower, VETO from the upper, ABSTAIN between.

The lower one bounds the misses among hazards, the upper one the vetoes among safe chunks. The
guarantee is marginal and needs calibration and use to be exchangeable: other robots, other tables
and a veto that changes what the policy does next all weaken it.
"""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.conformal import miss_threshold, veto_threshold
from wm_ros.datatypes import Decision
from wm_ros.errors import CalibrationError

VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """
    Thresholds and what they rest on.

    :param lower: risk below which a chunk is OK.
    :param upper: risk from which a chunk is vetoed; equal to ``lower`` where the classes are far
        enough apart that one threshold keeps both promises.
    :param alpha_miss: promised bound on the share of hazards judged OK.
    :param alpha_veto: promised bound on the share of safe chunks that are vetoed.
    :param num_hazards: episodes with a hazard behind ``lower``.
    :param num_safe: episodes without behind ``upper``.
    :param abstain_rate: share of the calibration's chunks between the thresholds.
    :param weights_sha256: of the weights that were calibrated.
    :param data_sha256: over the names and bytes of the episodes.
    :param date: ISO 8601, UTC.
    """

    lower: float
    upper: float
    alpha_miss: float
    alpha_veto: float
    num_hazards: int
    num_safe: int
    abstain_rate: float
    weights_sha256: str
    data_sha256: str
    date: str

    def __post_init__(self) -> None:
        """Refuse thresholds that would let everything or nothing through by mistake."""
        if not 0 <= self.lower <= self.upper <= 1:
            raise CalibrationError(f'thresholds lower = {self.lower}, upper = {self.upper} must '
                                   'satisfy 0 <= lower <= upper <= 1')

    def decide(self, risk: float) -> Decision:
        """Return OK, ABSTAIN or VETO for a risk; a risk that is not a number is INVALID."""
        if not 0 <= risk <= 1:
            return Decision.INVALID
        if risk < self.lower:
            return Decision.OK
        return Decision.VETO if risk >= self.upper else Decision.ABSTAIN


def calibrate(hazard_scores: NDArray[np.floating], safe_scores: NDArray[np.floating], *,
              alpha_miss: float, alpha_veto: float, weights_sha256: str, data_sha256: str
              ) -> Calibration:
    """
    Choose the thresholds.

    :param hazard_scores: highest risk of one chunk for each episode that ended in a hazard.
    :param safe_scores: the same of one chunk for each episode that stayed safe.
    :raises CalibrationError: if there are too few of either, saying how many are needed.
    """
    lower = miss_threshold(hazard_scores, alpha_miss)
    upper = veto_threshold(safe_scores, alpha_veto)
    if lower > upper:
        # Any threshold in between keeps both promises. Towards the lower end, fewer hazards
        # pass; the geometric mean of the odds leaves room on both sides.
        lower = upper = _between(upper, lower)
    scores = np.concatenate([hazard_scores, safe_scores])
    abstain = float(((scores >= lower) & (scores < upper)).mean())
    return Calibration(
        lower=lower, upper=upper, alpha_miss=alpha_miss, alpha_veto=alpha_veto,
        num_hazards=len(hazard_scores), num_safe=len(safe_scores), abstain_rate=abstain,
        weights_sha256=weights_sha256, data_sha256=data_sha256,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'))


def _between(low: float, high: float) -> float:
    low, high = (min(max(value, 1e-9), 1 - 1e-9) for value in (low, high))
    logit = (np.log(low / (1 - low)) + np.log(high / (1 - high))) / 2
    return float(1 / (1 + np.exp(-logit)))


def calibration_to_dict(calibration: Calibration) -> dict[str, Any]:
    """Return the JSON form."""
    return {'version': VERSION, **asdict(calibration)}


def calibration_from_dict(values: Mapping[str, Any]) -> Calibration:
    """
    Read the JSON form.

    :raises CalibrationError: if the version or a key is not this program's.
    """
    content = dict(values)
    version = content.pop('version', None)
    if version != VERSION:
        raise CalibrationError(f'calibration is version {version!r}, this program reads {VERSION}')
    if set(content) != {item.name for item in fields(Calibration)}:
        raise CalibrationError(f'calibration has the keys {sorted(content)}, not the expected '
                               'ones; calibrate the checkpoint again')
    return Calibration(**content)
