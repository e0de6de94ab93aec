# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and delays of topics under the keys that greenwave_monitor's dashboards read."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fake_judge import JOINTS, FakeJudge
from harness import Harness
from predictor_bench import Bench
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState

from wm_ros.msg import PredictorStatus
from wm_ros.ros import qos, topic_rate
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.gate_node import GateNode
from wm_ros.ros.predictor_messages import ns_to_stamp
from wm_ros.ros.topic_rate import TopicRate
from wm_ros.ros.visualizer_node import VisualizerNode

MS = 1_000_000
# greenwave_monitor takes these five from a status, and node and topic from its name at ' /'.
KEYS = ('frame_rate_node', 'frame_rate_msg', 'current_delay_from_realtime_ms',
        'expected_frequency', 'tolerance')


def values(status):
    return {item.key: float(item.value) for item in status.values}


@pytest.fixture
def clock(monkeypatch):
    """A steady clock that stands until it is moved, s."""
    now = [100.0]
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    return now


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


def test_rates_by_receipt_and_by_stamp_and_the_delay_are_told_apart(clock):
    rate = TopicRate('/camera', expected_hz=8.0)
    for k in range(11):
        clock[0] += 0.1
        rate.see(10**18 + k * 50 * MS, 10**18 + k * 50 * MS + 30 * MS)
    status = rate.status('node')
    assert status.name == 'node /camera'
    assert status.level == DiagnosticStatus.OK
    found = values(status)
    assert set(KEYS) <= set(found)
    assert found['frame_rate_node'] == pytest.approx(10.0, rel=1e-4)
    assert found['frame_rate_msg'] == pytest.approx(20.0, rel=1e-4)
    assert found['current_delay_from_realtime_ms'] == pytest.approx(30.0)
    assert (found['expected_frequency'], found['total_messages']) == (8.0, 11)
    assert rate.rate_hz() == pytest.approx(10.0)


def test_too_slow_warns_and_silence_is_stale(clock):
    rate = TopicRate('/camera', expected_hz=20.0)
    assert rate.status('node').level == DiagnosticStatus.STALE
    for _ in range(5):
        clock[0] += 0.1
        rate.see(0, 0)
    status = rate.status('node')
    assert (status.level, status.message) == (DiagnosticStatus.WARN, '10.0 Hz; need 20.0 Hz')
    clock[0] += topic_rate._WINDOW_S + 0.1
    status = rate.status('node')
    assert (status.level, status.message) == (DiagnosticStatus.STALE, 'no message for 2 s')
    assert values(status)['frame_rate_node'] == 0.0


def test_without_a_wanted_rate_silence_is_no_fault(clock):
    assert TopicRate('/commands').status('node').level == DiagnosticStatus.OK


def report(box, name):
    """Wait for a node's status of a topic that has come at least twice."""
    def find(message):
        return [status for status in message.status
                if status.name == name and values(status)['frame_rate_node'] > 0]
    return values(find(box.expect(lambda message: bool(find(message)), timeout_s=15.0))[0])


def publish_joints(harness, names):
    joints = harness.publisher('joint_states', JointState, qos.JOINT_STATES_OUT)

    def send():
        message = JointState(name=list(names), position=[0.1] * len(names))
        message.header.stamp = harness.tester.get_clock().now().to_msg()
        joints.publish(message)
    harness.tester.create_timer(0.05, send)


def publish_frames(harness):
    camera = harness.publisher('camera/image_raw', Image, qos.CAMERA_OUT)
    harness.tester.create_timer(0.05, lambda: camera.publish(array_to_image(
        np.zeros((24, 32, 3), np.uint8), frame_id='c',
        stamp=ns_to_stamp(harness.tester.get_clock().now().nanoseconds - 40 * MS))))


def test_the_gate_reports_joints_and_heartbeat(harness):
    harness.add(GateNode(context=harness.context, parameter_overrides=[
        Parameter('joint_names', value=['a'])]))
    box = harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    publish_joints(harness, ['a'])
    beats = harness.publisher('wm_predictor/heartbeat', PredictorStatus, qos.HEARTBEAT)
    harness.tester.create_timer(0.05, lambda: beats.publish(PredictorStatus()))
    harness.configure_and_activate('wm_gate')
    found = report(box, 'wm_gate /joint_states')
    assert 2.0 < found['frame_rate_node'] < 40.0
    assert 0 <= found['current_delay_from_realtime_ms'] < 2000
    assert report(box, 'wm_gate /wm_predictor/heartbeat')['expected_frequency'] == 20.0


def test_the_predictor_reports_each_camera_and_the_joints(harness):
    bench = Bench(harness, lambda config: FakeJudge(), joints=JOINTS).start()
    box = harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    harness.tester.create_timer(0.05, lambda: bench.send_frame(age_s=0.04))
    harness.tester.create_timer(0.05, bench.send_joints)
    found = report(box, 'wm_predictor /camera/image_raw')
    assert found['expected_frequency'] == 10.0
    assert found['current_delay_from_realtime_ms'] >= 40.0
    assert report(box, 'wm_predictor /joint_states')['frame_rate_msg'] > 2.0


def test_the_visualizer_reports_its_camera_while_somebody_watches(harness):
    harness.add(VisualizerNode(context=harness.context))
    box = harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    idle = box.expect(timeout_s=15.0).status[0]
    assert (idle.name, idle.message) == ('wm_visualizer: drawing', 'nobody watches ~/image')
    harness.mailbox('wm_visualizer/image', Image, qos.PREDICTED_IMAGE)
    publish_frames(harness)
    found = report(box, 'wm_visualizer /camera/image_raw')
    assert found['current_delay_from_realtime_ms'] >= 40.0
