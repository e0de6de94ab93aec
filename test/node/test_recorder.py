# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The recorder over real DDS: pictures of each camera land where they belong."""

from types import SimpleNamespace

import numpy as np
import pytest
from harness import Harness
from sensor_msgs.msg import CompressedImage, Image, JointState

from wm_ros.cli import main
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg
from wm_ros.ros.predictor_messages import ns_to_stamp
from wm_ros.ros.recorder import Recorder, RecorderConfig

MS = 1_000_000


@pytest.mark.parametrize('compressed', [False, True])
def test_each_camera_is_recorded_under_its_name(tmp_path, compressed):
    kind, make = (CompressedImage, array_to_jpeg) if compressed else (Image, array_to_image)
    with Harness() as harness:
        node = harness.add(Recorder(RecorderConfig(
            out=tmp_path, camera='cam/a', compressed=compressed, joint_states='joint_states',
            camera_name='top', extra_camera_names=('wrist', 'side'),
            extra_camera_topics=('cam/b', 'cam/c')),
            context=harness.context))
        cameras = [harness.publisher(f'cam/{end}', kind, qos.CAMERA_OUT) for end in 'abc']
        joints = harness.publisher('joint_states', JointState, qos.JOINT_STATES_OUT)
        harness.wait_matched()
        message = JointState(name=['a'], position=[0.5])
        message.header.stamp = ns_to_stamp(5 * MS)
        joints.publish(message)
        for number, camera in enumerate(cameras):
            for row in range(2):
                camera.publish(make(np.full((8, 16, 3), 50 * number + 10 * row, np.uint8),
                                    stamp=ns_to_stamp((10 + number + 100 * row) * MS),
                                    frame_id=''))
        harness.spin_until(lambda: node.recording.num_frames == 2 and node.recording.num_samples,
                           5.0, 'the pictures did not arrive')
        episode = node.recording.episode(camera_name='top', info={})
    assert episode.cameras == ('top', 'wrist', 'side')
    for number, name in enumerate(episode.cameras):
        seen = episode.of_camera(name)
        assert (seen.frame_stamps_ns // MS).tolist() == [10 + number, 110 + number]
        assert [round(seen.decode(row).mean()) for row in range(2)] == [
            pytest.approx(50 * number + 10 * row, abs=2) for row in range(2)]


def test_a_joint_state_that_is_left_out_says_why(tmp_path, monkeypatch):
    """Where every one is left out, 'no joint states came' alone would blame the topic."""
    said = []
    with Harness() as harness:
        node = harness.add(Recorder(RecorderConfig(out=tmp_path, camera='cam'),
                                    context=harness.context))
        monkeypatch.setattr(node, 'get_logger', lambda: SimpleNamespace(
            warning=lambda text, **_: said.append(text)))
        for velocity in (np.nan, 0.5):
            message = JointState(name=['a'], position=[0.5], velocity=[velocity])
            message.header.stamp = ns_to_stamp(5 * MS)
            node._on_joints(message)
        assert (node.recording.num_samples, node.recording.num_dropped) == (1, 1)
    assert said == ['joint state left out: velocity of joint a is nan']


@pytest.mark.parametrize(('names', 'topics', 'text'), [
    (('front',), ('/x',), r"cameras are called \['front', 'front'\]"),
    (('wrist',), (), r"\['wrist'\] and \[\] are not as many names as topics"),
])
def test_each_camera_needs_a_name_of_its_own_and_a_topic(tmp_path, names, topics, text):
    with pytest.raises(ValueError, match=text):
        RecorderConfig(out=tmp_path, extra_camera_names=names, extra_camera_topics=topics)


def test_the_verb_names_the_cameras_that_never_came(tmp_path, capsys):
    code = main(['record', '--out', str(tmp_path / 'out'), '--duration', '0.1', '--camera',
                 '/no/such', '--extra-camera', 'wrist=/no/such/wrist'])
    error = capsys.readouterr().err
    assert code == 1
    assert "no camera pictures and no pictures of camera 'wrist' and no joint states" in error
    assert 'listened to /no/such, /no/such/wrist and /joint_states' in error
    assert not (tmp_path / 'out').exists()
