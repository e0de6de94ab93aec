# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Jogs, twists and chunks of a policy over DDS, under MoveIt Servo's names."""

import math
import sys

import pytest
from arm_urdf import planar_urdf
from gate_bench import JOINTS, OUT, Bench
from geometry_msgs.msg import TwistStamped
from harness import Harness
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter

from wm_ros.datatypes import Reason
from wm_ros.msg import GateState, PolicyChunk, Verdict
from wm_ros.ros import qos
from wm_ros.ros.gate_node import GateNode
from wm_ros.ros.gate_requests import load_speed_scaling

pytestmark = pytest.mark.control_msgs


@pytest.fixture
def harness():
    with Harness() as value:
        yield value


@pytest.fixture
def arm(tmp_path):
    """Give the settings of a gate with the planar arm."""
    path = tmp_path / 'arm.urdf'
    path.write_text(planar_urdf())
    return {'robot_description_file': str(path), 'tip_link': 'tip', 'cartesian_axes': ['tx', 'ty'],
            'max_step': 1.0}


def twist(x=0.0, y=0.1, frame_id='base') -> TwistStamped:
    """Make a twist."""
    message = TwistStamped()
    message.header.frame_id = frame_id
    message.twist.linear.x, message.twist.linear.y = x, y
    return message


def expect_hold(bench: Bench, words: str) -> None:
    """Expect one hold at the measured position, and its reason."""
    state = bench.expect_state(GateState.HOLD)
    assert words in state.message
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.output.expect_none()


def test_a_chunk_of_targets_is_judged_and_released(harness):
    bench = Bench(harness)
    chunks = harness.publisher('/wm_gate/action_chunk_in', PolicyChunk, qos.COMMAND_IN)
    bench.arm()
    chunks.publish(PolicyChunk(action_size=2, actions=[0.15, -0.2, 0.2, -0.2], step=0.05))
    out = bench.output.expect()
    assert [list(p.positions) for p in out.points] == [[0.15, -0.2], [0.2, -0.2]]
    assert [p.time_from_start.nanosec for p in out.points] == [50_000_000, 100_000_000]
    assert bench.expect_chunk().source == 'action_chunk_in'
    bench.decision = Verdict.VETO
    chunks.publish(PolicyChunk(action_size=2, actions=[0.15, -0.2]))
    expect_hold(bench, 'risk 0.9')
    bench.decision = Verdict.OK
    for number, bad in enumerate((
            {'action_size': 2, 'actions': [math.nan, -0.2]},
            {'action_size': 3, 'actions': [0.1, 0.2]},
            {'action_size': 2, 'tokens': [2**62, -2**62]},
            {'action_size': 2, 'actions': [0.1, -0.2], 'action_space': 'openvla'})):
        chunks.publish(PolicyChunk(**bad))
        bench.states.expect(lambda m, wanted=number + 1: m.rejected == wanted)
    bench.output.expect_none()


def test_tokens_of_a_vla_move_the_tip(harness, tmp_path, arm):
    path = tmp_path / 'spaces.yaml'
    path.write_text('''
default: vla
spaces:
  - name: vla
    kind: cartesian
    reference: previous
    step: 0.1
    numbers: [x, y, z, roll, pitch, yaw, ignore]
    normalisation: q01_q99
    tokens: {scheme: openvla}
    statistics:
      q01: [-0.02, -0.02, -0.02, -0.1, -0.1, -0.1, 0.0]
      q99: [0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 1.0]
''')
    bench = Bench(harness, action_space_file=str(path), **arm)
    chunks = harness.publisher('/wm_gate/action_chunk_in', PolicyChunk, qos.COMMAND_IN)
    bench.positions = [0.3, 1.0]
    bench.arm()
    middle, top = 32000 - 128, 32000 - 255
    chunks.publish(PolicyChunk(action_size=7, tokens=[middle, top, *[middle] * 5] * 2))
    out = bench.output.expect()
    places = [0.5 * math.sin(a) + 0.3 * math.sin(a + b)
              for a, b in ([0.3, 1.0], *(p.positions for p in out.points))]
    moved = 0.02 * (1 - 1 / 255)
    assert [places[1] - places[0], places[2] - places[1]] == pytest.approx(
        [moved, moved], abs=2.5e-3)
    chunks.publish(PolicyChunk(action_size=7, tokens=[7] * 7))
    expect_hold(bench, 'token 7 of target 0, number 0 is none of 31744 to 31999')


