# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Exact tails, thresholds with a stated confidence, and conformal risk control, by hand."""

import math

import numpy as np
import pytest

from wm_ros.calibration.binomial import (
    binomial_cdf,
    clopper_pearson,
    hoeffding_bentkus,
    likely_count,
    likely_errors,
    needed_trials,
    upper_bound,
)
from wm_ros.calibration.conformal import miss_threshold
from wm_ros.calibration.learn_then_test import (
    fixed_sequence,
    miss_p_values,
    proven_miss_threshold,
    proven_pair,
    threshold_grid,
    veto_p_values,
)
from wm_ros.calibration.risk_control import (
    controlled_threshold,
    late_losses,
    timely_scores,
)
from wm_ros.errors import CalibrationError


def test_binomial_tails_by_hand():
    # Two coins: P(no head) = 1/4, P(at most one) = 3/4.
    assert binomial_cdf(0, 2, 0.5) == pytest.approx(0.25)
    assert binomial_cdf(1, 2, 0.5) == pytest.approx(0.75)
    # Exact fractions as the oracle: P(Bin(30, 1/10) <= 3).
    oracle = sum(math.comb(30, k) * 9 ** (30 - k) for k in range(4)) / 10 ** 30
    assert binomial_cdf(3, 30, 0.1) == pytest.approx(oracle, rel=1e-12)
    assert binomial_cdf(-1, 5, 0.5) == 0
    assert binomial_cdf(5, 5, 0.5) == binomial_cdf(0, 5, 0.0) == 1
    assert binomial_cdf(4, 5, 1.0) == 0
    # Below the smallest float nothing breaks.
    assert binomial_cdf(0, 100_000, 0.5) == 0
    with pytest.raises(ValueError, match=r'probability = 1\.1'):
        binomial_cdf(0, 5, 1.1)
    with pytest.raises(ValueError, match='trials = 0'):
        binomial_cdf(0, 0, 0.5)


@pytest.mark.parametrize(('alpha', 'numbers'), [
    (0.1, (29, 46, 61, 103)), (0.05, (59, 93, 124, 208)), (0.02, (149, 236, 313, 523)),
    (0.01, (299, 473, 628, 1049))])
def test_sample_sizes_are_those_of_the_table(alpha, numbers):
    """calibration.md, section 6: for 0, 1, 2 and 5 errors at confidence 0.95."""
    for errors, number in zip((0, 1, 2, 5), numbers, strict=True):
        assert needed_trials(alpha, 0.95, errors) == number
        # One fewer proves too little: the table's numbers are the smallest.
        assert binomial_cdf(errors, number, alpha) <= 0.05 < binomial_cdf(
            errors, number - 1, alpha)


def test_intervals_by_hand():
    # Nothing in 10: 1 - 0.025 ** (1 / 10), and the mirror image of everything.
    assert clopper_pearson(0, 10) == (0.0, pytest.approx(1 - 0.025 ** 0.1))
    assert clopper_pearson(10, 10) == (pytest.approx(0.025 ** 0.1), 1.0)
    # The textbook's 5 of 10.
    assert clopper_pearson(5, 10) == pytest.approx((0.18709, 0.81291), abs=1e-5)
    # Between whole numbers each end is the wider one.
    assert clopper_pearson(4.5, 10) == (clopper_pearson(4, 10)[0], clopper_pearson(5, 10)[1])
    assert upper_bound(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))


def test_counts_that_chance_explains_by_hand():
    # One new score is below the smallest of 19 with probability 1 / 20.
    assert likely_errors(1, rank=1, number=19, confidence=0.94) == 0
    assert likely_errors(1, rank=1, number=19, confidence=0.96) == 1
    # With n = 1 every count of new scores below the one old score is equally likely.
    assert likely_errors(9, rank=1, number=1, confidence=0.45) == 4
    # Against simulation: 3rd smallest of 59, 40 new ones.
    rng = np.random.default_rng(0)
    old, new = rng.random((20_000, 59)), rng.random((20_000, 40))
    counts = (new < np.sort(old, axis=1)[:, 2:3]).sum(axis=1)
    limit = likely_errors(40, rank=3, number=59)
    assert (counts <= limit).mean() >= 0.973
    assert (counts <= limit - 1).mean() < 0.977
    assert likely_count(2, 0.5, 0.7) == 1


