# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Promises of the drift test, over drawn samples and streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_ros.calibration.adaptive import AdaptiveLevel
from wm_ros.calibration.drift import EXTREME, GRADUAL, Bookmaker, DriftTest, Nominal, level_rank
from wm_ros.calibration.surprise import frame_error

PROBABILITIES = st.floats(0.0, 1.0)
SEEDS = st.integers(0, 2 ** 32 - 1)


@given(size=st.integers(19, 400), levels=st.sampled_from([EXTREME, GRADUAL]))
def test_a_bet_returns_at_most_its_stake_on_average(size, levels):
    """Over samples, ranks 1 to n + 1 are equally likely: the mean e-value must not exceed 1."""
    ranks = tuple(sorted({level_rank(level, size + 1) for level in levels}))
    maker = Bookmaker(np.arange(size) / size, ranks=ranks)
    values = [maker.e_value(rank, ranks) for rank in range(1, size + 2)]
    assert np.mean(values) <= 1
    assert min(values) == 0.5
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize('levels', [EXTREME, GRADUAL])
def test_prices_are_high_enough_for_most_samples(levels):
    """
    For uniform scores the chance of rank k is 1 minus the k-th highest of the sample.

    The bets of one sample are fair or worse if each such chance is at most its price; that must
    hold for 95 % of samples. With 1000 samples the count of bad ones is within 50 + 3 * 7.
    """
    rng, size, num_bad = np.random.default_rng(5), 120, 0
    ranks = tuple(sorted({level_rank(level, size + 1) for level in levels}))
    for _ in range(1000):
        sample = np.sort(rng.random(size))
        maker = Bookmaker(sample, ranks=ranks)
        num_bad += any(1 - sample[-rank] > maker._prices[rank] for rank in ranks)
    assert num_bad <= 71
    # A test that cannot fail proves nothing: the average chance as a price is too low for many.
    rng = np.random.default_rng(5)
    samples = np.sort(rng.random((1000, size)), axis=1)
    assert (1 - samples[:, -ranks[0]] > ranks[0] / (size + 1)).mean() > 0.3


def num_false_alarms(seed, price_factor=1.0):
    """Count the alarms of 2000 nominal tests with a promise of 200: a threshold of 10."""
    rng = np.random.default_rng([11, seed])
    test = DriftTest({'a': Nominal(rng.random(60), EXTREME),
                      'b': Nominal(rng.random(60), GRADUAL)},
                     tests_per_hour=2000, false_alarms_per_hour=200.0, recovery_count=1)
    for stream in test._streams.values():
        prices = stream.bookmaker._prices
        prices.update({rank: price * price_factor for rank, price in prices.items()})
    for first, second in rng.random((2000, 2)):
        test.add('a', first)
        test.add('b', second)
    return test.num_alarms


def test_false_alarms_are_rarer_than_promised():
    counts = [num_false_alarms(seed) for seed in range(10)]
    assert 0 < sum(counts) / len(counts) < 200
    assert max(counts) < 200


def test_bets_that_are_too_cheap_break_the_promise():
    """The count of the test above can exceed the promise, so it says something."""
    assert num_false_alarms(0, price_factor=0.02) > 200


@given(seed=SEEDS, size=st.integers(60, 300), num_before=st.integers(0, 40))
def test_a_gross_change_is_seen_soon_whenever_it_comes(seed, size, num_before):
    rng = np.random.default_rng(seed)
    test = DriftTest({'a': Nominal(rng.random(size)), 'b': Nominal(rng.random(size), GRADUAL)},
                     tests_per_hour=2400, false_alarms_per_hour=0.1)
    for score in rng.random(num_before) * 0.5:
        test.add('a', score)
    assert any(test.add('a', 1.0 + score) for score in rng.random(8))


@given(seed=SEEDS, recovery=st.integers(1, 20), scores=st.lists(PROBABILITIES, max_size=200))
def test_an_alarm_ends_only_after_good_scores_in_a_row(seed, recovery, scores):
    rng = np.random.default_rng(seed)
    test = DriftTest({'a': Nominal(rng.random(100))}, tests_per_hour=2400,
                     false_alarms_per_hour=0.1, recovery_count=recovery)
    while not test.is_alarmed:
        test.add('a', 2.0)
    in_a_row = 0
    for score in scores:
        test.add('a', score)
        in_a_row = in_a_row + 1 if test.p_values['a'] > 0.05 else 0
        assert test.is_alarmed == (in_a_row < recovery)
        if not test.is_alarmed:
            break


@given(target=st.floats(0.01, 0.5), gain=st.floats(0.001, 1.0),
       p_values=st.lists(PROBABILITIES, min_size=1, max_size=300))
def test_the_adaptive_level_keeps_its_share_of_errors_for_any_sequence(target, gain, p_values):
    """Gibbs and Candes 2021, proposition 4.1, with levels at or below 0 never an error."""
    level = AdaptiveLevel(target, gain=gain)
    # Below 0 nothing, not even p = 0, is an error; from 1 on everything is.
    errors = [level.update(max(p, 1e-9)) for p in p_values]
    bound = (max(target, 1 - target) + gain) / (gain * len(errors))
    assert abs(np.mean(errors) - target) <= bound + 1e-6


@settings(max_examples=50)
@given(seed=SEEDS)
def test_the_share_of_wrong_motion_is_between_none_and_all(seed):
    rng = np.random.default_rng(seed)
    before, seen, predicted = rng.integers(0, 256, (3, 7, 11, 3)).astype(np.uint8)
    error = frame_error(predicted, seen, before)
    assert error is not None
    assert 0 <= error <= 1
    assert frame_error(seen, seen, before) == 0
    assert frame_error(before, seen, before) == pytest.approx(1)
