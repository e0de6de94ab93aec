# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Two thresholds on the risk of a chunk: OK below the lower, VETO from the upper, ABSTAIN between.

The lower one bounds the misses among hazards, the upper one the vetoes among safe chunks. The
guarantee is marginal and needs calibration and use to be exchangeable: other robots, other tables
and a veto that changes what the policy does next all weaken it. docs/calibration.md has the rest.
"""

import datetime
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.binomial import upper_bound
from wm_ros.calibration.conformal import (
    check_level,
    miss_rank,
    miss_threshold,
    veto_rank,
    veto_threshold,
)
from wm_ros.calibration.learn_then_test import proven_miss_threshold, proven_pair
from wm_ros.datatypes import Decision
from wm_ros.errors import CalibrationError

CONFORMAL = 'conformal'
LEARN_THEN_TEST = 'learn_then_test'
METHODS = (CONFORMAL, LEARN_THEN_TEST)
VERSION = 5


class Pair(NamedTuple):
    """OK below ``lower``, VETO from ``upper``."""

    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """
    Thresholds and what they rest on; None is what nobody asked for or n does not support.

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
    :param method: where ``lower`` and ``upper`` come from: conformal (the promise holds on
        average over calibrations) or learn_then_test (it holds for this one with ``confidence``).
    :param confidence: of the five values below.
    :param miss_bound: share of hazards judged OK at ``lower`` that is not exceeded.
    :param veto_bound: share of safe chunks vetoed at ``upper`` that is not exceeded.
    :param ltt_lower: highest threshold proven to keep ``alpha_miss``.
    :param ltt_both_lower: with ``ltt_both_upper``, thresholds proven to keep both promises
        together; they may be in any order, see ``learn_then_test.proven_pair``.
    :param ltt_both_upper: see above.
    :param uncertainty_limit: a chunk whose risk is OK is doubted from above this spread of the
        ensemble on; None where the spread was not found to rank the error.
    :param alpha_abstain: promised bound on the share of OK chunks that are doubted so.
    :param uncertainty_spearman: rank correlation of spread and error that was found.
    :param uncertainty_ause: area under its sparsification error curve.
    :param uncertainty_ause_chance: the area of an uncertainty that knows nothing.
    :param shorter: thresholds for a chunk of which the first 1, 2, ... steps alone were looked
        at, up to one less than the horizon; None where too few hazards come so early.
    :param episodes: SHA-256 of each episode's file; empty where only ``data_sha256`` is known.
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
    method: str = CONFORMAL
    confidence: float | None = None
    miss_bound: float | None = None
    veto_bound: float | None = None
    ltt_lower: float | None = None
    ltt_both_lower: float | None = None
    ltt_both_upper: float | None = None
    uncertainty_limit: float | None = None
    alpha_abstain: float | None = None
    uncertainty_spearman: float | None = None
    uncertainty_ause: float | None = None
    uncertainty_ause_chance: float | None = None
    shorter: tuple[Pair | None, ...] = ()
    episodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse thresholds that would let everything or nothing through by mistake."""
        for lower, upper in ((self.lower, self.upper), *(pair for pair in self.shorter if pair)):
            if not 0 <= lower <= upper <= 1:
                raise CalibrationError(f'thresholds lower = {lower}, upper = {upper} must '
                                       'satisfy 0 <= lower <= upper <= 1; calibrate the '
                                       'checkpoint again')
        if self.method not in METHODS:
            raise CalibrationError(f'method = {self.method!r} must be one of {METHODS}; calibrate '
                                   'the checkpoint again')

    def decide(self, risk: float, uncertainty: float = 0.0) -> Decision:
        """
        Return OK, ABSTAIN or VETO for a risk; what is not a number is INVALID.

        :param uncertainty: spread of the ensemble at the riskiest step.
        """
        if not (0 <= risk <= 1 and uncertainty >= 0):
            return Decision.INVALID
        if risk < self.lower:
            return Decision.ABSTAIN if self.is_doubted(uncertainty) else Decision.OK
        return Decision.VETO if risk >= self.upper else Decision.ABSTAIN

    def of_steps(self, steps: int) -> 'Calibration':
        """
        Return the thresholds for a chunk of which so many steps were looked at.

        :param steps: fewer than the horizon.
        :raises CalibrationError: if nothing was calibrated for so few steps, saying what to do.
        """
        pair = self.shorter[steps - 1] if 1 <= steps <= len(self.shorter) else None
        if pair is None:
            known = [number for number, pair in enumerate(self.shorter, 1) if pair]
            raise CalibrationError(
                f'no thresholds for {steps} steps, only for {known} and the whole horizon; choose '
                "one of those, or run 'wm-ros calibrate' on more episodes")
        return replace(self, lower=pair.lower, upper=pair.upper, shorter=())

    def is_doubted(self, uncertainty: float) -> bool:
        """Tell whether the ensemble disagrees too much for its risk to be believed."""
        return self.uncertainty_limit is not None and uncertainty > self.uncertainty_limit


# Version 1 knew the two conformal thresholds alone. A checkpoint that carries one still loads,
# with nothing proven. Version 2 knew nothing of the uncertainty, version 3 nothing of chunks that
# are looked at for fewer steps, version 4 its episodes only as a whole.
_OF_UNCERTAINTY = {'uncertainty_limit', 'alpha_abstain', 'uncertainty_spearman',
                   'uncertainty_ause', 'uncertainty_ause_chance'}
_KEYS = {
    1: {item.name for item in fields(Calibration) if item.default is MISSING},
    2: {item.name for item in fields(Calibration)} - _OF_UNCERTAINTY - {'shorter', 'episodes'},
    3: {item.name for item in fields(Calibration)} - {'shorter', 'episodes'},
    4: {item.name for item in fields(Calibration)} - {'episodes'},
    VERSION: {item.name for item in fields(Calibration)},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """
    What to promise.

    :param alpha_miss: bound on the share of hazards judged OK.
    :param alpha_veto: bound on the share of safe chunks that are vetoed.
    :param confidence: of the bounds and of Learn-then-Test; None for neither.
    :param must_be_proven: raise where the number of hazards cannot support Learn-then-Test for
        the miss rate, instead of leaving its threshold out.
    :param method: which thresholds are put to use.
    :param alpha_abstain: bound on the share of OK chunks that are doubted for their uncertainty.
    """

    alpha_miss: float = 0.05
    alpha_veto: float = 0.05
    confidence: float | None = 0.95
    must_be_proven: bool = False
    method: str = CONFORMAL
    alpha_abstain: float = 0.01

    def __post_init__(self) -> None:
        """Refuse levels that promise nothing."""
        check_level('alpha_abstain', self.alpha_abstain)
        check_level('alpha_miss', self.alpha_miss)
        check_level('alpha_veto', self.alpha_veto)
        if self.confidence is not None:
            check_level('confidence', self.confidence)
        if self.method not in METHODS:
            raise ValueError(f'method = {self.method!r} must be one of {METHODS}')
        if self.method == LEARN_THEN_TEST and self.confidence is None:
            raise ValueError(f'method = {self.method!r} needs a confidence')


def calibrate(hazard_scores: NDArray[np.floating], safe_scores: NDArray[np.floating],
              promise: Promise, *, weights_sha256: str, data_sha256: str) -> Calibration:
    """
    Choose the thresholds.

    :param hazard_scores: highest risk of one chunk for each episode that ended in a hazard.
    :param safe_scores: the same of one chunk for each episode that stayed safe.
    :raises CalibrationError: if there are too few of either, saying how many are needed.
    """
    hazard_scores, safe_scores = np.asarray(hazard_scores), np.asarray(safe_scores)
    if promise.method == LEARN_THEN_TEST:
        assert promise.confidence is not None
        lower, upper = one_threshold(*proven_pair(
            hazard_scores, safe_scores, alpha_miss=promise.alpha_miss,
            alpha_veto=promise.alpha_veto, confidence=promise.confidence))
    else:
        lower, upper = choose_thresholds(
            hazard_scores, safe_scores, promise.alpha_miss, promise.alpha_veto)
    both = np.concatenate([hazard_scores, safe_scores])
    abstain = float(((both >= lower) & (both < upper)).mean())
    return Calibration(
        lower=lower, upper=upper, alpha_miss=promise.alpha_miss, alpha_veto=promise.alpha_veto,
        num_hazards=len(hazard_scores), num_safe=len(safe_scores), abstain_rate=abstain,
        weights_sha256=weights_sha256, data_sha256=data_sha256,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'),
        method=promise.method, **_proofs(hazard_scores, safe_scores, promise))


def choose_thresholds(hazard_scores: NDArray[np.floating], safe_scores: NDArray[np.floating],
                      alpha_miss: float, alpha_veto: float) -> tuple[float, float]:
    """
    Return the conformal lower and upper threshold, made one where both promises allow it.

    :raises CalibrationError: if there are too few of either, saying how many are needed.
    """
    lower = miss_threshold(hazard_scores, alpha_miss)
    # A veto is at the threshold or above, so a safe score that equals it must stay below.
    upper = math.nextafter(veto_threshold(safe_scores, alpha_veto), math.inf)
    if upper > 1:
        raise CalibrationError(
            f'{int((np.asarray(safe_scores) >= 1).sum())} of {len(safe_scores)} safe episodes '
            f'have a risk of 1: no threshold spares them, so alpha_veto = {alpha_veto} cannot '
            'be promised; train the model further')
    return one_threshold(lower, upper)


def one_threshold(lower: float, upper: float) -> tuple[float, float]:
    """
    Return the pair as it is, or the same value twice where ``lower`` is above ``upper``.

    Then any threshold in between keeps both promises. Towards the lower end fewer hazards pass;
    the geometric mean of the odds leaves room on both sides.
    """
    if lower <= upper:
        return lower, upper
    low, high = (min(max(value, 1e-9), 1 - 1e-9) for value in (upper, lower))
    logit = (math.log(low / (1 - low)) + math.log(high / (1 - high))) / 2
    middle = min(max(1 / (1 + math.exp(-logit)), upper), lower)
    return middle, middle


def _proofs(hazard_scores: NDArray[np.floating], safe_scores: NDArray[np.floating],
            promise: Promise) -> dict[str, Any]:
    """Return what holds with confidence, by the names of the calibration's fields."""
    if promise.confidence is None:
        return {}
    found: dict[str, float | None] = {
        'confidence': promise.confidence,
        'miss_bound': promise.alpha_miss, 'veto_bound': promise.alpha_veto}
    if promise.method == CONFORMAL:
        number = len(hazard_scores)
        found['miss_bound'] = upper_bound(
            miss_rank(number, promise.alpha_miss) - 1, number, promise.confidence)
        number = len(safe_scores)
        found['veto_bound'] = upper_bound(
            number - veto_rank(number, promise.alpha_veto), number, promise.confidence)
    try:
        found['ltt_lower'] = proven_miss_threshold(
            hazard_scores, promise.alpha_miss, promise.confidence)
    except CalibrationError:
        if promise.must_be_proven:
            raise
    try:
        found['ltt_both_lower'], found['ltt_both_upper'] = proven_pair(
            hazard_scores, safe_scores, alpha_miss=promise.alpha_miss,
            alpha_veto=promise.alpha_veto, confidence=promise.confidence)
    except CalibrationError:
        if promise.method == LEARN_THEN_TEST:
            raise
    return found


