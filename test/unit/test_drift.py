# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The drift test: ranks, prices and evidence worked out by hand, its alarm and its recovery."""

import numpy as np
import pytest

from wm_ros.calibration.adaptive import AdaptiveLevel
from wm_ros.calibration.drift import (
    EXTREME,
    GRADUAL,
    Bookmaker,
    DriftTest,
    Nominal,
    level_rank,
)
from wm_ros.errors import CalibrationError

NOMINAL = np.arange(99) / 99
CERTAIN_SURPRISE, CERTAIN_COMFORT = 2.0, -1.0


def make_test(**changes) -> DriftTest:
    settings = {'tests_per_hour': 2400, 'false_alarms_per_hour': 0.1, 'recovery_count': 3}
    kinds = changes.pop('kinds', {'picture': Nominal(NOMINAL), 'prediction': Nominal(
        NOMINAL, GRADUAL)})
    return DriftTest(kinds, **{**settings, **changes})


def alarm(test: DriftTest, kind: str, *, most: int = 50) -> int:
    """Feed surprises until the alarm; returns how many it took."""
    for count in range(1, most + 1):
        if test.add(kind, CERTAIN_SURPRISE):
            return count
    raise AssertionError(f'no alarm after {most} surprises')


@pytest.mark.parametrize(('score', 'rank'), [
    (5.0, 1), (4.0, 2), (3.5, 2), (1.0, 5), (0.0, 5), (float('nan'), 1), (float('inf'), 1),
    (float('-inf'), 5)])
def test_the_rank_counts_what_is_at_least_as_high(score, rank):
    maker = Bookmaker(np.array([3.0, 1.0, 4.0, 2.0]), ranks=(1,))
    assert (maker.rank(score), maker.size) == (rank, 5)


def test_a_price_is_the_quantile_of_what_the_sample_may_be_worth():
    """P(Beta(1, 99) <= q) = 1 - (1 - q)**99 = 0.95: q = 1 - 0.05**(1 / 99)."""
    price = 1 - 0.05 ** (1 / 99)
    maker = Bookmaker(NOMINAL, ranks=(1,))
    assert maker.e_value(1, (1,)) == pytest.approx(0.5 + 0.5 / price)
    assert maker.e_value(2, (1,)) == 0.5
    # On average over samples, 1 / 100 would do; a price below that would be a gift.
    assert price > 1 / 100


def test_bets_on_several_ranks_share_the_stake():
    maker = Bookmaker(NOMINAL, ranks=(1, 4))
    first, fourth = (maker.e_value(1, (rank,)) for rank in (1, 4))
    assert maker.e_value(1, (1, 4)) == pytest.approx((first + fourth) / 2)
    assert maker.e_value(4, (1, 4)) == pytest.approx((0.5 + fourth) / 2)
    assert maker.e_value(5, (1, 4)) == 0.5


@pytest.mark.parametrize(('level', 'size', 'rank'), [
    (0.01, 100, 1), (0.01, 99, 1), (0.01, 20, 1), (0.01, 300, 3), (0.07, 100, 7)])
def test_a_level_is_a_rank(level, size, rank):
    assert level_rank(level, size) == rank


def test_the_evidence_is_the_recursion_and_the_alarm_its_threshold():
    test = make_test(kinds={'picture': Nominal(NOMINAL)})
    gain = Bookmaker(NOMINAL, ranks=(1,)).e_value(1, (1,))
    assert test.threshold == pytest.approx(24_000)
    assert test.statistic == 0
    test.add('picture', CERTAIN_COMFORT)
    assert test.statistic == 0.5
    test.add('picture', CERTAIN_SURPRISE)
    assert test.statistic == pytest.approx(1.5 * gain)
    evidence, count = 1.5 * gain, 0
    while evidence < 24_000:
        evidence, count = (evidence + 1) * gain, count + 1
    assert alarm(test, 'picture') == count
    assert (test.is_alarmed, test.guilty, test.num_alarms) == (True, ('picture',), 1)
    assert test.statistic == 0


def test_a_gross_change_takes_few_scores():
    assert alarm(make_test(), 'picture') == 5
    assert alarm(make_test(), 'prediction') <= 8


def test_a_scene_that_is_merely_unusual_stays_without_alarm():
    """Rank 3 of 100 in every picture: a scene like that is one in thirty, and stays so."""
    test = make_test()
    for _ in range(2000):
        assert not test.add('picture', NOMINAL[-3] + 1e-6)
    assert test.p_values['picture'] == pytest.approx(0.03)
    assert test.statistic < 1


