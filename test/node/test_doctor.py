# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_doctor over real DDS: a healthy graph is well, and each trouble is found and named."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from fake_judge import JOINTS, FakeJudge
from harness import Harness
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.cli import main
from wm_ros.ros import dds_profile, qos
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.doctor import Doctor
from wm_ros.ros.doctor_checks import CHECKS, Finding, check_graph
from wm_ros.ros.doctor_facts import Facts, Heard, Wire
from wm_ros.ros.gate_node import GateNode
from wm_ros.ros.predictor_messages import ns_to_stamp
from wm_ros.ros.predictor_node import PredictorNode

OUT = '/arm_controller/joint_trajectory'
MS = 1_000_000


class Ward:
    """A gate and a predictor with a fake model, a camera, joints and a controller."""

    def __init__(self, harness, *, gate=True, predictor=True, controller=True, camera_hz=25.0,
                 joints=JOINTS, joint_hz=25.0, late_s=0.0, judge=None, gate_parameters=None,
                 predictor_parameters=None, size=(48, 64), camera_type=Image):
        self.harness, self.tester = harness, harness.tester
        self.judge = judge or FakeJudge()
        self.names, self.size, self.late_s = joints, size, late_s
        self.count = 0
        if gate:
            self.gate = self.make(GateNode, joint_names=list(JOINTS), **(gate_parameters or {}))
        if predictor:
            self.predictor = self.make(
                PredictorNode, make_judge=lambda config: self.judge, checkpoint_path='fake',
                image_timeout=2.0, joint_state_timeout=2.0, **(predictor_parameters or {}))
        if controller:
            self.tester.create_subscription(
                JointTrajectory, OUT, lambda message: None, qos.COMMAND_OUT)
        if camera_hz is not None:
            self.camera = self.tester.create_publisher(
                camera_type, 'camera/image_raw', qos.CAMERA_OUT)
            if camera_hz:
                self.tester.create_timer(1 / camera_hz, self.send_frame)
        if joint_hz is not None:
            self.joints = self.tester.create_publisher(
                JointState, 'joint_states', qos.JOINT_STATES_OUT)
            self.tester.create_timer(1 / joint_hz, self.send_joints)

    def make(self, kind, *, make_judge=None, name=None, **parameters):
        """Add a node with parameters."""
        extra = {'make_judge': make_judge} if make_judge else {}
        return self.harness.add(kind(
            context=self.harness.context, parameter_overrides=[
                Parameter(key, value=value) for key, value in parameters.items()], **extra))

    def stamp(self):
        """Give the stamp of a driver whose clock is late."""
        return ns_to_stamp(self.tester.get_clock().now().nanoseconds - round(self.late_s * 1e9))

    def send_frame(self):
        """Send a picture that no other equals."""
        self.count += 1
        self.camera.publish(array_to_image(
            np.full((*self.size, 3), self.count % 250, np.uint8), stamp=self.stamp(),
            frame_id='optical'))

    def send_joints(self):
        """Send joints at rest."""
        message = JointState(name=list(self.names), position=[0.1] * len(self.names))
        message.header.stamp = self.stamp()
        self.joints.publish(message)

    def start(self):
        """Bring both to active."""
        for name in ('/wm_predictor', '/wm_gate'):
            self.harness.configure_and_activate(name)
        return self

    def examine(self, until=None, **arguments):
        """Let the doctor listen until it finds something, or for a while; returns findings."""
        doctor = self.harness.add(Doctor(context=self.harness.context, **arguments))
        self.harness.spin_for(2.5)
        if until is not None:
            self.harness.spin_until(
                lambda: until in codes(check_graph(doctor.facts())), 10.0,
                lambda: f'{until} is not among {check_graph(doctor.facts())}')
        return check_graph(doctor.facts())


def codes(findings, level=None):
    return {item.code for item in findings if level in (None, item.level)}


def only(findings, code):
    found = [item for item in findings if item.code == code]
    assert found, findings
    return found[0]


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


@pytest.fixture
def ward(harness):
    return lambda **parts: Ward(harness, **parts)


def test_a_healthy_graph_is_well(ward):
    findings = ward().start().examine()
    assert codes(findings, 'error') == set()
    # Nothing but that the machine may be too busy to arm.
    assert codes(findings) <= {'gate_not_running', 'deadline_missed'}


def test_an_empty_graph_lacks_everything(harness):
    findings = Ward(harness, gate=False, predictor=False, controller=False, camera_hz=None,
                    joint_hz=None).examine()
    assert codes(findings) == {'gate_absent', 'predictor_absent', 'no_camera', 'no_joint_states'}
    assert 'there is no node /wm_predictor' in only(findings, 'predictor_absent').text


def test_a_gate_in_another_namespace_is_suggested(ward):
    found = only(ward(predictor=False).examine(namespace='left'), 'gate_absent')
    assert found.text == 'there is no node /left/wm_gate'
    assert found.fix == 'there is /wm_gate: give its namespace'