def calibration_to_dict(calibration: Calibration) -> dict[str, Any]:
    """Return the JSON form."""
    return {'version': VERSION, **asdict(calibration)}


def calibration_from_dict(values: Mapping[str, Any]) -> Calibration:
    """
    Read the JSON form of this version or of an older one.

    :raises CalibrationError: if the version, a key or a value is not this program's.
    """
    content = dict(values)
    version = content.pop('version', None)
    if type(version) is not int or version not in _KEYS:
        raise CalibrationError(f'calibration is version {version!r}, this program reads '
                               f'{min(_KEYS)} to {max(_KEYS)}; calibrate the checkpoint again')
    wrong = sorted(set(content) ^ _KEYS[version])
    if wrong:
        raise CalibrationError(f'calibration of version {version} has missing or unknown keys '
                               f'{wrong}; calibrate the checkpoint again')
    pairs, episodes = content.pop('shorter', ()), content.pop('episodes', ())
    _check_kinds(content)
    if not isinstance(episodes, list | tuple) or not all(
            isinstance(item, str) for item in episodes):
        raise CalibrationError('calibration: episodes is no list of hashes; calibrate the '
                               'checkpoint again')
    try:
        return Calibration(**content, episodes=tuple(episodes), shorter=tuple(
            pair if pair is None else Pair(*pair) for pair in pairs))
    except TypeError as error:
        raise CalibrationError(f'calibration: shorter is no list of pairs ({error}); calibrate '
                               'the checkpoint again') from error


def _check_kinds(content: Mapping[str, Any]) -> None:
    """Refuse values that would be compared with a risk only when a command comes."""
    kinds = {item.name: item.type for item in fields(Calibration)}
    for name, value in content.items():
        kind: Any = kinds[name]
        # JSON knows whole numbers without a point as well.
        is_whole = type(value) is int and kind is not int
        if not isinstance(float(value) if is_whole else value, kind):
            expected = getattr(kind, '__name__', kind)
            raise CalibrationError(f'calibration: {name} is {value!r}, expected {expected}; '
                                   'calibrate the checkpoint again')
