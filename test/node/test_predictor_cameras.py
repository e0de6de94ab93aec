# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor with two cameras over real DDS: a fake model, and a small real one."""

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fake_judge import JOINTS, FakeJudge
from harness import Harness
from lifecycle_msgs.msg import Transition
from predictor_bench import Bench
from sensor_msgs.msg import CompressedImage, Image
from tiny_checkpoint import JOINTS as TINY_JOINTS
from tiny_checkpoint import write_tiny_checkpoint

from wm_ros.msg import Prediction, Verdict
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg, image_to_rgb
from wm_ros.ros.predictor_messages import ns_to_stamp
from wm_ros.ros.predictor_node import load_judge

TWO = {'camera_names': ['front', 'wrist'],
       'camera_topics': ['camera/image_raw', 'wrist/image_raw']}


class TwoCameraBench(Bench):
    """A bench with a wrist camera, whose pictures are filled with 100."""

    def __init__(self, harness, make_judge, **parameters):
        super().__init__(harness, make_judge, **{**TWO, **parameters})
        kind, end = (CompressedImage, '/compressed') if self.is_compressed else (Image, '')
        self.wrist = harness.publisher(f'wrist/image_raw{end}', kind, qos.CAMERA_OUT)

    def send_wrist(self, *, age_s=0.0, value=100, size=(30, 40), now_ns=None,
                   change=lambda message: None):
        """Send a picture whose first pixel makes it unlike the one before."""
        self.num_frames += 1
        rgb = np.full((*size, 3), value, np.uint8)
        rgb[0, 0] = self.num_frames % 250
        make = array_to_jpeg if self.is_compressed else array_to_image
        message = make(rgb, stamp=ns_to_stamp((now_ns or self.now_ns()) - round(age_s * 1e9)),
                       frame_id='wrist_optical')
        change(message)
        before = self.node._worker.intake.image_counts[1]
        self.wrist.publish(message)
        self.harness.spin_until(
            lambda: self.node._worker.intake.image_counts[1] > before, 5.0, 'no wrist frame came')

    def feed(self, **kwargs):
        """Send what one check needs of both cameras, taken at the same moments."""
        now_ns = self.now_ns()
        self.send_wrist(age_s=0.1, now_ns=now_ns)
        self.send_wrist(now_ns=now_ns)
        return super().feed(now_ns=now_ns, **kwargs)


@pytest.fixture
def judge():
    judge = FakeJudge()
    judge.config.cameras = ('front', 'wrist')
    return judge


@pytest.fixture
def make(judge):
    with Harness() as harness:
        yield lambda **parameters: TwoCameraBench(
            harness, lambda config: judge, joints=JOINTS, **parameters)


@pytest.mark.parametrize('transport', ['raw', 'compressed'])
def test_the_model_sees_both_cameras_above_each_other(make, judge, transport):
    bench = make(image_transport=transport).start()
    bench.num_frames = 20
    stamp = bench.feed()
    verdict = bench.ask()
    assert verdict.decision == Verdict.OK
    assert verdict.observation_stamp == stamp
    seen = judge.observations[0].images
    assert seen.shape == (2, 14, 11, 3)
    # The main camera's pictures are filled with their number, and stand on top.
    assert np.abs(seen[:, :7].astype(int) - np.array([23, 24])[:, None, None, None]).max() <= 2
    assert np.abs(seen[:, 8:, 1:].astype(int) - 100).max() <= 2


def test_each_camera_has_its_prediction(make, judge):
    bench = make().start()
    harness = bench.harness
    tall = np.full((5, 14, 11, 3), 30, np.uint8)
    tall[:, 7:] = 90
    judge.frames = lambda judgement: tall
    main, wrist = (harness.mailbox(f'wm_predictor/prediction{end}', Prediction, qos.PREDICTION)
                   for end in ('', '/wrist'))
    images = harness.mailbox('wm_predictor/predicted/image_raw', Image, qos.PREDICTED_IMAGE)
    harness.wait_matched()
    stamp = bench.feed()
    message = bench.chunk()
    bench.ask(message)
    for box, name, value, frame_id in ((main, 'front', 30, 'optical'),
                                       (wrist, 'wrist', 90, 'wrist_optical')):
        found = box.expect()
        assert (found.camera_name, found.chunk_id) == (name, message.chunk_id)
        assert (found.header.stamp, found.header.frame_id) == (stamp, frame_id)
        assert len(found.frames) == 5
        assert image_to_rgb(found.frames[-1]).shape == (7, 11, 3)
        assert abs(image_to_rgb(found.frames[-1]).mean() - value) <= 1
        assert len(found.risk) == 5
    picture = images.expect()
    assert (picture.height, picture.width, picture.header.frame_id) == (7, 11, 'optical')
    assert set(picture.data) == {30}
    assert len(main) == len(wrist) == 0


