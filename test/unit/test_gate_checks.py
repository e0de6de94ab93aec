# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks before the model: what is refused, and that the words name the value."""

import numpy as np
import pytest
from gate_rig import MS, ROS_START_NS, make_command, make_config, make_sample, make_setpoint

from wm_ros.datatypes import CommandInterface, Reason
from wm_ros.gate.checks import CommandRefused, check_format, column_order
from wm_ros.gate.commands import check_limits, prepare
from wm_ros.gate.motion import check_motion
from wm_ros.gate.setpoint import (
    check_setpoint,
    setpoint_to_trajectory,
    trajectory_to_setpoint,
)

NAN, INF = float('nan'), float('inf')


def refused(command, config=None, *, start=None) -> CommandRefused:
    """Run all checks and return the refusal."""
    config, start = config or make_config(), start or make_sample()
    with pytest.raises(CommandRefused) as caught:
        check_limits(prepare(command, start, config, ROS_START_NS), command.interface, start,
                     config)
    return caught.value


def test_good_command_passes_unchanged():
    command = make_command(velocities=((1.0, 2.0), (1.0, 2.0)))
    trajectory = check_format(command, make_config(), ROS_START_NS)
    check_motion(trajectory, make_sample(), make_config())
    assert np.array_equal(trajectory.positions, [[0.1, 0.2], [0.2, 0.4]])
    assert np.array_equal(trajectory.velocities, [[1.0, 2.0], [1.0, 2.0]])
    assert np.array_equal(trajectory.times, [0.1, 0.2])
    assert check_format(make_command(), make_config(), ROS_START_NS).velocities is None


def test_joints_are_ordered_by_name():
    command = make_command(
        ((0.2, 0.1),), (100,), names=('b', 'a'), velocities=((0.4, 0.3),))
    trajectory = check_format(command, make_config(), ROS_START_NS)
    assert trajectory.joint_names == ('a', 'b')
    assert np.array_equal(trajectory.positions, [[0.1, 0.2]])
    assert np.array_equal(trajectory.velocities, [[0.3, 0.4]])


@pytest.mark.parametrize(('command', 'words'), [
    (make_command((), ()), 'empty'),
    (make_command(names=('a', 'c')), "unknown ['c'], missing ['b']"),
    (make_command(((0.1,),), (100,), names=('a',)), "missing ['b']"),
    (make_command(names=('a', 'a')), 'twice'),
    (make_command(((0.1, 0.2, 0.3),), (100,)), 'point 0 has 3 positions for 2 joints'),
    (make_command(((0.1, 0.2), ()), (100, 200)), 'point 1 has 0 positions'),
    (make_command(velocities=((0.1, 0.1), ())), 'point 1 has 0 velocities'),
    (make_command(velocities=((), (0.1, 0.1))), 'point 1 has 2 velocities'),
    (make_command(((0.1, NAN),), (100,)), 'position of b at point 0 is nan'),
    (make_command(((0.1, -INF),), (100,)), 'is -inf'),
    (make_command(velocities=((0.0, 0.0), (NAN, 0.0))), 'velocity of a at point 1 is nan'),
    (make_command(times_ms=(200, 200)), 'times must increase; point 1 is at 0.2 s after 0.2'),
    (make_command(times_ms=(200, 100)), 'times must increase'),
    (make_command(times_ms=(-1, 100)), 'before the start'),
    (make_command(((0.1, 0.1),), (0,)), 'time_from_start'),
    (make_command(times_ms=(100, 121_000)), 'lasts 121 s; max_duration is 120.0 s'),
    (make_command(((0.0, 0.0),) * 1001, range(1, 1002)), '1001 points; max_points is 1000'),
    (make_setpoint((0.1,)), '1 numbers for 2 joints'),
    (make_setpoint((0.1, NAN)), 'set-point of b is nan'),
    (make_setpoint((INF, 0.1), CommandInterface.VELOCITY), 'set-point of a is inf'),
])
def test_bad_command_is_refused_in_words(command, words):
    refusal = refused(command)
    assert refusal.reason is Reason.BAD_COMMAND
    assert words in str(refusal)


