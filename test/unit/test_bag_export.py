# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An exported bag is what others read, and gives back the same episode to the bit."""

from dataclasses import fields, replace

import numpy as np
import pytest

pytest.importorskip('rosbags', reason="needs the data extra: pip install 'wm_ros[data]'")

from episode_rig import MS, make_episode  # noqa: E402

from wm_ros.data.bag_export import export_bag  # noqa: E402
from wm_ros.data.bag_import import import_bag  # noqa: E402
from wm_ros.data.bag_topics import BagOptions  # noqa: E402
from wm_ros.data.problems import Problems  # noqa: E402
from wm_ros.errors import DatasetError  # noqa: E402


def assert_same(first, second):
    """Compare two episodes value by value."""
    for item in fields(first):
        one, other = getattr(first, item.name), getattr(second, item.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype, item.name
            assert np.array_equal(one, other, equal_nan=one.dtype.kind == 'f'), item.name
        else:
            assert one == other, item.name


def round_trip(episode, path):
    """Export and import an episode."""
    export_bag(episode, path)
    problems = Problems()
    found = list(import_bag(path, BagOptions(), problems))
    assert problems.lines() == []
    assert problems.notes == []
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize('start_ms', [0, 1_764_000_000_123])
def test_round_trip_is_exact(tmp_path, start_ms):
    episode = make_episode(start_ms=start_ms)
    assert_same(episode, round_trip(episode, tmp_path / 'bag'))


def test_round_trip_of_the_unusual(tmp_path):
    episode = make_episode(
        start_ms=7, hazard_kinds=('stop', 'self', 'button'), camera_name='wrist', clearance=None,
        frame_stamps_ns=(np.array([7, 111, 207, 333, 400, 501]) * MS + 13).astype(np.int64))
    assert_same(episode, round_trip(episode, tmp_path / 'bag'))


def test_unknown_distances_stay_unknown(tmp_path):
    clearance = make_episode().clearance
    clearance[3:7] = np.nan
    episode = make_episode(clearance=clearance)
    assert_same(episode, round_trip(episode, tmp_path / 'bag'))


def test_other_readers_of_mcap_decode_it(tmp_path):
    reader = pytest.importorskip('mcap_ros2.reader', reason='needs mcap-ros2-support')
    episode = make_episode(start_ms=1000)
    export_bag(episode, tmp_path / 'bag')
    topics = {}
    for message in reader.read_ros2_messages(tmp_path / 'bag' / 'bag.mcap'):
        topics.setdefault(message.channel.topic, []).append((message.log_time_ns,
                                                             message.ros_msg))
    counts = {topic: len(messages) for topic, messages in topics.items()}
    assert counts == {
        '/wm_ros/episode': 1, '/camera/front/image_raw/compressed': 6, '/joint_states': 26,
        '/arm_controller/joint_trajectory': 26, '/wm_ros/clearance': 26,
        '/wm_ros/hazards': np.count_nonzero(episode.hazards)}
    stamp, state = topics['/joint_states'][4]
    assert stamp == 1080 * MS == state.header.stamp.sec * 10**9 + state.header.stamp.nanosec
    assert list(state.name) == ['a', 'b', 'c']
    assert list(state.position) == episode.positions[4].tolist()
    command = topics['/arm_controller/joint_trajectory'][4][1]
    assert list(command.points[0].positions) == episode.setpoints[5].tolist()
    assert command.points[0].time_from_start.nanosec == 20 * MS
    image = topics['/camera/front/image_raw/compressed'][2][1]
    assert bytes(image.data) == episode.frames[2]
    assert 'jpeg' in image.format
    kinds = {text.data for _, text in topics['/wm_ros/hazards']}
    assert kinds <= {'object', 'table', 'object,table'}


def test_nothing_is_left_of_an_export_that_fails(tmp_path):
    broken = replace(make_episode(), info={'seed': object()})
    with pytest.raises(TypeError):
        export_bag(broken, tmp_path / 'bag')
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_is_not_overwritten(tmp_path):
    export_bag(make_episode(), tmp_path / 'bag')
    with pytest.raises(DatasetError, match='bag exists; name another'):
        export_bag(make_episode(), tmp_path / 'bag')


def test_stamps_before_zero_are_refused(tmp_path):
    with pytest.raises(DatasetError, match='first stamp is -1000000 ns'):
        export_bag(make_episode(start_ms=-1), tmp_path / 'bag')
