# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The `wm-ros` command as it is installed beside the nodes."""

import os
import subprocess
from pathlib import Path

import pytest
from process_rig import children_of, is_alive, wait_until

from wm_ros.data.episode import read_episode


def installed(name):
    """Find a program of the package in the overlay."""
    for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep):
        path = Path(prefix) / 'lib' / 'wm_ros' / name
        if path.is_file():
            return path
    pytest.skip(f'{name} is installed in no prefix of AMENT_PREFIX_PATH; run make build')


def test_collecting_with_several_workers_ends_with_all_episodes(tmp_path):
    """
    It ended with a broken process pool.

    Spawned workers import the program they come from; without a guard each began the verb again.
    Missed, because the tests of collecting call its function, or use one worker.
    """
    pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")
    done = subprocess.run(
        [installed('wm-ros'), 'collect', '--episodes', '2', '--seed', '5', '--workers', '2',
         '--out', tmp_path / 'data'], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    episodes = sorted((tmp_path / 'data').glob('*.safetensors'))
    assert len(episodes) == 2
    assert all(len(read_episode(path).frames) > 2 for path in episodes)


def test_workers_of_a_killed_collect_end(tmp_path):
    """
    They waited for work for ever, with 280 MB each.

    Nobody closes the queue of a pool that is killed: each worker holds its other end as well.
    Missed, because no test killed a collection while it had workers.
    """
    pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")
    data = tmp_path / 'data'
    collecting = subprocess.Popen(
        [installed('wm-ros'), 'collect', '--episodes', '500', '--seed', '5', '--glimpses', '1',
         '--workers', '2', '--out', data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(data.glob('*.safetensors')), 100, 'an episode')
        workers = children_of(collecting.pid)
    finally:
        collecting.kill()
        collecting.wait(20)
    assert len(workers) >= 2
    wait_until(lambda: not any(map(is_alive, workers)), 20, 'their end')
