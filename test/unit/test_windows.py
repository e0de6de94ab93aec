# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Windows of a made-up episode in which every value says when it was taken."""

import dataclasses

import numpy as np
import pytest
from episode_rig import edit_file
from tiny_checkpoint import make_episode, tiny_config

from wm_ros.data.episode import read_episode, write_episode
from wm_ros.data.windows import cut_windows, join_windows, load_windows
from wm_ros.errors import DatasetError


def test_a_window_pairs_each_action_with_the_frame_it_could_influence():
    windows = cut_windows(make_episode(), tiny_config())
    # 20 frames, one of context before and five after: anchors 1 to 14.
    assert len(windows) == 14
    assert windows.context[0].tolist() == [0, 1]
    assert windows.future[0].tolist() == [2, 3, 4, 5, 6]
    np.testing.assert_allclose(windows.positions[0], [0.1, 1.0, 10.0], rtol=1e-5)
    np.testing.assert_allclose(
        windows.actions[0, :, 0], [0.7, 0.8, 0.9, 1.0, 1.1], rtol=1e-5)
    np.testing.assert_allclose(windows.joints[0, :, 0], [0.2, 0.3, 0.4, 0.5, 0.6], rtol=1e-5)
    assert windows.frames.shape == (20, 32, 48, 3)
    assert abs(int(windows.frames[7].mean()) - 70) <= 1


def test_hazards_are_timed_from_the_anchor():
    windows = cut_windows(make_episode(hazard_at=1.0), tiny_config())
    by_step = windows.hazard_by_step(0.1)
    # Anchor 6 is at 0.6 s: the hazard comes 0.4 s later, so by step 4 (index 3).
    row = 5
    assert windows.hazard_time_s[row] == pytest.approx(0.4)
    assert by_step[row].tolist() == [False, False, False, True, True]
    assert windows.hazard_kind[row] == 2
    assert not by_step[3].any()
    # At the moment of contact and within a step after it, a window starts in contact.
    assert np.flatnonzero(windows.in_contact).tolist() == [9, 10]


def test_joints_are_taken_by_name():
    swapped = make_episode(names=('grip', 'lift', 'pan'))
    windows = cut_windows(swapped, tiny_config())
    np.testing.assert_allclose(windows.positions[0], [10.0, 1.0, 0.1], rtol=1e-5)
    with pytest.raises(DatasetError, match=r"joints \['lift'\] are not in the episode"):
        cut_windows(make_episode(names=('grip', 'other', 'pan')), tiny_config())


def test_pictures_of_another_main_camera_are_refused(tmp_path):
    """
    A model of one camera was trained and measured on pictures of another without a word.

    The name of the main camera was compared at no place, and all test episodes have the same.
    """
    path = tmp_path / 'episode_4.safetensors'
    write_episode(path, make_episode(main='wrist'))
    with pytest.raises(DatasetError, match=(
            r"episode_4\.safetensors: the main camera of the episode is 'wrist', that of the "
            r"model 'front'; .*'--camera-name front'")):
        load_windows([path], tiny_config())
    assert len(load_windows([path], tiny_config(camera_name='wrist'))) == 14


def test_a_gap_in_the_camera_leaves_no_window_across_it():
    whole = make_episode()
    keep = [i for i in range(20) if i != 9]
    gap = dataclasses.replace(
        whole, frames=tuple(whole.frames[i] for i in keep),
        frame_stamps_ns=whole.frame_stamps_ns[keep])
    windows = cut_windows(gap, tiny_config())
    stamps = gap.frame_stamps_ns
    assert len(windows) > 0
    for row in range(len(windows)):
        sequence = np.concatenate([windows.context[row], windows.future[row]])
        assert np.diff(stamps[sequence]).tolist() == [100_000_000] * 6


def keep_frames(episode, *rows):
    """Return an episode as if only some of its frames had been taken."""
    return dataclasses.replace(episode, frames=tuple(episode.frames[row] for row in rows),
                               frame_stamps_ns=episode.frame_stamps_ns[list(rows)])


def test_what_was_not_filmed_can_still_be_judged():
    whole = make_episode(hazard_at=1.0)
    some = keep_frames(whole, 2, 3, 7, 8, 9, 10, 11, 12, 13, 18, 19)
    wanted, windows = cut_windows(whole, tiny_config()), cut_windows(
        some, tiny_config(), unfilmed=True)
    # Anchors 3 and 8 to 13; those of 18 and 19 lack joints of what followed.
    assert windows.context.tolist() == [[0, 1], *([row, row + 1] for row in range(2, 8))]
    assert windows.is_filmed.tolist() == [False, True] + [False] * 5
    assert windows.future[1].tolist() == [4, 5, 6, 7, 8]
    assert (windows.future[~windows.is_filmed] == -1).all()
    rows = [anchor - 1 for anchor in (3, 8, 9, 10, 11, 12, 13)]
    for name in ('positions', 'velocities', 'actions', 'joints', 'hazard_time_s', 'in_contact'):
        np.testing.assert_array_equal(getattr(windows, name), getattr(wanted, name)[rows])
    np.testing.assert_array_equal(windows.frames[windows.context], wanted.frames[
        wanted.context][rows])
    assert len(cut_windows(some, tiny_config())) == 1
    # In a pool of several episodes none stays none.
    joined = join_windows([wanted, windows])
    assert (joined.future[len(wanted):][~windows.is_filmed] == -1).all()
    assert joined.future[len(wanted) + 1].tolist() == [24, 25, 26, 27, 28]


