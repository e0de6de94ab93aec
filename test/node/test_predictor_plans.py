# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor and time: plans, budgets, golden frames and futures, over real DDS."""

import numpy as np
import pytest
from fake_judge import JOINTS, FakeJudge, stuck
from harness import Harness
from lifecycle_msgs.msg import Transition
from predictor_bench import Bench
from rclpy.time import Time

from wm_ros.msg import Prediction, Verdict
from wm_ros.ros import conversions, qos
from wm_ros.ros.predictor_trust import through_message

CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE



@pytest.fixture
def judge():
    return FakeJudge()


@pytest.fixture
def make(judge):
    with Harness() as harness:
        yield lambda **parameters: Bench(
            harness, lambda config: judge, joints=JOINTS, **parameters)


@pytest.fixture
def bench(make):
    return make().start()


def make_two_plans(make, judge, **parameters):
    """Start with the whole horizon of five steps and with two of them, which take 2 of 5 ms."""
    return make(plan_horizons=[1.0, 0.4], plan_futures=[2, 1], plan_sampler_steps=[3, 1],
                decision_margin=0.0, **parameters).start()


def test_the_plan_that_fits_is_used_and_said(make, judge):
    judge.check_ms = 1e4
    bench = make_two_plans(make, judge, latency_budget_ms=60_000.0)
    bench.feed()
    # 50 s for five steps, 20 s for two.
    for decide_by_s, steps in ((100.0, 5), (30.0, 2), (100.0, 5)):
        verdict = bench.ask(bench.chunk(decide_by_s=decide_by_s))
        assert (verdict.decision, verdict.num_steps) == (Verdict.OK, steps)
        assert verdict.horizon == pytest.approx(0.1 * steps)
        assert verdict.num_futures == (2 if steps == 5 else 1)
        assert verdict.sampler_steps == (3 if steps == 5 else 1)
        # The checks themselves take no time: without this they would soon count as fast.
        bench.node._worker.plans._slowdowns.clear()


def test_a_release_that_comes_too_late_is_taken_back(bench, judge):
    """An estimate may be wrong: whatever was found after decide_by, it is a veto."""
    bench.feed()
    with stuck(judge, 'judge') as entered:
        message = bench.chunk(decide_by_s=0.3)
        bench.chunks.publish(message)
        bench.harness.spin_until(entered.is_set, 5.0, 'the judge was not asked')
        decide_by = Time.from_msg(message.decide_by)
        bench.harness.spin_until(
            lambda: bench.harness.tester.get_clock().now() > decide_by, 5.0, 'time stands still')
    verdict = bench.verdicts.expect(lambda v: v.chunk_id == message.chunk_id)
    assert (verdict.decision, verdict.reasons) == (Verdict.VETO, Verdict.DEADLINE)
    assert 'looked at 5 steps, but was done' in verdict.message
    assert 'as told' in verdict.message


def test_a_plan_without_thresholds_is_left_out(make, judge):
    judge.without_thresholds = (2,)
    bench = make_two_plans(make, judge)
    assert [plan.num_steps for plan in bench.node._worker.plans.plans] == [5]
    bench.feed()
    assert bench.ask(bench.chunk(decide_by_s=0.001 + 5.0)).num_steps == 5


def test_no_plan_with_thresholds_is_no_predictor(make, judge):
    judge.without_thresholds = (5, 2)
    bench = make(plan_horizons=[1.0, 0.4])
    assert not bench.harness.change_state('wm_predictor', CONFIGURE)


@pytest.mark.parametrize(('strict', 'starts'), [(True, False), (False, True)])
def test_a_budget_that_cannot_be_met_refuses_to_start_unless_told_otherwise(
        make, judge, strict, starts):
    judge.check_ms = 3.0
    bench = make(latency_budget_ms=10.0, strict_budget=strict)
    assert bench.harness.change_state('wm_predictor', CONFIGURE) is starts
    # Fifteen milliseconds, tried three times before it is believed.
    assert judge.events.count('time 5') == 3


def test_a_budget_that_is_met_is_measured_once(make, judge):
    make(latency_budget_ms=10.0).start()
    assert judge.events.count('time 5') == 1


@pytest.mark.parametrize(('problems', 'required', 'starts', 'calibrated'), [
    ((), True, True, True), (('frame off by 31 of 255, allowed is 0.25',), True, False, None),
    (('risk off by nan, allowed is 0.002',), False, False, None),
    (None, True, True, False), (None, False, True, True)])
def test_golden_frames_decide_whether_a_model_may_run(
        make, judge, problems, required, starts, calibrated):
    judge.golden_problems = problems
    bench = make(require_golden_frame=required)
    assert bench.harness.change_state('wm_predictor', CONFIGURE) is starts
    if starts:
        assert bench.harness.change_state('wm_predictor', ACTIVATE)
        assert bench.beats.expect(lambda beat: True).calibrated is calibrated


def test_pictures_come_back_from_messages_as_they_were():
    rgb = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    assert np.array_equal(through_message(rgb), rgb)


def test_a_broken_converter_is_seen_in_the_golden_frames(monkeypatch):
    monkeypatch.setattr(conversions, 'array_to_rgb', lambda array, encoding: array)
    rgb = np.random.default_rng(2).integers(0, 256, (6, 8, 3), np.uint8)
    assert not np.array_equal(through_message(rgb), rgb)


def test_sampled_futures_are_drawn_for_who_listens(make, judge):
    bench = make_two_plans(make, judge)
    futures = bench.harness.mailbox('wm_predictor/futures', Prediction, qos.FUTURES)
    bench.harness.wait_matched()
    bench.feed()
    verdict = bench.ask()
    found = [futures.expect(lambda one, number=number: one.future == number) for number in (1, 2)]
    for one in found:
        assert (one.chunk_id, one.num_futures, len(one.frames)) == (verdict.chunk_id, 2, 5)
        # Brighter than the mean frames by 50, as the fake says; a JPEG is nearly exact on grey.
        first = conversions.image_to_rgb(one.frames[0])
        assert abs(float(first.mean()) - 51) < 2
    assert judge.events.count('future 3') == 2
    assert len(futures.received) == 0
