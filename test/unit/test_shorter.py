# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Thresholds for chunks of which the first steps alone are looked at."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wm_ros.calibration.shorter import StepRisks, shorter_thresholds
from wm_ros.calibration.thresholds import (
    Calibration,
    Pair,
    Promise,
    calibration_from_dict,
    calibration_to_dict,
)
from wm_ros.errors import CalibrationError

HORIZON = 4
CALIBRATION = Calibration(
    lower=0.5, upper=0.6, alpha_miss=0.1, alpha_veto=0.1, num_hazards=30, num_safe=30,
    abstain_rate=0.0, weights_sha256='a', data_sha256='b', date='2026-01-01T00:00:00+00:00')


def make_risks(rng, episodes):
    """Return risks that rise with time, of hazards faster, and hazards at any step."""
    times = np.arange(1, HORIZON + 1) / HORIZON
    happened = rng.integers(0, HORIZON, episodes)[:, None] <= np.arange(HORIZON)
    return StepRisks(hazard=rng.beta(5, 2, episodes)[:, None] * times,
                     safe=rng.beta(2, 5, episodes)[:, None] * times, happened=happened)


def test_each_number_of_steps_keeps_the_promise_by_itself():
    """What was calibrated on the whole horizon would miss half of what happens in two steps."""
    rng = np.random.default_rng(3)
    promise = Promise(alpha_miss=0.1, alpha_veto=0.1)
    misses, vetoes, of_whole = [], [], []
    for _ in range(300):
        calibration, new = make_risks(rng, 200), make_risks(rng, 200)
        pair = shorter_thresholds(calibration, promise)[1]
        hazard, safe = new.of(2)
        misses.append((hazard < pair.lower).mean())
        vetoes.append((safe >= pair.upper).mean())
        of_whole.append((hazard < np.quantile(calibration.of(HORIZON)[0], 0.1)).mean())
    assert np.mean(misses) == pytest.approx(0.1, abs=0.02)
    assert np.mean(vetoes) <= 0.12
    assert np.mean(of_whole) > 0.4


def test_hazards_that_come_later_and_episodes_without_one_do_not_count():
    risks = StepRisks(
        hazard=np.array([[0.1, 0.9], [0.7, 0.8], [np.nan, np.nan]]),
        safe=np.array([[0.2, 0.3], [np.nan, np.nan], [0.1, 0.1]]),
        happened=np.array([[False, True], [True, True], [False, False]]))
    assert [values.tolist() for values in risks.of(1)] == [[0.7], [0.2, 0.1]]
    assert [values.tolist() for values in risks.of(2)] == [[0.9, 0.8], [0.3, 0.1]]


def test_too_few_early_hazards_leave_that_number_of_steps_out():
    rng = np.random.default_rng(4)
    risks = make_risks(rng, 60)
    risks.happened[:, 0] = False
    found = shorter_thresholds(risks, Promise(confidence=None))
    assert [pair is None for pair in found] == [True, False, False]
    calibration = replace(CALIBRATION, shorter=found)
    assert calibration.of_steps(2).lower == found[1].lower
    assert calibration.of_steps(3).decide(found[2].lower * 0.99).name == 'OK'
    for steps in (0, 1, 4):
        with pytest.raises(CalibrationError, match=rf'no thresholds for {steps} steps.*\[2, 3\]'):
            calibration.of_steps(steps)


def test_they_can_be_the_proven_ones():
    risks = make_risks(np.random.default_rng(5), 300)
    promise = Promise(alpha_miss=0.1, alpha_veto=0.1)
    plain, proven = (shorter_thresholds(risks, replace(promise, method=name))
                     for name in ('conformal', 'learn_then_test'))
    # What holds with confidence is stricter on both sides.
    assert proven[2].lower < plain[2].lower
    assert proven[2].upper >= plain[2].upper


def test_they_are_stored_and_those_of_version_3_load_without():
    calibration = replace(CALIBRATION, shorter=(None, Pair(0.25, 0.5)))
    values = json.loads(json.dumps(calibration_to_dict(calibration)))
    assert values['shorter'] == [None, [0.25, 0.5]]
    assert calibration_from_dict(values) == calibration
    old = {name: value for name, value in values.items() if name not in ('shorter', 'episodes')}
    assert calibration_from_dict({**old, 'version': 3}).shorter == ()
    with pytest.raises(CalibrationError, match='lower = 0.9, upper = 0.5'):
        calibration_from_dict({**values, 'shorter': [[0.9, 0.5]]})
    for wrong in (3, [3], [[0.1]]):
        with pytest.raises(CalibrationError, match='shorter'):
            calibration_from_dict({**values, 'shorter': wrong})
