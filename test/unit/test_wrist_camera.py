# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collecting with the wrist camera beside the front one."""

import numpy as np
import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401, I001

pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros import cli  # noqa: E402
from wm_ros.data.episode import write_episode  # noqa: E402
from wm_ros.errors import DatasetError  # noqa: E402
from wm_ros.simulation.collect import collect, simulate_episode  # noqa: E402

BOTH = ('front', 'wrist')


def test_a_second_camera_changes_nothing_of_the_first():
    alone = simulate_episode(12, duration_s=0.8)
    both = simulate_episode(12, duration_s=0.8, cameras=BOTH)
    assert alone.cameras == ('front',)
    assert both.cameras == BOTH
    assert both.frames == alone.frames
    np.testing.assert_array_equal(both.positions, alone.positions)
    wrist = both.extra_cameras['wrist']
    np.testing.assert_array_equal(wrist.stamps_ns, both.frame_stamps_ns)
    pictures = both.of_camera('wrist')
    assert pictures.decode(0).shape == (240, 320, 3)
    # It moves with the arm, so the table moves in it.
    assert np.abs(pictures.decode(8).astype(int) - pictures.decode(0)).mean() > 1
    assert np.abs(pictures.decode(0).astype(int) - both.decode(0)).mean() > 10


def test_the_wrist_camera_may_be_the_main_one():
    episode = simulate_episode(12, duration_s=0.1, cameras=('wrist',))
    other = simulate_episode(12, duration_s=0.1, cameras=BOTH)
    assert episode.cameras == ('wrist',)
    assert episode.frames == other.extra_cameras['wrist'].frames


@pytest.mark.parametrize('cameras', [(), ('front', 'front'), ('front', 'top')])
def test_cameras_that_the_scene_has_not_are_refused(tmp_path, cameras):
    with pytest.raises(ValueError, match=r'cameras \[.*\] must be some of front, wrist'):
        collect(tmp_path / 'new', num_episodes=1, seed=1, cameras=cameras)
    assert not (tmp_path / 'new').exists()


def test_a_directory_holds_one_set_of_cameras(tmp_path):
    write_episode(tmp_path / 'episode_009000000.safetensors',
                  simulate_episode(9_000_000, duration_s=0.1))
    with pytest.raises(DatasetError, match='is of cameras front, not of front, wrist; give them'):
        collect(tmp_path, num_episodes=2, seed=9, cameras=BOTH)


@pytest.mark.parametrize(('options', 'name', 'wanted'), [
    ([], 'cameras', ('front',)), (['--cameras', 'front, wrist'], 'cameras', BOTH),
    ([], 'duration_s', 6.0), (['--seconds', '2.5'], 'duration_s', 2.5)])
def test_the_verb_says_which_cameras_and_how_long(tmp_path, monkeypatch, options, name, wanted):
    told = []
    monkeypatch.setattr('wm_ros.simulation.collect.collect',
                        lambda out, **arguments: told.append(arguments[name]) or 0)
    assert cli.main(['collect', '--episodes', '1', '--seed', '5', '--out', str(tmp_path),
                     *options]) == 0
    assert told == [wanted]


@pytest.mark.parametrize(('option', 'value'), [('--cameras', 'front,wrist'), ('--seconds', '3')])
def test_other_robots_have_the_camera_and_the_length_of_their_file(tmp_path, capsys, option,
                                                                   value):
    code = cli.main(['collect', '--episodes', '1', '--seed', '5', '--out', str(tmp_path),
                     '--robot', str(tmp_path / 'x.yaml'), option, value])
    assert code == 2
    assert f'{option} exists for the SO-101 alone' in capsys.readouterr().err
