# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's loop over real DDS with the shipped checkpoint: counts and keys, never times."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from process_rig import children_of, is_alive, wait_until
from rich.console import Console

pytest.importorskip('psutil', reason="needs the bench extra: pip install 'wm_ros[bench]'")

from wm_ros.benchmark.config import BenchmarkConfig  # noqa: E402
from wm_ros.benchmark.run import run_benchmark  # noqa: E402
from wm_ros.demo.processes import Processes  # noqa: E402
from wm_ros.errors import CheckpointError  # noqa: E402

CHECKPOINT = Path(__file__).resolve().parents[2] / 'models' / 'so101_tiny'
# The gate alone is given a tenth, but never fewer than 20.
COMMANDS, GATE_COMMANDS = 30, 20


@pytest.fixture
def started(monkeypatch):
    """Collect the ids of the benchmark's processes."""
    pids, start = [], Processes.start

    def spy(self, *args, **kwargs):
        process = start(self, *args, **kwargs)
        pids.append(process.pid)
        return process

    monkeypatch.setattr(Processes, 'start', spy)
    return pids


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_loop_and_the_gate_count_every_command(tmp_path, started):
    text = io.StringIO()
    store = run_benchmark(BenchmarkConfig(
        parts=('stages', 'gate', 'loop'), commands=COMMANDS, conditions=1, rounds=6, threads=1,
        checkpoint=str(CHECKPOINT), output_directory=tmp_path / 'out',
        json_path=tmp_path / 'out.json'), Console(file=text, width=120))
    assert store.failed == {}
    found = json.loads((tmp_path / 'out.json').read_text())
    loop, gate = found['steps']['loop/640x480@30'], found['steps']['gate']
    for step, wanted in ((loop, COMMANDS), (gate, GATE_COMMANDS)):
        # More may be sent before the word to stop has come to the policy.
        assert wanted <= step['commands'] < wanted + 20
        assert step['commands'] == sum(step[name] for name in (
            'released', 'refused', 'late', 'dropped', 'withheld'))
        assert step['misses_held'] == step['late']
        # A starved observer may miss a message of depth 1 and then cannot verify a release; most
        # of them it can.
        assert 2 * step['unverified_releases'] <= step['commands']
        assert set(step['processes']) == {
            'wm_predictor', 'wm_gate', 'benchmark_robot', 'conductor'}
    # However busy the machine, an answer without a model comes in time.
    assert gate['released'] > 0
    assert gate['gate_ms']['count'] == gate['released']
    assert found['gate_p99_ms'] == gate['gate_ms']['p99']
    if loop['released']:
        assert found['release_p99_ms'] == loop['release_ms']['p99']
        assert loop['predictor_stage_ms']['predict']['count'] > 0
    stages = found['steps']['stages']['ms']
    assert stages.keys() == {'receive', 'convert', 'check', 'encode', 'predict', 'hazard',
                             'publish', 'decode', 'draw_frame', 'publish_frames'}
    assert stages['check']['count'] == 6
    assert found['is_complete']
    assert 'gate alone' in text.getvalue()
    assert len(started) == 9
    assert not [pid for pid in started if is_alive(pid)]
    assert {'stages.png', 'stages.svg', 'logs'} <= set(os.listdir(tmp_path / 'out'))


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_every_process_and_keeps_what_is_finished(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, '-m', 'wm_ros.cli', 'benchmark', '--only', 'gate', '--commands', '100000',
         '--checkpoint', str(CHECKPOINT), '--output', str(tmp_path / 'out')],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        # Tests that a shell started in the background ignore SIGINT, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    events, children = tmp_path / 'out' / 'logs' / 'gate_alone' / 'events.jsonl', []

    def is_reported():
        assert process.poll() is None, process.stderr.read()
        return events.is_file() and '"command"' in events.read_text()

    try:
        wait_until(is_reported, 120, 'no command was reported')
        children = children_of(process.pid)
        assert len(children) == 4
        process.send_signal(number)
        _out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
        left = [pid for pid in children if is_alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert process.returncode == 130
    assert errors == 'wm-ros benchmark: stopped; what was finished is kept\n'
    assert left == []
    assert '"released"' in events.read_text()


def test_a_missing_checkpoint_is_named_before_anything_starts(tmp_path, started):
    with pytest.raises(CheckpointError, match='nowhere'):
        run_benchmark(BenchmarkConfig(checkpoint=str(tmp_path / 'nowhere'),
                                      output_directory=tmp_path / 'out'))
    assert started == []
    assert os.listdir(tmp_path) == []
