# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Every row of the fault catalogue on a real graph: processes, DDS, an independent observer.

Rows of one graph share it, in the order of the catalogue; the runner starts it again when a row
has broken it.
"""

import os
import re
from dataclasses import replace

import pytest
import rclpy
from rclpy.context import Context

from wm_ros.demo.main import gate_arguments, predictor_arguments
from wm_ros.demo.processes import Processes
from wm_ros.faults.catalogue import CATALOGUE, find_fault
from wm_ros.faults.fault import Graph
from wm_ros.ros.faults_rows import find_row, names
from wm_ros.ros.faults_runner import FaultRunner
from wm_ros.ros.faults_session import with_changes

# The row of the action proxy needs its messages, here and in the gate.
pytestmark = pytest.mark.control_msgs
COMMANDS = {'wm_gate': gate_arguments('enforce'),
            'wm_predictor': predictor_arguments('default', 'onnxruntime')}
ROWS = sorted((fault for fault in CATALOGUE if not fault.missing),
              key=lambda fault: (list(Graph).index(fault.graph), fault.number))


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    """Start graphs in this test's ROS domain."""
    context = Context()
    rclpy.init(args=[], context=context)
    with Processes(tmp_path_factory.mktemp('logs'), dict(os.environ)) as processes:
        runner = FaultRunner(processes, with_changes(COMMANDS), context=context)
        yield runner
        runner.close()
    context.try_shutdown()


def test_each_row_that_can_be_measured_has_a_function():
    assert names() == {fault.name for fault in ROWS}


@pytest.mark.timeout(240)
@pytest.mark.parametrize('fault', [
    pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.is_slow else [])
    for fault in ROWS if fault.name != 'obstacle-replay'])
def test_the_promise_is_kept(runner, fault):
    outcome = runner.run_one(fault)
    assert outcome.unsafe_releases == 0, outcome.measured
    if outcome.held is None:
        pytest.skip(outcome.measured)
    assert outcome.held is True, outcome.measured


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_gate_holds_while_something_is_in_the_way_and_not_otherwise(runner):
    """Without the times that are promised: they leave nothing for a machine that is busy."""
    outcome = runner.run_one(find_fault('obstacle-replay'))
    assert outcome.unsafe_releases == 0, outcome.measured
    seen = [timing.what for timing in outcome.times]
    assert seen.count('stop with something in the way') == 6, outcome.measured
    assert seen.count('release when it had gone') == 6, outcome.measured
    # What is not kept is named first, whichever it is.
    in_way, clear = (
        float(re.search(rf'held ([\d.]+) % of \S+ s with {what}', outcome.measured)[1])
        for what in ('something', 'nothing'))
    assert in_way > 2 * clear, outcome.measured


def test_a_row_without_a_feature_is_not_held_and_starts_nothing(runner):
    fault = replace(find_fault('joints-nan'), missing='there is no such feature yet')
    outcome = runner.run_one(fault)
    assert (outcome.held, outcome.measured) == (None, 'there is no such feature yet')
    assert find_row(fault) is None


def test_goals_are_not_measured_where_their_messages_are_missing(runner, monkeypatch):
    def lack():
        raise ValueError('install ros-jazzy-control-msgs')

    monkeypatch.setattr('wm_ros.ros.faults_action.load_follow_joint_trajectory', lack)
    outcome = runner.run_one(find_fault('action-proxy'))
    assert (outcome.held, outcome.measured) == (None, 'install ros-jazzy-control-msgs')


def test_a_promise_that_is_not_kept_is_seen(runner, monkeypatch):
    """The harness must be able to fail: here the camera does not really stop."""
    def nothing_happens(rig, found):
        found.within(rig.stop_after(0, 0.1)[0] and None, 0.5, 'stop')

    monkeypatch.setattr('wm_ros.ros.faults_runner.find_row', lambda fault: nothing_happens)
    outcome = runner.run_one(find_fault('joints-nan'))
    assert outcome.held is False
    assert outcome.measured.startswith('BROKEN: no stop')


@pytest.mark.parametrize(('is_starved', 'is_unsafe', 'num_runs'), [
    (False, False, 1), (True, False, 2), (True, True, 1)])
def test_only_a_starved_graph_without_an_unsafe_release_is_measured_again(
        runner, monkeypatch, is_starved, is_unsafe, num_runs):
    runs = []

    def broken_once(rig, found):
        runs.append(1)
        found.check(len(runs) > 1, 'better the second time')
        monkeypatch.setattr(rig.robot, 'take_longest_gap_s', lambda: 1.0 if is_starved else 0.0)
        if is_unsafe:
            monkeypatch.setattr(rig, 'unverified', lambda: ['released without a verdict'])

    monkeypatch.setattr('wm_ros.ros.faults_runner.find_row', lambda fault: broken_once)
    outcome = runner.run_one(find_fault('joints-nan'))
    assert len(runs) == num_runs
    assert outcome.held is (num_runs == 2)
    assert outcome.unsafe_releases == is_unsafe