def test_a_node_that_is_not_active_is_named_with_its_state(ward):
    found = [item for item in ward().examine(until='not_active') if item.code == 'not_active']
    assert '/wm_gate is unconfigured' in [item.text for item in found]


def test_two_gates_are_told_by_node_and_by_topic(ward, harness):
    rig = ward().start()
    rig.make(GateNode, joint_names=list(JOINTS))
    findings = rig.examine(until='node_twice')
    assert only(findings, 'node_twice').text == '2 nodes are called /wm_gate'


def test_another_writer_of_the_controller_is_named(ward, harness):
    rig = ward().start()
    policy = harness.add(Node('eager_policy', context=harness.context))
    policy.create_publisher(JointTrajectory, OUT, 1)
    found = only(rig.examine(until='two_writers'), 'two_writers')
    assert OUT in found.text
    assert '/eager_policy' in found.text


def test_a_controller_that_is_not_there(ward):
    found = only(ward(controller=False).start().examine(until='no_controller'), 'no_controller')
    assert found.text == f'nobody listens on {OUT}'


def test_a_camera_under_another_name_is_suggested(ward, harness):
    rig = ward(camera_hz=None)
    rig.tester.create_publisher(Image, '/cam/color', 1)
    found = only(rig.start().examine(until='no_camera'), 'no_camera')
    assert '/camera/image_raw' in found.text
    assert found.fix == 'of that type there is /cam/color: set the parameter or remap'


def test_a_camera_of_another_type(ward):
    rig = ward(camera_hz=0, camera_type=CompressedImage)
    found = only(rig.examine(until='type_mismatch'), 'type_mismatch')
    assert 'sensor_msgs/msg/CompressedImage, sensor_msgs/msg/Image' in found.text