def test_hoeffding_bentkus_by_hand():
    # No loss in 100 at alpha = 0.05: Hoeffding gives 0.95 ** 100, less than e times it.
    assert hoeffding_bentkus(0.0, 100, 0.05) == pytest.approx(0.95 ** 100)
    # Close to alpha Bentkus or 1 is what is left.
    assert hoeffding_bentkus(0.05, 100, 0.05) == 1
    # 2 of 100: h1(.02, .05) = .02 ln(.4) + .98 ln(.98 / .95).
    divergence = 0.02 * math.log(0.4) + 0.98 * math.log(0.98 / 0.95)
    assert hoeffding_bentkus(0.02, 100, 0.05) == pytest.approx(
        min(math.exp(-100 * divergence), math.e * binomial_cdf(2, 100, 0.05)))
    # It holds for losses between 0 and 1 too, so it cannot beat the exact tail on 0 and 1.
    for errors in range(6):
        assert hoeffding_bentkus(errors / 100, 100, 0.05) >= binomial_cdf(errors, 100, 0.05)
    with pytest.raises(ValueError, match=r'mean_loss = 1\.5'):
        hoeffding_bentkus(1.5, 10, 0.1)


def test_a_walk_ends_at_the_first_hypothesis_that_stands():
    assert fixed_sequence(np.array([0.01, 0.05, 0.06, 0.0]), 0.05) == 2
    assert fixed_sequence(np.array([0.06, 0.0]), 0.05) == 0
    assert fixed_sequence(np.array([0.0, 0.0]), 0.05) == 2
    assert fixed_sequence(np.array([0.0, float('nan'), 0.0]), 0.05) == 1


