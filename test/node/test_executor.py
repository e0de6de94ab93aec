# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executor is chosen by name, and a node runs, holds and ends the same on each."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
import rclpy.executors

from wm_ros.ros.executor import VARIABLE, make_executor
from wm_ros.ros.parameters import ParameterError

STOPPING_PROCESS = Path(__file__).with_name('stopping_process.py')


@pytest.fixture
def context():
    rclpy.init()
    yield
    rclpy.try_shutdown()


def has_events_executor():
    try:
        from rclpy.experimental import EventsExecutor  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize('word', [None, ''])
def test_without_a_word_it_is_the_one_that_waits_for_events(context, monkeypatch, word):
    monkeypatch.delenv(VARIABLE, raising=False)
    if word is not None:
        monkeypatch.setenv(VARIABLE, word)
    wanted = 'EventsExecutor' if has_events_executor() else 'SingleThreadedExecutor'
    assert type(make_executor()).__name__ == wanted
    monkeypatch.setitem(sys.modules, 'rclpy.experimental', None)
    assert isinstance(make_executor(), rclpy.executors.SingleThreadedExecutor)


def test_the_single_threaded_one_can_be_asked_for(context, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'single')
    assert isinstance(make_executor(), rclpy.executors.SingleThreadedExecutor)


def test_an_executor_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setenv(VARIABLE, 'many')
    with pytest.raises(ParameterError, match="WM_ROS_EXECUTOR is 'many'; allowed is one of"):
        make_executor()


def test_a_process_with_a_wrong_name_ends_with_the_code_of_wrong_usage(monkeypatch):
    monkeypatch.setenv(VARIABLE, 'many')
    done = subprocess.run([sys.executable, '-m', 'wm_ros.ros.gate_node', '--ros-args', '-p',
                           'joint_names:=[a]'], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "WM_ROS_EXECUTOR is 'many'" in done.stderr


@pytest.mark.skipif(not has_events_executor(), reason='this rclpy has no EventsExecutor')
def test_a_node_ends_properly_on_the_events_executor(monkeypatch):
    monkeypatch.setenv(VARIABLE, 'events')
    process = subprocess.Popen(
        [sys.executable, str(STOPPING_PROCESS), 'run'], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        for word in ('ready', 'stopping', 'closing'):
            assert process.stdout.readline().strip() == word
            process.send_signal(signal.SIGINT)
        _out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors


def test_an_rclpy_without_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'rclpy.experimental', None)
    with pytest.raises(ParameterError, match='this rclpy has no EventsExecutor'):
        make_executor('events')
