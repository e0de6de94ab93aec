# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Episodes of several cameras, and windows in which their pictures stand above each other."""

import dataclasses
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from tiny_checkpoint import make_episode, tiny_config

from wm_ros.data.cutting import cut
from wm_ros.data.episode import (
    CameraFrames,
    encode_frame,
    list_episodes,
    read_episode,
    write_episode,
)
from wm_ros.data.window_cache import cached_windows, entry_name
from wm_ros.data.windows import cut_windows, load_windows
from wm_ros.errors import DatasetError

MS = 1_000_000
START = 1_000 * MS
TWO = tiny_config(extra_cameras=('wrist',))


def camera(*, period_ms=100, offset_ms=0, count=20, base=5, size=(30, 40)):
    """Return frames whose grey value is base + 10 times their number."""
    return CameraFrames(
        frames=tuple(encode_frame(np.full((*size, 3), base + 10 * i % 250, np.uint8))
                     for i in range(count)),
        stamps_ns=START + (np.arange(count) * period_ms + offset_ms) * MS)


def episode_with(**cameras):
    return dataclasses.replace(make_episode(), extra_cameras=cameras)


def values(windows, top, height=32):
    """Return the grey value of each frame of the pool in one camera's place."""
    part = windows.frames[:, top * height:(top + 1) * height]
    assert np.ptp(part.reshape(len(part), -1), axis=1).max() <= 2
    return np.round(part.reshape(len(part), -1).mean(1)).astype(int)


# The file


def test_a_file_keeps_every_camera_with_its_own_stamps(tmp_path):
    path = tmp_path / 'episode_1.safetensors'
    episode = episode_with(wrist=camera(period_ms=33, count=57), top=camera(count=3, base=9))
    write_episode(path, episode)
    back = read_episode(path)
    assert back.cameras == ('front', 'wrist', 'top')
    assert back.frames == episode.frames
    for name, wanted in episode.extra_cameras.items():
        found = back.extra_cameras[name]
        assert found.frames == wanted.frames
        assert found.stamps_ns.dtype == np.int64
        np.testing.assert_array_equal(found.stamps_ns, wanted.stamps_ns)
    alone = back.of_camera('top')
    assert (alone.camera_name, len(alone.frames), alone.cameras) == ('top', 3, ('top',))
    assert alone.decode(2).mean() == pytest.approx(29, abs=1)
    assert alone.positions is back.positions
    with pytest.raises(DatasetError, match=r"camera 'side' is not in the episode, which has "
                                           r"\['front', 'wrist', 'top'\]"):
        back.of_camera('side')


def test_a_file_of_one_camera_is_what_it_always_was(tmp_path):
    path = tmp_path / 'episode_1.safetensors'
    write_episode(path, make_episode())
    with safe_open(path, framework='numpy') as handle:
        meta, names = json.loads(handle.metadata()['episode']), set(handle.keys())
    assert meta['version'] == 1
    assert set(meta) == {'format', 'version', 'joint_names', 'hazard_kinds', 'camera_name', 'info'}
    assert names == {'frames_jpeg', 'frame_lengths', 'frame_stamps_ns', 'joint_stamps_ns',
                     'hazards', 'positions', 'velocities', 'efforts', 'setpoints'}
    assert read_episode(path).extra_cameras == {}
    write_episode(path, episode_with(wrist=camera()))
    with safe_open(path, framework='numpy') as handle:
        assert json.loads(handle.metadata()['episode'])['version'] == 2


def test_a_file_whose_camera_is_missing_is_named(tmp_path):
    path = tmp_path / 'episode_1.safetensors'
    write_episode(path, episode_with(wrist=camera()))
    with safe_open(path, framework='numpy') as handle:
        meta = handle.metadata()
    tensors = load_file(path)
    del tensors['wrist/frame_stamps_ns']
    save_file(tensors, path, metadata=meta)
    with pytest.raises(DatasetError, match=r'episode_1\.safetensors: a field is missing or '
                                           r"unknown: 'wrist/frame_stamps_ns'"):
        read_episode(path)
    values = json.loads(meta['episode'])
    save_file(tensors, path, metadata={'episode': json.dumps({**values, 'version': 3})})
    with pytest.raises(DatasetError, match='version 3, this program reads .* versions 1 and 2'):
        read_episode(path)


@pytest.mark.parametrize(('cameras', 'message'), [
    ({'front': camera()}, "camera 'front' is there twice"),
    ({'wrist': dataclasses.replace(camera(), frames=())},
     "camera 'wrist': 0 frames but 20 frame stamps"),
    ({'wrist': dataclasses.replace(camera(count=3), stamps_ns=np.array([1, 5, 5]))},
     "camera 'wrist': its stamps do not increase at row 2"),
])
def test_cameras_that_do_not_fit_are_refused(cameras, message):
    with pytest.raises(DatasetError, match=message):
        episode_with(**cameras)


