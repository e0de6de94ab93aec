# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The injector for graphs of one's own: relays, spoils one stream for a while, says what came."""

import math

import numpy as np
import pytest
from harness import Harness
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.datatypes import Reason
from wm_ros.msg import GateState
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.faults_injector import FaultInjector
from wm_ros.ros.faults_messages import make_injection
from wm_ros.ros.parameters import ParameterError
from wm_ros.ros.predictor_messages import ns_to_stamp

SIDE = '/fault_injection'
READY = GateState(state=GateState.RUNNING)


def picture(value, stamp_s=100):
    return array_to_image(np.full((8, 12, 3), value, np.uint8),
                          stamp=ns_to_stamp(stamp_s * 10**9), frame_id='camera')


def command():
    return JointTrajectory(joint_names=['a', 'b'], points=[
        JointTrajectoryPoint(positions=[0.1, 0.2]), JointTrajectoryPoint(positions=[0.3, 0.4])])


def make(harness, fault, **parameters):
    values = {'fault': fault, 'after': 0.0, 'duration': 60.0, **parameters}
    return harness.add(FaultInjector(
        context=harness.context, namespace=SIDE, parameter_overrides=[
            Parameter(name, value=value) for name, value in values.items()]))


class Bench:
    """The user's graph on one side, the guard in shadow on the other."""

    def __init__(self, harness, fault, **parameters):
        self.harness, self.node = harness, make(harness, fault, **parameters)
        self.camera = harness.publisher('/camera/image_raw', Image, qos.CAMERA_OUT)
        self.joints = harness.publisher('/joint_states', JointState, qos.JOINT_STATES_OUT)
        self.commands = harness.publisher(
            '/wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_OUT)
        self.state = harness.publisher(f'{SIDE}/wm_gate/state', GateState, qos.GATE_STATE)
        self.seen = harness.mailbox(f'{SIDE}/camera/image_raw', Image, 10)
        self.joints_seen = harness.mailbox(f'{SIDE}/joint_states', JointState, 10)
        self.commands_seen = harness.mailbox(
            f'{SIDE}/wm_gate/joint_trajectory', JointTrajectory, 10)
        harness.wait_matched()

    def begin(self):
        """Let the guard be ready and wait until the fault is on."""
        self.state.publish(READY)
        self.harness.spin_until(lambda: self.node._is_on, 5.0, 'the fault does not begin')


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


def test_everything_is_passed_on_as_it_comes_until_the_guard_is_ready(harness):
    bench = Bench(harness, 'camera-stops')
    bench.state.publish(GateState(state=GateState.RUNNING, would_hold=True))
    bench.camera.publish(picture(7))
    assert bytes(bench.seen.expect().data) == bytes(picture(7).data)
    bench.commands.publish(command())
    assert bench.commands_seen.expect() == command()
    assert not bench.node._is_on


def test_only_the_stream_of_the_fault_is_spoilt(harness):
    bench = Bench(harness, 'joints-nan')
    bench.begin()
    bench.joints.publish(JointState(name=['a'], position=[1.0]))
    assert math.isnan(bench.joints_seen.expect().position[0])
    bench.camera.publish(picture(7))
    assert bytes(bench.seen.expect().data) == bytes(picture(7).data)


def test_a_hold_with_the_right_reason_keeps_the_promise_and_no_other(harness):
    bench = Bench(harness, 'camera-stops')
    bench.begin()
    bench.camera.publish(picture(7))
    bench.seen.expect_none()
    bench.state.publish(GateState(
        state=GateState.RUNNING, would_hold=True, reasons=int(Reason.RISK)))
    harness.spin_for(0.3)
    assert bench.node.outcome is None
    bench.state.publish(GateState(
        state=GateState.RUNNING, would_hold=True, reasons=int(Reason.STALE_IMAGE)))
    harness.spin_until(lambda: bench.node.outcome, 5.0, 'no outcome')
    assert bench.node.outcome.held
    assert 'STALE_IMAGE' in bench.node.outcome.measured


def test_without_a_hold_the_promise_is_broken_and_the_fault_ends(harness):
    bench = Bench(harness, 'camera-stops', duration=0.5)
    bench.state.publish(READY)
    harness.spin_until(lambda: bench.node.outcome, 10.0, 'no outcome')
    assert not bench.node.outcome.held
    bench.camera.publish(picture(7))
    bench.seen.expect()


def test_each_change_is_what_it_says():
    frozen, slow = make_injection('camera-frozen'), make_injection('camera-slow')
    assert bytes(frozen.change(picture(1)).data) == bytes(picture(1).data)
    again = frozen.change(picture(2, stamp_s=101))
    assert (bytes(again.data), again.header.stamp.sec) == (bytes(picture(1).data), 101)
    assert sum(slow.change(picture(1)) is not None for _ in range(20)) == 4
    assert make_injection('camera-stamps').change(picture(1)).header.stamp.sec == 90
    cropped = make_injection('camera-changes').change(picture(1))
    assert (cropped.height, len(cropped.data)) == (4, 4 * 12 * 3)
    spoilt = make_injection('camera-malformed').change(picture(1))
    assert spoilt.step * spoilt.height != len(spoilt.data)
    assert make_injection('joints-stop').change(JointState()) is None
    assert math.isnan(make_injection('command-not-finite').change(
        command()).points[-1].positions[0])
    assert make_injection('command-malformed').change(command()).joint_names[0] != 'a'


@pytest.mark.parametrize(('fault', 'parameters', 'text'), [
    ('', {}, 'parameter fault is not set'),
    ('predictor-killed', {}, "'predictor-killed'; a graph of your own can be given camera-stops"),
    ('camera-stops', {'camera_topic': 'camera/image_raw'}, 'start it in a namespace'),
])
def test_what_cannot_be_done_is_refused(harness, fault, parameters, text):
    with pytest.raises(ParameterError, match=text):
        make(harness, fault, **parameters)
