# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A veto in the real graph becomes a file, and the file gives the same verdict again."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evidence_rig import PLUNGE, Policy, start_evidence, start_graph
from harness import Harness

from wm_ros.data.bag_reader import open_bag
from wm_ros.data.evidence import read_evidence
from wm_ros.demo.processes import Processes

CHECKPOINT = Path(__file__).resolve().parents[2] / 'models' / 'so101_tiny'
REPLAY = [sys.executable, '-m', 'wm_ros.cli', 'replay']


@pytest.fixture
def graph(tmp_path):
    with Processes(tmp_path / 'logs', dict(os.environ)) as processes:
        start_graph(processes, str(CHECKPOINT))
        start_evidence(processes, tmp_path / 'evidence')
        yield processes


def replay(path, *options):
    """Run the verb without a graph; returns exit code, figures and what it printed."""
    out = path.with_suffix('.json')
    environment = {**os.environ, 'ROS_DOMAIN_ID': '0', 'AMENT_PREFIX_PATH': ''}
    done = subprocess.run([*REPLAY, str(path), '--json', str(out), *options],
                          capture_output=True, text=True, timeout=120, env=environment)
    return done.returncode, json.loads(out.read_text()), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_veto_becomes_a_file_that_gives_the_same_verdict_again(graph, tmp_path):
    directory = tmp_path / 'evidence'
    with Harness() as harness:
        policy = Policy(harness)
        policy.arm()
        verdict = policy.send_until_veto(PLUNGE)
        harness.spin_until(lambda: list(directory.glob('*.mcap')), 30.0, 'no file')
        # The file is complete under its name: the node may go on meanwhile.
        (path,) = directory.glob('*.mcap')
    graph.check()
    evidence = read_evidence(path)
    assert evidence.problems == []
    assert evidence.record['triggers'][0]['chunk_id'] == verdict.chunk_id
    assert evidence.record['parameters']['wm_gate']['mode'] == 'enforce'
    assert evidence.record['model_id'] == verdict.model_id
    assert _frames(evidence, verdict.chunk_id) == 10
    code, told, text = replay(path)
    assert code == 0, text
    (command,) = told['commands']
    assert command['recorded'] == command['replayed'] == ['VETO', pytest.approx(verdict.risk)]
    assert (told['engine'], told['tolerance']) == ('onnxruntime', 0.0)
    code, told, text = replay(path, '--all')
    assert code == 0, text
    assert len(told['commands']) >= 2
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    code, told, text = replay(path, '--engine', 'torch')
    assert code == 0, text
    assert 0 < told['tolerance'] <= 1e-4


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_neither_gate_nor_predictor_waits_for_a_stopped_listener(graph):
    with Harness() as harness:
        policy = Policy(harness)
        policy.arm()
        os.kill(graph.pid('wm_evidence'), signal.SIGSTOP)
        try:
            answered, deadline = 0, time.monotonic() + 90.0
            # On a busy machine a command may be refused before it is judged; others follow.
            while answered < 12 and time.monotonic() < deadline:
                policy.send({})
                with contextlib.suppress(AssertionError):
                    policy.verdicts.expect(timeout_s=2.0)
                    answered += 1
            policy.state.clear()
            policy.state.expect(timeout_s=10.0)
        finally:
            os.kill(graph.pid('wm_evidence'), signal.SIGCONT)
    graph.check()
    assert answered == 12


def _frames(evidence, chunk_id):
    """Count the predicted frames of a command in a file."""
    bag = open_bag(evidence.path)
    found = [bag.decode(item) for item in bag.messages(
        (evidence.record['topics']['prediction'],))]
    return next(len(item.frames) for item in found if item.chunk_id == chunk_id)
