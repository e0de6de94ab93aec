# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate over real DDS: a tester plays robot driver, predictor and policy.

Time is wall time on a busy machine: everything waits for a condition with a deadline.
"""

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from gate_bench import JOINTS, OUT, Bench
from harness import Harness
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import MarkerArray

from wm_ros.datatypes import Decision, Reason
from wm_ros.gate.values import NS_PER_S, Now
from wm_ros.msg import GateState, Prediction, Verdict
from wm_ros.ros import qos
from wm_ros.ros.gate_node import GateNode
from wm_ros.ros.observer_ledger import Ledger
from wm_ros.ros.predictor_messages import message_to_trajectory
from wm_ros.srv import CheckTrajectory

ROOT = Path(__file__).resolve().parents[2]
HEARTBEAT_PROCESS = Path(__file__).with_name('heartbeat_process.py')
OPTIONAL_TOPICS = {'robot_description_topic': '/robot_description'}


def check_request() -> CheckTrajectory.Request:
    """Make a good question for ~/check_trajectory."""
    request = CheckTrajectory.Request()
    request.trajectory.joint_names = JOINTS
    request.trajectory.points = [JointTrajectoryPoint(positions=[0.15, -0.2])]
    request.trajectory.points[0].time_from_start.nanosec = 100_000_000
    return request


def carry_out_late(bench, monkeypatch, **changes):
    """Change what verdicts say, and let the gate stand still between decision and publisher."""
    gate, read_clock, delays_s = bench.node._gate, bench.node._now, []

    def decide(verdict, now, take_verdict=gate.take_verdict):
        # Verdicts of the bench are valid for 5 s.
        delays_s.append(6)
        return take_verdict(replace(verdict, **changes), now)

    def read_later():
        now, late_s = read_clock(), delays_s.pop() if delays_s else 0
        return Now(now.steady_ns, now.ros_ns + late_s * NS_PER_S)

    monkeypatch.setattr(gate, 'take_verdict', decide)
    monkeypatch.setattr(bench.node, '_now', read_later)


@pytest.fixture
def harness():
    with Harness() as value:
        yield value


def test_releases_with_a_matching_ok(harness):
    bench = Bench(harness).arm()
    assert len(bench.output) == 0, 'arming publishes nothing'
    bench.send()
    out = bench.output.expect()
    assert out.joint_names == JOINTS
    assert [list(p.positions) for p in out.points] == [[0.15, -0.2], [0.2, -0.2]]
    assert out.header.stamp.sec == 0
    state = bench.states.expect(lambda m: m.forwarded == 1)
    assert state.enforcing
    assert state.decision_ms > 0


def test_a_gate_that_stood_still_between_decision_and_publisher_holds(harness, monkeypatch):
    bench = Bench(harness).arm()
    carry_out_late(bench, monkeypatch)
    bench.send()
    state = bench.expect_state(GateState.HOLD)
    assert state.reasons & Reason.DEADLINE
    assert 'before the command could be published' in state.message
    assert list(bench.output.expect().points[0].positions) == bench.positions
    assert len(bench.output) == 0


def test_a_hold_is_out_before_the_state_says_so(harness, monkeypatch):
    """One event may change the state twice: here a release that is slow, and too late."""
    bench = Bench(harness).arm()
    bench.send()
    bench.output.expect()
    outputs, sent = bench.node._outputs, []

    def note(publisher, name):
        publish = publisher.publish
        monkeypatch.setattr(publisher, 'publish', lambda message: (
            sent.append(name(message)), publish(message)))

    note(outputs._command, lambda message: 'hold')
    note(outputs._state, lambda message: message.state)
    carry_out_late(bench, monkeypatch, decision=Decision.SLOW, speed_factor=0.5)
    bench.send()
    bench.expect_state(GateState.HOLD)
    until = sent.index('hold')
    assert GateState.SLOW in sent[:until]
    assert GateState.HOLD not in sent[:until]
    assert sent[until + 1] == GateState.HOLD


def test_verdict_with_another_digest_releases_nothing(harness):
    bench = Bench(harness).arm()
    bench.change_verdict = lambda verdict: setattr(verdict, 'digest', list(range(16)))
    bench.send()
    state = bench.expect_state(GateState.HOLD)
    assert state.reasons & Reason.BAD_COMMAND
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.output.expect_none()


def test_old_duplicate_and_foreign_verdicts_release_nothing(harness):
    bench = Bench(harness).arm()
    bench.send()
    bench.output.expect()
    chunk = bench.expect_chunk()
    bench.verdicts.publish(bench.verdict_for(chunk))
    chunk.chunk_id += 1
    bench.verdicts.publish(bench.verdict_for(chunk))
    bench.output.expect_none()
    bench.states.clear()
    assert bench.expect_state(GateState.RUNNING).forwarded == 1


def test_nan_command_is_never_forwarded(harness):
    bench = Bench(harness).arm()
    bench.send(((float('nan'), 0.0),))
    state = bench.expect_state(GateState.HOLD)
    assert state.reasons & Reason.BAD_COMMAND
    assert 'position of a at point 0 is nan' in state.message
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.output.expect_none()


def test_wrong_joint_names_are_refused_with_words(harness):
    bench = Bench(harness).arm()
    bench.send(names=['a', 'elbow'])
    state = bench.expect_state(GateState.HOLD)
    assert "unknown ['elbow'], missing ['b']" in state.message
    assert state.rejected == 1
    assert bench.chunks.received == type(bench.chunks.received)(
        c for c in bench.chunks.received if c.source == 'probe')


def test_permuted_joints_are_put_in_order(harness):
    bench = Bench(harness).arm()
    bench.send(((-0.2, 0.15),), names=['b', 'a'])
    out = bench.output.expect()
    assert out.joint_names == ['a', 'b']
    assert list(out.points[0].positions) == [0.15, -0.2]


def test_late_verdict_is_a_deadline(harness):
    bench = Bench(harness, decision_timeout=0.2).arm()
    bench.is_answering = False
    bench.send()
    chunk = bench.expect_chunk()
    state = bench.expect_state(GateState.HOLD)
    assert state.reasons & Reason.DEADLINE
    assert state.deadline_missed == 1
    bench.output.expect()
    bench.verdicts.publish(bench.verdict_for(chunk))
    bench.output.expect_none()


def test_veto_publishes_one_hold_at_the_measured_position(harness):
    bench = Bench(harness).arm()
    veto = harness.mailbox('/wm_gate/veto', Bool, qos.VETO)
    bench.decision = Verdict.VETO
    bench.send()
    out = bench.output.expect()
    assert [list(p.positions) for p in out.points] == [[0.1, -0.2]]
    state = bench.expect_state(GateState.HOLD)
    assert 'risk 0.9 at step 3' in state.message
    veto.expect(lambda m: m.data)
    bench.send()
    bench.output.expect_none()
    bench.decision = Verdict.OK
    bench.send()
    bench.expect_state(GateState.RUNNING)
    assert len(bench.output.expect().points) == 2
    veto.expect(lambda m: not m.data)


def test_kill_of_the_predictor_holds_within_250_ms(harness):
    bench = Bench(harness, is_beating=False, heartbeat_timeout=0.2)
    process = subprocess.Popen(
        [sys.executable, str(HEARTBEAT_PROCESS)], stdin=subprocess.PIPE, env=dict(os.environ))
    try:
        bench.start()
        bench.expect_state(GateState.RUNNING, timeout_s=20.0)
        process.send_signal(signal.SIGKILL)
        killed_at = time.monotonic()
        bench.states.clear()
        bench.output.clear()
        harness.spin_until(lambda: len(bench.output), 3.0, 'no hold')
        took = bench.output.received_at[0] - killed_at
        state = bench.expect_state(GateState.HOLD)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
    assert state.reasons & Reason.PREDICTOR_LOST
    assert list(bench.output.expect().points[0].positions) == bench.positions
    assert took <= 0.25, f'hold {1e3 * took:.0f} ms after kill -9'


def test_late_joiner_gets_the_state_and_no_command(harness):
    bench = Bench(harness).arm()
    bench.send()
    bench.output.expect()
    late_state = harness.mailbox('/wm_gate/state', GateState, qos.GATE_STATE_IN)
    late_output = harness.mailbox(OUT, JointTrajectory, qos.COMMAND_OUT)
    late_state.expect()
    late_output.expect_none()


def test_estop_latches_and_clears_when_its_cause_is_gone(harness):
    bench = Bench(harness).arm()
    bench.stop.publish(Bool(data=True))
    bench.expect_state(GateState.ESTOP)
    assert len(bench.output.expect().points) == 1
    refused = harness.call(Trigger, '/wm_gate/clear_emergency_stop', Trigger.Request())
    assert not refused.success
    assert 'still true' in refused.message
    bench.send()
    bench.output.expect_none()
    bench.stop.publish(Bool(data=False))
    harness.spin_until(
        lambda: harness.call(
            Trigger, '/wm_gate/clear_emergency_stop', Trigger.Request()).success,
        5.0, 'the e-stop cannot be cleared')
    bench.expect_state(GateState.RUNNING)
    assert harness.call(Trigger, '/wm_gate/emergency_stop', Trigger.Request()).success
    bench.expect_state(GateState.ESTOP)


def test_disengage_holds(harness):
    bench = Bench(harness).arm()
    assert harness.call(SetBool, '/wm_gate/engage', SetBool.Request(data=False)).success
    assert bench.expect_state(GateState.HOLD).reasons & Reason.NOT_ENGAGED
    assert len(bench.output.expect().points) == 1


def test_deactivate_ends_with_the_hold_and_inactive_is_mute(harness):
    bench = Bench(harness).arm()
    bench.send()
    bench.output.expect(lambda m: len(m.points) == 2)
    assert harness.change_state('wm_gate', Transition.TRANSITION_DEACTIVATE)
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.expect_state(GateState.INACTIVE)
    bench.send()
    bench.output.expect_none()
    assert harness.change_state('wm_gate', Transition.TRANSITION_CLEANUP)
    bench.harness.spin_until(
        lambda: harness.tester.count_publishers(OUT) == 0, 5.0, 'publishers remain')


def test_a_moving_arm_brakes_and_an_observer_knows_it_for_a_hold(harness):
    bench = Bench(harness, acceleration_limit=[4.0, 4.0]).arm()
    bench.velocities = [0.4, 0.0]
    joints = harness.mailbox('/joint_states', JointState, qos.JOINT_STATES)
    joints.expect(lambda m: m.velocity[0] == 0.4)
    assert harness.change_state('wm_gate', Transition.TRANSITION_DEACTIVATE)
    path = message_to_trajectory(bench.output.expect(lambda m: len(m.points[0].velocities)))
    ledger = Ledger()
    ledger.take_joints(
        tuple(JOINTS), np.array(bench.positions), 1, np.array(bench.velocities))
    ledger.take_output(path, 2)
    ledger.settle(is_final=True)
    assert (ledger.num_holds, ledger.unverified) == (1, [])
    # By hand: 0.4 / 4 s, in which it goes on by 0.02 rad; and as long as the joints are old.
    assert path.times == pytest.approx([0.1])
    assert path.positions[0, 0] >= 0.1 + 0.02 - 1e-9
    assert path.positions[0, 1] == -0.2
    assert not path.velocities[-1].any()


def test_shadow_forwards_and_reports_would_hold(harness):
    bench = Bench(harness, mode='shadow')
    bench.decision = Verdict.VETO
    bench.start()
    bench.states.expect(lambda m: m.state == GateState.RUNNING and not m.would_hold)
    bench.send()
    assert len(bench.output.expect().points) == 2
    state = bench.states.expect(lambda m: m.would_hold)
    assert not state.enforcing
    assert state.state == GateState.RUNNING
    assert state.reasons & Reason.RISK
    bench.output.expect_none()


def test_bypass_counts_only_while_it_is_published(harness):
    bench = Bench(harness, allow_bypass=True, bypass_timeout=1.0).arm()
    bench.is_answering = False
    thumb = harness.tester.create_timer(0.05, lambda: bench.bypass.publish(Bool(data=True)))
    bench.expect_state(GateState.BYPASS)
    bench.send()
    bench.output.expect(lambda m: len(m.points) == 2)
    thumb.cancel()
    bench.expect_state(GateState.HOLD)
    assert len(bench.output.expect().points) == 1


def test_check_trajectory_answers_and_releases_nothing(harness):
    bench = Bench(harness).arm()
    bench.decision = Verdict.VETO
    request = check_request()
    answer = harness.call(CheckTrajectory, '/wm_gate/check_trajectory', request)
    assert answer.success
    assert answer.verdict.decision == Verdict.VETO
    assert bench.chunks.expect(lambda m: m.source == 'check_trajectory')
    bench.states.clear()
    assert bench.expect_state(GateState.RUNNING).vetoed == 0
    bench.output.expect_none()
    request.trajectory.joint_names = ['a']
    answer = harness.call(CheckTrajectory, '/wm_gate/check_trajectory', request)
    assert not answer.success
    assert "missing ['b']" in answer.message


def test_check_without_a_verdict_gives_up_and_blocks_nobody(harness):
    bench = Bench(harness, check_timeout=2.0).arm()
    bench.is_answering = False
    request = check_request()
    bench.states.clear()
    answer = harness.call(CheckTrajectory, '/wm_gate/check_trajectory', request)
    assert not answer.success
    assert 'no verdict within 2.0 s' in answer.message
    # 10 Hz, were the machine ours.
    assert len(bench.states) >= 3, 'the state did not go on'


def test_velocity_setpoints_end_in_zeros(harness):
    bench = Bench(
        harness, command_out_type='std_msgs/msg/Float64MultiArray',
        command_interface='velocity').arm()
    bench.arrays.publish(Float64MultiArray(data=[0.2, -0.2]))
    assert list(bench.output.expect().data) == [0.2, -0.2]
    assert list(bench.output.expect().data) == [0.0, 0.0]
    bench.arrays.publish(Float64MultiArray(data=[0.2]))
    assert '1 numbers for 2 joints' in bench.expect_state(GateState.HOLD).message
    assert list(bench.output.expect().data) == [0.0, 0.0]


def test_position_setpoint_is_forwarded_as_it_came(harness):
    bench = Bench(harness, command_out_type='std_msgs/msg/Float64MultiArray').arm()
    bench.arrays.publish(Float64MultiArray(data=[0.15, -0.25]))
    assert list(bench.output.expect().data) == [0.15, -0.25]
    assert len(bench.expect_chunk().trajectory.points) == 8
    bench.arrays.publish(Float64MultiArray(data=[float('nan'), 0.0]))
    assert list(bench.output.expect().data) == bench.positions


def test_exception_in_a_callback_ends_in_hold_then_estop(harness, monkeypatch):
    bench = Bench(harness).arm()
    seen = []
    monkeypatch.setattr(
        bench.node._gate, 'judge_verdict', lambda *_: seen.append(1) or 1 // 0)
    bench.send()
    state = bench.expect_state(GateState.ESTOP)
    assert 'ZeroDivisionError' in state.message
    assert seen
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.states.clear()
    bench.states.expect()
    assert harness.call(Trigger, '/wm_gate/clear_emergency_stop', Trigger.Request()).success


def test_diagnostics_carry_the_figures(harness):
    bench = Bench(harness)
    box = harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    bench.arm()
    message = box.expect(
        lambda m: any(v.value == 'RUNNING' for v in m.status[0].values), timeout_s=5.0)
    status = message.status[0]
    keys = {value.key for value in status.values}
    assert {'state', 'joint_age_s', 'decision_ms_p99', 'forwarded', 'deadline_missed'} <= keys
    assert status.level == b'\x00'
    harness.publisher(OUT, JointTrajectory, qos.COMMAND_OUT)
    message = box.expect(lambda m: m.status[0].level == b'\x02', timeout_s=5.0)
    assert f'1 other publishers write {OUT}' in message.status[0].message


def test_whoever_comes_late_sees_the_marker(harness):
    """Markers are made only while somebody looks, and not only when the state changes."""
    Bench(harness).arm()
    box = harness.mailbox('/wm_gate/markers', MarkerArray, qos.MARKERS)
    message = box.expect(lambda m: m.markers[0].text.startswith('RUNNING'), timeout_s=5.0)
    assert message.markers[0].header.frame_id == 'base_link'


def test_commands_are_volatile_and_reliable(harness):
    bench = Bench(harness).start()
    (info,) = [i for i in harness.tester.get_publishers_info_by_topic(OUT)]
    assert info.qos_profile.durability == qos.COMMAND_OUT.durability
    assert info.qos_profile.durability.name == 'VOLATILE'
    assert bench.node.get_name() == 'wm_gate'


@pytest.mark.parametrize(('parameters', 'words'), [
    ({'joint_names': Parameter.Type.NOT_SET}, 'joint_names'),
    ({'use_sim_time': True}, 'allow_sim_time'),
    ({'position_lower': [0.0], 'position_upper': [1.0]}, 'position_lower has 1 values'),
])
def test_configure_fails_with_words(harness, parameters, words):
    values = {'joint_names': JOINTS, **parameters}
    node = harness.add(GateNode(context=harness.context, parameter_overrides=[
        Parameter(name, value=value) for name, value in values.items()
        if value is not Parameter.Type.NOT_SET]))
    assert not harness.change_state('wm_gate', Transition.TRANSITION_CONFIGURE)
    assert harness.state('wm_gate') == 'unconfigured'
    assert words in node.last_error


def test_check_returns_the_frames_that_were_drawn_for_it(harness):
    bench = Bench(harness)
    predictions = harness.tester.create_publisher(
        Prediction, '/wm_predictor/prediction', qos.PREDICTION)
    bench.arm()
    bench.change_verdict = lambda verdict: predictions.publish(
        Prediction(chunk_id=verdict.chunk_id, risk=[0.25]))
    request = check_request()
    request.return_frames = True
    answer = harness.call(CheckTrajectory, '/wm_gate/check_trajectory', request)
    assert answer.success
    assert list(answer.prediction.risk) == [0.25]
    harness.spin_until(
        lambda: predictions.get_subscription_count() == 0, 5.0, 'the subscription remains')


def test_docstring_is_the_live_interface(harness):
    has_jogs = importlib.util.find_spec('control_msgs') is not None
    bench = Bench(harness, tip_link='tip', enable_joint_jog=has_jogs, **OPTIONAL_TOPICS).start()
    promised = set(re.findall(r'^\s+\* ``(\S+?)``|``(~/\S+?)``', GateNode.__doc__, re.MULTILINE))
    promised = {(a or b).replace('~', '/wm_gate') for a, b in promised}
    named = {'command_out_topic': OUT, **OPTIONAL_TOPICS}
    promised = {named.get(n) or f'/{n.lstrip("/")}' for n in promised}
    # The action has a test file of its own, with the messages that it needs.
    promised.remove('/wm_gate/follow_joint_trajectory')
    # So has the factor on speed.
    promised.remove('/speed_scaling_topic')
    if not has_jogs:
        promised.remove('/wm_gate/delta_joint_cmds')
    node = bench.node
    live = {name for name, _ in node.get_publisher_names_and_types_by_node('wm_gate', '/')}
    live |= {name for name, _ in node.get_subscriber_names_and_types_by_node('wm_gate', '/')}
    live |= {name for name, _ in node.get_service_names_and_types_by_node('wm_gate', '/')}
    own = {'/rosout', '/parameter_events', '/clock', '/wm_gate/transition_event'}
    live = {n for n in live - own if not re.search(r'param|/(change|get)_|type_desc', n)}
    assert live == promised


def test_configure_and_clean_up_many_times(harness):
    Bench(harness)
    num_threads = threading.active_count()
    for _ in range(5):
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
                           Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
            assert harness.change_state('wm_gate', transition)
    assert harness.tester.count_publishers(OUT) == 0
    assert threading.active_count() == num_threads


def test_one_part_that_cannot_be_closed_keeps_no_other_open(harness, monkeypatch):
    bench = Bench(harness).start()
    outputs = bench.node._outputs
    close = outputs.close

    def close_and_raise():
        close()
        raise RuntimeError('cannot be closed')

    monkeypatch.setattr(outputs, 'close', close_and_raise)
    assert harness.change_state('wm_gate', Transition.TRANSITION_DEACTIVATE)
    harness.change_state('wm_gate', Transition.TRANSITION_CLEANUP)
    gone = {'wm_gate/check_trajectory', 'wm_gate/engage', 'wm_gate/state', OUT[1:]}
    own = {name.lstrip('/') for by_node in (
        bench.node.get_service_names_and_types_by_node,
        bench.node.get_publisher_names_and_types_by_node) for name, _ in by_node('wm_gate', '/')}
    assert not gone & own
    assert bench.node._gate is None


def test_tunable_settings_change_while_running_and_structural_ones_do_not(harness):
    bench = Bench(harness).arm()
    results = bench.node.set_parameters([
        Parameter('decision_timeout', value=0.25), Parameter('mode', value='shadow'),
        Parameter('joint_state_timeout', value=0.0)])
    assert [r.successful for r in results] == [True, False, False]
    assert 'clean the node up' in results[1].reason
    # The gate takes the settings with its next tick, whenever that is.
    gate = bench.node._gate
    harness.spin_until(lambda: gate.config.decision_timeout == 0.25, 5.0, 'never taken')
    assert (gate.config.mode, gate.config.joint_state_timeout) == ('enforce', 2.0)
    bench.is_answering = False
    bench.send()
    chunk = bench.expect_chunk()
    stamps = [s.sec * NS_PER_S + s.nanosec for s in (chunk.header.stamp, chunk.decide_by)]
    assert stamps[1] - stamps[0] == 250_000_000


def start_process(*arguments: str) -> subprocess.Popen:
    """Start wm_gate with the deployed settings."""
    return subprocess.Popen(
        [sys.executable, '-m', 'wm_ros.ros.gate_node', '--ros-args', '--params-file',
         str(ROOT / 'config/wm_gate.yaml'), *arguments],
        cwd=ROOT, stderr=subprocess.PIPE, text=True)


def test_process_with_deployed_settings_ends_with_the_hold_on_sigterm(harness):
    process = start_process('-p', 'mode:=shadow')
    try:
        names = harness.tester
        output = harness.mailbox('/arm_controller/joint_trajectory', JointTrajectory, 10)
        joints = harness.publisher('/joint_states', JointState, qos.JOINT_STATES_OUT)
        so101 = ['shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll',
                 'gripper']

        def publish() -> None:
            message = JointState(name=so101, position=[0.5] * 6)
            message.header.stamp = names.get_clock().now().to_msg()
            joints.publish(message)

        names.create_timer(0.02, publish)
        harness.spin_until(lambda: 'wm_gate' in names.get_node_names(), 30.0, 'no wm_gate')
        harness.configure_and_activate('wm_gate')
        harness.wait_matched(10.0)
        state = harness.mailbox('/wm_gate/state', GateState, qos.GATE_STATE_IN)
        state.expect(lambda m: 0.0 <= m.joint_age < 0.1, timeout_s=15.0)
        # Twice, as an impatient operator does: the second must not cut the goodbye short.
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        hold = output.expect(timeout_s=10.0)
        assert list(hold.points[0].positions) == [0.5] * 6
        harness.spin_until(lambda: process.poll() is not None, 20.0, 'does not end')
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(('arguments', 'words'), [
    (['-p', 'release_counts:=3'], 'did you mean release_count'),
    (['-p', 'joint_state_timeout:=0.0'], 'joint_state_timeout'),
    (['--params-file', 'missing.yaml'], 'missing.yaml'),
])
def test_wrong_command_line_ends_in_words_and_exit_code_2(arguments, words):
    process = start_process(*arguments)
    try:
        _, errors = process.communicate(timeout=30.0)
    finally:
        process.kill()
    assert process.returncode == 2
    assert words in errors