def test_somebody_who_watches_the_wrist_alone_gets_its_frames(make, judge):
    bench = make().start()
    wrist = bench.harness.mailbox('wm_predictor/prediction/wrist', Prediction, qos.PREDICTION)
    bench.harness.wait_matched()
    bench.feed()
    bench.ask()
    assert wrist.expect().camera_name == 'wrist'


def test_without_the_second_camera_there_is_no_verdict_but_its_name(make, judge):
    bench = make().start()
    Bench.feed(bench)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert verdict.message == "camera 'wrist': no camera frame yet"
    # Beats from before the first frame came name the first camera.
    beat = bench.beats.expect(lambda beat: beat.message == verdict.message)
    assert beat.image_age == -1
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    assert 'judge' in judge.events


@pytest.mark.parametrize(('arguments', 'reason', 'text'), [
    ({'age_s': 9.0}, Verdict.TIME_SYNC, r"camera 'wrist': image was 9.0"),
    ({'age_s': -1.0}, Verdict.TIME_SYNC, "camera 'wrist': image is stamped"),
    ({'change': lambda message: setattr(message, 'encoding', 'magic')}, Verdict.STALE_IMAGE,
     "camera 'wrist': "),
    ({'size': (31, 40)}, Verdict.STALE_IMAGE,
     "camera 'wrist': camera changed from 40x30 rgb8 to 40x31 rgb8"),
])
def test_a_bad_picture_of_the_second_camera_is_refused_and_told(make, arguments, reason, text):
    bench = make().start()
    box = bench.harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.feed()
    assert bench.ask().decision == Verdict.OK
    bench.send_wrist(**arguments)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, reason)
    assert verdict.message.startswith(text)
    report = box.expect(lambda message: any(
        status.name.endswith('inputs') and text in status.message for status in message.status))
    inputs = next(status for status in report.status if status.name.endswith('inputs'))
    assert inputs.level == DiagnosticStatus.ERROR
    assert '/wrist/image_raw_rate_hz' in {value.key for value in inputs.values}


def test_a_frozen_second_camera_is_stale(make):
    bench = make(frozen_frames=3).start()
    now_ns = bench.now_ns()
    for age_s in (0.2, 0.1, 0.0):
        bench.num_frames = 7
        bench.send_wrist(age_s=age_s, now_ns=now_ns)
    Bench.feed(bench, now_ns=now_ns)
    verdict = bench.ask()
    assert (verdict.decision, verdict.reasons) == (Verdict.INVALID, Verdict.STALE_IMAGE)
    assert verdict.message == (
        "camera 'wrist': camera is frozen: 3 equal pictures with fresh stamps")


@pytest.mark.parametrize(('parameters', 'text'), [
    ({'camera_names': ['front'], 'camera_topics': ['camera/image_raw']},
     "camera_names is ['front']; the model was trained on 'front', 'wrist'; add ['wrist'] to "
     'camera_names and their topics to camera_topics'),
    ({'camera_names': ['wrist', 'front']},
     "camera_names is ['wrist', 'front']; the model was trained on 'front', 'wrist'"),
])
def test_cameras_that_are_not_the_models_fail_to_configure(make, parameters, text):
    bench = make(**parameters)
    assert not bench.harness.change_state('wm_predictor', Transition.TRANSITION_CONFIGURE)
    assert bench.node.last_error.endswith(text)


def test_a_real_model_of_two_cameras_judges_and_draws(tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: 'wm_ros[train]'")
    pytest.importorskip('onnxruntime')
    config = write_tiny_checkpoint(tmp_path, extra_cameras=('wrist',))
    with Harness() as harness:
        bench = TwoCameraBench(harness, load_judge, joints=TINY_JOINTS,
                               checkpoint_path=str(tmp_path)).start()
        boxes = [harness.mailbox(f'wm_predictor/prediction{end}', Prediction, qos.PREDICTION)
                 for end in ('', '/wrist')]
        harness.wait_matched()
        bench.feed()
        verdict = bench.ask()
        assert verdict.decision in (Verdict.OK, Verdict.VETO, Verdict.ABSTAIN), verdict.message
        for box in boxes:
            frames = box.expect().frames
            assert len(frames) == config.horizon
            assert image_to_rgb(frames[0]).shape == (32, 48, 3)
