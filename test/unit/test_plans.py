# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of a command is looked at in the time that is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.inference.plans import Plan, PlanChooser, make_plans

LARGE, MIDDLE, SMALL = (Plan(num_steps=steps) for steps in (10, 7, 3))
USUAL_MS = (20.0, 14.0, 6.0)


@pytest.fixture
def chooser():
    return PlanChooser((LARGE, MIDDLE, SMALL), USUAL_MS)


@pytest.mark.parametrize(('left_ms', 'plan'), [
    (100.0, LARGE), (20.0, LARGE), (19.9, MIDDLE), (6.0, SMALL), (1.0, SMALL), (-5.0, SMALL)])
def test_the_largest_that_fits_is_chosen(chooser, left_ms, plan):
    assert chooser.choose(left_ms) == plan


def test_a_load_that_one_plan_met_is_known_for_all(chooser):
    for _ in range(20):
        chooser.note(SMALL, 12.0)
    assert [chooser.estimate_ms(plan) for plan in chooser.plans] == pytest.approx([40, 28, 12])
    assert chooser.choose(30.0) == MIDDLE


def test_a_load_that_has_gone_is_forgotten(chooser):
    """Small plans are all that runs under load: without this they would be for ever."""
    for _ in range(20):
        chooser.note(SMALL, 600.0)
    assert chooser.choose(30.0) == SMALL
    for _ in range(20):
        chooser.note(SMALL, 6.0)
    assert chooser.choose(30.0) == LARGE


def test_one_slow_check_among_many_changes_nothing(chooser):
    for took_ms in [20.0] * 19 + [400.0]:
        chooser.note(LARGE, took_ms)
    assert chooser.estimate_ms(LARGE) == pytest.approx(20.0)


@given(st.lists(st.floats(0.1, 1e4), max_size=30), st.floats(-10, 1e4), st.floats(0, 1e4))
def test_more_time_never_gives_a_smaller_plan(took_ms, left_ms, more_ms):
    chooser = PlanChooser((LARGE, MIDDLE, SMALL), USUAL_MS)
    for value in took_ms:
        chooser.note(MIDDLE, value)
    assert chooser.choose(left_ms).num_steps <= chooser.choose(left_ms + more_ms).num_steps


def test_plans_are_made_from_shares_of_the_horizon():
    plans = make_plans(8, shares=(1.0, 0.6, 0.55, 0.01), futures=(4, 2, 1, 0),
                       sampler_steps=(4, 2, 1, 1))
    # 0.6 and 0.55 are 5 and 4 of 8 steps; so little as a hundredth is one step.
    assert [str(plan) for plan in plans] == [
        '8 steps, 4 futures of 4 sampler steps', '5 steps, 2 futures of 2 sampler steps',
        '4 steps, 1 futures of 1 sampler steps', '1 steps']
    assert make_plans(2, shares=(1.0, 0.9, 0.8)) == (Plan(num_steps=2),)


def test_a_chooser_without_plans_or_times_is_refused():
    for plans, usual_ms in (((), ()), ((LARGE,), ()), ((LARGE,), (1.0, 2.0))):
        with pytest.raises(ValueError, match=f'{len(plans)} plans and {len(usual_ms)} times'):
            PlanChooser(plans, usual_ms)
