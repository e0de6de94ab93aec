# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conformal thresholds against worked cases and against simulation."""

import numpy as np
import pytest

from wm_ros.calibration.binomial import upper_bound
from wm_ros.calibration.conformal import (
    miss_rank,
    miss_threshold,
    veto_rank,
    veto_threshold,
)
from wm_ros.calibration.thresholds import (
    Calibration,
    Promise,
    calibrate,
    calibration_from_dict,
    calibration_to_dict,
    choose_thresholds,
)
from wm_ros.datatypes import Decision
from wm_ros.errors import CalibrationError


def make_calibration(**changes):
    values = {
        'lower': 0.2, 'upper': 0.6, 'alpha_miss': 0.05, 'alpha_veto': 0.05, 'num_hazards': 99,
        'num_safe': 99, 'abstain_rate': 0.1, 'weights_sha256': 'a', 'data_sha256': 'b',
        'date': '2026-01-01T00:00:00+00:00'}
    return Calibration(**{**values, **changes})


def test_order_statistics_by_hand():
    scores = np.array([0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6])
    # n = 9, alpha = 0.1: j = floor(0.1 * 10) = 1, the smallest; k = ceil(10 * 0.9) = 9.
    assert miss_threshold(scores, 0.1) == 0.1
    assert veto_threshold(scores, 0.1) == 0.9
    # alpha = 0.3: j = floor(3) = 3, k = ceil(7) = 7; floating point must not lose one.
    assert miss_threshold(scores, 0.3) == 0.3
    assert veto_threshold(scores, 0.3) == 0.7


@pytest.mark.parametrize(('alpha', 'needed'), [(0.1, 9), (0.05, 19), (0.01, 99)])
def test_refuses_what_n_cannot_support_and_says_how_many(alpha, needed):
    enough = np.linspace(0, 1, needed)
    miss_threshold(enough, alpha)
    veto_threshold(enough, alpha)
    with pytest.raises(CalibrationError, match=f'it takes {needed}, so collect 1 more'):
        miss_threshold(enough[:-1], alpha)
    with pytest.raises(CalibrationError, match=f'it takes {needed}, so collect 1 more'):
        veto_threshold(enough[:-1], alpha)


@pytest.mark.parametrize('alpha', [0.0, 1.0, -0.1, float('nan')])
def test_refuses_levels_that_promise_nothing(alpha):
    with pytest.raises(ValueError, match='alpha_miss'):
        miss_threshold(np.ones(50), alpha)


def test_miss_promise_holds_over_resampling():
    rng = np.random.default_rng(0)
    misses = []
    for _ in range(4000):
        threshold = miss_threshold(rng.normal(size=59), 0.05)
        misses.append(rng.normal() < threshold)
    # The exact rate is 3 / 60; four standard errors of 4000 trials.
    assert np.mean(misses) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 4000))


def test_two_thresholds_decide_three_ways():
    calibration = make_calibration()
    assert calibration.decide(0.19) is Decision.OK
    assert calibration.decide(0.2) is Decision.ABSTAIN
    assert calibration.decide(0.6) is Decision.VETO
    assert calibration.decide(float('nan')) is Decision.INVALID
    with pytest.raises(CalibrationError, match='lower = 0.7, upper = 0.6'):
        make_calibration(lower=0.7)


def test_separable_classes_get_one_threshold_between_them():
    result = calibrate(
        np.linspace(0.8, 0.99, 40), np.linspace(0.01, 0.2, 40), Promise(), weights_sha256='a',
        data_sha256='b')
    assert 0.2 < result.lower == result.upper < 0.8
    assert result.abstain_rate == 0


def test_overlapping_classes_leave_an_abstention_between():
    rng = np.random.default_rng(1)
    hazard, safe = rng.beta(4, 2, 200), rng.beta(2, 4, 200)
    result = calibrate(hazard, safe, Promise(), weights_sha256='a', data_sha256='b')
    assert result.lower < result.upper
    assert (hazard < result.lower).mean() <= 0.05
    assert (safe >= result.upper).mean() <= 0.05
    both = np.concatenate([hazard, safe])
    assert result.abstain_rate == pytest.approx(
        ((both >= result.lower) & (both < result.upper)).mean())


