# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the recorder keeps, by hand."""

import numpy as np
import pytest

from wm_ros.data.episode import read_episode, write_episode
from wm_ros.datatypes import Trajectory
from wm_ros.errors import DatasetError
from wm_ros.ros.recording import Recording

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
