# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What must hold of thresholds for any scores at all.

A promise on exchangeable scores can be checked without chance: leave each of n + 1 scores out
once, calibrate on the others, and count. Exchangeable means that each is the new one equally
often, so the count may not pass alpha (n + 1), whatever the scores are, ties and all.
"""

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wm_ros.calibration.binomial import (
    binomial_cdf,
    clopper_pearson,
    hoeffding_bentkus,
    needed_trials,
    upper_bound,
)
from wm_ros.calibration.conformal import (
    miss_rank,
    miss_threshold,
    needed_scores,
    veto_threshold,
)
from wm_ros.calibration.learn_then_test import proven_miss_threshold, proven_pair
from wm_ros.calibration.risk_control import controlled_threshold
from wm_ros.calibration.thresholds import choose_thresholds, one_threshold
from wm_ros.errors import CalibrationError

# Few distinct values make ties, 32 bits are what an engine returns.
risks = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
alphas = st.floats(0.02, 0.5)


def scores(low, high):
    return st.integers(low, high).flatmap(lambda n: arrays(np.float64, n, elements=risks))


@given(scores(2, 60), alphas)
def test_leaving_one_out_misses_no_more_than_promised(values, alpha):
    assume(len(values) - 1 >= needed_scores(alpha))
    missed = sum(value < miss_threshold(np.delete(values, index), alpha)
                 for index, value in enumerate(values))
    assert missed <= alpha * len(values) + 1e-6


@given(st.integers(3, 60), alphas, st.randoms(use_true_random=False))
def test_without_ties_it_misses_exactly_as_many_as_stated(number, alpha, random):
    assume(number - 1 >= needed_scores(alpha))
    values = np.arange(number) / number
    random.shuffle(values)
    missed = sum(value < miss_threshold(np.delete(values, index), alpha)
                 for index, value in enumerate(values))
    assert missed == miss_rank(number - 1, alpha)


@given(scores(2, 60), alphas)
def test_leaving_one_out_vetoes_no_more_than_promised(values, alpha):
    assume(len(values) - 1 >= needed_scores(alpha))
    vetoed = 0
    for index, value in enumerate(values):
        others = np.delete(values, index)
        try:
            upper = choose_thresholds(np.zeros(200), others, 0.1, alpha)[1]
        except CalibrationError:
            # Too many risks of 1 to spare them: nothing is promised.
            assert 1 in others
            continue
        vetoed += value >= upper
    assert vetoed <= alpha * len(values) + 1e-6


@given(st.integers(2, 25), st.integers(1, 6), alphas, st.integers(0, 2 ** 32 - 1))
def test_leaving_one_out_loses_no_more_than_controlled(number, steps, alpha, seed):
    """Losses anywhere in [0, 1] that grow along the thresholds."""
    rng = np.random.default_rng(seed)
    losses = np.sort(rng.random((number, steps)) ** 4, axis=1)
    losses[:, 0] = 0
    assume(number - 1 >= needed_scores(alpha))
    lost = sum(
        losses[index, int(controlled_threshold(
            np.delete(losses, index, axis=0), np.arange(steps), alpha))]
        for index in range(number))
    assert lost <= alpha * number + 1e-6


@given(scores(60, 120), scores(60, 120), st.randoms(use_true_random=False))
def test_the_order_of_the_episodes_does_not_matter(hazard, safe, random):
    assume((safe == 1).sum() == 0)
    mixed_hazard, mixed_safe = (np.array(random.sample(list(values), len(values)))
                                for values in (hazard, safe))
    assert choose_thresholds(hazard, safe, 0.05, 0.1) == choose_thresholds(
        mixed_hazard, mixed_safe, 0.05, 0.1)
    assert proven_miss_threshold(hazard, 0.05, 0.95) == proven_miss_threshold(
        mixed_hazard, 0.05, 0.95)
    levels = {'alpha_miss': 0.1, 'alpha_veto': 0.1, 'confidence': 0.9}
    assert proven_pair(hazard, safe, **levels) == proven_pair(mixed_hazard, mixed_safe, **levels)


@given(scores(200, 230), alphas, alphas, st.floats(0.8, 0.97), st.floats(0.8, 0.97))
def test_a_stricter_promise_takes_a_lower_miss_and_a_higher_veto_threshold(
        values, first, second, sure, surer):
    strict, loose = sorted((first, second))
    sure, surer = sorted((sure, surer))
    assert miss_threshold(values, strict) <= miss_threshold(values, loose)
    assert veto_threshold(values, strict) >= veto_threshold(values, loose)
    assert proven_miss_threshold(values, strict, sure) <= proven_miss_threshold(
        values, loose, sure)
    assert proven_miss_threshold(values, loose, surer) <= proven_miss_threshold(
        values, loose, sure)


@given(scores(150, 230), alphas)
def test_what_is_proven_is_never_less_careful_than_what_holds_on_average(values, alpha):
    assert proven_miss_threshold(values, alpha, 0.95) <= miss_threshold(values, alpha)


@given(st.floats(0, 1), st.floats(0, 1))
def test_one_threshold_lies_between_the_two(lower, upper):
    low, high = one_threshold(lower, upper)
    if lower <= upper:
        assert (low, high) == (lower, upper)
    else:
        assert upper <= low == high <= lower


@given(st.integers(1, 400), st.data())
def test_tails_bounds_and_sample_sizes_agree(trials, data):
    errors = data.draw(st.integers(0, trials))
    probability = data.draw(st.floats(0.001, 0.999))
    tail = binomial_cdf(errors, trials, probability)
    assert 0 <= tail <= 1
    # The mirror image: at most k heads are at least n - k tails.
    other = binomial_cdf(trials - errors - 1, trials, 1 - probability)
    assert math.isclose(tail + other, 1, abs_tol=1e-9)
    bound = upper_bound(errors, trials, 0.95)
    assert errors / trials <= bound <= 1
    low, high = clopper_pearson(errors, trials)
    assert low <= errors / trials <= high
    assert high >= bound
    if bound < 0.99:
        assert needed_trials(bound + 1e-9, 0.95, errors) <= trials
    assert hoeffding_bentkus(errors / trials, trials, probability) >= tail - 1e-12
