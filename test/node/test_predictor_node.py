# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor over real DDS, with a fake model at the seam."""

import threading
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fake_judge import JOINTS, FakeJudge, stuck
from harness import Harness
from lifecycle_msgs.msg import Transition
from predictor_bench import Bench
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from wm_ros.datatypes import Decision, Reason
from wm_ros.errors import CheckpointError, EngineError
from wm_ros.msg import Prediction, Verdict
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.predictor_messages import ns_to_stamp, stamp_to_ns

CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP
NS_PER_S = 1_000_000_000


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


def test_a_good_command_gets_the_judges_verdict(bench, judge):
    stamp = bench.feed()
    message = bench.chunk()
    verdict = bench.ask(message)
    assert verdict.decision == Verdict.OK
    assert (verdict.reasons, verdict.message, verdict.model_id) == (0, 'as told', 'fake-0')
    assert bytes(verdict.digest) == bytes(message.digest)
    assert verdict.observation_stamp == stamp
    assert stamp_to_ns(verdict.valid_until) - stamp_to_ns(verdict.header.stamp) == 300_000_000
    assert len(verdict.stage_ms) == 4
    assert list(verdict.stage_ms[2:]) == [1.5, 2.5]
    assert verdict.horizon == pytest.approx(0.5)
    seen = judge.observations[0]
    assert seen.images.shape == (2, 7, 11, 3)
    assert (seen.images[0] == 1).all()
    assert (seen.images[1] == 2).all()
    assert seen.joints.positions.tolist() == [0.1, 0.2, 0.3]
    chunk = judge.chunks[0]
    assert chunk.trajectory.positions.shape == (5, 3)
    assert chunk.trajectory.times.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert chunk.start.names == JOINTS


def test_inactive_says_nothing(make, judge):
    bench = make()
    assert bench.harness.change_state('wm_predictor', CONFIGURE)
    bench.feed()
    bench.chunks.publish(bench.chunk())
    bench.verdicts.expect_none(duration_s=0.4)
    bench.beats.expect_none(duration_s=0.0)
    assert 'judge' not in judge.events
    assert bench.harness.change_state('wm_predictor', ACTIVATE)
    bench.verdicts.expect_none(duration_s=0.2)


def test_the_verdict_leaves_before_frames_are_drawn(bench, judge):
    predictions = bench.harness.mailbox('wm_predictor/prediction', Prediction, qos.PREDICTION)
    bench.harness.wait_matched()
    bench.feed()
    message = bench.chunk()
    with stuck(judge, 'frames'):
        bench.ask(message)
        assert len(predictions) == 0
    assert predictions.expect().chunk_id == message.chunk_id
    assert judge.events[-6:] == ['judge', *['frames'] * 5]


def test_a_command_does_not_wait_for_pictures_of_the_one_before(bench, judge):
    predictions = bench.harness.mailbox('wm_predictor/prediction', Prediction, qos.PREDICTION)
    bench.harness.wait_matched()
    bench.feed()
    draw, nothing = judge.frame, threading.Event()

    def slowly(*args):
        nothing.wait(0.1)
        return draw(*args)

    judge.frame = slowly
    first, second = bench.chunk(), bench.chunk()
    bench.ask(first)
    bench.ask(second)
    # Both are drawn all the same, one after the other.
    assert predictions.expect().chunk_id == first.chunk_id
    assert predictions.expect().chunk_id == second.chunk_id
    events = judge.events[judge.events.index('judge'):]
    assert events.index('judge', 1) < 5
    assert events.count('frames') == 10


def test_no_frames_are_drawn_for_nobody(bench, judge):
    bench.feed()
    bench.ask()
    bench.harness.spin_for(0.2)
    assert 'frames' not in judge.events


