# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits along the path: acceleration, what a cubic does between its points, the workspace box."""

import numpy as np
import pytest
from arm_urdf import planar_urdf
from gate_rig import ROS_START_NS, make_command, make_config, make_sample, make_setpoint
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.datatypes import CommandInterface, Reason
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import check_limits, prepare
from wm_ros.gate.kinematics import Kinematics
from wm_ros.gate.robot import Robot
from wm_ros.gate.spline import cubic_extremes, cubic_positions
from wm_ros.gate.workspace import sample_path

WIDE = {'position_lower': (), 'position_upper': (), 'velocity_limit': (), 'max_step': 3.0}
ROBOT = {'robot_description_file': 'x', 'workspace_links': ('tip',), **WIDE}
BOX = {'workspace_lower': (-1.0, -0.4, -0.1), 'workspace_upper': (1.0, 0.4, 0.1), **ROBOT}


def check(command, config, *, start=None, urdf=None):
    """Run every check."""
    start = start or make_sample()
    trajectory = prepare(command, start, config, ROS_START_NS)
    check_limits(trajectory, command.interface, start, config, Robot(config, urdf))


def refused(command, config, **options) -> str:
    """Run every check and return the refusal's words."""
    with pytest.raises(CommandRefused) as caught:
        check(command, config, **options)
    assert caught.value.reason is Reason.LIMIT
    return str(caught.value)


@pytest.mark.parametrize(('command', 'velocity', 'value'), [
    # 0.1 rad in 0.1 s from rest: mean 1 rad/s, reached at half time.
    (make_command(((0.1, 0.0), (0.2, 0.0)), (100, 200)), 0.0, 'point 0 accelerates at 20'),
    # 1 rad/s, then 2 rad/s.
    (make_command(((0.1, 0.0), (0.3, 0.0)), (100, 200)), 1.0, 'point 1 accelerates at 10'),
    # The first point is where the arm is: nothing is known of the time before it.
    (make_command(((0.0, 0.0), (0.1, 0.0), (0.3, 0.0)), (0, 100, 200)), 0.0,
     'point 2 accelerates at 10'),
    (make_command(((0.1, 0.0), (0.3, 0.0)), (100, 200), velocities=((1.0, 0.0), (2.0, 0.0))),
     1.0, 'point 1 accelerates at 26.67'),
    (make_setpoint((0.1, 0.0)), 0.0, 'point 0 accelerates at 20'),
    (make_setpoint((1.0, 0.0), CommandInterface.VELOCITY), 0.0, 'point 0 accelerates at 10'),
])
def test_acceleration_over_the_limit_is_refused_in_words(command, velocity, value):
    start = make_sample(velocities=(velocity, 0.0))
    words = refused(command, make_config(acceleration_limit=(9.9, 99.0), **WIDE), start=start)
    assert words.startswith(f'a on the way to {value}')
    assert 'rad/s^2; acceleration_limit is 9.9' in words


@pytest.mark.parametrize('command', [
    make_command(((0.1, 0.0), (0.2, 0.0)), (100, 200)),
    make_command(((0.1, 0.0), (0.2, 0.0)), (100, 200), velocities=((1.0, 0.0), (1.0, 0.0))),
    make_setpoint((0.1, 0.0)),
    make_setpoint((1.0, 0.0), CommandInterface.VELOCITY),
])
def test_a_motion_that_goes_on_as_it_is_needs_no_acceleration(command):
    start = make_sample(velocities=(1.0, 0.0))
    check(command, make_config(acceleration_limit=(0.1, 0.1), **WIDE), start=start)


def test_an_acceleration_on_the_limit_passes():
    check(make_setpoint((0.1, 0.0)), make_config(acceleration_limit=(20.0, 20.0), **WIDE))


def test_the_rest_at_the_end_of_a_setpoint_is_the_gates_own():
    config = make_config(acceleration_limit=(11.0, 11.0), **WIDE)
    check(make_setpoint((1.0, 0.0), CommandInterface.VELOCITY), config)


def test_a_cubic_that_leaves_the_limits_between_its_points_is_refused():
    fast = make_command(
        ((0.0, 0.0), (0.19, 0.0)), (0, 100), velocities=((0.0, 0.0), (0.0, 0.0)))
    words = refused(fast, make_config())
    assert words.startswith('a after point 0 moves at 2.85 rad/s')
    far = make_command(
        ((0.9, 0.0), (0.9, 0.0)), (1000, 2000), velocities=((1.5, 0.0), (-1.5, 0.0)))
    words = refused(far, make_config())
    assert words.startswith('a after point 0 is 1.275 rad')
    # Without velocities the same points are followed along straight lines.
    check(make_command(((0.9, 0.0), (0.9, 0.0)), (1000, 2000)), make_config())


ROWS = st.lists(st.floats(-5.0, 5.0), min_size=3, max_size=3).map(np.array)