# calibration.md, section 1: n, alpha, k, mean of the coverage, its 5 % quantile.
COVERAGE_TABLE = [
    (10, 0.1, 10, 0.909, 0.741), (19, 0.05, 19, 0.950, 0.854), (20, 0.1, 19, 0.905, 0.784),
    (50, 0.1, 46, 0.902, 0.826), (50, 0.05, 49, 0.961, 0.909), (100, 0.05, 96, 0.950, 0.911),
    (200, 0.05, 191, 0.950, 0.923), (500, 0.05, 476, 0.950, 0.933), (99, 0.01, 99, 0.990, 0.970),
    (1000, 0.01, 991, 0.990, 0.984)]


@pytest.mark.parametrize(('number', 'alpha', 'rank', 'mean', 'low'), COVERAGE_TABLE)
def test_ranks_and_their_coverage_are_those_of_the_table(number, alpha, rank, mean, low):
    assert veto_rank(number, alpha) == rank
    assert veto_threshold(np.arange(1, number + 1), alpha) == rank
    # The same rank from the other end is the miss threshold's.
    assert miss_rank(number, alpha) == number + 1 - rank
    assert rank / (number + 1) == pytest.approx(mean, abs=5e-4)
    # Given the calibration, the coverage is Beta(k, n + 1 - k).
    assert 1 - upper_bound(number - rank, number, 0.95) == pytest.approx(low, abs=5e-4)


@pytest.mark.parametrize(('number', 'covered'), [(10, 0.827), (20, 0.862), (50, 0.884),
                                                 (100, 0.892)])
def test_an_interpolated_quantile_would_promise_too_much(number, covered):
    """Released code takes ``np.quantile(scores, 1 - alpha)``, which covers less than 1 - alpha."""
    # Of uniform scores the k-th smallest covers k / (n + 1) on average, and what lies between
    # two of them the same share between.
    expected = np.arange(1, number + 1) / (number + 1)
    interpolated = float(np.quantile(expected, 0.9))
    assert interpolated == pytest.approx(((number - 1) * 0.9 + 1) / (number + 1))
    assert interpolated == pytest.approx(covered, abs=5e-4)
    assert veto_threshold(expected, 0.1) >= 0.9


def test_a_safe_score_that_equals_the_threshold_is_not_vetoed():
    """A veto is at or above the upper threshold: with ties, at it would be too many."""
    safe = np.array([0.1] * 5 + [0.7] * 15)
    lower, upper = choose_thresholds(np.full(20, 0.2), safe, 0.05, 0.1)
    assert lower == 0.2
    assert 0.7 < upper < 0.7000001


def test_safe_scores_of_one_cannot_be_spared():
    with pytest.raises(CalibrationError, match='3 of 20 safe episodes have a risk of 1'):
        choose_thresholds(np.full(20, 0.2), np.array([0.1] * 17 + [1.0] * 3), 0.05, 0.1)


def test_bounds_and_proofs_are_stored_beside_the_thresholds():
    rng = np.random.default_rng(2)
    hazard, safe = rng.beta(4, 2, 100), rng.beta(2, 4, 100)
    result = calibrate(hazard, safe, Promise(), weights_sha256='a', data_sha256='b')
    assert result.confidence == 0.95
    # Four of 100 hazards may be below the 5th smallest: the table's 1 - 0.911.
    assert result.miss_bound == pytest.approx(0.089, abs=5e-4)
    assert result.veto_bound == pytest.approx(0.089, abs=5e-4)
    # With alpha 0.05 and n = 100 one error may be: 93 hazards allow one, 124 would allow two.
    assert (hazard < result.ltt_lower).sum() == 1
    assert result.ltt_lower < result.lower
    # Both together take 72 without an error, 110 with one: none may be.
    assert (hazard < result.ltt_both_lower).sum() == 0
    assert (safe >= result.ltt_both_upper).sum() == 0
    assert calibration_from_dict(calibration_to_dict(result)) == result