@pytest.mark.parametrize(('decision', 'value'), [(Decision.OK, 5), (Decision.VETO, 3)])
def test_predicted_pictures_carry_the_source_stamp(bench, judge, decision, value):
    judge.decision = decision
    harness = bench.harness
    images = harness.mailbox('wm_predictor/predicted/image_raw', Image, qos.PREDICTED_IMAGE)
    jpegs = harness.mailbox('wm_predictor/predicted/image_raw/compressed', CompressedImage,
                            qos.PREDICTED_IMAGE)
    infos = harness.mailbox('wm_predictor/predicted/camera_info', CameraInfo,
                            qos.PREDICTED_IMAGE)
    predictions = harness.mailbox('wm_predictor/prediction', Prediction, qos.PREDICTION)
    harness.wait_matched()
    info = CameraInfo(height=480, width=640)
    info.k[0] = 640.0
    bench.info.publish(info)
    harness.spin_until(lambda: bench.node._outputs.camera_info is not None, 5.0)
    stamp = bench.feed()
    bench.ask()
    image, jpeg, prediction, found = (box.expect() for box in (images, jpegs, predictions, infos))
    for message in (image, jpeg, prediction, found):
        assert (message.header.stamp, message.header.frame_id) == (stamp, 'optical')
    assert (image.height, image.width, image.encoding) == (7, 11, 'rgb8')
    assert set(image.data) == {value}
    assert (found.height, found.width, found.k[0]) == (7, 11, pytest.approx(11.0))
    assert len(prediction.frames) == 5
    assert prediction.joint_positions[3:6].tolist() == [3.0, 4.0, 5.0]
    assert prediction.offsets[4] == pytest.approx(0.5)
    assert (prediction.camera_name, prediction.joint_names) == ('front', list(JOINTS))


@pytest.mark.parametrize('decision', [Decision.OK, Decision.VETO, Decision.ABSTAIN])
def test_who_asks_for_refused_commands_gets_their_futures_alone(bench, judge, decision):
    refused = bench.harness.mailbox(
        'wm_predictor/refused_prediction', Prediction, qos.REFUSED_PREDICTION)
    bench.harness.wait_matched()
    bench.feed()
    judge.decision = decision
    verdict = bench.ask()
    if decision == Decision.OK:
        refused.expect_none(duration_s=0.5)
        assert 'frames' not in judge.events
    else:
        found = refused.expect()
        assert (found.chunk_id, len(found.frames)) == (verdict.chunk_id, 5)


def test_a_wrong_digest_is_invalid(bench, judge):
    bench.feed()
    message = bench.chunk()
    message.trajectory.points[2].positions[0] += 1e-9
    verdict = bench.ask(message)
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.BAD_COMMAND)
    assert bytes(verdict.digest) != bytes(message.digest)
    assert 'digest is' in verdict.message
    assert 'judge' not in judge.events


@pytest.mark.parametrize(('spoil', 'text'), [
    (lambda m: m.trajectory.points[1].positions.pop(), 'point 1 has 2 positions'),
    (lambda m: m.trajectory.points.clear(), '0 points'),
    (lambda m: m.start_state.name.pop(), 'start_state has 2 names and 3 positions'),
    (lambda m: setattr(m, 'command_interface', 9), '9 is not a valid CommandInterface'),
])
def test_an_unreadable_chunk_is_invalid(bench, spoil, text):
    bench.feed()
    message = bench.chunk()
    spoil(message)
    verdict = bench.ask(message)
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.BAD_COMMAND)
    assert text in verdict.message
    assert bench.ask().decision == Verdict.OK


def test_a_chunk_whose_time_is_over_is_vetoed_without_inference(bench, judge):
    bench.feed()
    verdict = bench.ask(bench.chunk(decide_by_s=-0.01))
    assert (verdict.decision, verdict.reasons) == (Verdict.VETO, Verdict.DEADLINE)
    assert 'judge' not in judge.events


def test_before_the_first_frames_the_reason_is_told(bench):
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert verdict.message == 'no camera frame yet'
    assert bench.beats.expect(lambda b: b.message).message == 'no camera frame yet'


def test_a_stopped_camera_is_stale_and_recovers(make):
    bench = make(image_timeout=1.0).start()
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    bench.beats.expect(lambda beat: beat.image_age > 1.0)
    bench.send_joints()
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert 'newest frame is' in verdict.message
    bench.feed()
    assert bench.ask().decision == Verdict.OK


def test_stopped_joints_are_stale(make):
    bench = make(joint_state_timeout=0.2).start()
    bench.feed()
    bench.harness.spin_for(0.25)
    bench.send_frame(age_s=0.1)
    bench.send_frame()
    bench.harness.spin_for(0.1)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_JOINTS)


@pytest.mark.parametrize('size', [(480, 640), (7, 11), (5, 3), (1080, 1920)])
def test_any_size_of_picture_is_resized(bench, judge, size):
    bench.feed(size=size)
    assert bench.ask().decision == Verdict.OK
    assert judge.observations[0].images.shape == (2, 7, 11, 3)


def test_a_change_of_size_is_invalid_until_configured_again(bench):
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    bench.feed(size=(24, 32))
    bench.feed()
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert 'camera changed from 64x48 rgb8 to 32x24 rgb8' in verdict.message
    for transition in (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE):
        assert bench.harness.change_state('wm_predictor', transition)
    bench.harness.wait_matched()
    bench.feed(size=(24, 32))
    assert bench.ask().decision == Verdict.OK