def test_episodes_join_into_one_pool(tmp_path):
    for index in range(2):
        write_episode(tmp_path / f'episode_{index}.safetensors', make_episode())
    windows = load_windows(sorted(tmp_path.glob('*.safetensors')), tiny_config())
    assert len(windows) == 28
    assert windows.context[14].tolist() == [20, 21]
    assert windows.episode.tolist() == [0] * 14 + [1] * 14
    with pytest.raises(DatasetError, match='long enough'):
        join_windows([cut_windows(make_episode(frames=4), tiny_config())])


def test_an_episode_file_keeps_every_value(tmp_path):
    path = tmp_path / 'episode_1.safetensors'
    episode = make_episode(hazard_at=0.3)
    write_episode(path, episode)
    back = read_episode(path)
    assert back.frames == episode.frames
    assert back.joint_names == episode.joint_names
    for name in ('frame_stamps_ns', 'joint_stamps_ns', 'positions', 'velocities', 'efforts',
                 'setpoints', 'hazards'):
        np.testing.assert_array_equal(getattr(back, name), getattr(episode, name))
    assert [item.name for item in tmp_path.iterdir()] == ['episode_1.safetensors']


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / 'episode_1.safetensors'
    with pytest.raises(DatasetError, match='no such episode file'):
        read_episode(path)
    write_episode(path, make_episode())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DatasetError, match='episode_1.safetensors: not a whole episode file'):
        read_episode(path)


@pytest.mark.parametrize(('change', 'message'), [
    ({'hazards': np.zeros(3, np.uint8)}, 'labels must end with the recording'),
    ({'joint_names': ('pan', 'lift')}, 'positions has shape'),
    ({'frames': ()}, '0 frames but 20 frame stamps'),
])
def test_mixed_up_episodes_are_refused(change, message):
    with pytest.raises(DatasetError, match=message):
        dataclasses.replace(make_episode(), **change)


@pytest.mark.parametrize('name', ['positions', 'velocities', 'setpoints'])
def test_nan_joints_are_refused_with_the_row(name):
    values = getattr(make_episode(), name).copy()
    values[7, 1] = np.nan
    with pytest.raises(DatasetError, match=f'{name} is not finite at row 7'):
        dataclasses.replace(make_episode(), **{name: values})


def test_a_file_with_nan_velocities_is_named(tmp_path):
    """
    Training on such a file ended with a loss that was NaN and the advice to learn more slowly.

    Files were refused for positions and set-points alone, and only those were tested.
    """
    path = tmp_path / 'episode_3.safetensors'
    write_episode(path, make_episode())

    def spoil(tensors, meta):
        tensors['velocities'][7, 1] = np.nan

    edit_file(path, spoil)
    with pytest.raises(DatasetError, match=r'episode_3\.safetensors: velocities is not finite at '
                                           r'row 7; import or record it again'):
        load_windows([path], tiny_config())


def test_clearance_and_obstacles_are_known_only_where_recorded():
    plain = cut_windows(make_episode(), tiny_config())
    assert np.isnan(plain.clearance).all()
    assert np.isnan(plain.obstacles).all()
    episode = make_episode(hazard_at=0.9)
    scene = {'objects': [
        {'shape': 'box', 'size': (0.02, 0.02, 0.05), 'position': (0.2, 0.1),
         'yaw_rad': 0.5},
        {'shape': 'capsule', 'size': (0.02, 0.03, 0.0), 'position': (0.3, -0.1),
         'yaw_rad': -0.2}]}
    clearance = np.linspace(1, 0, len(episode.hazards)).astype(np.float32)
    known = cut_windows(dataclasses.replace(
        episode, clearance=clearance, info={'scene': scene}), tiny_config())
    # Step 1 of the first window ends at 0.2 s, sample 10 of 95.
    assert known.clearance[0, 0] == pytest.approx(clearance[10])
    np.testing.assert_allclose(known.obstacles[0], [
        [0.2, 0.1, 0.5, 0.02, 0.02, 0.05, 1], [0.3, -0.1, -0.2, 0.02, 0.02, 0.05, 3],
        [0, 0, 0, 0, 0, 0, 0]], rtol=1e-5)
    # From the first touch on nobody knows where things stand.
    assert np.isnan(known.obstacles).any(axis=(1, 2)).tolist() == [False] * 8 + [True] * 6


def test_the_lamp_is_told_as_shadows_show_it():
    episode = make_episode()
    assert np.isnan(cut_windows(episode, tiny_config()).lamp).all()
    told = dataclasses.replace(episode, info={'scene': {'light_position': [0.5, -0.2, 2.0]}})
    found = cut_windows(told, tiny_config())
    np.testing.assert_allclose(found.lamp, np.tile([0.25, -0.1, 0.5], (len(found), 1)))
