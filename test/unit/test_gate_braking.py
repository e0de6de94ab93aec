# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The hold of an arm that moves: it brakes by its limits, ends at rest, and is watched there."""

from dataclasses import replace

import numpy as np
import pytest
from gate_rig import Rig, make_config, make_sample

from wm_ros.datatypes import Decision
from wm_ros.gate.braking import braking_trajectory
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import Hold
from wm_ros.gate.limits import Limits, limits_of
from wm_ros.gate.spline import cubic_extremes
from wm_ros.gate.values import State


def make_limits(acceleration=(4.0, 2.0), **changes) -> Limits:
    config = make_config()
    return replace(limits_of(config, None), acceleration=np.array(acceleration), **changes)


def brake(velocities, positions=(0.0, 0.0), age_s=0.0, limits=None, **changes):
    return braking_trajectory(
        make_sample(positions, velocities), age_s, limits or make_limits(),
        make_config(**changes))


def test_each_joint_brakes_at_its_own_limit():
    # By hand: a needs 0.8/4 = 0.2 s and 0.08 rad, b 1.0/2 = 0.5 s and 0.25 rad back.
    path = brake((0.8, -1.0), (0.1, 0.2))
    assert path.times == pytest.approx([0.2, 0.5])
    # At 0.2 s b still has 0.6 rad/s and has gone 0.2 * (1.0 + 0.6) / 2 = 0.16 rad.
    assert path.positions == pytest.approx(np.array([[0.18, 0.04], [0.18, -0.05]]))
    assert path.velocities == pytest.approx(np.array([[0.0, -0.6], [0.0, 0.0]]))
    assert not path.velocities[-1].any(), 'exactly at rest'


def test_the_cubics_of_a_controller_stay_within_the_limits():
    limits = make_limits((3.0, 5.0))
    rng = np.random.default_rng(5)
    for _ in range(50):
        velocities = rng.uniform(-0.9, 0.9, 2)
        path = brake(velocities, limits=limits)
        start = np.where(np.abs(velocities) > 0.05, velocities, 0.0)
        found = cubic_extremes(
            np.vstack([np.zeros(2), path.positions]), np.vstack([start, path.velocities]),
            np.diff(path.times, prepend=0.0))
        # The times of a message are whole nanoseconds.
        assert (found.acceleration <= limits.acceleration * (1.0 + 1e-4)).all()
        assert (found.speed <= np.abs(velocities) + 1e-9).all()


def test_the_arm_has_moved_on_since_it_was_measured():
    path = brake((0.8, 0.0), age_s=0.1)
    assert path.positions[-1] == pytest.approx([0.08 + 0.08, 0.0])


def test_a_limit_of_position_is_kept_by_braking_harder():
    # Left are 0.05 rad at 0.8 rad/s: 2 * 0.05 / 0.8 = 0.125 s instead of 0.2.
    path = brake((0.8, 0.0), (0.95, 0.0))
    assert path.positions[-1] == pytest.approx([1.0, 0.0])
    assert path.times == pytest.approx([0.125])


def test_a_joint_beyond_its_limit_goes_no_further_and_one_that_comes_back_may():
    assert brake((0.8, 0.0), (1.2, 0.0)) is None, 'nothing is left to brake on'
    assert brake((-0.8, 0.0), (1.2, 0.0)).positions[-1] == pytest.approx([1.12, 0.0])


@pytest.mark.parametrize(('velocities', 'changes', 'acceleration'), [
    ((0.05, -0.05), {}, (4.0, 2.0)),
    ((0.8, 0.0), {}, (np.inf, 2.0)),
    ((2.3, 0.0), {}, (4.0, 2.0)),
    ((1.1, 0.0), {}, (1.0, 2.0)),
    ((0.8, 0.0), {'command_out_type': ARRAY_TYPE}, (4.0, 2.0)),
    ((0.8, 0.0), {'command_out_type': ARRAY_TYPE, 'command_interface': 'velocity'}, (4.0, 2.0)),
], ids=['at rest', 'no limit', 'too fast to be true', 'too long', 'positions', 'velocities'])
def test_otherwise_the_hold_is_where_the_arm_was_measured(velocities, changes, acceleration):
    assert brake(velocities, limits=make_limits(acceleration), **changes) is None


def test_a_joint_without_limit_may_rest_while_another_brakes():
    path = brake((0.8, 0.01), (0.0, 0.3), limits=make_limits((4.0, np.inf)))
    assert path.positions[-1] == pytest.approx([0.08, 0.3])


def moving_rig(velocities=(0.8, 0.0)) -> Rig:
    """Make a gate that runs, whose arm moves."""
    rig = Rig(acceleration_limit=(40.0, 40.0)).arm()
    rig.gate.take_joints(make_sample((0.1, 0.0), velocities, rig.now.ros_ns), rig.now)
    return rig


def test_a_veto_brakes_and_the_hold_is_watched_where_it_ends():
    rig = moving_rig((0.0, 0.0))
    chunk = rig.ask()
    rig.gate.take_joints(make_sample((0.1, 0.0), (1.6, 0.0), rig.now.ros_ns), rig.now)
    rig.answer(chunk, Decision.VETO)
    hold = rig.holds()[-1]
    assert hold.positions == pytest.approx([0.1, 0.0])
    assert hold.braking.positions[-1] == pytest.approx([0.1 + 1.6 ** 2 / 80.0, 0.0])
    assert rig.state is State.HOLD
    rig.positions = (0.1 + 0.032 + 0.19, 0.0)
    rig.run(1200)
    assert rig.state is State.HOLD, 'within hold_tolerance of where braking ends'
    rig.positions = (0.1 + 0.032 + 0.21, 0.0)
    rig.run(20)
    assert rig.state is State.ESTOP


def test_limits_that_a_description_brings_later_count():
    rig = Rig().arm()
    rig.gate.robot.limits = make_limits((40.0, 40.0))
    rig.gate.take_joints(make_sample((0.0, 0.0), (0.8, 0.0), rig.now.ros_ns), rig.now)
    rig.note(rig.gate.stop('test', rig.now).effects)
    assert rig.holds()[-1].braking is not None


def test_deactivation_brakes_too_and_old_joints_never():
    rig = moving_rig()
    rig.note(rig.gate.deactivate(rig.now))
    assert rig.holds()[-1].braking is not None
    rig = moving_rig()
    rig.advance(300)
    assert not [e for e in rig.gate.deactivate(rig.now) if isinstance(e, Hold)]
