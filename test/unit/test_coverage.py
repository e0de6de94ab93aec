# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The coverage experiment on made-up scores, and the thresholds in use on fresh ones."""

import json
from dataclasses import replace

import numpy as np
import pytest

from wm_ros.calibration import coverage as experiment
from wm_ros.calibration.binomial import clopper_pearson, likely_count
from wm_ros.calibration.coverage import coverage, refusal
from wm_ros.calibration.episode_scores import EpisodeScores
from wm_ros.calibration.fresh import Rate, measure
from wm_ros.calibration.thresholds import Calibration
from wm_ros.errors import CalibrationError


def make_scores(episodes=300, *, apart=2.0, seed=0, with_hazard=0.66, with_safe=0.88):
    """Return scores of two normal classes in log odds, as far apart as told."""
    rng = np.random.default_rng(seed)

    def draw(centre, share):
        risk = 1 / (1 + np.exp(-rng.normal(centre, 1.5, episodes)))
        return np.where(rng.random(episodes) < share, risk, np.nan)

    hazard = draw(apart, with_hazard)
    there = ~np.isnan(hazard)
    kinds = np.where(there, np.where(np.arange(episodes) % 3, 'object', 'table'), '')
    return EpisodeScores(
        hazard=hazard, safe=draw(-apart, with_safe), timely=hazard * 0.9,
        moving_hazard=np.where(there, hazard / 2, np.nan), moving_safe=draw(-apart, 0.5),
        kind=tuple(str(kind) for kind in kinds))


def make_calibration(**changes):
    values = {
        'lower': 0.3, 'upper': 0.6, 'alpha_miss': 0.1, 'alpha_veto': 0.2, 'num_hazards': 19,
        'num_safe': 9, 'abstain_rate': 0.1, 'weights_sha256': 'a', 'data_sha256': 'b',
        'date': '2026-01-01T00:00:00+00:00'}
    return Calibration(**{**values, **changes})


@pytest.mark.parametrize('alpha', [0.1, 0.05, 0.01])
@pytest.mark.parametrize('apart', [0.5, 2.0, 3.5])
def test_the_promise_is_kept_and_the_threshold_alone_misses_as_expected(alpha, apart):
    row = coverage(make_scores(apart=apart), alpha, repeats=1000)
    assert row.promise_kept
    assert row.expected_miss <= alpha
    # The mean over splits is exact, so 1000 of them come close to it: 5 standard errors of a
    # split's rate, which is at most that of 40 hazards.
    error = np.sqrt(2 * alpha * (1 - alpha) / 40 / 1000)
    assert row.threshold_miss_mean == pytest.approx(row.expected_miss, abs=5 * error)
    assert row.miss_mean <= row.threshold_miss_mean
    assert row.miss_ci95[0] <= row.miss_mean <= row.miss_ci95[1]
    assert row.false_veto_mean <= alpha + 5 * error


def test_the_check_can_fail_an_interpolated_quantile(monkeypatch):
    """What released code does: the experiment must not call it kept."""
    def interpolated(hazard, safe, alpha_miss, alpha_veto):
        return float(np.quantile(hazard, alpha_miss)), 1.0

    monkeypatch.setattr(experiment, 'choose_thresholds', interpolated)
    row = coverage(make_scores(150), 0.1, repeats=2000)
    assert row.miss_mean > 0.1
    assert not row.promise_kept


def test_the_interval_is_that_of_the_distinct_hazards_however_often_they_are_split():
    scores = make_scores(150)
    few, many = (coverage(scores, 0.1, repeats=repeats) for repeats in (200, 2000))
    assert few.hazards == many.hazards == np.isfinite(scores.hazard).sum()
    assert (few.repeats, many.repeats) == (200, 2000)
    assert many.miss_ci95 == clopper_pearson(many.miss_mean * many.hazards, many.hazards)
    # Ten times the repeats do not make it ten times as narrow.
    width = [high - low for low, high in (few.miss_ci95, many.miss_ci95)]
    assert width[1] > 0.8 * width[0]


def test_splits_are_of_episodes_and_hold_the_number_of_hazards():
    scores = make_scores(60)
    for calibrating, testing in experiment._splits(scores, 17, 50, seed=3):
        assert np.isfinite(scores.hazard[calibrating]).sum() == 17
        assert sorted([*calibrating, *testing]) == list(range(60))


