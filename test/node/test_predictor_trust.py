# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor doubts itself: a model that ignores actions, a camera that shows something else."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from drift_rig import make_reference
from fake_judge import JOINTS, FakeJudge
from harness import Harness
from lifecycle_msgs.msg import Transition
from predictor_bench import Bench
from rclpy.parameter import Parameter

from wm_ros.calibration.surprise import fit_novelty, picture_features
from wm_ros.datatypes import Decision
from wm_ros.errors import CheckpointError
from wm_ros.inference.self_test import Sensitivity
from wm_ros.msg import Verdict
from wm_ros.ros import qos

CONFIGURE = Transition.TRANSITION_CONFIGURE
ORANGE, BLUE = (160, 90, 40), (40, 90, 160)
DEAF = Sensitivity(hazard=0.02, joints=0.9, frames=0.8)


def coloured(number):
    """Return a picture as the camera of these tests shows it, with a little noise."""
    rng = np.random.default_rng(number)
    return np.clip(np.array(ORANGE) + rng.normal(0, 6, (7, 11, 3)) + rng.normal(0, 6), 0,
                   255).astype(np.uint8)


@pytest.fixture(scope='module')
def reference():
    novelty = fit_novelty(np.stack([picture_features(coloured(i)) for i in range(150)]))
    scores = [novelty.score(picture_features(coloured(i))) for i in range(1000, 1200)]
    return make_reference(novelty=novelty, novelty_scores=np.array(scores, np.float32) + 0.2)


@pytest.fixture
def judge(reference):
    return FakeJudge(found_reference=reference)


@pytest.fixture
def make(judge):
    with Harness() as harness:
        def build(**parameters):
            quick = {'drift_period': 0.15, 'drift_recovery': 4}
            return Bench(harness, lambda config: judge, joints=JOINTS, **{**quick, **parameters})
        yield build


@pytest.fixture
def bench(make):
    bench = make().start()
    bench.reports = bench.harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.harness.wait_matched()
    return bench


def monitor_of(bench):
    return bench.node._worker.trust.monitor


def show(bench, colour, until, *, positions=None):
    """Stream pictures of a colour, and joints, until a condition holds."""
    sent_at = [0.0]

    def step():
        if time.monotonic() - sent_at[0] > 0.03:
            sent_at[0] = time.monotonic()
            # A picture that is equal to the last ones would be a frozen camera.
            shade = bench.num_frames % 7 - 3
            bench.send_frame(value=tuple(np.array(colour) + shade))
            bench.send_joints(positions=positions)
        return until()

    bench.harness.spin_until(step, 30.0, lambda: f'p-values {monitor_of(bench).test.p_values}')


def drifted(bench):
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 3)
    assert not monitor_of(bench).is_alarmed
    show(bench, BLUE, lambda: monitor_of(bench).is_alarmed)


def test_a_changed_camera_makes_verdicts_abstain_until_it_is_mended(bench):
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 3)
    assert bench.ask().decision == Verdict.OK
    show(bench, BLUE, lambda: monitor_of(bench).is_alarmed)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.ABSTAIN, Verdict.OOD)
    assert 'no longer fits the calibration (picture p = 0.00' in verdict.message
    bench.beats.expect(lambda beat: beat.message == verdict.message)
    show(bench, ORANGE, lambda: not monitor_of(bench).is_alarmed)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons, verdict.message) == (Verdict.OK, 0, 'as told')


@pytest.mark.parametrize(('decision', 'reasons'), [
    (Decision.VETO, Verdict.RISK | Verdict.OOD), (Decision.ABSTAIN, Verdict.OOD),
    (Decision.INVALID, Verdict.OOD)])
def test_a_stricter_verdict_stays_and_says_both(bench, judge, decision, reasons):
    drifted(bench)
    judge.decision = decision
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (int(decision), reasons)
    assert verdict.message.startswith('as told; drift: ')


def test_diagnostics_show_statistic_threshold_and_promise(bench):
    report = bench.reports.expect(lambda r: len(r.status) == 5).status[2]
    values = {item.key: item.value for item in report.values}
    assert (report.name, report.level) == ('wm_predictor: drift', DiagnosticStatus.OK)
    # 3600 s / 0.15 s = 24 000 tests an hour, a tenth of an alarm an hour.
    assert (values['threshold'], values['false_alarms_per_hour']) == ('240000', '0.1')
    assert float(values['statistic']) == 0
    drifted(bench)
    report = bench.reports.expect(lambda r: r.status[2].level == DiagnosticStatus.ERROR).status[2]
    values = {item.key: item.value for item in report.values}
    assert values['alarms'] == '1'
    assert float(values['picture_p_value']) < 0.01
    assert int(values['picture_scores']) >= 6
    assert 'check camera, colours and light' in report.message


def test_activating_again_acknowledges_an_alarm(bench):
    drifted(bench)
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
        assert bench.harness.change_state('wm_predictor', transition)
    bench.harness.spin_until(lambda: not monitor_of(bench).is_alarmed, 5.0)


