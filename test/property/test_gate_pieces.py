# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Digest, trim, stretch and checks for any input."""

from dataclasses import replace
from itertools import takewhile

import numpy as np
from arm_urdf import planar_urdf
from gate_rig import ROS_START_NS, make_config, make_sample
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.datatypes import CommandInterface, Trajectory
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import check_limits, prepare, prepare_request
from wm_ros.gate.config import ARRAY_TYPE, TRAJECTORY_TYPE
from wm_ros.gate.digest import digest_trajectory
from wm_ros.gate.inputs import Inputs
from wm_ros.gate.requests import ActionTargets, Jog, Twist
from wm_ros.gate.robot import Robot
from wm_ros.gate.stretch import stretch
from wm_ros.gate.trim import trim
from wm_ros.gate.values import NS_PER_S, Command, CommandPoint, Heartbeat, Now

NAMES = ('a', 'b', 'c')
NUMBER = st.floats(-10.0, 10.0)
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def trajectories(draw, num_joints=3):
    """Draw a trajectory of 1 to 5 points with times in whole ns."""
    gaps = draw(st.lists(st.integers(1, 2_000_000_000), min_size=1, max_size=5))
    rows = st.lists(NUMBER, min_size=num_joints, max_size=num_joints)
    count = len(gaps)
    matrix = st.lists(rows, min_size=count, max_size=count).map(np.array)
    return Trajectory(
        joint_names=NAMES[:num_joints], positions=draw(matrix), times=np.cumsum(gaps) * 1e-9,
        velocities=draw(st.none() | matrix))


def content(trajectory: Trajectory) -> tuple:
    """Return everything that makes a command what it is, to 1 ns, joints sorted."""
    order = np.argsort(trajectory.joint_names)
    velocities = trajectory.velocities
    return (
        tuple(trajectory.joint_names[i] for i in order),
        (trajectory.positions[:, order] + 0.0).tolist(),
        np.rint(trajectory.times * 1e9).tolist(),
        None if velocities is None else (velocities[:, order] + 0.0).tolist())


@given(trajectories(), trajectories(), st.sampled_from(CommandInterface))
def test_digests_are_equal_only_for_equal_commands(one, two, interface):
    is_same = content(one) == content(two)
    assert (digest_trajectory(one, interface) == digest_trajectory(two, interface)) == is_same


@given(trajectories(), st.permutations(range(3)))
def test_digest_does_not_see_the_order_of_joints(trajectory, order):
    velocities = trajectory.velocities
    moved = Trajectory(
        joint_names=tuple(NAMES[i] for i in order), positions=trajectory.positions[:, order],
        times=trajectory.times, velocities=None if velocities is None else velocities[:, order])
    kind = CommandInterface.JOINT_TRAJECTORY
    assert digest_trajectory(moved, kind) == digest_trajectory(trajectory, kind)


@given(trajectories())
def test_digest_survives_the_way_through_a_message(trajectory):
    times_ns = [round(float(t) * 1e9) for t in trajectory.times]
    heard = Trajectory(
        joint_names=trajectory.joint_names, positions=trajectory.positions.copy(),
        times=np.array([ns // 10**9 + (ns % 10**9) * 1e-9 for ns in times_ns]),
        velocities=trajectory.velocities)
    kind = CommandInterface.POSITION
    assert digest_trajectory(heard, kind) == digest_trajectory(trajectory, kind)


@given(trajectories(), st.floats(0.001, 5.0), st.floats(0.05, 1.0))
def test_trimmed_stays_in_the_horizon_and_on_the_path_and_ends_at_rest(
        trajectory, horizon, factor):
    start = np.zeros(3)
    slow = stretch(trajectory, factor)
    cut = trim(slow, horizon, start)
    assert 1 <= len(cut.times) <= len(trajectory.times)
    assert cut.times[-1] <= horizon
    assert np.all(np.diff(cut.times) > 0)
    assert cut.positions.shape == (len(cut.times), 3)
    if cut.velocities is not None:
        assert not cut.velocities[-1].any()
    knots = np.concatenate([[0.0], slow.times])
    for joint in range(3):
        path = np.concatenate([[0.0], slow.positions[:, joint]])
        expected = np.interp(cut.times, knots, path)
        assert np.allclose(cut.positions[:, joint], expected, atol=1e-4)


@given(
    names=st.lists(st.sampled_from(['a', 'b', 'x', '']), max_size=4),
    points=st.lists(st.tuples(
        st.lists(ANY_FLOAT, max_size=3), st.lists(ANY_FLOAT, max_size=3),
        st.integers(-10**18, 10**18)), max_size=4),
    stamp_ns=st.sampled_from([0, ROS_START_NS, 1, 2**62]), kind=st.sampled_from(CommandInterface))
def test_whatever_passes_the_checks_is_finite_and_inside_the_limits(
        names, points, stamp_ns, kind):
    command = Command(
        source='fuzz', interface=kind, joint_names=tuple(names), stamp_ns=stamp_ns,
        points=tuple(CommandPoint(positions=tuple(p), velocities=tuple(v), time_ns=t)
                     for p, v, t in points) or (CommandPoint(positions=()),))
    config, start = make_config(), make_sample()
    try:
        trajectory = prepare(command, start, config, ROS_START_NS)
        check_limits(trajectory, kind, start, config)
    except CommandRefused:
        return
    assert trajectory.joint_names == ('a', 'b')
    assert np.abs(trajectory.positions).max() <= 1.0 + 1e-5
    assert np.all(np.diff(trajectory.times) > 0)


@given(st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=2))
def test_a_setpoint_near_the_arm_always_passes(values):
    command = Command(
        source='test', interface=CommandInterface.POSITION, joint_names=('a', 'b'),
        points=(CommandPoint(positions=tuple(values)),))
    config, start = make_config(), make_sample()
    trajectory = prepare(command, start, config, ROS_START_NS)
    check_limits(trajectory, CommandInterface.POSITION, start, config)
    assert np.array_equal(trajectory.positions[-1], values)


WORDS = st.sampled_from(['', 'a', 'b', 'x', 'base', 'tip', 'joints'])
FLOATS = st.lists(ANY_FLOAT, max_size=7).map(tuple)
TRIPLE = st.tuples(ANY_FLOAT, ANY_FLOAT, ANY_FLOAT)
INT64 = st.integers(-2**63, 2**63 - 1)
STAMPS = st.sampled_from([0, ROS_START_NS, 1, 2**62])
REQUESTS = st.one_of(
    st.builds(Jog, source=WORDS, joint_names=st.lists(WORDS, max_size=3).map(tuple),
              displacements=FLOATS, velocities=FLOATS, stamp_ns=STAMPS),
    st.builds(Twist, source=WORDS, frame_id=WORDS, linear=TRIPLE, angular=TRIPLE,
              stamp_ns=STAMPS),
    st.builds(ActionTargets, source=WORDS, action_space=WORDS, action_size=st.integers(0, 2**32),
              actions=FLOATS, tokens=st.lists(INT64, max_size=6).map(tuple),
              step_s=ANY_FLOAT, stamp_ns=STAMPS),
    st.builds(ActionTargets, source=WORDS, action_space=st.just(''), action_size=st.just(2),
              actions=st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=2).map(tuple),
              step_s=ANY_FLOAT, stamp_ns=st.just(0)))


