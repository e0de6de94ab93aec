# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the recorder keeps, by hand."""

import numpy as np
import pytest

from wm_ros.data.episode import encode_frame, read_episode, write_episode
from wm_ros.data.recording import Recording
from wm_ros.datatypes import Trajectory
from wm_ros.errors import DatasetError

NAMES = ('a', 'b')
MS = 1_000_000
NOTHING = np.zeros(0)


def add(recording, positions, at_ms, names=NAMES):
    recording.add_joints(names, np.array(positions), NOTHING, NOTHING, at_ms * MS)


def finish(recording):
    recording.add_frame(np.full((48, 64, 3), 100, np.uint8), 5 * MS)
    return recording.episode(camera_name='front', info={})


def test_setpoints_follow_commands_as_the_controller_does():
    recording = Recording()
    add(recording, [0.0, 1.0], 0)
    recording.add_command(Trajectory(
        joint_names=('b',), positions=np.array([[3.0]]), times=np.array([0.2])), 100 * MS)
    for at_ms in (100, 200, 300, 400):
        add(recording, [0.0, 1.0], at_ms)
    assert finish(recording).setpoints == pytest.approx(
        np.array([[0, 1], [0, 1], [0, 2], [0, 3], [0, 3]]))


def test_joints_are_put_in_the_order_of_the_first_sample():
    recording = Recording()
    add(recording, [1.0, 2.0], 0)
    add(recording, [4.0, 3.0], 20, names=('b', 'a'))
    assert finish(recording).positions.tolist() == [[1, 2], [3, 4]]


def test_samples_that_cannot_be_used_are_counted_and_left_out():
    recording = Recording()
    add(recording, [1.0, 2.0], 20)
    add(recording, [1.0, 2.0], 20)
    add(recording, [np.nan, 2.0], 40)
    add(recording, [1.0], 60, names=('a',))
    assert (recording.num_samples, recording.num_dropped) == (1, 3)


def test_hazards_go_with_the_next_joint_sample():
    recording = Recording()
    add(recording, [0.0, 0.0], 0)
    recording.add_contacts(['gripper|object_1', 'table|wrist'])
    add(recording, [0.0, 0.0], 20)
    recording.add_contacts(['gripper|upper_arm'])
    add(recording, [0.0, 0.0], 40)
    add(recording, [0.0, 0.0], 60)
    assert finish(recording).hazards.tolist() == [0, 3, 4, 0]


def test_pictures_are_stored_small_and_read_back(tmp_path):
    recording = Recording()
    add(recording, [0.0, 0.0], 0)
    recording.add_frame(np.full((480, 640, 3), (200, 100, 50), np.uint8), MS)
    path = tmp_path / 'episode_000000000.safetensors'
    write_episode(path, recording.episode(camera_name='front', info={'source': 'record'}))
    frame = read_episode(path).decode(0)
    assert frame.shape == (240, 320, 3)
    assert np.abs(frame.astype(int) - (200, 100, 50)).max() <= 3


def test_a_recording_of_nothing_says_what_never_came():
    with pytest.raises(DatasetError, match='no camera pictures and no joint states came'):
        Recording().episode(camera_name='front', info={})


def test_a_point_due_at_once_is_the_setpoint_at_once():
    recording = Recording()
    add(recording, [0.0, 0.0], 0)
    recording.add_command(Trajectory(
        joint_names=NAMES, positions=np.array([[1.0, 2.0], [3.0, 4.0]]),
        times=np.array([0.0, 0.2])), 100 * MS)
    for at_ms in (50, 100, 200, 300):
        add(recording, [0.0, 0.0], at_ms)
    assert finish(recording).setpoints.tolist() == [[0, 0], [1, 2], [1, 2], [2, 3], [3, 4]]


def test_a_command_before_the_first_sample_is_followed_from_there():
    recording = Recording()
    recording.add_command(Trajectory(
        joint_names=('b',), positions=np.array([[3.0]]), times=np.array([0.1])), 0)
    add(recording, [0.5, 1.0], 50)
    add(recording, [0.5, 1.0], 100)
    assert finish(recording).setpoints == pytest.approx(np.array([[0.5, 2.0], [0.5, 3.0]]))


def test_what_follows_a_recording_keeps_the_setpoint_and_the_joints():
    recording = Recording()
    add(recording, [0.0, 0.0], 0)
    recording.add_command(Trajectory(
        joint_names=NAMES, positions=np.array([[2.0, 4.0]]), times=np.array([0.1])), 0)
    after = recording.following()
    assert (after.num_frames, after.num_samples) == (0, 0)
    add(after, [9.0, 8.0], 50, names=('b', 'a'))
    episode = finish(after)
    assert episode.positions.tolist() == [[8, 9]]
    assert episode.setpoints == pytest.approx(np.array([[1.0, 2.0]]))


def test_each_sample_that_is_left_out_says_why():
    recording = Recording()
    assert recording.add_joints(NAMES, np.array([1.0, 2.0]), NOTHING, NOTHING, 5) == ''
    for names, values, stamp, reason in (
            (NAMES, [np.nan, 0], 9, 'position of joint a is nan'),
            (('a',), [0], 9, 'joint b is missing'),
            (NAMES, [0], 9, '1 positions for 2 joints'),
            (NAMES, [0, 0], 5, 'its stamp 5 ns is not after 5 ns')):
        assert recording.add_joints(names, np.array(values, float), NOTHING, NOTHING,
                                    stamp) == reason


def test_a_velocity_that_is_not_finite_leaves_its_sample_out():
    """
    Positions alone were looked at, so the NaN of a velocity went into the episode.

    The loss of a training with it is NaN. No test had a velocity that was not finite.
    """
    recording = Recording()
    values = np.array([1.0, 2.0])
    for stamp, velocities, reason in (
            (5, [0.5, np.nan], 'velocity of joint b is nan'),
            (6, [-np.inf, 0.5], 'velocity of joint a is -inf'), (7, [0.25, 0.5], '')):
        assert recording.add_joints(NAMES, values, np.array(velocities), NOTHING,
                                    stamp) == reason
    assert (recording.num_samples, recording.num_dropped) == (1, 2)
    assert finish(recording).velocities.tolist() == [[0.25, 0.5]]


def test_joints_of_others_may_be_nan():
    recording = Recording(joint_names=('a',))
    both = np.array([1.0, np.nan])
    assert recording.add_joints(NAMES, both, both, NOTHING, 20 * MS) == ''
    assert finish(recording).positions.tolist() == [[1]]


def test_a_ninth_kind_of_hazard_is_refused():
    recording = Recording()
    for number in range(5):
        recording.add_hazard(f'kind{number}')
    add(recording, [0.0, 0.0], 0)
    assert finish(recording).hazards.tolist() == [0b11111000]
    with pytest.raises(DatasetError, match="no room for hazard kind 'ninth'"):
        recording.add_hazard('ninth')


def test_a_small_jpeg_is_kept_to_the_byte_and_a_wide_one_is_scaled():
    picture = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
    small, wide = encode_frame(picture), encode_frame(np.repeat(picture, 20, axis=1))
    recording = Recording()
    add(recording, [0.0, 0.0], 0)
    recording.add_picture_file(small, MS)
    recording.add_picture_file(wide, 2 * MS)
    episode = recording.episode(camera_name='front', info={})
    assert episode.frames[0] == small
    assert episode.decode(1).shape == (12, 320, 3)
