# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Further cameras on their way in and out: recordings, bags, LeRobot data sets, checks."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('rosbags', reason="needs the data extra: pip install 'wm_ros[data]'")

from bag_rig import BagRig, header, new, picture, write_plain  # noqa: E402
from episode_rig import MS, make_episode  # noqa: E402

from wm_ros.cli import main  # noqa: E402
from wm_ros.data.bag_export import export_bag  # noqa: E402
from wm_ros.data.bag_import import import_bag  # noqa: E402
from wm_ros.data.bag_topics import BagOptions  # noqa: E402
from wm_ros.data.checks import CheckLimits, check_episode  # noqa: E402
from wm_ros.data.describing import describe  # noqa: E402
from wm_ros.data.episode import (  # noqa: E402
    CameraFrames,
    encode_frame,
    list_episodes,
    read_episode,
    write_episode,
)
from wm_ros.data.problems import Problems  # noqa: E402
from wm_ros.data.recording import Recording  # noqa: E402
from wm_ros.errors import DatasetError  # noqa: E402

WRIST = '/wrist/image_raw'


def wrist_of(episode, *, late_ms=7, count=None):
    """Return frames as those of the episode, later and of another size."""
    stamps = episode.frame_stamps_ns[:count]
    files = tuple(encode_frame(picture(3 * row, 24, 32)) for row in range(len(stamps)))
    return CameraFrames(frames=files, stamps_ns=stamps + late_ms * MS)


def two_cameras(**changes):
    episode = make_episode(**changes)
    return replace(episode, extra_cameras={'wrist': wrist_of(episode)})


def write_wrist(rig, *times_ms, size=(24, 32)):
    for at_ms in times_ms:
        rig.write(WRIST, 'sensor_msgs/msg/CompressedImage', new(
            'sensor_msgs/msg/CompressedImage', header=header(at_ms * MS), format='jpeg',
            data=np.frombuffer(encode_frame(picture(at_ms, *size)), np.uint8)), at_ms)


# Recordings


