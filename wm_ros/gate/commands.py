# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One door for commands of every interface: make a trajectory of them, then check its limits."""

from typing import NamedTuple

from wm_ros.datatypes import CommandInterface, JointSample, Reason, Trajectory
from wm_ros.gate.checks import CommandRefused, check_format
from wm_ros.gate.config import GateConfig
from wm_ros.gate.motion import check_acceleration, check_motion, check_step
from wm_ros.gate.requests import GoalWindow, Request
from wm_ros.gate.resolving import resolve
from wm_ros.gate.robot import Robot
from wm_ros.gate.setpoint import check_setpoint, setpoint_to_trajectory
from wm_ros.gate.values import Command
from wm_ros.gate.workspace import check_workspace


class Prepared(NamedTuple):
    """
    A command that is well formed and within the limits.

    :param interface: of the joint command that the request became.
    """

    trajectory: Trajectory
    interface: CommandInterface


def prepare_request(
        request: Request, start: JointSample | None, config: GateConfig, robot: Robot,
        now_ros_ns: int, *, has_limits: bool = True) -> Prepared:
    """
    Make a checked trajectory of whatever came.

    :param has_limits: check the limits too; shadow does not.
    :raises CommandRefused: with the reason in words.
    """
    if isinstance(request, GoalWindow):
        if start is None:
            raise CommandRefused(Reason.STALE_JOINTS, 'no fresh joint_states to start from')
        check_motion(request.trajectory, start, config, robot)
        return Prepared(request.trajectory, CommandInterface.JOINT_TRAJECTORY)
    command = resolve(request, start, config, robot, now_ros_ns)
    trajectory = prepare(command, start, config, now_ros_ns)
    if has_limits:
        check_limits(trajectory, command.interface, start, config, robot)
    return Prepared(trajectory, command.interface)


def prepare(
        command: Command, start: JointSample | None, config: GateConfig,
        now_ros_ns: int) -> Trajectory:
    """
    Check the form of a command and make a trajectory of it.

    :param start: fresh measured joints; a trajectory can do without, a set-point cannot.
    :returns: the command in the order of the configured joints.
    :raises CommandRefused: BAD_COMMAND, TIME_SYNC, or STALE_JOINTS without joints.
    """
    if command.interface is CommandInterface.JOINT_TRAJECTORY:
        if config.is_array_out:
            raise CommandRefused(
                Reason.BAD_COMMAND, f'a trajectory cannot go out as {config.command_out_type}; '
                'set command_out_type or use ~/commands')
        return check_format(command, config, now_ros_ns)
    values = check_setpoint(command, config)
    if start is None:
        raise CommandRefused(Reason.STALE_JOINTS, 'no fresh joint_states to start from')
    return setpoint_to_trajectory(values, command.interface, start, config)


def check_limits(
        trajectory: Trajectory, interface: CommandInterface, start: JointSample | None,
        config: GateConfig, robot: Robot | None = None) -> None:
    """
    Check what a prepared command would do to the joints and to the links.

    :param robot: its limits and kinematics; None: the limits of the parameters alone.
    :raises CommandRefused: LIMIT, or STALE_JOINTS without joints.
    """
    if start is None:
        raise CommandRefused(Reason.STALE_JOINTS, 'no fresh joint_states to start from')
    if interface is CommandInterface.POSITION:
        check_step(trajectory.positions[0], 0.0, start, config, robot)
    check_motion(trajectory, start, config, robot)
    check_acceleration(trajectory, interface, start, config, robot)
    if robot is not None and robot.kinematics is not None:
        check_workspace(trajectory, start, config, robot.kinematics)