@given(p=st.tuples(ROWS, ROWS), v=st.tuples(ROWS, ROWS), dt=st.floats(0.01, 3.0))
def test_extremes_of_a_cubic_are_those_that_a_fine_sampling_finds(p, v, dt):
    positions, velocities, durations = np.array(p), np.array(v), np.array([dt])
    found = cubic_extremes(positions, velocities, durations)
    fraction = np.linspace(0.0, 1.0, 4001)
    path = cubic_positions(
        positions, velocities, durations, np.zeros(4001, dtype=np.int64), fraction)
    assert path[[0, -1]] == pytest.approx(positions, abs=1e-9)
    speed = np.abs(np.diff(path, axis=0)).max(axis=0) * 4000 / dt
    scale = found.acceleration[0].max() * dt + 1.0
    assert (path.min(axis=0) >= found.lowest[0] - 1e-9 * scale).all()
    assert (path.max(axis=0) <= found.highest[0] + 1e-9 * scale).all()
    assert (speed <= found.speed[0] + 1e-6 * scale).all()
    assert path.min(axis=0) == pytest.approx(found.lowest[0], abs=1e-5 * scale * dt)
    assert path.max(axis=0) == pytest.approx(found.highest[0], abs=1e-5 * scale * dt)
    assert speed == pytest.approx(found.speed[0], abs=1e-3 * scale)


def test_links_are_where_the_planar_arm_has_them():
    arm = Kinematics(planar_urdf(), ('b', 'a'))
    half = np.pi / 2
    places = arm.places(np.array([[0.0, 0.0], [half, 0.0], [0.0, half]]), ('tip', 'lower'))
    assert places[:, 0] == pytest.approx(np.array([[0.8, 0, 0], [0.5, 0.3, 0], [0, 0.8, 0]]))
    assert places[:, 1] == pytest.approx(np.array([[0.5, 0, 0], [0.5, 0, 0], [0, 0.5, 0]]))
    jacobian = arm.jacobian(np.zeros(2), 'tip')
    assert jacobian[:2] == pytest.approx(np.array([[0.0, 0.0], [0.3, 0.8]]))
    assert jacobian[5] == pytest.approx(np.ones(2))


def test_a_continuous_joint_may_turn_for_ever():
    arm = Kinematics(planar_urdf(kind_b='continuous'), ('a', 'b'))
    assert arm.pose(np.array([0.0, 20 * np.pi]), 'tip').translation == pytest.approx([0.8, 0, 0])
    assert arm.jacobian(np.zeros(2), 'tip')[1] == pytest.approx([0.8, 0.3])


def test_a_path_out_of_the_box_is_refused_in_words():
    config = make_config(**BOX)
    check(make_command(((0.5, 0.0),), (1000,)), config, urdf=planar_urdf())
    words = refused(make_command(((0.6, 0.0),), (1000,)), config, urdf=planar_urdf())
    assert words.startswith('tip would be at (0.6')
    assert 'outside workspace_lower [-1.0, -0.4, -0.1]' in words


def test_the_path_counts_between_its_points():
    # Both ends have y = 0.1 at most; half way the tip is at y = 0.8.
    config = make_config(**{**BOX, 'max_step': 4.0})
    start = make_sample((0.05, 0.0))
    command = make_command(((3.1, 0.0),), (4000,))
    urdf = planar_urdf('lower="-4" upper="4" velocity="3"')
    assert 'tip would be' in refused(command, config, start=start, urdf=urdf)
    # The same with a cubic that swings out between equal points.
    swing = make_command(((0.0, 0.0), (0.0, 0.0)), (100, 2100),
                         velocities=((2.0, 0.0), (-2.0, 0.0)))
    assert 'tip would be' in refused(swing, config, start=start, urdf=urdf)


def test_an_arm_that_is_outside_may_come_back_and_go_no_further():
    config = make_config(**BOX)
    start = make_sample((0.9, 0.0))
    check(make_command(((0.7, 0.0),), (1000,)), config, start=start, urdf=planar_urdf())
    assert 'tip would be' in refused(
        make_command(((0.95, 0.0),), (1000,)), config, start=start, urdf=planar_urdf())


def test_samples_of_a_path_are_close_together():
    trajectory = prepare(make_command(((0.3, 0.0), (0.3, -0.5)), (100, 200)), make_sample(),
                         make_config(**WIDE), ROS_START_NS)
    path = sample_path(trajectory, make_sample())
    assert np.abs(np.diff(path, axis=0)).max() <= 0.05 + 1e-9
    assert path[[0, 6, -1]] == pytest.approx(np.array([[0, 0], [0.3, 0], [0.3, -0.5]]))
    assert len(path) == 1 + 6 + 10


def test_a_path_too_long_to_look_at_is_refused():
    config = make_config(workspace_lower=(-1.0,) * 3, workspace_upper=(1.0,) * 3, **ROBOT)
    rows = tuple((0.5 * (-1) ** k, 0.0) for k in range(100))
    words = refused(make_command(rows, range(1000, 101_000, 1000)), config, urdf=planar_urdf())
    assert 'rad long; at most 50 rad can be looked at' in words
