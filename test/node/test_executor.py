# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The executor is chosen by name, and a node runs, holds and ends the same on each."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
import rclpy.executors
from gate_bench import JOINTS, Bench
from harness import Harness
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.msg import GateState, Verdict
from wm_ros.ros.executor import VARIABLE, make_executor
from wm_ros.ros.parameters import ParameterError
from wm_ros.srv import CheckTrajectory

RAISING_PROCESS = Path(__file__).with_name('raising_process.py')
STOPPING_PROCESS = Path(__file__).with_name('stopping_process.py')


@contextlib.contextmanager
def ending_well(script, *arguments):
    """Start a script whose lines are read; it must end by itself, with code 0."""
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield process
        _out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors


@pytest.fixture
def context():
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def harness():
    with Harness() as harness:
        yield harness


def has_events_executor():
    try:
        from rclpy.experimental import EventsExecutor  # noqa: F401
    except ImportError:
        return False
    return True


@pytest.mark.parametrize('word', [None, '', 'single'])
def test_without_a_word_it_is_the_single_threaded_one(context, monkeypatch, word):
    monkeypatch.delenv(VARIABLE, raising=False)
    if word is not None:
        monkeypatch.setenv(VARIABLE, word)
    assert isinstance(make_executor(), rclpy.executors.SingleThreadedExecutor)


@pytest.mark.skipif(not has_events_executor(), reason='this rclpy has no EventsExecutor')
def test_the_one_that_waits_for_events_can_be_asked_for(context, monkeypatch):
    monkeypatch.setenv(VARIABLE, 'events')
    assert type(make_executor()).__name__ == 'EventsExecutor'


def test_the_gate_as_deployed_answers_a_check_and_goes_on(harness, monkeypatch, tmp_path):
    """
    ~/check_trajectory latched the e-stop of a gate in a process of its own, and had no answer.

    Its callback is a coroutine, which the EventsExecutor of rclpy 7.1.6 takes for the answer. No
    test saw it, because a gate in the test's process runs on the executor of the harness.
    """
    monkeypatch.delenv(VARIABLE, raising=False)
    bench = Bench(harness, params_file=tmp_path / 'gate.yaml')
    try:
        bench.start()
        bench.expect_state(GateState.RUNNING, timeout_s=30.0)
        point = JointTrajectoryPoint(positions=[0.15, -0.2])
        point.time_from_start.nanosec = 200_000_000
        answer = harness.call(
            CheckTrajectory, '/wm_gate/check_trajectory', CheckTrajectory.Request(
                trajectory=JointTrajectory(joint_names=JOINTS, points=[point])))
        assert answer.success, answer.message
        assert answer.verdict.decision == Verdict.OK
        bench.states.clear()
        assert bench.states.expect().state == GateState.RUNNING
    finally:
        bench.process.terminate()
        assert bench.process.wait(timeout=30) == 0


def test_an_exception_in_a_task_does_not_end_the_process(monkeypatch):
    """What is done when a future is runs as a task: a controller's answer to a goal, for one."""
    monkeypatch.delenv(VARIABLE, raising=False)
    with ending_well(RAISING_PROCESS) as process:
        assert process.stdout.readline().strip() == 'heard: raised in a task'
        process.send_signal(signal.SIGINT)


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
    with ending_well(STOPPING_PROCESS, 'run') as process:
        for word in ('ready', 'stopping', 'closing'):
            assert process.stdout.readline().strip() == word
            process.send_signal(signal.SIGINT)


def test_an_rclpy_without_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'rclpy.experimental', None)
    with pytest.raises(ParameterError, match='this rclpy has no EventsExecutor'):
        make_executor('events')