def test_a_recording_keeps_each_camera_with_its_stamps():
    recording = Recording(extra_cameras=('wrist',))
    recording.add_joints(('a',), np.zeros(1), np.zeros(0), np.zeros(0), 5 * MS)
    for stamp_ms, camera in ((10, ''), (20, 'wrist'), (30, ''), (30, 'wrist'), (25, 'wrist')):
        recording.add_frame(picture(stamp_ms, 20 if camera else 40), stamp_ms * MS, camera)
    assert recording.num_dropped == 1
    episode = recording.episode(camera_name='front', info={})
    assert (episode.frame_stamps_ns // MS).tolist() == [10, 30]
    assert (episode.extra_cameras['wrist'].stamps_ns // MS).tolist() == [20, 30]
    assert episode.of_camera('wrist').decode(0).shape == (20, 64, 3)
    assert recording.following().extra_cameras == ('wrist',)
    assert recording.following().num_frames == 0


def test_a_camera_that_never_came_is_named():
    recording = Recording(extra_cameras=('wrist',))
    recording.add_frame(picture(1), MS)
    assert recording.num_frames == 0
    with pytest.raises(DatasetError, match="no pictures of camera 'wrist' and no joint states"):
        recording.episode(camera_name='front', info={})


# Bags


def test_an_exported_bag_gives_all_cameras_back(tmp_path):
    episode = two_cameras(start_ms=1_764_000_000_123)
    export_bag(episode, tmp_path / 'bag')
    (back,) = import_bag(tmp_path / 'bag', BagOptions(), Problems())
    assert back.cameras == ('front', 'wrist')
    assert back.frames == episode.frames
    assert back.extra_cameras['wrist'].frames == episode.extra_cameras['wrist'].frames
    np.testing.assert_array_equal(back.extra_cameras['wrist'].stamps_ns,
                                  episode.extra_cameras['wrist'].stamps_ns)


def test_the_verb_imports_the_cameras_that_are_named(tmp_path, capsys):
    with BagRig(tmp_path / 'bag') as rig:
        write_plain(rig)
        write_wrist(rig, 1010, 1110, 1210, 1310)
    arguments = ['import', str(tmp_path / 'bag'), '--out', str(tmp_path / 'out')]
    assert main([*arguments, '--extra-camera', f'wrist={WRIST}']) == 0
    assert main(arguments) == 0
    both, plain = (read_episode(path) for path in list_episodes(tmp_path / 'out'))
    assert (both.extra_cameras['wrist'].stamps_ns // MS).tolist() == [1010, 1110, 1210, 1310]
    assert plain.cameras == ('front',)
    assert main([*arguments, '--extra-camera', 'top=/top']) == 1
    assert 'has no topic /top; --extra-camera top=TOPIC could be' in capsys.readouterr().err


@pytest.mark.parametrize('text', ['wrist', '=topic', 'wrist='])
def test_a_camera_without_name_or_topic_is_wrong_usage(tmp_path, capsys, text):
    with pytest.raises(SystemExit) as stop:
        main(['import', 'bag', '--out', str(tmp_path), '--extra-camera', text])
    assert stop.value.code == 2
    assert 'must be NAME=SOURCE' in capsys.readouterr().err


def test_a_new_size_of_any_camera_begins_an_episode(tmp_path):
    problems = Problems()
    with BagRig(tmp_path / 'bag') as rig:
        write_plain(rig, num_frames=3)
        write_wrist(rig, 1010, 1110)
        write_wrist(rig, 1310, 1410, size=(48, 64))
        write_plain(rig, num_frames=3, start_ms=1500)
    options = BagOptions(extra_cameras=(('wrist', WRIST),))
    one, two = import_bag(tmp_path / 'bag', options, problems)
    assert [len(each.extra_cameras['wrist'].frames) for each in (one, two)] == [2, 2]
    assert two.of_camera('wrist').decode(0).shape == (48, 64, 3)
    assert f'{WRIST} row 2: the picture is 64x48, those before it 32x24' in problems.lines()[0]


def test_a_stretch_without_one_of_the_cameras_is_no_episode(tmp_path):
    problems = Problems()
    with BagRig(tmp_path / 'bag') as rig:
        write_plain(rig, num_frames=3)
        write_wrist(rig, 1010, 1110)
        write_plain(rig, num_frames=3, start_ms=9000)
    options = BagOptions(extra_cameras=(('wrist', WRIST),), split_gap_s=1.0)
    (one,) = import_bag(tmp_path / 'bag', options, problems)
    assert one.frame_stamps_ns[-1] == 1200 * MS
    assert 'a stretch of 0 pictures' in problems.notes[-1]


# LeRobot data sets


def test_further_cameras_of_a_lerobot_data_set(tmp_path):
    pytest.importorskip('av')
    pytest.importorskip('pyarrow')
    from wm_ros.data.lerobot_export import ExportOptions, export_lerobot
    from wm_ros.data.lerobot_import import LeRobotOptions, import_lerobot
    path, problems = tmp_path / 'episode_0.safetensors', Problems()
    write_episode(path, two_cameras())
    export_lerobot([path], tmp_path / 'set', ExportOptions(), problems)
    assert problems.lines() == [
        f"{path}: the pictures of its further cameras ['wrist'] are not written"]
    # The one video that is there serves twice.
    (episode,) = import_lerobot(tmp_path / 'set', LeRobotOptions(
        camera='front', extra_cameras=(('again', 'front'),)), Problems())
    assert episode.cameras == ('front', 'again')
    assert episode.extra_cameras['again'].frames == episode.frames
    with pytest.raises(DatasetError, match="there is no camera 'wrist'; there are observation"):
        list(import_lerobot(tmp_path / 'set', LeRobotOptions(
            extra_cameras=(('wrist', 'wrist'),)), Problems()))


# Checks


def found(episode):
    return [(item.what, item.row, item.text) for item in check_episode(
        episode, 'x', CheckLimits()) if item.level == 'error']


def test_a_good_episode_of_two_cameras_passes(tmp_path):
    episode = two_cameras(num_frames=20)
    assert found(episode) == []
    write_episode(tmp_path / 'episode_0.safetensors', episode)
    write_episode(tmp_path / 'episode_1.safetensors', make_episode())
    assert describe(tmp_path)['cameras'] == {'front': 2, 'wrist': 1}


def test_what_is_wrong_with_a_further_camera_is_found_and_named():
    episode = make_episode(num_frames=20)
    wrist = wrist_of(episode)
    late, frozen = wrist.stamps_ns.copy(), list(wrist.frames)
    late[9:] += 300 * MS
    frozen[4:12] = [frozen[4]] * 8
    for camera, what, row, text in (
            (replace(wrist, stamps_ns=late), 'gap', 9,
             "camera 'wrist': frame 9 comes 0.400 s after"),
            (replace(wrist, frames=tuple(frozen)), 'frozen', 4,
             "camera 'wrist': frames 4 to 11 are the same picture"),
            (replace(wrist, frames=(b'no picture', *wrist.frames[1:])), 'unreadable', 0,
             "camera 'wrist': frame 0:"),
            (wrist_of(episode, count=1), 'gap', -1, "camera 'wrist': 1 frames are too few")):
        first = found(replace(episode, extra_cameras={'wrist': camera}))[0]
        assert first[:2] == (what, row)
        assert first[2].startswith(text)
