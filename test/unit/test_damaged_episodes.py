# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Damaged episode files are named with what is wrong in them, by whoever reads them.

Each of these ended in a traceback of OpenCV, numpy or Python: the tests cut files short, which
safetensors finds, and made pictures of junk, for which OpenCV has an answer and no exception.
"""

import struct
from dataclasses import replace

import numpy as np
import pytest
from episode_rig import edit_file, make_episode
from tiny_checkpoint import tiny_config

from wm_ros.data.checks import check_files
from wm_ros.data.describing import describe
from wm_ros.data.episode import CameraFrames, encode_frame, read_episode, write_episode
from wm_ros.data.windows import cut_windows, load_windows
from wm_ros.errors import DatasetError

CONFIG = tiny_config(joint_names=('a', 'b', 'c'))


def stating(data, height, width):
    """Return a JPEG whose header states another size."""
    place = data.index(b'\xff\xc0') + 5
    return data[:place] + struct.pack('>HH', height, width) + data[place + 4:]


def with_frame(episode, row, data):
    """Return an episode one of whose pictures is another."""
    return replace(episode, frames=(*episode.frames[:row], data, *episode.frames[row + 1:]))


@pytest.fixture
def path(tmp_path):
    """Return the path of an episode that is long enough for every check."""
    return tmp_path / 'episode_000000005.safetensors'


@pytest.mark.parametrize(('spoil', 'text'), [
    (lambda data: b'', 'neither JPEG nor PNG'),
    (lambda data: stating(data, 60000, 60000), 'states 60000x60000 pixels'),
    (lambda data: data[:len(data) // 2], 'is truncated'),
    # All that is between header and end is gone.
    (lambda data: data[:2] + data[-2:], 'has a broken header'),
], ids=['empty', 'huge', 'truncated', 'hollow'])
def test_a_damaged_picture_is_named_with_file_and_frame(path, spoil, text):
    episode = make_episode(num_frames=20)
    write_episode(path, with_frame(episode, 4, spoil(episode.frames[4])))
    with pytest.raises(DatasetError, match=(
            rf'episode_000000005\.safetensors: frame 4 is not a whole JPEG file: .*{text}')):
        load_windows([path], CONFIG)
    assert [(item.what, item.row) for item in check_files([path])] == [('unreadable', 4)]


def test_info_names_the_file_of_a_damaged_picture(path):
    write_episode(path, make_episode())
    write_episode(path.with_stem('episode_000000006'), with_frame(make_episode(), 0, b''))
    figures = describe(path.parent)
    assert figures['episodes'] == 1
    assert 'episode_000000006.safetensors: frame 0 is not a whole JPEG' in figures['problems'][0]


@pytest.mark.parametrize(('lengths', 'text'), [
    (lambda lengths: lengths + 1, r'frame_lengths add up to \d+ bytes, frames_jpeg has \d+'),
    (lambda lengths: lengths * np.where(np.arange(6) == 3, -1, 1), 'length of frame 3 is -'),
    (lambda lengths: lengths.astype(np.float64), 'frame_lengths is float64 .*expected int64'),
    (lambda lengths: lengths.reshape(2, 3), r'of shape \(2, 3\)'),
], ids=['longer', 'negative', 'float', 'matrix'])
@pytest.mark.parametrize('camera', ['', 'wrist'])
def test_lengths_that_do_not_fit_the_pictures_are_refused(path, lengths, text, camera):
    episode = make_episode()
    write_episode(path, replace(episode, extra_cameras={'wrist': CameraFrames(
        frames=episode.frames, stamps_ns=episode.frame_stamps_ns)}))

    def spoil(tensors, meta):
        name = f'{camera}/frame_lengths' if camera else 'frame_lengths'
        tensors[name] = np.ascontiguousarray(lengths(tensors[name]))

    edit_file(path, spoil)
    with pytest.raises(DatasetError, match=f'episode_000000005.safetensors: .*{text}'):
        read_episode(path)
    assert [(item.what, item.row) for item in check_files([path])] == [('unreadable', -1)]


@pytest.mark.parametrize(('samples', 'joints'), [(0, 3), (26, 0)])
def test_a_file_without_a_joint_log_is_refused(path, samples, joints):
    write_episode(path, make_episode())

    def empty(tensors, meta):
        for name in ('positions', 'velocities', 'efforts', 'setpoints'):
            tensors[name] = np.ascontiguousarray(tensors[name][:samples, :joints])
        for name in ('joint_stamps_ns', 'hazards', 'clearance'):
            tensors[name] = tensors[name][:samples]
        meta['joint_names'] = meta['joint_names'][:joints]

    edit_file(path, empty)
    with pytest.raises(DatasetError, match=(
            f'episode_000000005.safetensors: {samples} samples of {joints} joints are no joint '
            'log')):
        read_episode(path)
    assert [item.what for item in check_files([path])] == ['unreadable']


@pytest.mark.parametrize(('change', 'text'), [
    (lambda meta: [meta], 'format None version None'), (lambda meta: 7, 'format None'),
    (lambda meta: {**meta, 'info': None}, 'info is None; expected a JSON object'),
    (lambda meta: {**meta, 'info': ['seed', 4]}, 'info is .*; expected a JSON object'),
    (lambda meta: {**meta, 'joint_names': 'abc'}, "joint_names is 'abc'; expected a list"),
    (lambda meta: {**meta, 'hazard_kinds': [None]}, 'hazard_kinds is .*; expected a list'),
    (lambda meta: {**meta, 'camera_name': None}, 'camera_name is None; expected a string'),
    (lambda meta: {**meta, 'version': 2, 'extra_cameras': {'x': 1}}, 'extra_cameras is .*; exp'),
])
def test_metadata_of_another_form_are_refused(path, change, text):
    write_episode(path, make_episode())
    edit_file(path, lambda tensors, meta: change(meta))
    with pytest.raises(DatasetError, match=f'episode_000000005.safetensors: .*{text}'):
        read_episode(path)
    assert [item.what for item in check_files([path])] == ['unreadable']


@pytest.mark.parametrize('camera', ['front', 'wrist'])
def test_a_picture_of_another_size_is_refused_where_views_are_taken(camera):
    """It was squeezed to the model's size, and its place in the picture with it."""
    episode = make_episode(num_frames=12)
    other = with_frame(episode, 7, encode_frame(np.zeros((24, 64, 3), np.uint8))).frames
    views = {'front': episode.frames, 'wrist': episode.frames, camera: other}
    mixed = replace(episode, frames=views['front'], extra_cameras={'wrist': CameraFrames(
        frames=views['wrist'], stamps_ns=episode.frame_stamps_ns)})
    text = 'frame 7 is 64x24 pixels, those before it 64x48; import or record it again'
    with pytest.raises(DatasetError, match=(
            f'^{text}' if camera == 'front' else f"^camera 'wrist': {text}")):
        cut_windows(mixed, replace(CONFIG, extra_cameras=('wrist',)))
    # A model that does not look at the camera does not mind.
    if camera == 'wrist':
        assert len(cut_windows(mixed, CONFIG)) == 6