def test_many_small_surprises_are_noticed_where_scores_vary():
    test = make_test()
    assert any(test.add('prediction', NOMINAL[-3] + 1e-6) for _ in range(60))


def test_an_alarm_lasts_until_good_scores_in_a_row_of_the_guilty_kind():
    test = make_test()
    alarm(test, 'picture')
    for score in (CERTAIN_COMFORT, CERTAIN_COMFORT, CERTAIN_SURPRISE, CERTAIN_COMFORT,
                  CERTAIN_COMFORT):
        assert not test.add('picture', score)
        test.add('prediction', CERTAIN_COMFORT)
        assert test.is_alarmed
    test.add('picture', CERTAIN_COMFORT)
    assert not test.is_alarmed
    assert (test.guilty, test.num_alarms) == ((), 1)
    assert alarm(test, 'picture') == 5


def test_reset_ends_an_alarm_and_forgets_the_evidence():
    test = make_test()
    alarm(test, 'prediction')
    assert test.guilty == ('prediction',)
    test.reset()
    assert (test.is_alarmed, test.statistic, test.guilty) == (False, 0, ())


def test_both_kinds_may_be_guilty():
    test = make_test(false_alarms_per_hour=100.0)
    while not test.is_alarmed:
        test.add('prediction', CERTAIN_SURPRISE)
        test.add('picture', CERTAIN_SURPRISE)
    assert test.guilty == ('picture', 'prediction')
    assert test.num_scores['picture'] >= 2


def test_what_is_not_a_number_is_a_surprise():
    test = make_test()
    while not test.is_alarmed:
        test.add('picture', float('nan'))
    assert test.num_scores == {'picture': 5, 'prediction': 0}


@pytest.mark.parametrize(('scores', 'text'), [
    (NOMINAL[:18], '18 nominal picture scores cannot support a drift test: it takes 19'),
    (np.append(NOMINAL, np.nan), 'picture scores of the calibration are not all finite')])
def test_a_sample_that_cannot_be_used_is_refused(scores, text):
    with pytest.raises(CalibrationError, match=text):
        make_test(kinds={'picture': Nominal(scores)})


@pytest.mark.parametrize('change', [
    {'tests_per_hour': 0}, {'false_alarms_per_hour': 0.0}, {'recovery_count': 0}])
def test_a_promise_that_means_nothing_is_refused(change):
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=f'{name} = {value}.* must be positive'):
        make_test(**change)


def test_an_adaptive_level_follows_slow_change_but_not_a_jump():
    """Pictures slowly become as unusual as the rarest of the calibration, and stay there."""
    scores = np.arange(400) / 400
    creeping = np.concatenate([np.linspace(0.5, 0.994, 300), np.full(100, 0.994)])
    fixed, following = (
        make_test(kinds={'picture': Nominal(scores)}, adaptive_gain=gain) for gain in (0, 0.05))
    assert any(fixed.add('picture', score) for score in creeping)
    assert not any(following.add('picture', score) for score in creeping)
    assert alarm(following, 'picture') <= 6


def test_the_adaptive_level_moves_by_its_rule():
    level = AdaptiveLevel(0.1, gain=0.5)
    assert level.update(0.05)
    assert level.value == pytest.approx(0.1 + 0.5 * (0.1 - 1))
    assert not level.update(0.05)
    assert level.value == pytest.approx(0.1 + 0.5 * (0.1 - 1) + 0.5 * 0.1)


def test_the_adaptive_level_keeps_within_its_limits():
    level = AdaptiveLevel(0.1, gain=0.5, lowest=0.05, highest=0.12)
    level.update(0.01)
    assert level.value == 0.05
    for _ in range(10):
        level.update(1.0)
    assert level.value == 0.12


@pytest.mark.parametrize(('settings', 'text'), [
    ({'target': 0.0}, 'target = 0.0'), ({'target': 0.1, 'gain': 1.5}, 'gain = 1.5'),
    ({'target': 0.1, 'lowest': 0.2}, 'must lie within 0.2')])
def test_an_adaptive_level_that_cannot_be_is_refused(settings, text):
    with pytest.raises(ValueError, match=text):
        AdaptiveLevel(**settings)


def test_the_extreme_level_is_one_alone():
    """An adaptive level replaces the only one; a ladder of levels has none to replace."""
    assert len(EXTREME) == 1