def test_three_fifths_calibrate_or_as_many_as_alpha_takes():
    scores = make_scores(200, with_hazard=1.0)
    scores = replace(scores, hazard=np.where(np.arange(200) < 130, scores.hazard, np.nan))
    assert coverage(scores, 0.05, repeats=200).calibration_hazards == 78
    assert coverage(scores, 0.01, repeats=200).calibration_hazards == 99


@pytest.mark.parametrize(('alpha', 'needed'), [(0.1, 29), (0.05, 39), (0.01, 119)])
def test_refuses_an_alpha_that_the_episodes_cannot_test(alpha, needed):
    """9, 19 and 99 to calibrate, and 20 to test."""
    scores = make_scores(400, with_hazard=1.0, with_safe=1.0)
    for column, what in (('hazard', 'with a hazard'), ('safe', 'with a safe command')):
        values = getattr(scores, column).copy()
        values[needed:] = np.nan
        assert not refusal(replace(scores, **{column: values}), alpha)
        values[needed - 3:] = np.nan
        short = replace(scores, **{column: values})
        with pytest.raises(CalibrationError, match=f'alpha = {alpha} .* {needed - 3} episodes '
                                                   f'{what}: .* collect 3 more'):
            coverage(short, alpha, repeats=200)


def test_refuses_few_repeats_and_levels_that_promise_nothing():
    with pytest.raises(ValueError, match='repeats = 199 must be at least 200'):
        coverage(make_scores(), 0.1, repeats=199)
    with pytest.raises(ValueError, match=r'alpha = 1\.0'):
        coverage(make_scores(), 1.0, repeats=200)


def test_ties_only_lower_the_miss_rate():
    scores = make_scores(200)
    tied = replace(scores, hazard=np.round(scores.hazard, 1), timely=np.round(scores.timely, 1))
    row = coverage(tied, 0.1, repeats=500)
    assert row.promise_kept
    assert row.threshold_miss_mean < row.expected_miss


def test_the_row_is_json_with_the_keys_that_were_asked_for():
    row = json.loads(json.dumps(coverage(make_scores(), 0.05, repeats=200).to_dict()))
    assert {'alpha', 'miss_mean', 'miss_ci95', 'false_veto_mean', 'repeats', 'hazards'} <= set(row)
    assert (row['alpha'], row['repeats'], len(row['miss_ci95'])) == (0.05, 200, 2)


def test_mid_motion_kinds_and_late_warnings_have_rows_of_their_own():
    scores = make_scores(apart=1.0)
    row = coverage(scores, 0.1, repeats=400)
    # In mid-motion the made-up risk is half as high, so more of it stays below.
    assert row.moving_miss_mean > row.miss_mean
    assert row.moving_hazards == row.hazards
    assert set(row.miss_by_kind) == {'object', 'table'}
    assert min(row.miss_by_kind.values()) <= row.miss_mean <= max(row.miss_by_kind.values())
    # Risk control chooses a threshold for late warnings, which the other one knows nothing of.
    assert row.late_mean == pytest.approx(row.expected_miss, abs=0.01)
    assert row.late_at_lower_mean > row.late_mean
    # Nothing was scored in mid-motion: said so, not made up.
    empty = np.full(len(scores), np.nan)
    still = coverage(replace(scores, moving_hazard=empty), 0.1, repeats=200)
    assert still.moving_miss_mean is still.moving_miss_ci95 is None
    assert still.moving_hazards == 0


def test_late_warnings_that_no_threshold_prevents_are_not_promised():
    scores = make_scores()
    late = np.where(np.arange(300) % 2, scores.timely, np.where(
        np.isnan(scores.timely), np.nan, -np.inf))
    assert coverage(replace(scores, timely=late), 0.1, repeats=200).late_mean is None


def test_a_proof_is_worse_than_promised_less_often_than_its_confidence_allows():
    row = coverage(make_scores(), 0.05, repeats=1000)
    assert row.proven_over_alpha <= 0.05
    assert row.over_alpha > 0.2
    # 198 hazards prove 5 % but not 1 %, which takes 299.
    assert coverage(make_scores(), 0.01, repeats=200).proven_over_alpha is None