def test_a_policy_that_the_gate_cannot_hear(ward, harness):
    rig = ward().start()
    policy = harness.add(Node('policy', context=harness.context))
    policy.create_publisher(JointTrajectory, '/wm_gate/joint_trajectory', QoSProfile(
        depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
    found = only(rig.examine(until='qos_mismatch'), 'qos_mismatch')
    assert found.text.startswith(
        '/wm_gate hears nothing of /policy on /wm_gate/joint_trajectory: ')
    assert 'reliab' in found.text.lower()


def test_a_missing_joint_is_named(ward):
    found = only(ward(joints=JOINTS[:2]).start().examine(until='missing_joint'), 'missing_joint')
    assert f'lacks {JOINTS[2]}; it has {JOINTS[0]}, {JOINTS[1]}' in found.text


def test_joint_states_that_nobody_publishes(ward):
    findings = ward(joint_hz=None).start().examine(until='no_joint_states')
    assert '/joint_states' in only(findings, 'no_joint_states').text


def test_a_camera_that_sends_nothing(ward):
    found = only(ward(camera_hz=0).start().examine(until='silent'), 'silent')
    assert 'nothing came on /camera/image_raw in' in found.text
    assert '/tester publishes it' in found.text


def test_a_slow_camera_is_told_with_both_rates(ward):
    found = only(ward(camera_hz=4.0).start().examine(until='low_rate'), 'low_rate')
    assert '/camera/image_raw comes at' in found.text
    assert 'needed are 10.0 Hz' in found.text


def test_joint_states_too_slow_for_the_gate(ward):
    findings = ward(joint_hz=2.0).start().examine(until='low_rate')
    assert '/joint_states' in only(findings, 'low_rate').text


def test_simulated_time_without_a_clock(ward):
    rig = ward(gate_parameters={'use_sim_time': True, 'mode': 'shadow'},
               predictor_parameters={'use_sim_time': True})
    found = only(rig.examine(until='no_clock'), 'no_clock')
    assert 'nothing comes on /clock' in found.text


def test_simulated_time_on_one_side_alone(ward):
    rig = ward(predictor_parameters={'use_sim_time': True})
    found = only(rig.examine(until='sim_time_differs'), 'sim_time_differs')
    assert 'use_sim_time is true for /wm_predictor alone' in found.text


def test_two_clocks_and_a_clock_that_is_not_used(ward, harness):
    rig = ward().start()
    for _ in range(2):
        clock = rig.tester.create_publisher(Clock, '/clock', 1)
        rig.tester.create_timer(0.1, lambda clock=clock: clock.publish(Clock()))
    findings = rig.examine(until='two_clocks')
    assert only(findings, 'two_clocks').text == '2 nodes publish /clock'
    assert 'clock_unused' in codes(findings)


@pytest.mark.parametrize(('late_s', 'where'), [(30.0, 'behind'), (-30.0, 'ahead of')])
def test_a_driver_on_another_clock(ward, late_s, where):
    found = only(ward(late_s=late_s).start().examine(until='clock_skew'), 'clock_skew')
    assert where in found.text
    assert any(text in found.text for text in ('30.0', '29.9'))


@pytest.mark.parametrize(('mode', 'level'), [('enforce', 'error'), ('shadow', 'warning')])
def test_an_uncalibrated_model(ward, mode, level):
    rig = ward(judge=FakeJudge(is_calibrated=False), gate_parameters={'mode': mode},
               predictor_parameters={'allow_uncalibrated': True})
    found = only(rig.start().examine(until='uncalibrated'), 'uncalibrated')
    assert found.level == level
    assert 'fake-0' in found.text


def test_what_the_predictor_complains_of_is_repeated(ward):
    findings = ward(camera_hz=0).start().examine(until='predictor_problem')
    assert only(findings, 'predictor_problem').text == (
        '/wm_predictor says: no camera frame yet')


def test_a_gate_that_waits_says_why(ward):
    findings = ward(camera_hz=0).start().examine(until='gate_not_running')
    assert '/wm_gate waits' in only(findings, 'gate_not_running').text


def test_a_gate_in_shadow_that_would_hold(ward, harness):
    rig = ward(camera_hz=0, gate_parameters={'mode': 'shadow'}).start()
    assert '/wm_gate would hold' in only(rig.examine(until='would_hold'), 'would_hold').text


def test_an_error_in_diagnostics_is_repeated(ward):
    rig = ward(camera_hz=0).start()
    findings = rig.examine(until='diagnostics')
    assert 'wm_predictor: inputs: no camera frame yet' in [
        item.text for item in findings if item.code == 'diagnostics']


def test_the_default_of_the_middleware_is_too_small_for_large_pictures(ward, monkeypatch):
    monkeypatch.setattr(dds_profile, 'profile_path', lambda: '')
    findings = ward(size=(480, 640), camera_hz=10.0).examine(until='dds_buffers')
    found = only(findings, 'dds_buffers')
    assert '512 KiB here' in found.text
    assert 'a picture 900 KiB' in found.text
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' in found.fix


def test_the_profile_of_this_package_is_large_enough(tmp_path):
    path = os.environ['FASTRTPS_DEFAULT_PROFILES_FILE']
    assert dds_profile.segment_bytes(path) == 32 * 1024 * 1024
    assert dds_profile.segment_bytes(str(tmp_path / 'none.xml')) == 0
    broken = tmp_path / 'broken.xml'
    broken.write_text('<profiles><segment_size>12')
    assert dds_profile.segment_bytes(str(broken)) == 0
    assert dds_profile.profile_path({'FASTDDS_DEFAULT_PROFILES_FILE': 'a'}) == 'a'


def _facts(**changes):
    return Facts(**{'gate': '/wm_gate', 'predictor': '/wm_predictor', **changes})


def test_a_model_that_is_too_slow_for_the_gate():
    beat = SimpleNamespace(calibrated=True, message='', model_id='m', latency_p99_ms=400.0)
    wire = Wire('/wm_predictor/heartbeat', 'heartbeats', '')
    facts = _facts(heartbeat=wire, heard={wire.topic: Heard(count=9, newest=beat)},
                   parameters={'/wm_gate': {'decision_timeout': 0.25}})
    found = only(check_graph(facts), 'slow_model')
    assert found.text == 'a check takes 400 ms (p99); the gate waits 250 ms'


def test_an_active_predictor_without_heartbeat_hangs():
    facts = _facts(nodes=['/wm_predictor', '/wm_gate'], states={'/wm_predictor': 'active'},
                   heartbeat=Wire('/wm_predictor/heartbeat', 'heartbeats', ''))
    assert 'no_heartbeat' in codes(check_graph(facts))


def test_late_verdicts_are_counted():
    state = SimpleNamespace(state=3, would_hold=False, deadline_missed=7, decision_ms_p99=180.0,
                            message='')
    wire = Wire('/wm_gate/state', 'state', '')
    facts = _facts(state=wire, heard={wire.topic: Heard(count=9, newest=state)})
    assert '7 verdicts came too late' in only(check_graph(facts), 'deadline_missed').text


def test_no_check_breaks_on_empty_facts_and_the_worst_comes_first():
    assert len(CHECKS) == 12
    levels = [item.level for item in check_graph(_facts())]
    assert levels == sorted(levels, key=['error', 'warning', 'note'].index)
    assert Finding('error', 'a', 'b').fix == ''


def test_the_verb_tells_by_its_exit_code(tmp_path, capsys):
    out = tmp_path / 'o.json'
    assert main(['doctor', '--duration', '1.5', '--json', str(out)]) == 1
    assert '"gate_absent"' in out.read_text()
    assert '4 errors' in capsys.readouterr().out
    assert main(['doctor', '--duration', '0.1']) == 2


def test_the_doctor_changes_nothing(ward, harness):
    rig = ward().start()
    doctor = harness.add(Doctor(context=harness.context))
    harness.spin_for(1.0)
    written = doctor.get_publisher_names_and_types_by_node('wm_doctor', '/')
    assert {topic for topic, _ in written} <= {'/rosout', '/parameter_events'}
    assert rig.gate._state_machine.current_state[1] == 'active'
    assert harness.state('/wm_gate') == 'active'
