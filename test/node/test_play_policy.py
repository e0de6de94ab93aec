# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The policy that plays, over real DDS."""

import numpy as np
import pytest
from harness import Harness
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.ros import qos
from wm_ros.ros.play_policy import PlayPolicy
from wm_ros.simulation.play import Play
from wm_ros.simulation.scene import JOINT_NAMES, sample_scene

SEED = 5
POSITIONS = [0.1, -0.2, 0.3, 0.1, 0.0, 0.5]


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


@pytest.fixture
def make_policy(harness):
    def make(**parameters):
        return harness.add(PlayPolicy(
            context=harness.context, parameter_overrides=[
                Parameter(name, value=value) for name, value in parameters.items()]))
    return make


def publish_joints(harness, policy, positions=POSITIONS):
    joints = harness.publisher('/joint_states', JointState, qos.JOINT_STATES_OUT)
    harness.wait_matched()
    joints.publish(JointState(name=list(reversed(JOINT_NAMES)), position=positions[::-1]))
    harness.spin_until(lambda: policy._joints is not None, 5.0, 'no joint state came')


def call(harness, name):
    return harness.call(Trigger, f'/play_policy/{name}', Trigger.Request())


def test_it_sends_the_moves_of_its_seed_from_the_measured_joints(harness, make_policy):
    policy = make_policy(seed=SEED, period_s=0.0)
    proposals = harness.mailbox('/play_policy/proposal', JointTrajectory, qos.COMMAND_IN)
    commands = harness.mailbox('/wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_IN)
    publish_joints(harness, policy)
    assert call(harness, 'propose').success
    proposal = proposals.expect()
    commands.expect_none(duration_s=0.2)
    assert call(harness, 'send').success
    assert commands.expect() == proposal
    play = Play(SEED, sample_scene(SEED))
    play.start()
    expected = play.next_move(np.array(POSITIONS))
    assert np.array([p.positions for p in proposal.points]) == pytest.approx(expected.positions)
    times = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in proposal.points]
    assert times == pytest.approx(expected.times)
    assert tuple(proposal.joint_names) == JOINT_NAMES


def test_it_plays_by_itself_and_is_silent_before_any_joint_state(harness, make_policy):
    policy = make_policy(period_s=0.1)
    commands = harness.mailbox('/wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_IN)
    commands.expect_none(duration_s=0.4)
    publish_joints(harness, policy)
    commands.expect()
    commands.expect()


def test_reset_begins_again_and_takes_another_topic(harness, make_policy):
    policy = make_policy(seed=SEED, period_s=0.0)
    proposals = harness.mailbox('/play_policy/proposal', JointTrajectory, qos.COMMAND_IN)
    publish_joints(harness, policy)
    call(harness, 'propose')
    first = proposals.expect()
    policy.set_parameters([Parameter('command_topic', value='/elsewhere')])
    assert call(harness, 'reset').success
    assert not call(harness, 'send').success
    other = harness.mailbox('/elsewhere', JointTrajectory, qos.COMMAND_IN)
    harness.spin_until(lambda: harness.tester.count_publishers('/elsewhere') > 0, 5.0, 'no match')
    call(harness, 'propose')
    assert proposals.expect() == first
    harness.spin_until(lambda: call(harness, 'send').success, 5.0, 'nothing was sent')
    assert other.expect() == first


def test_send_without_a_proposal_or_a_listener_says_so(harness, make_policy):
    policy = make_policy(period_s=0.0, command_topic='/nobody')
    assert 'nothing was proposed' in call(harness, 'send').message
    assert 'no usable joint_states' in call(harness, 'propose').message
    publish_joints(harness, policy)
    call(harness, 'propose')
    assert '/nobody' in call(harness, 'send').message