def test_nothing_is_scored_while_inactive(make):
    bench = make()
    assert bench.harness.change_state('wm_predictor', CONFIGURE)
    count = bench.node._worker.intake.num_images
    show(bench, ORANGE, lambda: bench.node._worker.intake.num_images > count + 20)
    assert monitor_of(bench).test.num_scores['picture'] == 0


def test_a_prediction_is_decoded_once_its_future_is_there(bench, judge):
    """The fake's joints are there at every step, so are those that are sent afterwards."""
    judge.joints = (0.9, 0.2, 0.3)
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 1)
    assert bench.ask().decision == Verdict.OK
    assert 'frames' not in judge.events
    show(bench, ORANGE, lambda: 'frames' in judge.events, positions=judge.joints)
    # Its frames are nearly black: something moved, and it was not foreseen.
    bench.harness.spin_until(
        lambda: monitor_of(bench).test.num_scores['prediction'] == 1, 5.0)
    assert monitor_of(bench).test.p_values['prediction'] < 0.01


def test_a_command_comes_between_what_frames_share_and_the_frame(bench, judge, monkeypatch):
    calls = []

    def begin_frames(judgement):
        """Have something to do until a second command was judged."""
        calls.append(judgement)
        return judge.events.count('judge') < 2

    monkeypatch.setattr(judge, 'begin_frames', begin_frames)
    judge.joints = (0.9, 0.2, 0.3)
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 1)
    bench.ask()
    show(bench, ORANGE, lambda: len(calls) > 0, positions=judge.joints)
    assert 'frames' not in judge.events
    assert bench.ask().decision == Verdict.OK
    bench.harness.spin_until(
        lambda: monitor_of(bench).test.num_scores['prediction'] == 1, 5.0)
    # The first command's, which alone was kept.
    assert judge.events.count('frames') == 1
    assert len({id(judgement) for judgement in calls}) == 1


def test_a_prediction_whose_command_did_not_run_is_not_decoded(bench, judge):
    judge.joints = (0.9, 0.2, 0.3)
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 1)
    bench.ask()
    show(bench, ORANGE, lambda: monitor_of(bench).num_skipped == 1)
    assert 'frames' not in judge.events


def test_a_failure_while_decoding_costs_no_verdict(bench, judge):
    judge.joints = (0.9, 0.2, 0.3)
    judge.decode_error = RuntimeError('cannot draw')
    show(bench, ORANGE, lambda: monitor_of(bench).test.num_scores['picture'] >= 1)
    bench.ask()
    show(bench, ORANGE, lambda: bench.node._worker.num_errors == 1, positions=judge.joints)
    assert bench.ask().decision == Verdict.OK


@pytest.mark.parametrize(('parameters', 'text'), [
    ({}, 'drift monitor is off: model fake-0 has no reference'),
    ({'enable_drift_monitor': False}, 'switched off by enable_drift_monitor')])
def test_without_a_monitor_the_model_works_and_diagnostics_say_so(make, judge, parameters, text):
    if not parameters:
        judge.found_reference = None
    bench = make(**parameters).start()
    reports = bench.harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    report = reports.expect(lambda r: len(r.status) == 5).status[2]
    assert report.level == DiagnosticStatus.WARN
    assert text in report.message
    assert bench.beats.expect().calibrated


def test_a_model_that_ignores_its_actions_is_refused_with_the_numbers(make, judge):
    judge.found_sensitivity = DEAF
    bench = make()
    assert not bench.harness.change_state('wm_predictor', CONFIGURE)
    assert 'ignores its actions (hazard): hazard 0.020' in bench.node.last_error
    assert 'require_action_sensitivity: false' in bench.node.last_error
    assert judge.events[-1] == 'close'
    bench.node.set_parameters([Parameter('require_action_sensitivity', value=False)])
    bench.start()
    bench.feed()
    assert bench.ask().reasons == Verdict.UNCALIBRATED
    assert not bench.beats.expect().calibrated


@pytest.mark.parametrize('is_required', [True, False])
def test_a_model_without_the_test_may_enforce_only_if_that_is_allowed(make, judge, is_required):
    judge.found_sensitivity = None
    bench = make(require_action_sensitivity=is_required).start()
    reports = bench.harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.feed()
    assert bench.ask().reasons == (Verdict.UNCALIBRATED if is_required else 0)
    assert bench.beats.expect().calibrated != is_required
    report = reports.expect().status[0]
    assert ('no stored observations' in report.message) == is_required


def test_a_reference_that_cannot_be_used_fails_configure(make, judge):
    def fail():
        raise CheckpointError('drift.safetensors belongs to other weights')

    judge.drift_reference = fail
    bench = make()
    assert not bench.harness.change_state('wm_predictor', CONFIGURE)
    assert 'belongs to other weights' in bench.node.last_error
