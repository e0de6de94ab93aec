# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_predictor as a process: exit codes, one clear message, a proper end on a signal."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Harness
from lifecycle_msgs.msg import Transition

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, '-m', 'wm_ros.ros.predictor_node', '--ros-args']


@pytest.mark.parametrize(('arguments', 'text'), [
    (['-p', 'engin:=torch'], 'parameter engin is unknown to wm_predictor; did you mean engine?'),
    (['-p', 'engine:=magic'], "engine is 'magic'; allowed is one of onnxruntime, torch"),
    (['-p', 'image_timeout:=0.0'], 'image_timeout'),
    (['--params-file', '{bad}'], 'bad.yaml'), (['--params-file', '/nowhere.yaml'], 'nowhere.yaml'),
])
def test_bad_usage_ends_with_2_and_one_message(arguments, text, tmp_path):
    bad = tmp_path / 'bad.yaml'
    bad.write_text('wm_predictor:\n  ros__parameters: [1, 2\n')
    command = [argument.format(bad=bad) for argument in COMMAND + arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert 'Traceback' not in done.stderr


def test_tensorrt_without_a_gpu_fails_configure_and_is_not_replaced():
    torch = pytest.importorskip('torch')
    if torch.cuda.is_available():
        pytest.skip('there is a CUDA device')
    settings = {'checkpoint_path': 'default', 'engine': 'tensorrt', 'device': 'cuda'}
    given = [word for key, value in settings.items() for word in ('-p', f'{key}:={value}')]
    process = subprocess.Popen(
        COMMAND + ['--params-file', str(ROOT / 'config' / 'wm_predictor.yaml'), *given],
        stderr=subprocess.PIPE, text=True)
    try:
        with Harness() as harness:
            harness.state('wm_predictor')
            assert not harness.change_state('wm_predictor', Transition.TRANSITION_CONFIGURE, 60.0)
            assert harness.state('wm_predictor') == 'unconfigured'
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "device 'cuda' was asked for, but torch" in errors
    assert "set engine to 'onnxruntime'" in errors


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_properly(number):
    process = subprocess.Popen(COMMAND, stderr=subprocess.PIPE, text=True)
    try:
        with Harness() as harness:
            assert harness.state('wm_predictor') == 'unconfigured'
        process.send_signal(number)
        _out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    assert 'Traceback' not in errors