def test_the_grid_starts_where_nothing_can_go_wrong():
    grid = threshold_grid()
    assert (np.diff(grid) > 0).all()
    assert (grid[0], grid[-1], grid[len(grid) // 2]) == (0.0, 1.0, 0.5)
    scores = np.array([0.2, 0.4, 0.6])
    assert miss_p_values(scores, np.array([0.0, 0.2, 0.5]), 0.1) == pytest.approx(
        [0.9 ** 3, 0.9 ** 3, binomial_cdf(2, 3, 0.1)])
    assert veto_p_values(scores, np.array([0.2, 0.5, 1.0]), 0.1) == pytest.approx(
        [1.0, binomial_cdf(1, 3, 0.1), 0.9 ** 3])


@pytest.mark.parametrize(('number', 'errors'), [(29, 0), (45, 0), (46, 1), (61, 2), (103, 5)])
def test_a_proven_threshold_leaves_as_many_misses_as_the_table_allows(number, errors):
    scores = np.linspace(0.2, 0.9, number)
    threshold = proven_miss_threshold(scores, 0.1, 0.95)
    assert (scores < threshold).sum() == errors
    # The next step of the grid would be one too many, so it lies close below the next score.
    assert scores[errors] - 0.01 < threshold <= scores[errors]


@pytest.mark.parametrize(('alpha', 'needed'), [(0.1, 29), (0.05, 59), (0.02, 149), (0.01, 299)])
def test_refusals_say_how_many_more_hazards(alpha, needed):
    proven_miss_threshold(np.full(needed, 0.5), alpha, 0.95)
    with pytest.raises(CalibrationError, match=f'{needed - 7} hazards .* takes {needed} without '
                                               'a single error, so collect 7 more'):
        proven_miss_threshold(np.full(needed - 7, 0.5), alpha, 0.95)
    with pytest.raises(ValueError, match='confidence'):
        proven_miss_threshold(np.full(400, 0.5), alpha, 1.0)


def test_a_pair_is_proven_at_half_the_error_each():
    levels = {'alpha_miss': 0.1, 'alpha_veto': 0.05, 'confidence': 0.95}
    # 0.9 ** 36 = 0.0225 and 0.95 ** 72 = 0.0249 are below 0.025; one fewer is not.
    hazard, safe = np.linspace(0.3, 0.9, 36), np.linspace(0.1, 0.7, 72)
    lower, upper = proven_pair(hazard, safe, **levels)
    assert 0.29 < lower <= 0.3
    assert 0.7 < upper < 0.71
    with pytest.raises(CalibrationError, match='35 hazards .* alpha_miss .* collect 1 more'):
        proven_pair(hazard[1:], safe, **levels)
    with pytest.raises(CalibrationError, match='71 safe episodes .* alpha_veto .* collect 1 more'):
        proven_pair(hazard, safe[1:], **levels)
    with pytest.raises(CalibrationError, match='9 of 72 safe episodes have a risk of 1'):
        proven_pair(hazard, np.array([0.1] * 63 + [1.0] * 9), **levels)


def test_separable_classes_prove_any_threshold_in_between():
    lower, upper = proven_pair(np.full(72, 0.8), np.full(72, 0.2), alpha_miss=0.05,
                               alpha_veto=0.05, confidence=0.95)
    assert 0.2 < upper < 0.21
    assert 0.79 < lower <= 0.8


def test_the_confidence_holds_over_calibrations():
    """Of uniform scores the true miss rate is the threshold itself."""
    rng = np.random.default_rng(5)
    proven = [proven_miss_threshold(rng.random(100), 0.1, 0.95) > 0.1 for _ in range(1000)]
    conformal = [miss_threshold(rng.random(100), 0.1) > 0.1 for _ in range(1000)]
    # P(Bin(100, .1) <= 4) = .024 of calibrations, within 4 standard errors.
    assert np.mean(proven) == pytest.approx(0.024, abs=4 * math.sqrt(0.024 / 1000))
    # A conformal threshold promises its mean alone: nearly half do worse.
    assert 0.3 < np.mean(conformal) < 0.6


def test_risk_control_by_hand():
    # n = 9, alpha = 0.3: (sum + 1) / 10 <= 0.3 allows a sum of 2.
    thresholds = np.array([0.1, 0.2, 0.3, 0.4])
    losses = np.zeros((9, 4))
    losses[:2, 1:] = 1
    losses[2, 2:] = 0.5, 1
    assert controlled_threshold(losses, thresholds, 0.3) == 0.2
    assert controlled_threshold(losses, thresholds, 0.35) == 0.3
    with pytest.raises(CalibrationError, match='9 hazards .* takes 19, so collect 10 more'):
        controlled_threshold(losses, thresholds, 0.05)
    with pytest.raises(CalibrationError, match='safest threshold the mean loss over 9 hazards is '
                                               '0.5'):
        controlled_threshold(np.full((9, 4), 0.5), thresholds, 0.3)
    with pytest.raises(ValueError, match='must not fall'):
        controlled_threshold(losses[:, ::-1], thresholds, 0.3)
    with pytest.raises(ValueError, match='between 0 and 1'):
        controlled_threshold(losses * 2, thresholds, 0.3)
    with pytest.raises(ValueError, match='4 columns for 3'):
        controlled_threshold(losses, thresholds[:3], 0.3)


def test_risk_control_of_misses_is_the_conformal_threshold():
    scores = np.random.default_rng(3).random(73)
    grid = np.sort(scores)
    losses = (scores[:, None] < grid[None]).astype(float)
    for alpha in (0.02, 0.05, 0.1, 0.37):
        assert controlled_threshold(losses, grid, alpha) == miss_threshold(scores, alpha)


def test_late_warnings_by_hand():
    # Episode 4: 0.2 at 0.5 s before, 0.9 at 0.1 s before. Episode 7: first look at 0.1 s.
    risk = np.array([0.2, 0.9, 0.8, 0.7, 0.6])
    ahead = np.array([0.5, 0.1, 0.1, math.inf, 0.3])
    episodes, scores = timely_scores(risk, ahead, np.array([4, 4, 7, 8, 9]), stop_s=0.3)
    assert episodes.tolist() == [4, 7, 9]
    assert scores.tolist() == [0.2, -math.inf, 0.6]
    assert late_losses(scores, np.array([0.0, 0.2, 0.3])).tolist() == [
        [0, 0, 1], [1, 1, 1], [0, 0, 0]]
