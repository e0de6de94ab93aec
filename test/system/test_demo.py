# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo from end to end with the shipped checkpoint: real processes over real DDS."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from process_rig import is_alive
from rich.console import Console

from wm_ros.cli import main
from wm_ros.demo.config import DemoConfig
from wm_ros.demo.main import SHEET_NAME, run_demo
from wm_ros.errors import CheckpointError, WorldModelError

CHECKPOINT = Path(__file__).resolve().parents[2] / 'models' / 'so101_tiny'
KEYS = {
    'episodes', 'commands', 'collisions_ungated', 'collisions_gated', 'prevented_pct', 'vetoes',
    'false_veto_pct', 'warning_median_s', 'release_p50_ms', 'release_p99_ms', 'release_max_ms',
    'deadline_misses', 'unverified_releases', 'frames_per_s'}


@pytest.fixture
def started(monkeypatch):
    """Collect the ids of the demo's processes."""
    pids = []
    from wm_ros.demo.processes import Processes
    start = Processes.start

    def spy(self, *args, **kwargs):
        process = start(self, *args, **kwargs)
        pids.append(process.pid)
        return process

    monkeypatch.setattr(Processes, 'start', spy)
    return pids


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_runs_counts_and_cleans_up(tmp_path, started):
    text = io.StringIO()
    config = DemoConfig(
        episodes=2, seed=7, headless=True, json_path=tmp_path / 'out.json',
        output_directory=tmp_path / 'demo_output', checkpoint=str(CHECKPOINT))
    result = run_demo(config, Console(file=text, width=120))
    found = json.loads((tmp_path / 'out.json').read_text())
    assert found.keys() >= KEYS
    assert (found['episodes'], found['unverified_releases']) == (2, 0), found['unverified']
    assert found['commands'] >= 2
    assert 'unverified releases' in text.getvalue()
    if any(cause.startswith(('VETO', 'ABSTAIN')) for cause in result.refused_by):
        sheet = cv2.imread(str(tmp_path / 'demo_output' / SHEET_NAME))
        assert sheet is not None
        assert sheet.std() > 10
    assert len(started) == 5
    assert not [pid for pid in started if is_alive(pid)]
    assert sorted(os.listdir(tmp_path)) == ['demo_output', 'out.json']


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_shadow_prevents_nothing_and_counts_what_it_would_have_refused(tmp_path, started):
    # The first command of this seed drives the gripper into an object, by a wide margin.
    config = DemoConfig(
        episodes=1, seed=35, mode='shadow', headless=True, commands_per_episode=2,
        json_path=tmp_path / 'out.json', output_directory=tmp_path / 'demo_output',
        checkpoint=str(CHECKPOINT))
    result = run_demo(config, Console(file=io.StringIO(), width=120))
    assert (result.mode, result.episodes) == ('shadow', 1)
    assert (result.collisions_ungated, result.collisions_gated) == (1, 1)
    assert result.prevented_pct == 0.0
    lines = (tmp_path / 'demo_output' / 'logs' / 'events.jsonl').read_text().splitlines()
    gated = [event for event in map(json.loads, lines)
             if event['event'] == 'command' and event['phase'] == 'gated']
    assert len(gated) == result.commands >= 1
    assert all(event['is_released'] for event in gated), gated
    assert all(event['decision'] for event in gated), gated
    assert result.vetoes == sum(event['decision'] not in ('OK', 'SLOW') for event in gated)
    assert sum(result.refused_by.values()) == result.vetoes
    assert not [pid for pid in started if is_alive(pid)]


def test_the_command_names_a_missing_checkpoint_in_one_line(
        tmp_path, started, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(['demo', '--headless', '--checkpoint', '/nowhere']) == 1
    error = capsys.readouterr().err
    assert error.startswith('wm-ros demo: ')
    assert "'/nowhere'" in error
    assert error.count('\n') == 1
    assert started == []
    assert os.listdir(tmp_path) == []


def test_a_missing_checkpoint_is_named_before_anything_starts(tmp_path, started):
    config = DemoConfig(
        headless=True, json_path=tmp_path / 'out.json',
        output_directory=tmp_path / 'demo_output', checkpoint=str(tmp_path / 'nowhere'))
    with pytest.raises(CheckpointError, match='nowhere'):
        run_demo(config, Console(file=io.StringIO()))
    assert started == []
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_node_that_refuses_ends_the_demo_with_the_end_of_its_log(
        tmp_path, started, monkeypatch):
    monkeypatch.setattr('wm_ros.demo.main.check_checkpoint', lambda name: None)
    config = DemoConfig(
        episodes=1, commands_per_episode=1, headless=True, json_path=tmp_path / 'out.json',
        output_directory=tmp_path / 'demo_output', checkpoint=str(tmp_path / 'nowhere'))
    with pytest.raises(WorldModelError, match=r'(?s)wm_predictor/change_state.*nowhere'):
        run_demo(config, Console(file=io.StringIO()))
    assert not (tmp_path / 'out.json').exists()
    assert len(started) == 5
    assert not [pid for pid in started if is_alive(pid)]


def test_without_the_display_library_the_simulation_names_what_to_install(tmp_path):
    # Stands for a machine without libEGL: the loader of shared libraries does not find it.
    (tmp_path / 'sitecustomize.py').write_text(
        'import ctypes\n'
        'load = ctypes.CDLL.__init__\n'
        'def refuse(self, name, *args, **kwargs):\n'
        '    if name and "EGL" in str(name):\n'
        '        raise OSError("libEGL.so.1: cannot open shared object file")\n'
        '    load(self, name, *args, **kwargs)\n'
        'ctypes.CDLL.__init__ = refuse\n')
    path = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, '-m', 'wm_ros.ros.so101_sim_node'], capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': path, 'MUJOCO_GL': 'egl'}, timeout=60)
    assert done.returncode == 1
    assert 'libegl1 and libgl1-mesa-dri' in done.stderr
    assert 'Traceback' not in done.stderr
