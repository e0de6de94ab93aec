# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`wm-ros record` beside a running robot: the same episode format as `wm-ros collect`."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from harness import Harness
from std_srvs.srv import Trigger

from wm_ros.data.episode import list_episodes, read_episode
from wm_ros.demo.processes import Processes
from wm_ros.simulation.scene import JOINT_NAMES

RECORD = [sys.executable, '-m', 'wm_ros.cli', 'record']


@pytest.fixture
def graph(tmp_path):
    """Start the robot and a policy that moves it, in this test's ROS domain."""
    with Processes(tmp_path / 'logs', dict(os.environ)) as processes:
        processes.start('so101_sim', 'wm_ros.ros.so101_sim_node')
        processes.start('play_policy', 'wm_ros.ros.play_policy', [
            '--ros-args', '-p', 'period_s:=0.0',
            '-p', 'command_topic:=/arm_controller/joint_trajectory'])
        yield processes


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_an_interrupted_recording_is_a_whole_episode(graph, tmp_path):
    out = tmp_path / 'episodes'
    with Harness() as harness:
        recorder = subprocess.Popen(
            [*RECORD, '--out', str(out), '--hazard', '/so101_sim/contacts'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            harness.spin_until(
                lambda: harness.tester.count_subscribers('/so101_sim/contacts') > 0, 30.0,
                lambda: f'the recorder does not listen: {recorder.poll()}')
            # Nothing tells from outside what a recorder has heard: long enough for joint states
            # and pictures before the command, and for the motion after it.
            harness.spin_for(2.0)
            for service in ('propose', 'send'):
                assert harness.call(Trigger, f'/play_policy/{service}', Trigger.Request()).success
            harness.spin_for(3.0)
        finally:
            recorder.send_signal(signal.SIGINT)
            text = recorder.communicate(timeout=30)
    graph.check()
    assert recorder.returncode == 0, text
    (path,) = list_episodes(out)
    episode = read_episode(path)
    assert episode.joint_names == JOINT_NAMES
    assert episode.decode(0).shape == (240, 320, 3)
    moved = np.ptp(episode.setpoints, axis=0).max()
    assert moved > 0.1
    # The arm follows its set-point.
    assert np.abs(episode.positions[-1] - episode.setpoints[-1]).max() < 0.5
    assert [item.name for item in out.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_recording_of_nothing_fails_and_leaves_nothing(tmp_path):
    done = subprocess.run(
        [*RECORD, '--out', str(tmp_path / 'episodes'), '--duration', '0.5',
         '--camera', '/no/such/camera'], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done
    assert 'no camera pictures' in done.stderr
    assert '/no/such/camera' in done.stderr
    assert not (tmp_path / 'episodes').exists()
