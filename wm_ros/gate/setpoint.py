# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make a short chunk from a single set-point, so that the model has something to look ahead on.

A position set-point is reached after one step and held; a velocity set-point is integrated and
ends at rest. What goes out again is taken from the chunk as it was released, never from the
message as it came.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import CommandInterface, JointSample, Reason, Trajectory
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.config import GateConfig
from wm_ros.gate.values import Command


def check_setpoint(command: Command, config: GateConfig) -> NDArray[np.float64]:
    """
    Check size and numbers of a set-point.

    :returns: float64 (J,), rad or rad/s.
    :raises CommandRefused: BAD_COMMAND.
    """
    is_position = command.interface is CommandInterface.POSITION
    point = command.points[0]
    values = np.array(point.positions if is_position else point.velocities, dtype=np.float64)
    if values.shape != (len(config.joint_names),):
        raise CommandRefused(
            Reason.BAD_COMMAND,
            f'{values.size} numbers for {len(config.joint_names)} joints; expected one each for '
            f'{list(config.joint_names)}')
    if not np.isfinite(values).all():
        joint = int(np.argmin(np.isfinite(values)))
        raise CommandRefused(
            Reason.BAD_COMMAND,
            f'the set-point of {config.joint_names[joint]} is {values[joint]}')
    return values


def setpoint_to_trajectory(
        values: NDArray[np.float64], interface: CommandInterface, start: JointSample,
        config: GateConfig) -> Trajectory:
    """
    Extend a set-point over ``setpoint_horizon``.

    :param values: (J,) rad for POSITION, rad/s for VELOCITY.
    :param start: the measured joints.
    :returns: N points ``setpoint_step`` apart, the last at rest.
    """
    num_points = config.num_setpoint_steps
    times = config.setpoint_step * np.arange(1, num_points + 1, dtype=np.float64)
    if interface is CommandInterface.POSITION:
        positions = np.tile(values, (num_points, 1))
        return Trajectory(joint_names=config.joint_names, positions=positions, times=times)
    velocities = np.tile(values, (num_points, 1))
    velocities[-1] = 0.0
    positions = start.positions + times[:, None] * values
    if not config.is_array_out:
        # A trajectory brakes evenly in its last step; a controller of velocities goes on to its
        # end, where it gets zeros.
        positions[-1] -= 0.5 * config.setpoint_step * values
    return Trajectory(
        joint_names=config.joint_names, positions=positions, times=times, velocities=velocities)


def trajectory_to_setpoint(
        trajectory: Trajectory, interface: CommandInterface) -> NDArray[np.float64]:
    """
    Take the set-point out of a released chunk.

    :returns: (J,): the last target, rad, or the first velocity, rad/s.
    """
    if interface is CommandInterface.VELOCITY:
        assert trajectory.velocities is not None
        return np.array(trajectory.velocities[0])
    return np.array(trajectory.positions[-1])