def test_cutting_cuts_all_cameras():
    part = cut(episode_with(wrist=camera(offset_ms=40)), START + 200 * MS, START + 440 * MS)
    assert (part.frame_stamps_ns - START).tolist() == [200 * MS, 300 * MS, 400 * MS]
    wrist = part.extra_cameras['wrist']
    assert (wrist.stamps_ns - START).tolist() == [240 * MS, 340 * MS, 440 * MS]
    assert part.of_camera('wrist').decode(0).mean() == pytest.approx(25, abs=1)


# Windows


def test_pictures_stand_above_each_other_in_the_order_of_the_config():
    config = tiny_config(extra_cameras=('top', 'wrist'))
    episode = episode_with(wrist=camera(base=5), top=camera(base=3, size=(60, 90)))
    windows = cut_windows(episode, config)
    plain = cut_windows(make_episode(), tiny_config())
    assert windows.frames.shape == (20, 96, 48, 3)
    np.testing.assert_array_equal(windows.frames[:, :32], plain.frames)
    assert values(windows, 1).tolist() == [3 + 10 * i for i in range(20)]
    assert values(windows, 2).tolist() == [5 + 10 * i for i in range(20)]
    for item in dataclasses.fields(plain):
        if item.name != 'frames':
            np.testing.assert_array_equal(getattr(windows, item.name), getattr(plain, item.name))


def test_each_frame_gets_the_nearest_one_of_another_camera():
    # Every 40 ms, 8 ms late: 100 ms is nearest to the frame at 88, 200 to 208, 300 to 288.
    windows = cut_windows(episode_with(wrist=camera(period_ms=40, offset_ms=8, count=48)), TWO)
    assert len(windows) == 14
    assert (values(windows, 1)[:5] - 5).tolist() == [0, 20, 50, 70, 100]


def test_a_slow_camera_is_shown_again_and_windows_beyond_the_slop_are_left_out():
    # Every 200 ms: frames in between are 100 ms off, more than 30 ms.
    assert len(cut_windows(episode_with(wrist=camera(period_ms=200, count=10)), TWO)) == 0
    # 25 ms late is within the slop, 35 ms is not.
    assert len(cut_windows(episode_with(wrist=camera(offset_ms=25)), TWO)) == 14
    assert len(cut_windows(episode_with(wrist=camera(offset_ms=35)), TWO)) == 0
    # With steps of 0.7 s frames may be 210 ms off, so each is shown twice. Anchors: from 0.5 s,
    # whose context is 200 ms off, to 1.4 s, whose future is.
    config = tiny_config(extra_cameras=('wrist',), step_s=0.7, horizon=1)
    slow = cut_windows(episode_with(wrist=camera(period_ms=200, count=10)), config)
    assert len(slow) == 10
    assert (values(slow, 1)[:5] - 5).tolist() == [0, 0, 10, 10, 20]


def test_a_gap_of_one_camera_takes_the_windows_that_need_it():
    whole = camera()
    keep = [i for i in range(20) if i != 8]
    gap = CameraFrames(frames=tuple(whole.frames[i] for i in keep),
                       stamps_ns=whole.stamps_ns[keep])
    windows = cut_windows(episode_with(wrist=gap), TWO)
    # A window of 2 + 5 frames that leaves frame 8 out begins at 0, 1 or from 9 on.
    assert windows.context[:, 0].tolist() == [0, 1, 9, 10, 11, 12, 13]


def test_a_camera_that_is_not_there_is_named(tmp_path):
    path = tmp_path / 'episode_7.safetensors'
    write_episode(path, episode_with(top=camera()))
    with pytest.raises(DatasetError, match=(
            r"episode_7\.safetensors: cameras \['wrist'\] are not among the further cameras of "
            r"the episode, which has \['front', 'top'\]")):
        load_windows([path], TWO)
    nothing = CameraFrames(frames=(), stamps_ns=np.zeros(0, np.int64))
    with pytest.raises(DatasetError, match="camera 'wrist' has no frame"):
        cut_windows(episode_with(wrist=nothing), TWO)


def test_a_damaged_picture_of_another_camera_is_named():
    wrist = camera()
    frames = (*wrist.frames[:4], b'no picture', *wrist.frames[5:])
    with pytest.raises(DatasetError, match="camera 'wrist': frame 4 is not a whole JPEG"):
        cut_windows(episode_with(wrist=dataclasses.replace(wrist, frames=frames)), TWO)


def test_the_cache_keeps_tall_pictures_apart_from_plain_ones(tmp_path):
    for index in range(2):
        write_episode(tmp_path / f'episode_{index}.safetensors', episode_with(wrist=camera()))
    paths = list_episodes(tmp_path)
    assert entry_name(paths, TWO) != entry_name(paths, tiny_config())
    wanted = load_windows(paths, TWO)
    for _ in range(2):
        found = cached_windows(paths, TWO, tmp_path / 'cache')
        assert found.frames.shape == (40, 64, 48, 3)
        np.testing.assert_array_equal(found.frames, wanted.frames)
        np.testing.assert_array_equal(found.context, wanted.context)


@pytest.mark.parametrize('names', ['wrist', ('front',), ('wrist', 'wrist'), ['wrist']])
def test_names_of_cameras_that_cannot_be_are_refused(names):
    with pytest.raises(ValueError, match='extra_cameras = .* must be names of further cameras'):
        tiny_config(extra_cameras=names)
