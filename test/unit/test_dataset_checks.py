# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with episodes is found, and nothing is found where nothing is."""

from dataclasses import replace

import numpy as np
import pytest
from episode_rig import MS, make_episode

from wm_ros.data.checks import CheckLimits, check_episode, check_files
from wm_ros.data.clock_skew import find_skew
from wm_ros.data.cutting import cut, stretches
from wm_ros.data.episode import encode_frame, write_episode


def findings(episode, **limits):
    """Return (level, what, row) of what is found in one episode."""
    return [(item.level, item.what, item.row)
            for item in check_episode(episode, 'x', CheckLimits(**limits))]


def test_a_good_episode_passes():
    assert findings(make_episode(num_frames=20)) == []


def test_gaps_are_found_with_their_row():
    episode = make_episode(num_frames=10)
    frames = episode.frame_stamps_ns.copy()
    frames[6:] += 200 * MS
    samples = episode.joint_stamps_ns.copy()
    samples[11:] += 100 * MS
    gappy = replace(episode, frame_stamps_ns=frames, joint_stamps_ns=samples)
    assert findings(gappy) == [('error', 'gap', 6), ('error', 'gap', 11)]
    assert findings(gappy, gap_periods=3.5) == [('error', 'gap', 11)]
    text = check_episode(gappy, 'x', CheckLimits())[0].text
    assert text == ('frame 6 comes 0.300 s after the one before it; the period is 0.100 s')


def test_what_was_drawn_at_a_few_moments_on_purpose_has_no_gaps():
    whole = make_episode(num_frames=40)
    rows = [10, 11, 20, 21]
    some = replace(whole, frames=tuple(whole.frames[row] for row in rows),
                   frame_stamps_ns=whole.frame_stamps_ns[rows])
    assert findings(some) == [('error', 'gap', 2)] + [('warning', 'skew', -1)] * 2
    assert findings(replace(some, info={'glimpses': 2})) == []
    # Another clock is none of a purpose.
    apart = replace(some, info={'glimpses': 2}, frame_stamps_ns=some.frame_stamps_ns + 9000 * MS)
    assert ('error', 'skew', -1) in findings(apart)


def test_clocks_that_are_apart_are_an_error_and_a_late_camera_a_warning():
    episode = make_episode(num_frames=20)
    apart = replace(episode, frame_stamps_ns=episode.frame_stamps_ns + 900 * MS)
    assert findings(apart) == [('error', 'skew', -1)] * 2
    late = cut(make_episode(num_frames=60), 400 * MS, 10_000 * MS)
    late = replace(late, joint_stamps_ns=np.append(0, late.joint_stamps_ns[1:]))
    assert ('warning', 'skew', -1) in findings(late)


def test_a_camera_that_froze_while_the_arm_moved():
    episode = make_episode(num_frames=10)
    frames = (*episode.frames[:4], *[episode.frames[4]] * 4, *episode.frames[8:])
    assert findings(replace(episode, frames=frames)) == [('error', 'frozen', 4)]
    assert findings(replace(episode, frames=frames), frozen_frames=5) == []
    still = np.repeat(episode.positions[:1], len(episode.positions), axis=0)
    assert findings(replace(episode, frames=frames, positions=still)) == []


def test_a_camera_frozen_to_the_end():
    episode = make_episode(num_frames=10)
    frames = (*episode.frames[:6], *[episode.frames[6]] * 4)
    assert findings(replace(episode, frames=frames)) == [('error', 'frozen', 6)]


def test_pictures_of_other_sizes_and_no_pictures():
    episode = make_episode()
    other = encode_frame(np.zeros((24, 32, 3), np.uint8))
    frames = (*episode.frames[:2], other, b'junk', *episode.frames[4:])
    found = findings(replace(episode, frames=frames))
    assert ('error', 'size', 2) in found
    assert ('error', 'unreadable', 3) in found
    assert ('error', 'size', 4) in found


def test_values_that_are_not_finite():
    episode = make_episode()
    efforts = episode.efforts.copy()
    efforts[[4, 9], [1, 0]] = np.nan, np.inf
    found = check_episode(replace(episode, efforts=efforts), 'x', CheckLimits())
    assert [(item.what, item.row) for item in found] == [('nan', 4)]
    assert 'efforts of b is nan at joint sample 4; 2 values' in found[0].text