def test_a_malformed_picture_is_invalid_and_recovers(bench):
    bench.feed()
    image = array_to_image(np.zeros((4, 4, 3), np.uint8), stamp=ns_to_stamp(bench.now_ns()),
                           frame_id='optical')
    image.step = 99
    bench.camera.publish(image)
    bench.harness.spin_until(lambda: bench.node._worker.intake.num_refused_images == 1, 5.0)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert 'image has 48 bytes; step 99 x height 4' in verdict.message
    bench.feed()
    assert bench.ask().decision == Verdict.OK


@pytest.mark.parametrize(('age_s', 'text'), [(-5.0, 'in the future'), (5.0, 'old when it came')])
def test_a_stamp_that_cannot_be_is_out_of_sync(bench, age_s, text):
    bench.feed()
    bench.send_frame(age_s=age_s)
    bench.harness.spin_until(lambda: bench.node._worker.intake.num_refused_images == 1, 5.0)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.TIME_SYNC)
    assert text in verdict.message


@pytest.mark.parametrize(('names', 'positions', 'text'), [
    (JOINTS[:2], (0.1, 0.2), 'lacks elbow_flex'), (JOINTS, (0.1, float('nan'), 0.3), 'not finite'),
])
def test_bad_joint_states_are_invalid(bench, names, positions, text):
    bench.feed()
    bench.send_joints(names, positions)
    bench.harness.spin_until(lambda: bench.node._worker.intake.num_refused_joints == 1, 5.0)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_JOINTS)
    assert text in verdict.message


def test_permuted_joints_are_sorted_by_name(bench, judge):
    bench.send_joints(('extra', *JOINTS[::-1]), (9.0, 0.6, 0.5, 0.4))
    bench.harness.spin_until(lambda: bench.node._worker.intake.ages_s(bench.now_ns())[1] >= 0, 5.0)
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    assert judge.observations[0].joints.positions.tolist() == [0.4, 0.5, 0.6]


def test_an_exception_in_the_model_is_invalid_and_recovers_by_itself(bench, judge):
    reports = bench.harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.feed()
    judge.error = EngineError('out of memory (injected)')
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.MODEL_ERROR)
    assert verdict.message == 'out of memory (injected)'
    report = reports.expect(lambda r: r.status[0].level == DiagnosticStatus.ERROR)
    assert report.status[0].message == 'out of memory (injected)'
    judge.error = ZeroDivisionError()
    bench.feed()
    assert bench.ask().decision == Verdict.INVALID
    judge.error = None
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    reports.expect(lambda r: r.status[0].level == DiagnosticStatus.OK)


def test_an_exception_while_drawing_costs_no_verdict(bench, judge):
    bench.harness.mailbox('wm_predictor/prediction', Prediction, qos.PREDICTION)
    bench.harness.wait_matched()
    judge.decode_error = RuntimeError('cannot draw')
    for _ in range(2):
        bench.feed()
        assert bench.ask().decision == Verdict.OK
    bench.verdicts.expect_none(duration_s=0.2)


@pytest.mark.parametrize('risk', [float('nan'), float('inf')])
def test_a_model_that_is_not_finite_is_invalid(bench, judge, risk):
    judge.risk = risk
    bench.feed()
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.MODEL_ERROR)
    assert verdict.risk == 1.0
    assert verdict.valid_until == verdict.header.stamp


def test_the_latest_chunk_wins_and_the_rest_are_counted(bench, judge):
    bench.feed()
    messages = [bench.chunk() for _ in range(6)]
    with stuck(judge, 'judge') as is_stuck:
        bench.chunks.publish(messages[0])
        bench.harness.spin_until(is_stuck.is_set, 5.0, 'the first chunk was not judged')
        mailbox = bench.node._worker.mailbox
        for number, message in enumerate(messages[1:]):
            bench.chunks.publish(message)
            bench.harness.spin_until(
                lambda number=number: (mailbox.queue, mailbox.dropped_chunks) == (1, number), 5.0)
    # Verdicts keep the last only: on a fast machine the second may overtake the first's reading.
    bench.verdicts.expect(lambda verdict: verdict.chunk_id == messages[-1].chunk_id)
    judged = [chunk.chunk_id for chunk in judge.chunks]
    assert judged == [messages[0].chunk_id, messages[-1].chunk_id]
    bench.verdicts.expect_none(duration_s=0.3)
    bench.beats.expect(lambda b: b.dropped == 4)


