# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark's observer concludes from what it sees on the wire, and from nothing else."""

import time

import pytest
from builtin_interfaces.msg import Duration
from harness import Harness
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.datatypes import CommandInterface, Decision, Reason
from wm_ros.gate.digest import digest_trajectory
from wm_ros.msg import ActionChunk, GateState, Verdict
from wm_ros.ros import qos
from wm_ros.ros.benchmark_observer import BenchmarkObserver
from wm_ros.ros.observer import Observer
from wm_ros.ros.predictor_messages import message_to_trajectory, ns_to_stamp

NAMES = ['a', 'b']


class Wire:
    """Everything around the observer: policy, gate and predictor in one."""

    def __init__(self, harness):
        self.harness = harness
        self.observer = harness.add(
            BenchmarkObserver(decision_timeout_s=0.15, context=harness.context))
        make = harness.publisher
        self.commands = make('wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_IN)
        self.outputs = make('arm_controller/joint_trajectory', JointTrajectory, qos.COMMAND_OUT)
        self.chunks = make('wm_gate/action_chunk', ActionChunk, qos.ACTION_CHUNK)
        self.verdicts = make('wm_predictor/verdict', Verdict, qos.VERDICT)
        self.states = make('wm_gate/state', GateState, qos.GATE_STATE)
        harness.wait_matched()

    def command(self, value):
        message = trajectory([value, value])
        self.commands.publish(message)
        count = self.observer.num_commands
        self.harness.spin_until(lambda: self.observer.num_commands > count, 5.0)
        return message

    def ask(self, message, chunk_id):
        start = JointState(name=NAMES, position=[0.0, 0.0])
        self.chunks.publish(ActionChunk(
            chunk_id=chunk_id, trajectory=message, start_state=start))
        self.harness.spin_until(
            lambda: self.observer.ledger.passages[-1].chunk_id == chunk_id, 5.0)

    def answer(self, message, chunk_id, decision=Decision.OK, reasons=Reason.NONE):
        digest = digest_trajectory(
            message_to_trajectory(message), CommandInterface.JOINT_TRAJECTORY)
        self.verdicts.publish(Verdict(
            chunk_id=chunk_id, digest=list(digest), decision=int(decision), reasons=int(reasons),
            speed_factor=1.0, stage_ms=[1.0, 2.0, 3.0, 4.0],
            valid_until=ns_to_stamp(time.time_ns() + 10**9)))
        self.harness.spin_until(
            lambda: self.observer.ledger.passages[-1].verdict is not None, 5.0)

    def release(self, message):
        self.outputs.publish(message)
        passage = self.observer.ledger.passages[-1]

        def is_released():
            self.observer.settle()
            return passage.release_ns

        self.harness.spin_until(is_released, 5.0)

    def record(self):
        records = self.observer.finished(time.time_ns() + 1, age_ns=0)
        assert self.observer.ledger.passages == []
        return records


@pytest.fixture
def wire():
    with Harness() as harness:
        yield Wire(harness)


def trajectory(positions):
    return JointTrajectory(joint_names=NAMES, points=[
        JointTrajectoryPoint(positions=[value] * 2,
                             time_from_start=Duration(nanosec=100_000_000 * (place + 1)))
        for place, value in enumerate(positions)])


def test_a_release_is_timed_by_the_publishers_own_stamps(wire):
    message = wire.command(0.1)
    wire.ask(message, 5)
    wire.answer(message, 5)
    wire.release(message)
    (record,) = wire.record()
    assert (record['outcome'], record['decision']) == ('released', 'OK')
    assert record['stage_ms'] == [1.0, 2.0, 3.0, 4.0]
    # Published in this order, and the release was seen after all of them.
    assert 0 < record['verdict_ms'] < record['release_ms']
    assert 0 < record['gate_ms'] < record['release_ms']


def test_a_command_that_nobody_answered_was_late_and_must_have_been_held(wire):
    message = wire.command(0.2)
    wire.ask(message, 6)
    wire.harness.spin_for(0.2)
    wire.states.publish(GateState(state=GateState.HOLD))
    wire.harness.spin_until(lambda: wire.observer.state is not None, 5.0)
    (record,) = wire.record()
    assert (record['outcome'], record['is_held']) == ('late', True)


def test_a_miss_after_which_the_gate_goes_on_is_not_held(wire):
    message = wire.command(0.3)
    wire.ask(message, 7)
    wire.states.publish(GateState(state=GateState.RUNNING))
    wire.harness.spin_until(lambda: wire.observer.state is not None, 5.0)
    (record,) = wire.record()
    assert (record['outcome'], record['is_held']) == ('late', False)


@pytest.mark.parametrize(('last', 'is_held'), [
    (GateState.HOLD, True), (GateState.ESTOP, True), (GateState.RUNNING, False)])
def test_the_last_state_that_was_told_is_in_force_until_the_next(wire, last, is_held):
    """
    A miss while the gate held already was counted as one after which it did not.

    States come at 10 Hz and at each change: none need fall into the moment that was looked at.
    """
    for state in (GateState.HOLD, last):
        before = wire.observer.state_ns
        wire.states.publish(GateState(state=state))
        wire.harness.spin_until(lambda seen=before: wire.observer.state_ns > seen, 5.0)
    message = wire.command(0.7)
    wire.ask(message, 9)
    (record,) = wire.record()
    assert (record['outcome'], record['is_held']) == ('late', is_held)


@pytest.mark.parametrize(('decision', 'reasons', 'outcome'), [
    (Decision.VETO, Reason.RISK, 'refused'), (Decision.ABSTAIN, Reason.UNCERTAIN, 'refused'),
    (Decision.VETO, Reason.DEADLINE, 'late'), (Decision.OK, Reason.NONE, 'withheld')])
def test_what_a_verdict_makes_of_a_command(wire, decision, reasons, outcome):
    message = wire.command(0.4)
    wire.ask(message, 8)
    wire.answer(message, 8, decision, reasons)
    assert [record['outcome'] for record in wire.record()] == [outcome]


def test_a_command_that_was_never_asked_about_was_dropped(wire):
    wire.command(0.5)
    assert [record['outcome'] for record in wire.record()] == ['dropped']


def test_young_commands_stay_until_they_are_old_enough(wire):
    wire.command(0.6)
    assert wire.observer.finished(time.time_ns(), age_ns=10**11) == []
    assert len(wire.observer.ledger.passages) == 1


def test_a_listener_knows_when_others_came_in_between(monkeypatch):
    callbacks, seen = {}, []
    observer = object.__new__(Observer)
    monkeypatch.setattr(observer, 'create_subscription', lambda kind, topic, callback, profile:
                        callbacks.update({topic: callback}), raising=False)
    observer._listen(JointTrajectory, 'out', lambda message, at_ns: seen.append(
        (observer.has_missed, observer.source_ns)))
    # The fifth is the first of another publisher, and the last does not say.
    for number in (5, 6, 8, 9, 1, 3, None):
        callbacks['out'](JointTrajectory(), {
            'source_timestamp': 7, 'received_timestamp': 9,
            'publication_sequence_number': number})
    assert seen == [(missed, 7) for missed in (
        False, False, True, False, False, True, False)]