def test_commands_that_were_not_recorded():
    episode = make_episode()
    constant = np.repeat(episode.setpoints[:1], len(episode.setpoints), axis=0)
    assert findings(replace(episode, setpoints=constant)) == [('error', 'commands', -1)]
    assert findings(replace(episode, setpoints=episode.positions)) == [
        ('warning', 'commands', -1)]
    still = np.repeat(episode.positions[:1], len(episode.positions), axis=0)
    assert findings(replace(episode, setpoints=constant, positions=still)) == []


def test_hazards_of_no_kind():
    hazards = np.zeros(26, np.uint8)
    hazards[5] = 0b1001
    assert findings(make_episode(hazards=hazards)) == [('error', 'labels', 5)]
    kinds = tuple('abcdefgh')
    assert findings(make_episode(hazards=hazards + 128, hazard_kinds=kinds)) == []


def test_files_are_compared_with_each_other(tmp_path):
    paths = []
    for number, episode in enumerate((
            make_episode(), make_episode(seed=1), make_episode(joints=('a', 'b')),
            make_episode(size=(24, 32)), make_episode(camera_name='wrist'))):
        paths.append(tmp_path / f'episode_{number:09d}.safetensors')
        write_episode(paths[-1], episode)
    paths[1].write_bytes(paths[1].read_bytes()[:-9])
    seen = []
    found = [(item.level, item.what, item.file[8:17]) for item in check_files(
        paths, on_progress=seen.append)]
    assert found == [('error', 'unreadable', '000000001'), ('error', 'joints', '000000002'),
                     ('warning', 'size', '000000003'), ('error', 'camera', '000000004')]
    assert seen == [1, 2, 3, 4, 5]


def waving(lag_s, num_frames=60):
    """Make an episode whose pictures show an arm that starts and stops, late by a lag."""
    def place(times):
        return 25 + 12 * np.sin(2 * np.pi * times / 3) + 8 * np.sin(2 * np.pi * times / 1.1)

    episode = make_episode(num_frames=num_frames)
    frames = []
    for time in episode.frame_stamps_ns / 1e9 - lag_s:
        rgb = np.full((48, 64, 3), 90, np.uint8)
        column = int(round(place(time)))
        rgb[10:40, column:column + 9] = np.arange(9)[None, :, None] * 8 + 120
        frames.append(encode_frame(rgb))
    positions = place(episode.joint_stamps_ns / 1e9)[:, None] / 10
    return replace(episode, frames=tuple(frames),
                   positions=np.repeat(positions, 3, axis=1).astype(np.float32))


@pytest.mark.parametrize('lag_s', [0.3, -0.4])
def test_the_pictures_tell_when_their_stamps_are_late(tmp_path, lag_s):
    skew = find_skew(waving(lag_s))
    assert skew.lag_s == pytest.approx(lag_s, abs=0.05)
    path = tmp_path / 'episode_000000000.safetensors'
    write_episode(path, waving(lag_s))
    assert [(item.level, item.what) for item in check_files([path])] == [('error', 'skew')]


def test_pictures_in_time_have_no_skew():
    skew = find_skew(waving(0.0))
    assert skew.lag_s == 0
    assert skew.correlation > 0.8


def test_nothing_can_be_told_of_an_arm_at_rest():
    episode = make_episode(num_frames=30)
    still = replace(episode, frames=(episode.frames[0],) * 30)
    assert find_skew(still) is None
    assert find_skew(make_episode(num_frames=5)) is None


def test_stretches_and_cuts():
    stamps = np.array([0, 10, 20, 50, 60, 99]) * MS
    assert stretches(stamps, 15 * MS) == [(0, 2), (3, 4), (5, 5)]
    assert stretches(stamps[:0], 1) == []
    part = cut(make_episode(), 110 * MS, 300 * MS)
    assert part.frame_stamps_ns.tolist() == [200 * MS, 300 * MS]
    assert part.joint_stamps_ns[[0, -1]].tolist() == [100 * MS, 300 * MS]
    assert part.clearance.shape == part.hazards.shape == (11,)
    assert np.array_equal(part.setpoints, make_episode().setpoints[5:16])
    assert cut(make_episode(), 200 * MS, 300 * MS).joint_stamps_ns[0] == 200 * MS