def test_proven_thresholds_can_be_the_ones_in_use():
    rng = np.random.default_rng(2)
    hazard, safe = rng.beta(4, 2, 100), rng.beta(2, 4, 100)
    result = calibrate(hazard, safe, Promise(method='learn_then_test'), weights_sha256='a',
                       data_sha256='b')
    assert (result.lower, result.upper) == (result.ltt_both_lower, result.ltt_both_upper)
    assert (result.method, result.miss_bound, result.veto_bound) == ('learn_then_test', 0.05, 0.05)


def test_too_few_for_a_proof_leave_it_out_unless_it_was_asked_for():
    hazard, safe = np.linspace(0.4, 0.99, 40), np.linspace(0.01, 0.5, 40)
    result = calibrate(hazard, safe, Promise(), weights_sha256='a', data_sha256='b')
    assert result.ltt_lower is result.ltt_both_lower is result.ltt_both_upper is None
    # The threshold is the 2nd smallest, so one of 40 may be below: P(Bin(40, bound) <= 1) = .05.
    bound = result.miss_bound
    assert (1 - bound) ** 40 + 40 * bound * (1 - bound) ** 39 == pytest.approx(0.05)
    for promise, fewer in ((Promise(must_be_proven=True), 19),
                           (Promise(method='learn_then_test'), 32)):
        with pytest.raises(CalibrationError, match=f'collect {fewer} more'):
            calibrate(hazard, safe, promise, weights_sha256='a', data_sha256='b')
    silent = calibrate(hazard, safe, Promise(confidence=None), weights_sha256='a',
                       data_sha256='b')
    assert silent.confidence is silent.miss_bound is None


@pytest.mark.parametrize('changes', [
    {'alpha_miss': 0.0}, {'alpha_veto': 1.0}, {'confidence': 1.0}, {'method': 'quantile'},
    {'method': 'learn_then_test', 'confidence': None}])
def test_a_promise_of_nothing_is_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Promise(**changes)


def test_json_form_round_trips_and_refuses_other_versions():
    calibration = make_calibration()
    values = calibration_to_dict(calibration)
    assert values['version'] == 5
    assert calibration_from_dict(values) == calibration
    for version in (6, None, True, '1', [1]):
        with pytest.raises(CalibrationError, match=r'this program reads 1 to 5'):
            calibration_from_dict({**values, 'version': version})
    with pytest.raises(CalibrationError, match='keys .*lower'):
        calibration_from_dict({'version': 2})
    with pytest.raises(CalibrationError, match="unknown keys .*'surprise'"):
        calibration_from_dict({**values, 'surprise': 1})


def test_a_calibration_that_names_no_episodes_still_loads():
    values = calibration_to_dict(make_calibration(episodes=('a', 'b')))
    assert calibration_from_dict(values).episodes == ('a', 'b')
    old = {key: value for key, value in values.items() if key != 'episodes'}
    assert calibration_from_dict({**old, 'version': 4}).episodes == ()
    for wrong in (3, 'ab', [1], None):
        with pytest.raises(CalibrationError, match='episodes is no list of hashes'):
            calibration_from_dict({**values, 'episodes': wrong})


def test_a_calibration_of_version_1_still_loads():
    """The checkpoints that were shipped first carry one."""
    values = {
        'version': 1, 'lower': 0.0665, 'upper': 0.4987, 'alpha_miss': 0.05, 'alpha_veto': 0.05,
        'num_hazards': 331, 'num_safe': 444, 'abstain_rate': 0.058, 'weights_sha256': 'a',
        'data_sha256': 'b', 'date': '2026-01-01T00:00:00+00:00'}
    loaded = calibration_from_dict(values)
    assert (loaded.lower, loaded.upper, loaded.method) == (0.0665, 0.4987, 'conformal')
    assert loaded.confidence is loaded.ltt_lower is None
    with pytest.raises(CalibrationError, match='version 1 has missing or unknown keys .*method'):
        calibration_from_dict({**values, 'method': 'conformal'})