@given(request=REQUESTS, positions=st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9)),
       kind=st.sampled_from(['position', 'velocity']), is_array=st.booleans())
def test_whatever_request_passes_is_finite_and_inside_the_limits(
        request, positions, kind, is_array):
    config = make_config(
        command_interface=kind, robot_description_file='x', tip_link='tip',
        cartesian_axes=('tx', 'ty'), acceleration_limit=(50.0, 50.0),
        command_out_type=ARRAY_TYPE if is_array else TRAJECTORY_TYPE)
    robot = Robot(config, planar_urdf())
    try:
        prepared = prepare_request(
            request, make_sample(positions), config, robot, ROS_START_NS)
    except CommandRefused:
        return
    assert np.abs(prepared.trajectory.positions).max() <= 1.0 + 1e-5
    assert np.isfinite(prepared.trajectory.times).all()
    assert np.all(np.diff(prepared.trajectory.times) > 0)
    if is_array:
        wanted = CommandInterface.VELOCITY if kind == 'velocity' else CommandInterface.POSITION
        assert prepared.interface is wanted, 'a controller gets what it takes'


@given(st.lists(st.integers(1, 400), min_size=2, max_size=12), st.integers(-2000, 0),
       st.data())
def test_nothing_that_waited_for_the_gate_is_taken_to_be_younger_than_it_is(gaps, step, data):
    """
    Joints and progress that waited are taken to be younger by no more than a short gap.

    The gate looks at its clocks after each of ``gaps`` ms; a sample and a beat come at some
    moment and are taken when the gate looks next, or, in a row of standstills, at a later look;
    the wall clock is set back once by ``step`` ms, at any moment.
    """
    looks = np.cumsum(gaps).tolist()
    came = data.draw(st.integers(0, looks[-1]))
    stepped = data.draw(st.integers(0, looks[-1]))
    first = next(number for number, at_ms in enumerate(looks) if came <= at_ms)
    standstills = list(takewhile(lambda number: gaps[number] >= 50, range(first + 1, len(gaps))))
    taken = looks[data.draw(st.sampled_from([first, *standstills] if gaps[first] >= 50 else [
        first]))]

    def now_at(at_ms: int) -> Now:
        wall_ms = at_ms + (step if at_ms > stepped else 0)
        return Now(at_ms * 1_000_000, ROS_START_NS + wall_ms * 1_000_000)

    inputs = Inputs(make_config(
        joint_state_timeout=2.0, heartbeat_timeout=2.0, max_future_skew=1.0))
    beat = Heartbeat(progress=1, is_calibrated=True, image_age_s=0.0)
    inputs.take_heartbeat(beat, now_at(0))
    for at_ms in looks[:looks.index(taken)]:
        inputs.see_clocks(now_at(at_ms))
    now = now_at(taken)
    least_age_s = (taken - came) / 1000 - inputs.standstill_ns / NS_PER_S
    inputs.take_heartbeat(replace(beat, progress=2), now)
    assert inputs.heartbeat_age_s(now) >= least_age_s
    problem = inputs.take_joints(make_sample(stamp_ns=now_at(came).ros_ns), now)
    assert problem is not None or inputs.joint_age_s(now) >= least_age_s