@pytest.mark.parametrize(('command', 'words'), [
    (make_command(((0.1, 0.1), (0.2, 1.01)), (100, 1000)), 'b at point 1 is 1.01 rad'),
    (make_command(((0.1, 0.1), (-1.1, 0.0)), (100, 2000)), 'allowed is -1 to 1'),
    (make_command(((0.1, 0.1), (0.1, 0.31)), (100, 200)), 'b after point 0 moves at 2.1 rad/s'),
    (make_command(velocities=((0.0, 0.0), (2.1, 0.0))), 'a at point 1 moves at 2.1 rad/s'),
    (make_command(((0.41, 0.0),), (100,)), 'a starts 0.41 rad from its measured position'),
    (make_command(((0.0, 1e308),), (100,)), 'b at point 0 is 1e+308'),
    (make_setpoint((0.21, 0.0)), 'a starts 0.21 rad'),
    (make_setpoint((0.0, 2.1), CommandInterface.VELOCITY), 'b at point 4 is 1.05 rad'),
])
def test_motion_outside_the_limits_is_refused_in_words(command, words):
    refusal = refused(command)
    assert refusal.reason is Reason.LIMIT
    assert words in str(refusal)


@pytest.mark.parametrize('command', [
    make_command(((0.1, 0.1), (0.1, 1.0)), (100, 1000)),
    make_command(((0.1, 0.1), (0.1, -1.0)), (100, 1000)),
    make_command(((0.1, 0.1), (0.1, 0.3)), (100, 200)),
    make_command(((0.4, 0.0),), (100,)),
    make_setpoint((0.2, -0.2)),
    make_setpoint((1.3, -1.3), CommandInterface.VELOCITY),
])
def test_motion_on_the_limits_passes(command):
    config, start = make_config(), make_sample()
    check_limits(
        prepare(command, start, config, ROS_START_NS), command.interface, start, config)


def test_huge_numbers_are_refused_without_any_limit_of_the_user():
    config = make_config(position_lower=(), position_upper=(), velocity_limit=())
    for value in (1e308, -1e308, 1001.0):
        assert refused(make_command(((value, 0.0),), (100,)), config).reason is Reason.LIMIT


def test_step_is_measured_from_where_the_arm_is():
    start = make_sample((0.5, 0.0))
    assert 'a starts 0.5 rad' in str(refused(make_command(((0.0, 0.0),), (100,)), start=start))
    check_motion(
        check_format(make_command(((0.1, 0.0),), (100,)), make_config(), ROS_START_NS), start,
        make_config())


@pytest.mark.parametrize(('offset_ms', 'is_good'), [
    (0, True), (50, True), (51, False), (-500, True), (-501, False), (1000, False)])
def test_stamp_has_both_bounds(offset_ms, is_good):
    command = make_command(stamp_ns=ROS_START_NS + offset_ms * MS)
    if is_good:
        check_format(command, make_config(), ROS_START_NS)
    else:
        assert refused(command).reason is Reason.TIME_SYNC


def test_zero_stamp_means_now():
    check_format(make_command(stamp_ns=0), make_config(), ROS_START_NS)


def test_without_joints_nothing_can_be_checked():
    with pytest.raises(CommandRefused, match='no fresh joint_states'):
        prepare(make_setpoint(), None, make_config(), ROS_START_NS)
    trajectory = prepare(make_command(), None, make_config(), ROS_START_NS)
    with pytest.raises(CommandRefused, match='no fresh joint_states'):
        check_limits(trajectory, CommandInterface.JOINT_TRAJECTORY, None, make_config())


def test_column_order_finds_each_wanted_joint():
    assert column_order(('c', 'a', 'b'), ('a', 'b', 'c')) == [1, 2, 0]


def test_position_setpoint_is_reached_after_a_step_and_held():
    config = make_config(setpoint_horizon=0.3, setpoint_step=0.1)
    values = check_setpoint(make_setpoint((0.1, -0.2)), config)
    chunk = setpoint_to_trajectory(values, CommandInterface.POSITION, make_sample(), config)
    assert chunk.times == pytest.approx([0.1, 0.2, 0.3])
    assert np.array_equal(chunk.positions, [[0.1, -0.2]] * 3)
    assert np.array_equal(
        trajectory_to_setpoint(chunk, CommandInterface.POSITION), [0.1, -0.2])


def test_velocity_setpoint_is_integrated_and_ends_at_rest():
    config = make_config(setpoint_horizon=0.3, setpoint_step=0.1)
    chunk = setpoint_to_trajectory(
        np.array([0.5, -1.0]), CommandInterface.VELOCITY, make_sample((0.1, 0.0)), config)
    assert chunk.positions == pytest.approx(np.array([[0.15, -0.1], [0.2, -0.2], [0.225, -0.25]]))
    assert np.array_equal(chunk.velocities, [[0.5, -1.0], [0.5, -1.0], [0.0, 0.0]])
    assert np.array_equal(
        trajectory_to_setpoint(chunk, CommandInterface.VELOCITY), [0.5, -1.0])
