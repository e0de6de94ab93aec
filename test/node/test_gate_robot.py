# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The robot description on its way into the gate, and the checks that need it, over DDS."""

import pytest
from arm_urdf import planar_urdf
from gate_bench import JOINTS, Bench
from harness import Harness
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from std_msgs.msg import String

from wm_ros.datatypes import Reason
from wm_ros.msg import GateState
from wm_ros.ros import qos
from wm_ros.ros.gate_node import GateNode

TOPIC = '/robot_description'
BOX = {'workspace_lower': [-1.0, -0.4, -0.1], 'workspace_upper': [1.0, 0.4, 0.1],
       'tip_link': 'tip'}


@pytest.fixture
def harness():
    with Harness() as value:
        yield value


def test_limits_come_from_the_topic_and_nothing_runs_before(harness):
    publisher = harness.tester.create_publisher(String, TOPIC, qos.ROBOT_DESCRIPTION)
    bench = Bench(harness, robot_description_topic=TOPIC).start()
    state = bench.states.expect(lambda m: 'no usable robot description' in m.message)
    assert state.state == GateState.WAITING
    publisher.publish(String(data='<robot/>'))
    bench.send()
    bench.output.expect_none()
    publisher.publish(String(data=planar_urdf('lower="-0.3" upper="0.3" velocity="3"')))
    bench.expect_state(GateState.RUNNING, timeout_s=10.0)
    bench.send(((0.2, -0.2),))
    bench.output.expect()
    bench.send(((0.31, -0.2),))
    state = bench.expect_state(GateState.HOLD)
    assert state.reasons & Reason.LIMIT
    assert 'a at point 0 is 0.31 rad; allowed is -0.3 to 0.3' in state.message
    assert list(bench.output.expect().points[0].positions) == bench.positions


def test_the_box_holds_over_the_wire(harness, tmp_path):
    path = tmp_path / 'arm.urdf'
    path.write_text(planar_urdf())
    bench = Bench(harness, robot_description_file=str(path), max_step=2.0, **BOX).arm()
    bench.send(((0.5, -0.2),))
    bench.output.expect()
    bench.send(((1.2, -0.2),))
    assert 'tip would be at' in bench.expect_state(GateState.HOLD).message
    assert list(bench.output.expect().points[0].positions) == bench.positions
    bench.output.expect_none()


@pytest.mark.parametrize(('text', 'words'), [
    (None, 'give the path of a URDF'), ('<robot/>', 'the URDF has no joint'),
    (planar_urdf().replace('"tip"', '"hand"'), "tip_link is 'tip'; the URDF has"),
])
def test_a_file_that_cannot_be_used_fails_configure_with_words(harness, tmp_path, text, words):
    path = tmp_path / 'arm.urdf'
    if text is not None:
        path.write_text(text)
    values = {'joint_names': JOINTS, 'robot_description_file': str(path), 'tip_link': 'tip'}
    node = harness.add(GateNode(context=harness.context, parameter_overrides=[
        Parameter(name, value=value) for name, value in values.items()]))
    assert not harness.change_state('wm_gate', Transition.TRANSITION_CONFIGURE)
    assert words in node.last_error