def test_the_heartbeat_is_steady_and_says_who_runs(bench):
    bench.beats.clear()
    num_beats = 21
    bench.harness.spin_until(lambda: len(bench.beats) >= num_beats, 20.0, 'too few beats')
    beats, times = list(bench.beats.received), np.array(bench.beats.received_at)
    # A busy machine may stretch some; more often than promised is a mistake on any machine.
    assert np.median(np.diff(times)) < 2 * qos.HEARTBEAT_PERIOD_S
    assert times[-1] - times[0] > 0.5 * (num_beats - 1) * qos.HEARTBEAT_PERIOD_S
    assert all(b.progress > a.progress for a, b in zip(beats, beats[1:], strict=False))
    assert (beats[0].engine, beats[0].device, beats[0].model_id) == ('fake', 'none', 'fake-0')
    assert beats[0].calibrated


def test_a_model_that_hangs_stops_the_heartbeat(bench, judge):
    bench.feed()
    with stuck(judge, 'judge') as is_stuck:
        bench.chunks.publish(bench.chunk())
        bench.harness.spin_until(is_stuck.is_set, 5.0, 'the chunk was not judged')
        bench.harness.spin_until(
            lambda: bench.beats.received_at
            and time.monotonic() - bench.beats.received_at[-1] > 0.5, 10.0, 'it beats on')
        bench.beats.clear()
        bench.beats.expect_none(duration_s=0.5)
    bench.beats.expect()


def test_an_uncalibrated_model_must_be_allowed(make, judge):
    judge.is_calibrated = False
    bench = make()
    assert not bench.harness.change_state('wm_predictor', CONFIGURE)
    assert 'allow_uncalibrated: true' in bench.node.last_error
    assert judge.events[-1] == 'close'
    bench.node.set_parameters([Parameter('allow_uncalibrated', value=True)])
    bench.start()
    bench.feed()
    assert bench.ask().reasons == int(Reason.UNCALIBRATED)
    assert not bench.beats.expect().calibrated


@pytest.mark.parametrize(('parameters', 'error', 'text'), [
    ({'checkpoint_path': ''}, None, 'parameter checkpoint_path is not set'),
    ({'camera_names': ['wrist']}, None, "['wrist']; the model was trained on 'front'"),
    ({'camera_names': ['front', 'wrist']}, None, r'[1, 1, 2] entries; give a topic and a name'),
    ({'camera_names': ['front', 'wrist'], 'camera_topics': ['a', 'b']}, None,
     "['front', 'wrist']; the model was trained on 'front'"),
    ({'context_slop': 0.06}, None, 'context_slop is 0.06'),
    ({}, CheckpointError('no model.json in fake'), 'no model.json in fake'),
    ({}, EngineError('pip install torch'), 'pip install torch'),
])
def test_configure_fails_with_the_reason_and_can_be_tried_again(
        make, judge, parameters, error, text):
    bench = make(**parameters)

    def fail(config):
        raise error

    if error is not None:
        bench.make_judge = fail
    assert not bench.harness.change_state('wm_predictor', CONFIGURE)
    assert bench.harness.state('wm_predictor') == 'unconfigured'
    assert text in bench.node.last_error
    assert not any(thread.name == 'inference' for thread in threading.enumerate())
    bench.make_judge = lambda config: judge
    assert all(result.successful for result in bench.node.set_parameters([
        Parameter('checkpoint_path', value='fake'), Parameter('camera_names', value=['front']),
        Parameter('camera_topics', value=['camera/image_raw']),
        Parameter('context_slop', value=0.05)]))
    bench.start()


def test_compressed_transport(make):
    bench = make(image_transport='compressed').start()
    bench.feed(size=(16, 24))
    assert bench.ask().decision == Verdict.OK


def test_a_frozen_camera_is_stale(make):
    bench = make(frozen_frames=4).start()
    for _ in range(3):
        bench.feed(value=77)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert 'camera is frozen' in verdict.message
    bench.feed()
    assert bench.ask().decision == Verdict.OK


def test_configure_and_clean_up_again_and_again_leave_nothing_behind(make, judge):
    bench = make()
    num_threads, num_entities = None, None
    for _ in range(20):
        for transition in (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP):
            assert bench.harness.change_state('wm_predictor', transition)
        found = threading.active_count(), len(bench.node._managed_entities) + len(
            list(bench.node.publishers)) + len(list(bench.node.subscriptions))
        assert found == (num_threads or found[0], num_entities or found[1])
        num_threads, num_entities = found
    assert judge.events.count('close') == 20
    assert bench.node._worker is None
