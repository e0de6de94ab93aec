# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Run launch files with the real `ros2 launch`: up to active, after a kill, and down.

Skipped, visibly, on hosts without it, as test_launch.py.
"""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from harness import Harness

ROS2 = shutil.which('ros2')
pytest.importorskip('ros2launch', reason='ros2 launch is not installed')
if ROS2 is None:
    pytest.skip('ros2 is not on PATH', allow_module_level=True)

LAUNCH_FOLDER = Path(__file__).resolve().parents[2] / 'launch'
WAIT_S = 90.0


class Launched:
    """
    One `ros2 launch`, whose SIGINT is not ignored as that of a shell's background job would be.

    :param log: file for all output.
    :param words: of the command line, a file of launch/ first.
    """

    def __init__(self, log: Path, *words: str) -> None:
        self._log = log
        with log.open('wb') as output:
            self._process = subprocess.Popen(
                [sys.executable, ROS2, 'launch', str(LAUNCH_FOLDER / words[0]), *words[1:]],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))

    def text(self) -> str:
        """Give what was printed so far."""
        return self._log.read_text(errors='replace')

    def children(self) -> dict[str, psutil.Process]:
        """Give its nodes' processes by the name of their program."""
        found = {}
        for child in psutil.Process(self._process.pid).children():
            with suppress(psutil.NoSuchProcess, IndexError):  # dead, or not Python yet
                found[Path(child.cmdline()[1]).name] = child
        return found

    def wait(self) -> int:
        """Wait for the end by itself; returns the exit code."""
        return self._process.wait(WAIT_S)

    def interrupt(self) -> int:
        """Do as `kill -INT`; returns the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self.wait()

    def close(self) -> None:
        """End whatever is left."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


@pytest.fixture
def launch(tmp_path):
    """Give a function that starts a launch file; what it started ends with the test."""
    started: list[Launched] = []

    def start(*words: str) -> Launched:
        started.append(Launched(tmp_path / f'{len(started)}.txt', *words))
        return started[-1]

    yield start
    for one in started:
        one.close()


def wait_active(harness: Harness, launched: Launched, *names: str) -> None:
    """Wait until lifecycle nodes are active."""
    for name in names:
        def is_active(name=name) -> bool:
            try:
                return harness.state(name) == 'active'
            except AssertionError:  # not there yet
                return False
        harness.spin_until(is_active, WAIT_S, lambda: launched.text())


@pytest.mark.timeout(400)
def test_the_guard_comes_up_and_again_after_a_kill_and_ends_without_orphans(launch, tmp_path):
    # A busy machine may be too slow for the budget, which is not what this is about.
    parameters = tmp_path / 'my_robot.yaml'
    parameters.write_text('/**/wm_predictor: {ros__parameters: {strict_budget: false}}')
    guard = launch('guard.launch.py', 'namespace:=left', 'mode:=shadow', 'visualizer:=true',
                   f'params_file:={parameters}')
    with Harness() as harness:
        wait_active(harness, guard, '/left/wm_gate', '/left/wm_predictor')
        nodes = guard.children()
        assert set(nodes) == {'wm_gate', 'wm_predictor', 'wm_visualizer'}
        nodes['wm_predictor'].kill()
        harness.spin_until(
            lambda: guard.children().get('wm_predictor', nodes['wm_predictor']).pid
            != nodes['wm_predictor'].pid, WAIT_S, guard.text)
        wait_active(harness, guard, '/left/wm_predictor')
    nodes = guard.children()
    assert guard.interrupt() == 0, guard.text()
    assert not any(node.is_running() for node in nodes.values()), guard.text()
    assert guard.text().count('process has finished cleanly') == 3, guard.text()


@pytest.mark.timeout(200)
def test_an_injection_that_cannot_begin_ends_with_its_reason(launch):
    injection = launch('fault_injection.launch.py', 'fault:=no-such-fault')
    assert injection.wait() != 0, injection.text()
    assert "fault is 'no-such-fault'" in injection.text()
    assert injection.text().count('process has finished cleanly') == 2, injection.text()