def test_a_twist_moves_the_tip_and_a_singular_one_holds(harness, arm):
    bench = Bench(harness, **arm)
    twists = harness.publisher('/wm_gate/delta_twist_cmds', TwistStamped, qos.COMMAND_IN)
    bench.positions = [0.3, 1.0]
    bench.arm()
    twists.publish(twist())
    out = bench.output.expect()
    assert len(out.points) == 8
    assert list(out.points[-1].velocities) == [0.0, 0.0]
    a, b = out.points[0].positions
    moved = 0.5 * math.sin(a) + 0.3 * math.sin(a + b) - 0.5 * math.sin(0.3) - 0.3 * math.sin(1.3)
    assert moved == pytest.approx(0.01, abs=5e-4)
    twists.publish(twist(frame_id='camera'))
    expect_hold(bench, "frame_id is 'camera'; expected a link of the URDF")
    bench.positions = [0.3, 0.0]
    harness.spin_for(0.1)
    twists.publish(twist(x=0.1 * math.cos(0.3), y=0.1 * math.sin(0.3)))
    bench.states.expect(lambda m: 'a singularity' in m.message)
    bench.output.expect_none()


def test_a_jog_moves_the_named_joint(harness):
    from control_msgs.msg import JointJog

    bench = Bench(harness, enable_joint_jog=True)
    jogs = harness.publisher('/wm_gate/delta_joint_cmds', JointJog, qos.COMMAND_IN)
    bench.arm()
    jogs.publish(JointJog(joint_names=['b'], velocities=[0.1]))
    out = bench.output.expect()
    assert list(out.points[0].positions) == pytest.approx([0.1, -0.19])
    assert list(out.points[0].velocities) == [0.0, 0.1]
    jogs.publish(JointJog(joint_names=['b'], displacements=[0.05]))
    assert list(bench.output.expect().points[0].positions) == pytest.approx([0.1, -0.15])
    jogs.publish(JointJog(joint_names=['elbow'], velocities=[0.1]))
    expect_hold(bench, "a jog of ['elbow']")


def test_requests_before_arming_or_in_estop_go_nowhere(harness):
    bench = Bench(harness)
    chunks = harness.publisher('/wm_gate/action_chunk_in', PolicyChunk, qos.COMMAND_IN)
    good = PolicyChunk(action_size=2, actions=[0.15, -0.2])
    bench.is_answering = False
    bench.start()
    chunks.publish(good)
    bench.expect_state(GateState.RUNNING, timeout_s=10.0)
    assert len(bench.output) == 0
    bench.is_answering = True
    bench.stop.publish(bench.stop.msg_type(data=True))
    assert bench.expect_state(GateState.ESTOP).reasons & Reason.ESTOP
    bench.output.clear()
    chunks.publish(good)
    bench.output.expect_none()


def test_a_controller_that_scales_commands_is_told_the_speed_and_gets_its_own(harness):
    from control_msgs.msg import SpeedScalingFactor
    topic = '/controller/speed_scaling_input'
    bench = Bench(harness, speed_scaling_topic=topic)
    factors = harness.mailbox(topic, SpeedScalingFactor, qos.SPEED_SCALING)
    bench.arm()
    assert factors.expect().factor == 1.0
    bench.decision = Verdict.SLOW
    bench.change_verdict = lambda verdict: setattr(verdict, 'speed_factor', 0.5)
    state = None
    while state is None or state.state != GateState.SLOW:
        bench.send()
        bench.expect_chunk()
        state = bench.states.expect(lambda m: m.state == GateState.SLOW or m.message)
    assert factors.expect().factor == 0.5
    # Points 0.1 s apart as they came: the controller slows them.
    assert [p.time_from_start.nanosec for p in bench.output.expect().points] == [
        100_000_000, 200_000_000]
    bench.decision = Verdict.VETO
    bench.change_verdict = lambda verdict: None
    bench.send()
    assert factors.expect().factor == 1.0
    assert list(bench.output.expect().points[0].positions) == bench.positions


def test_without_the_message_the_setting_is_refused_by_name(harness, monkeypatch):
    monkeypatch.setitem(sys.modules, 'control_msgs.msg', None)
    with pytest.raises(ValueError, match='speed_scaling_topic needs SpeedScalingFactor'):
        load_speed_scaling()


def test_a_configure_that_fails_for_it_leaves_no_publisher_behind(harness, monkeypatch):
    """The next gate counted the one that was left as another writer of the controller's topic."""
    monkeypatch.setitem(sys.modules, 'control_msgs.msg', None)
    node = harness.add(GateNode(context=harness.context, parameter_overrides=[
        Parameter(name, value=value) for name, value in (
            ('joint_names', JOINTS), ('command_out_topic', OUT),
            ('speed_scaling_topic', '/scaling'))]))
    assert not harness.change_state('wm_gate', Transition.TRANSITION_CONFIGURE)
    assert 'speed_scaling_topic needs' in node.last_error
    assert OUT not in dict(node.get_publisher_names_and_types_by_node('wm_gate', '/'))
