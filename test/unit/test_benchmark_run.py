# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run of the benchmark as a whole: wrong options, steps that fail, steps that are kept."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys

import pytest
from process_rig import cpu_s, is_alive, wait_until
from rich.console import Console

from wm_ros.benchmark import run as module
from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.run import run_benchmark
from wm_ros.cli import main
from wm_ros.errors import WorldModelError


@pytest.fixture
def steps(monkeypatch):
    """Put steps of the test's own in place of the real ones."""
    found = {}
    monkeypatch.setattr(module, 'make_steps', lambda *_args: iter(found.items()))
    return found


def run(tmp_path, **changes):
    text = io.StringIO()
    config = BenchmarkConfig(parts=('engines',), output_directory=tmp_path / 'out',
                             json_path=tmp_path / 'out.json', **changes)
    return run_benchmark(config, Console(file=text, width=120)), text


@pytest.mark.parametrize(('option', 'value', 'words'), [
    ('--only', 'sleep', 'invalid choice'), ('--commands', '0', 'at least 1'),
    ('--commands', '5', 'commands is 5; allowed is 20'), ('--minutes', '-1', 'minutes is -1.0'),
    ('--rounds', '1', 'rounds is 1'), ('--busy-cores', '-1', 'must not be below 0'),
    ('--conditions', '9', 'conditions is 9'), ('--engine', 'caffe', "engine is 'caffe'"),
    ('--minutes', 'nan', 'minutes is nan'),
    ('--json', '/no/where/x.json', 'there is no directory')])
def test_a_wrong_option_is_code_2_and_starts_nothing(
        tmp_path, monkeypatch, capsys, option, value, words):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(['benchmark', option, value])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_missing_checkpoint_is_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['benchmark', '--checkpoint', '/nowhere']) == 1
    assert "'/nowhere'" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_step_that_fails_is_named_and_the_others_go_on(tmp_path, steps):
    def fail():
        raise WorldModelError('wm_gate ended early')

    def lack():
        raise ImportError("No module named 'psutil'")

    steps |= {'loop/x': fail, 'gate': lack, 'scaling/horizon': lambda: {'skipped': 'why'}}
    store, text = run(tmp_path)
    assert store.steps == {'scaling/horizon': {'skipped': 'why'}}
    assert store.failed['loop/x'] == 'wm_gate ended early'
    assert store.failed['gate'].endswith("; pip install 'wm_ros[sim,train,bench]'")
    assert 'loop/x failed: wm_gate ended early' in text.getvalue()
    found = json.loads((tmp_path / 'out.json').read_text())
    assert (found['is_complete'], set(found['failed'])) == (False, {'loop/x', 'gate'})
    assert 'not measured' in (tmp_path / 'out' / 'figures.md').read_text()


def test_when_nothing_can_be_measured_the_reason_is_the_error(tmp_path, steps):
    def fail():
        raise WorldModelError('every ROS domain is in use')

    steps['gate'] = fail
    with pytest.raises(WorldModelError, match='the first reason: every ROS domain'):
        run(tmp_path)


def test_an_interrupted_run_has_kept_its_finished_steps(tmp_path, steps):
    def interrupt():
        raise KeyboardInterrupt

    calls = []
    steps |= {'scaling/horizon': lambda: calls.append(1) or {'skipped': 'a'}, 'gate': interrupt}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert json.loads((tmp_path / 'out.json').read_text())['steps'].keys() == {'scaling/horizon'}
    steps['gate'] = lambda: {'commands': 20}
    store, text = run(tmp_path, resume=True)
    assert store.steps == {'scaling/horizon': {'skipped': 'a'}, 'gate': {'commands': 20}}
    assert calls == [1]
    assert 'scaling/horizon: kept' in text.getvalue()


def test_a_busy_core_is_free_again_when_the_benchmark_was_killed(tmp_path):
    """The child of a process that is gone must not compute for ever."""
    script = ('import subprocess, sys\n'
              'child = subprocess.Popen([sys.executable, "-m", "wm_ros.benchmark.busy"])\n'
              'print(child.pid, flush=True)\nsys.stdin.readline()\n')
    parent = subprocess.Popen([sys.executable, '-c', script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    try:
        # Longer than it takes to start: it knows its parent only then.
        wait_until(lambda: cpu_s(child) > 0.5, 30, 'it does not compute')
        parent.kill()
        parent.communicate()
        wait_until(lambda: not is_alive(child), 30, 'it computes on')
    finally:
        parent.kill()
        parent.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
