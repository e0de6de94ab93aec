# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
~/follow_joint_trajectory over DDS: every goal ends once, and none is left at the controller.

Row 29 of the fault list: cancel before and after the verdict, preempt, a controller that aborts,
refuses, is absent, dies or ignores a cancel request, a client that dies.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from action_bench import ACTION, Client, Controller
from action_msgs.msg import GoalStatus
from gate_bench import Bench
from harness import Harness
from lifecycle_msgs.msg import Transition
from rclpy.action import get_action_names_and_types
from std_msgs.msg import Bool
from trajectory_msgs.msg import MultiDOFJointTrajectoryPoint

from wm_ros.msg import GateState, Verdict

pytestmark = pytest.mark.control_msgs

SUCCEEDED, CANCELED, ABORTED = (
    GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)


GOAL_PROCESS = Path(__file__).with_name('goal_process.py')


class Stage:
    """A gate, a controller and a client, armed."""

    def __init__(self, harness: Harness, *, has_controller: bool = True, **parameters) -> None:
        self.harness = harness
        self.bench = Bench(
            harness, follow_joint_trajectory_action=ACTION, max_step=0.5, **parameters)
        self.client = Client(harness)
        self.controller = Controller(harness.tester, self.bench) if has_controller else None
        self.bench.arm()
        self.client.wait()
        if has_controller:
            self.wait_for_controller()

    def wait_for_controller(self) -> None:
        """Wait until the gate and the controller's action have found each other."""
        self.harness.spin_until(
            lambda: self.harness.tester.count_clients(f'{ACTION}/_action/send_goal') > 0
            and self.harness.tester.count_subscribers(f'{ACTION}/_action/feedback') > 0,
            10.0, 'the gate does not find the controller')
        if self.bench.node is not None:
            client = self.bench.node._proxy._client
            self.harness.spin_until(client.server_is_ready, 10.0, 'the controller')

    def wait_let_go(self, count: int = 1) -> None:
        """Wait until the controller has got some goals."""
        self.harness.spin_until(
            lambda: len(self.controller.goals) >= count, 10.0, 'nothing is let go')

    def expect_nothing_left(self) -> None:
        """Check that the controller runs nothing and the gate remembers nothing."""
        if self.controller is not None:
            self.harness.spin_until(
                lambda: not self.controller.is_active, 5.0, 'an orphaned goal runs')
        self.harness.spin_until(
            lambda: not self.bench.node._proxy._goals, 5.0, 'the gate still has a goal')
        assert self.bench.node._gate.goal is None

    def at_rest_after_s(self) -> float:
        """Wait until the joints rest; give how long that took, s."""
        begin, since, before = time.monotonic(), time.monotonic(), list(self.bench.positions)
        while time.monotonic() - since < 0.3:
            assert time.monotonic() - begin < 10.0, 'the arm never rests'
            self.harness.turn()
            if self.bench.positions != before:
                since, before = time.monotonic(), list(self.bench.positions)
        return since - begin


@pytest.fixture
def harness():
    with Harness() as value:
        yield value


def test_a_goal_is_held_until_it_is_judged_and_its_result_is_relayed(harness):
    stage = Stage(harness)
    stage.bench.is_answering = False
    handle = stage.client.send()
    chunk = stage.bench.expect_chunk()
    assert chunk.source == 'follow_joint_trajectory'
    harness.spin_for(0.2)
    assert not stage.controller.goals, 'held until the verdict'
    stage.bench.verdicts.publish(stage.bench.verdict_for(chunk))
    stage.bench.is_answering = True
    status, result = stage.client.result(handle)
    assert (status, result.error_code, result.error_string) == (SUCCEEDED, 0, '')
    (sent,) = stage.controller.trajectories()
    assert [list(p.positions) for p in sent.points] == [[0.15, -0.2], [0.2, -0.2]]
    assert len(stage.bench.output) == 0, 'a goal goes to the action, not to the topic'
    stage.expect_nothing_left()


def test_a_refusal_carries_its_reason(harness):
    stage = Stage(harness)
    stage.bench.decision = Verdict.VETO
    status, result = stage.client.result(stage.client.send())
    assert status == ABORTED
    assert result.error_string == 'VETO: risk 0.9 at step 3'
    assert result.error_code == stage.client.kind.Result.INVALID_GOAL
    assert not stage.controller.goals
    stage.bench.expect_state(GateState.HOLD)
    status, result = stage.client.result(stage.client.send(stage.client.goal([(99.0, 0.0)])))
    assert status == ABORTED
    assert 'a starts 98.9 rad from its measured position' in result.error_string
    wrong = stage.client.goal()
    wrong.trajectory.joint_names = ['a', 'elbow']
    assert "unknown ['elbow']" in stage.client.result(stage.client.send(wrong))[1].error_string
    wrong = stage.client.goal([(float('nan'), 0.0)])
    assert 'is nan' in stage.client.result(stage.client.send(wrong))[1].error_string
    wrong = stage.client.goal()
    wrong.multi_dof_trajectory.points = [MultiDOFJointTrajectoryPoint()]
    assert 'multi_dof' in stage.client.result(stage.client.send(wrong))[1].error_string
    assert not stage.controller.goals
    stage.expect_nothing_left()


