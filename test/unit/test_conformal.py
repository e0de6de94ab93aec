# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Conformal thresholds against worked cases and against simulation."""

import numpy as np
import pytest

from wm_ros.calibration.conformal import miss_threshold, veto_threshold
from wm_ros.calibration.thresholds import (
    Calibration,
    calibrate,
    calibration_from_dict,
    calibration_to_dict,
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
        np.linspace(0.8, 0.99, 40), np.linspace(0.01, 0.2, 40), alpha_miss=0.05,
        alpha_veto=0.05, weights_sha256='a', data_sha256='b')
    assert 0.2 < result.lower == result.upper < 0.8
    assert result.abstain_rate == 0


def test_overlapping_classes_leave_an_abstention_between():
    rng = np.random.default_rng(1)
    hazard, safe = rng.beta(4, 2, 200), rng.beta(2, 4, 200)
    result = calibrate(hazard, safe, alpha_miss=0.05, alpha_veto=0.05, weights_sha256='a',
                       data_sha256='b')
    assert result.lower < result.upper
    assert (hazard < result.lower).mean() <= 0.05
    assert (safe > result.upper).mean() <= 0.05
    both = np.concatenate([hazard, safe])
    assert result.abstain_rate == pytest.approx(
        ((both >= result.lower) & (both < result.upper)).mean())


def test_json_form_round_trips_and_refuses_other_versions():
    calibration = make_calibration()
    assert calibration_from_dict(calibration_to_dict(calibration)) == calibration
    with pytest.raises(CalibrationError, match='version 2'):
        calibration_from_dict({**calibration_to_dict(calibration), 'version': 2})
    with pytest.raises(CalibrationError, match='keys'):
        calibration_from_dict({'version': 1})
