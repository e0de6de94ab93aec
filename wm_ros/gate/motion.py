# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where would a command take the joints? Limits of position, speed and acceleration, and the step.

A trajectory with velocities is followed as cubics, one without as straight lines, as
joint_trajectory_controller does; each is checked on the path that will be run.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import CommandInterface, JointSample, Reason, Trajectory
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.config import GateConfig
from wm_ros.gate.limits import Limits
from wm_ros.gate.robot import Robot
from wm_ros.gate.spline import cubic_extremes

# Rounding on the way through a message must not refuse a target on its limit.
_SLACK = 1e-6
# Between its points a planner's path may differ a little from the cubics: planners sample their
# path, and accelerations go to no controller.
_SLACK_BETWEEN = 0.01
_FASTER_BETWEEN = 1.1
_STEEPER_BETWEEN = 1.5

_Array = NDArray[np.float64]


def check_motion(
        trajectory: Trajectory, start: JointSample, config: GateConfig,
        robot: Robot | None = None) -> None:
    """
    Check limits of position and speed, and the step from the measured position.

    The first point may lie ``max_step`` plus what the speed limit allows until its time away from
    the measured position: the policy chose it from joints that are already a little old.

    :param trajectory: in the order of the configured joints.
    :param start: the measured joints, in the same order.
    :param robot: its limits; None: those of the parameters alone.
    :raises CommandRefused: LIMIT.
    """
    limits = (robot or Robot(config)).limits
    _check_positions(trajectory.positions, limits, config, 'at point')
    check_step(trajectory.positions[0], float(trajectory.times[0]), start, config, robot)
    durations = np.diff(trajectory.times)
    if trajectory.velocities is None:
        _check_speed(
            np.diff(trajectory.positions, axis=0) / durations[:, None], limits, config,
            'after point')
        return
    _check_speed(trajectory.velocities, limits, config, 'at point')
    if config.is_array_out:
        return
    extremes = cubic_extremes(trajectory.positions, trajectory.velocities, durations)
    for extreme in (extremes.lowest, extremes.highest):
        _check_positions(extreme, limits, config, 'after point', slack=_SLACK_BETWEEN)
    _check_speed(extremes.speed, limits, config, 'after point', factor=_FASTER_BETWEEN)


def check_acceleration(
        trajectory: Trajectory, interface: CommandInterface, start: JointSample,
        config: GateConfig, robot: Robot | None = None) -> None:
    """
    Check the acceleration from the measured motion on, where a joint has a limit of it.

    Of a set-point only the change from the measured velocity counts: the rest at its end is made
    by the gate. The rest at the end of a trajectory does not count either, because a policy
    replaces a chunk before its end.

    :raises CommandRefused: LIMIT.
    """
    limits = (robot or Robot(config)).limits
    if not limits.has_acceleration:
        return
    is_setpoint = interface is not CommandInterface.JOINT_TRAJECTORY
    # From the measured motion to the first point, unless the trajectory begins where the arm is.
    begin = 1 if not is_setpoint and trajectory.times[0] == 0.0 else 0
    end = 2 if is_setpoint else len(trajectory.times) + 1
    durations = np.diff(np.concatenate([[0.0], trajectory.times])[begin:end])
    positions = np.vstack([start.positions, trajectory.positions])[begin:end]
    if trajectory.velocities is None:
        found = _accelerations_of_lines(
            positions, durations, None if begin else start.velocities)
    else:
        velocities = np.vstack([start.velocities, trajectory.velocities])[begin:end]
        found = np.diff(velocities, axis=0) / durations[:, None]
        if not is_setpoint:
            peaks = cubic_extremes(positions, velocities, durations).acceleration
            found = np.maximum(np.abs(found), peaks / _STEEPER_BETWEEN)
    _check_accelerations(found, limits, config, end - 1 - len(found))


def check_step(
        first: _Array, time_s: float, start: JointSample, config: GateConfig,
        robot: Robot | None = None) -> None:
    """
    Check the distance of a first target from the measured position.

    :param first: (J,) rad. :param time_s: when it is to be reached, s.
    :raises CommandRefused: LIMIT.
    """
    allowed = config.max_step + (robot or Robot(config)).limits.speed * time_s
    step = np.abs(first - start.positions)
    if not np.all(step <= allowed + _SLACK):
        joint = int(np.argmax(step - allowed))
        raise CommandRefused(
            Reason.LIMIT,
            f'{config.joint_names[joint]} starts {step[joint]:.4g} rad from its measured '
            f'position; allowed is {allowed[joint]:.4g} rad for a target at {time_s:.3g} s')


def _accelerations_of_lines(
        positions: _Array, durations: _Array, measured: _Array | None) -> _Array:
    """
    Give the accelerations between straight segments, from their mean speeds, (S, J) rad/s^2.

    :param measured: velocities before the first segment, (J,), or None where nothing is known.
    """
    speeds = np.diff(positions, axis=0) / durations[:, None]
    between = np.diff(speeds, axis=0) / (0.5 * (durations[:-1] + durations[1:]))[:, None]
    if measured is None:
        return between
    return np.vstack([(speeds[:1] - measured) / (0.5 * durations[0]), between])


def _check_positions(
        positions: _Array, limits: Limits, config: GateConfig, where: str, *,
        slack: float = _SLACK) -> None:
    outside = (positions < limits.lower - slack) | (positions > limits.upper + slack)
    if outside.any():
        point, joint = np.argwhere(outside)[0]
        raise CommandRefused(
            Reason.LIMIT,
            f'{config.joint_names[joint]} {where} {point} is {positions[point, joint]:.4g} rad; '
            f'allowed is {limits.lower[joint]:.4g} to {limits.upper[joint]:.4g}')


def _check_speed(
        velocities: _Array, limits: Limits, config: GateConfig, where: str, *,
        factor: float = 1.0) -> None:
    too_fast = np.abs(velocities) > factor * limits.speed + _SLACK
    if too_fast.any():
        point, joint = np.argwhere(too_fast)[0]
        raise CommandRefused(
            Reason.LIMIT, f'{config.joint_names[joint]} {where} {point} moves at '
            f'{velocities[point, joint]:.4g} rad/s; velocity_limit is {limits.speed[joint]:.4g}')


def _check_accelerations(
        found: _Array, limits: Limits, config: GateConfig, first_point: int) -> None:
    too_steep = np.abs(found) > limits.acceleration + _SLACK
    if too_steep.any():
        row, joint = np.argwhere(too_steep)[0]
        raise CommandRefused(
            Reason.LIMIT, f'{config.joint_names[joint]} on the way to point {row + first_point} '
            f'accelerates at {found[row, joint]:.4g} rad/s^2; acceleration_limit is '
            f'{limits.acceleration[joint]:.4g}')