def test_a_long_goal_is_looked_at_while_it_runs_and_ends_well(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal(2.0))
    status, result = stage.client.result(handle, 15.0)
    assert (status, result.error_string) == (SUCCEEDED, '')
    pieces = stage.controller.trajectories()
    assert len(pieces) >= 3
    for piece in pieces:
        last = piece.points[-1].time_from_start
        assert last.sec + last.nanosec * 1e-9 <= 0.8 + 1e-6, 'no further than the model looked'
    assert list(pieces[-1].points[-1].positions) == pytest.approx([0.5, -0.2])
    assert stage.bench.positions == pytest.approx([0.5, -0.2], abs=0.01)
    times = [f.desired.time_from_start.sec + f.desired.time_from_start.nanosec * 1e-9
             for f in stage.client.feedback]
    assert max(times) > 1.5, 'feedback counts from the start of the whole goal'
    stage.expect_nothing_left()


def test_a_later_part_that_turns_dangerous_is_cancelled(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go(2)
    stage.bench.decision = Verdict.VETO
    status, result = stage.client.result(handle)
    assert status == ABORTED
    assert 'risk 0.9 at step 3' in result.error_string
    harness.spin_until(lambda: not stage.controller.is_active, 5.0, 'an orphaned goal runs')
    assert stage.controller.ends[-1][1] == CANCELED
    hold = stage.bench.output.expect()
    assert len(hold.points) == 1
    assert hold.points[0].positions[0] == pytest.approx(stage.bench.positions[0], abs=0.1)
    stage.bench.output.expect_none()
    stage.expect_nothing_left()
    stage.bench.decision = Verdict.OK
    num_before = len(stage.controller.goals)
    harness.spin_for(0.5)
    assert len(stage.controller.goals) == num_before, 'the old goal is never replayed'


def test_a_cancel_before_the_verdict(harness):
    stage = Stage(harness)
    stage.bench.is_answering = False
    handle = stage.client.send()
    chunk = stage.bench.expect_chunk()
    assert stage.client.cancel(handle) == 1
    assert stage.client.result(handle)[0] == CANCELED
    stage.bench.verdicts.publish(stage.bench.verdict_for(chunk))
    harness.spin_for(0.3)
    assert not stage.controller.goals, 'a late verdict lets nothing go'
    stage.expect_nothing_left()
    assert stage.client.cancel(handle) == 0


def test_a_cancel_after_the_verdict_is_relayed(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    assert stage.client.cancel(handle) == 1
    status, result = stage.client.result(handle)
    assert status == CANCELED
    assert result.error_string == ''
    assert stage.controller.ends[-1][1] == CANCELED
    stage.expect_nothing_left()
    num_before = len(stage.controller.goals)
    harness.spin_for(0.5)
    assert len(stage.controller.goals) == num_before
    stage.bench.states.clear()
    stage.bench.expect_state(GateState.RUNNING)


def test_a_hold_before_the_controller_has_answered_leaves_no_goal(harness):
    """The piece is on the wire, its handle is not known yet: it is cancelled once it is."""
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    node = stage.bench.node
    (goal,) = node._proxy._goals.values()
    harness.spin_until(lambda: goal.piece is not None, 10.0, 'nothing is let go')
    assert goal.piece._handle is None
    node._guarded(lambda now: node._gate.stop('by the test', now).effects)()
    status, result = stage.client.result(handle)
    assert (status, result.error_string) == (ABORTED, 'by the test')
    harness.spin_until(lambda: stage.controller.ends, 5.0, 'an orphaned goal runs')
    assert [end for _, end in stage.controller.ends] == [CANCELED]
    stage.expect_nothing_left()


def test_a_controller_that_ignores_a_cancel_ends_in_a_hold(harness):
    stage = Stage(harness)
    stage.controller.is_cancelling = stage.controller.is_answering = False
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.client.cancel(handle)
    status, result = stage.client.result(handle)
    assert status == CANCELED
    assert 'did not answer a cancel request' in result.error_string
    stage.bench.expect_state(GateState.HOLD)
    assert len(stage.bench.output.expect().points) == 1


def test_a_newer_goal_preempts(harness):
    stage = Stage(harness)
    first = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    second = stage.client.send(stage.client.goal([(0.1, -0.3)], step_s=0.5))
    status, result = stage.client.result(first)
    assert status == ABORTED
    assert 'preempted by a newer goal' in result.error_string
    assert stage.client.result(second)[0] == SUCCEEDED
    assert stage.bench.positions == pytest.approx([0.1, -0.3], abs=0.01)
    stage.expect_nothing_left()


def test_a_controller_that_aborts_is_relayed_with_its_words(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.controller.final_code = stage.client.kind.Result.PATH_TOLERANCE_VIOLATED
    stage.controller.finish(ABORTED, 'joint a is off its path')
    status, result = stage.client.result(handle)
    assert (status, result.error_code) == (ABORTED, -4)
    assert result.error_string == 'the controller aborted the goal; joint a is off its path'
    stage.expect_nothing_left()


def test_a_controller_that_refuses_is_said_in_words(harness):
    stage = Stage(harness)
    stage.controller.is_accepting = False
    status, result = stage.client.result(stage.client.send())
    assert (status, result.error_string) == (ABORTED, 'the controller refused the goal')
    stage.bench.expect_state(GateState.HOLD)
    stage.expect_nothing_left()


def test_an_absent_controller_is_said_at_once(harness):
    stage = Stage(harness, has_controller=False)
    status, result = stage.client.result(stage.client.send())
    assert status == ABORTED
    assert f'no action server on {ACTION}' in result.error_string
    assert all(c.source == 'probe' for c in stage.bench.chunks.received)
    stage.expect_nothing_left()


def test_a_controller_that_goes_away_ends_the_goal(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.controller.close()
    status, result = stage.client.result(handle)
    assert status == ABORTED
    assert 'action server of the controller is gone' in result.error_string
    stage.bench.expect_state(GateState.HOLD)
    assert len(stage.bench.output.expect().points) == 1


def test_a_controller_that_never_ends_a_goal_is_lost(harness):
    stage = Stage(harness, goal_result_timeout=0.5)
    stage.controller.is_answering = False
    status, result = stage.client.result(stage.client.send())
    assert status == ABORTED
    assert 'has not ended a goal whose time is over' in result.error_string
    stage.bench.expect_state(GateState.HOLD)
    stage.expect_nothing_left()


def test_a_goal_that_gets_no_further_ends(harness):
    """Every look ahead is OK but has passed by the time it comes: the arm rests on the way."""
    stage = Stage(harness, goal_result_timeout=0.5)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.bench.change_verdict = lambda verdict: setattr(verdict, 'horizon', 0.001)
    status, result = stage.client.result(handle)
    assert status == ABORTED
    assert 'nothing more of the goal was let go' in result.error_string
    stage.expect_nothing_left()


def test_a_client_that_dies_leaves_no_goal(harness):
    stage = Stage(harness)
    stage.client.client.destroy()
    process = subprocess.Popen(
        [sys.executable, str(GOAL_PROCESS)], stdout=subprocess.PIPE, stdin=subprocess.PIPE,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(GOAL_PROCESS.parents[1]), os.environ['PYTHONPATH']])})
    try:
        stage.wait_let_go(2)
        assert process.stdout.readline() == b'accepted\n'
    finally:
        process.kill()
        process.communicate()
    # The middleware learns of a death without farewell when the lease in fastdds.xml is over.
    harness.spin_until(
        lambda: stage.bench.node._gate.goal is None, 20.0, 'the goal of a dead client runs')
    harness.spin_until(lambda: not stage.controller.is_active, 2.0, 'an orphaned goal runs')
    assert stage.controller.ends[-1][1] == CANCELED
    stage.expect_nothing_left()


def test_an_emergency_stop_and_a_deactivation_end_the_goal(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.bench.stop.publish(Bool(data=True))
    status, result = stage.client.result(handle)
    assert (status, result.error_string) == (ABORTED, 'the emergency_stop topic is true')
    stage.expect_nothing_left()
    status, result = stage.client.result(stage.client.send())
    assert 'the gate is ESTOP' in result.error_string
    assert harness.change_state('wm_gate', Transition.TRANSITION_DEACTIVATE)
    status, result = stage.client.result(stage.client.send())
    assert 'the gate is INACTIVE' in result.error_string
    assert harness.change_state('wm_gate', Transition.TRANSITION_CLEANUP)
    assert harness.tester.count_publishers(f'{ACTION}/_action/status') == 1


def test_deactivation_in_mid_motion_cancels_and_holds(harness):
    stage = Stage(harness)
    handle = stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    assert harness.change_state('wm_gate', Transition.TRANSITION_DEACTIVATE)
    status, result = stage.client.result(handle)
    assert (status, result.error_string) == (ABORTED, 'the gate was deactivated')
    assert len(stage.bench.output.expect().points) == 1
    stage.expect_nothing_left()


@pytest.fixture
def process_stage(harness, tmp_path):
    stage = Stage(harness, params_file=tmp_path / 'gate.yaml')
    yield stage
    stage.bench.stop_process()


def test_a_gate_that_is_killed_leaves_no_more_than_a_horizon_of_motion(process_stage):
    stage = process_stage
    stage.client.send(stage.client.long_goal(5.0))
    stage.wait_let_go(2)
    stage.bench.process.send_signal(signal.SIGKILL)
    rest_s = stage.at_rest_after_s()
    assert rest_s <= 0.8 + 0.2, f'at rest {rest_s:.2f} s after kill -9'
    assert stage.bench.positions[0] < 0.6, 'the goal itself goes on to 1.1 rad'


def test_a_gate_that_is_told_to_stop_ends_the_goal_and_holds(process_stage):
    stage = process_stage
    handle = stage.client.send(stage.client.long_goal(5.0))
    stage.wait_let_go(2)
    result = handle.get_result_async()
    stage.harness.spin_for(0.1)
    stage.bench.process.send_signal(signal.SIGTERM)
    stage.harness.spin_until(lambda: not stage.controller.is_active, 5.0, 'an orphaned goal runs')
    assert stage.controller.ends[-1][1] == CANCELED
    assert len(stage.bench.output.expect().points) == 1, 'the last message is the hold'
    stage.harness.spin_until(
        lambda: stage.bench.process.poll() is not None, 20.0, 'the process does not end')
    assert stage.bench.process.returncode == 0
    del result


def test_an_exception_in_the_gate_ends_the_goal(harness, monkeypatch):
    stage = Stage(harness)
    monkeypatch.setattr(stage.bench.node._gate, 'begin_goal', lambda *_: 1 // 0)
    status, result = stage.client.result(stage.client.send())
    assert status == ABORTED
    assert 'exception in the gate' in result.error_string
    stage.bench.expect_state(GateState.ESTOP)
    stage.expect_nothing_left()


def test_shadow_lets_the_whole_goal_through(harness):
    stage = Stage(harness, mode='shadow')
    stage.bench.decision = Verdict.VETO
    status, result = stage.client.result(stage.client.send(stage.client.long_goal(1.5)))
    assert (status, result.error_string) == (SUCCEEDED, '')
    (sent,) = stage.controller.trajectories()
    assert len(sent.points) == 15
    assert stage.bench.states.expect(lambda m: m.would_hold)
    stage.expect_nothing_left()


def test_tolerances_go_with_every_piece(harness):
    from control_msgs.msg import JointTolerance

    stage = Stage(harness)
    goal = stage.client.goal(
        path_tolerance=[JointTolerance(name='a', position=0.1)],
        goal_tolerance=[JointTolerance(name='b', position=0.2)])
    goal.goal_time_tolerance.sec = 3
    assert stage.client.result(stage.client.send(goal))[0] == SUCCEEDED
    request = stage.controller.goals[0].request
    assert request.path_tolerance == goal.path_tolerance
    assert request.goal_tolerance == goal.goal_tolerance
    assert request.goal_time_tolerance.sec == 3


def test_while_a_goal_runs_no_other_command_goes_out(harness):
    stage = Stage(harness)
    stage.client.send(stage.client.long_goal())
    stage.wait_let_go()
    stage.bench.send()
    stage.bench.states.expect(lambda m: m.rejected == 1)
    assert len(stage.bench.output) == 0


def test_configure_and_clean_up_many_times(harness):
    stage = Stage(harness)
    num_threads = threading.active_count()
    for _ in range(5):
        for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
                           Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            assert harness.change_state('wm_gate', transition)
    assert threading.active_count() == num_threads
    stage.bench.states.clear()
    stage.bench.expect_state(GateState.RUNNING, timeout_s=10.0)
    stage.wait_for_controller()
    handle = stage.client.send()
    assert stage.client.result(handle)[0] == SUCCEEDED
    assert len(stage.controller.goals) == 1


def test_the_action_is_there_only_when_it_is_asked_for(harness):
    stage = Stage(harness)
    harness.spin_until(
        lambda: '/wm_gate/follow_joint_trajectory' in dict(
            get_action_names_and_types(harness.tester)), 5.0, 'no action')
    assert stage.bench.node._proxy is not None