def test_the_same_seed_gives_the_same_figures():
    first, again, other = (coverage(make_scores(), 0.05, repeats=200, seed=seed)
                           for seed in (1, 1, 2))
    assert first == again != other


def test_scores_must_be_risks_of_the_same_episodes():
    scores = make_scores(10)
    with pytest.raises(ValueError, match='safe has 9 rows, hazard 10'):
        replace(scores, safe=scores.safe[1:])
    wrong = np.full(10, np.nan)
    wrong[4] = 1.2
    with pytest.raises(CalibrationError, match=r'moving_hazard of episode 4 is 1\.2'):
        replace(scores, moving_hazard=wrong)


def test_thresholds_in_use_are_counted_by_hand():
    nan = np.nan
    scores = EpisodeScores(
        hazard=np.array([0.2, 0.3, 0.9, nan]), safe=np.array([0.1, 0.6, nan, 0.59]),
        moving_hazard=np.array([0.1, 0.2, nan, nan]), moving_safe=np.array([0.7, nan, nan, nan]),
        timely=np.array([0.2, -np.inf, 0.4, nan]), kind=('object', 'table', 'object', ''))
    found = measure(make_calibration(), scores)
    assert (found.miss.errors, found.miss.number, found.miss.mean) == (1, 3, pytest.approx(1 / 3))
    assert (found.false_veto.errors, found.false_veto.number) == (1, 3)
    # 0.3 among hazards, 0.59 among the safe; 0.6 is vetoed.
    assert (found.abstain.errors, found.abstain.number) == (2, 6)
    assert (found.moving_miss.errors, found.moving_miss.number) == (2, 2)
    assert (found.moving_false_veto.errors, found.moving_false_veto.number) == (1, 1)
    assert (found.late.errors, found.late.number) == (2, 3)
    assert {kind: (rate.errors, rate.number) for kind, rate in found.miss_by_kind.items()} == {
        'object': (1, 2), 'table': (0, 1)}
    assert found.abstain.promise is found.moving_miss.promise is None
    text = json.loads(json.dumps(found.to_dict()))
    assert text['miss']['promise_kept'] is True
    assert text['miss_by_kind']['object']['number'] == 2
    assert Rate(errors=0, number=0).to_dict()['mean'] is None


def test_scenes_that_the_calibration_does_not_cover_are_told():
    scores = make_scores(300, apart=0.0)
    on_others = make_calibration(lower=0.3, num_hazards=331, alpha_miss=0.05)
    assert not measure(on_others, scores).miss.is_kept
    # The same count of misses among as many as a proof allows for.
    proven = measure(replace(on_others, method='learn_then_test'), scores).miss
    assert proven.limit == likely_count(proven.number, 0.05)
    assert not proven.is_kept


def test_a_calibration_that_chance_made_worse_is_no_broken_promise():
    """Of 100 fresh hazards 11 missed at alpha 5 %: with n = 19 that is within chance."""
    scores = make_scores(100, with_hazard=1.0)
    scores = replace(scores, hazard=np.where(np.arange(100) < 11, 0.1, 0.9))
    few = measure(make_calibration(alpha_miss=0.05, num_hazards=19), scores).miss
    many = measure(make_calibration(alpha_miss=0.05, num_hazards=1999), scores).miss
    assert few.errors == many.errors == 11
    assert few.is_kept
    assert not many.is_kept


def test_a_calibration_keeps_its_word_as_often_as_stated():
    """On fresh episodes of the same kind at most 2.5 % of calibrations are called broken."""
    rng = np.random.default_rng(7)
    scores = make_scores(80, with_hazard=1.0)
    broken = 0
    for _ in range(600):
        old, new = rng.random(59), rng.random(80)
        threshold = float(np.sort(old)[2])
        found = measure(
            make_calibration(lower=threshold, upper=1.0, alpha_miss=0.05, num_hazards=59),
            replace(scores, hazard=new))
        broken += not found.miss.is_kept
    assert broken / 600 <= 0.025 + 4 * np.sqrt(0.025 * 0.975 / 600)
