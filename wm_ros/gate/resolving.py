# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make a joint command of a request, from where the arm is now.

What the controller takes decides the form: a trajectory where it takes trajectories, else one
set-point of the kind it takes.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import CommandInterface, JointSample, Reason
from wm_ros.gate.action_decoding import decode_targets
from wm_ros.gate.checks import CommandRefused, check_stamp
from wm_ros.gate.config import SANE_POSITION, GateConfig
from wm_ros.gate.requests import ActionTargets, Jog, Twist
from wm_ros.gate.robot import Robot
from wm_ros.gate.values import Command, CommandPoint

_Array = NDArray[np.float64]


def resolve(
        request: Command | Jog | Twist | ActionTargets, start: JointSample | None,
        config: GateConfig, robot: Robot, now_ros_ns: int) -> Command:
    """
    Give the joint command that a request means.

    :param request: a joint command passes as it is.
    :param start: fresh measured joints, or None.
    :raises CommandRefused: BAD_COMMAND, TIME_SYNC, LIMIT, or STALE_JOINTS without joints.
    """
    if isinstance(request, Command):
        return request
    check_stamp(request.stamp_ns, config, now_ros_ns)
    if start is None:
        raise CommandRefused(Reason.STALE_JOINTS, 'no fresh joint_states to start from')
    if isinstance(request, Jog):
        return _resolve_jog(request, start, config)
    if isinstance(request, Twist):
        return _resolve_twist(request, start, config, robot)
    return _resolve_targets(request, start, config, robot)


def _resolve_jog(jog: Jog, start: JointSample, config: GateConfig) -> Command:
    if bool(jog.displacements) == bool(jog.velocities):
        raise CommandRefused(
            Reason.BAD_COMMAND, 'a jog has displacements or velocities, not both and not neither')
    values = np.array(jog.displacements or jog.velocities, dtype=np.float64)
    unknown = [name for name in jog.joint_names if name not in config.joint_names]
    if unknown or len(set(jog.joint_names)) != len(jog.joint_names):
        raise CommandRefused(
            Reason.BAD_COMMAND, f'a jog of {list(jog.joint_names)}; expected each once, out of '
            f'{list(config.joint_names)}')
    if len(values) != len(jog.joint_names):
        raise CommandRefused(
            Reason.BAD_COMMAND, f'{len(values)} numbers for {len(jog.joint_names)} joints')
    columns = [config.joint_names.index(name) for name in jog.joint_names]
    full = np.zeros(len(config.joint_names))
    if jog.displacements:
        full[columns] = _sane(values, 'displacement', jog.joint_names)
        return _position_setpoint(jog.source, start.positions + full, config)
    full[columns] = _scaled(values, 'velocity', jog.joint_names, config, config.scale_joint)
    return _velocity_setpoint(jog.source, full, start, config)


def _resolve_twist(
        twist: Twist, start: JointSample, config: GateConfig, robot: Robot) -> Command:
    arm = robot.cartesian
    if arm is None:
        raise CommandRefused(
            Reason.BAD_COMMAND, 'Cartesian commands need tip_link and the robot description')
    linear = _scaled(np.array(twist.linear), 'linear', 'xyz', config, config.scale_linear)
    angular = _scaled(np.array(twist.angular), 'angular', 'xyz', config, config.scale_rotational)
    wanted = np.concatenate([linear, angular])
    velocities: list[_Array] = []
    positions = [start.positions]
    for _ in range(config.num_setpoint_steps):
        frame = arm.frame(twist.frame_id, positions[-1])
        found = arm.velocities(positions[-1], wanted, frame)
        if found is None:
            if not velocities:
                raise CommandRefused(
                    Reason.LIMIT, f'{arm.tip_link} cannot move along the twist from here: a '
                    'singularity, or axes that the arm lacks (see cartesian_axes)')
            # Looking ahead the stream would have been corrected by now; the chunk rests here.
            found = np.zeros_like(start.positions)
        velocities.append(found)
        positions.append(positions[-1] + config.setpoint_step * found)
    if config.is_array_out:
        return _velocity_setpoint(twist.source, velocities[0], start, config)
    # The last step brakes evenly, which takes half the way.
    positions[-1] = 0.5 * (positions[-1] + positions[-2])
    return _trajectory(
        twist.source, np.array(positions[1:]), config.setpoint_step, config,
        velocities=np.array([*velocities[1:], np.zeros_like(start.positions)]))


def _resolve_targets(
        request: ActionTargets, start: JointSample, config: GateConfig,
        robot: Robot) -> Command:
    positions, step_s = decode_targets(request, start, config, robot)
    return _trajectory(request.source, positions, step_s, config)


def _trajectory(
        source: str, positions: _Array, step_s: float, config: GateConfig, *,
        velocities: _Array | None = None) -> Command:
    """Make a trajectory of targets ``step_s`` apart, the first after one step."""
    points = tuple(
        CommandPoint(
            positions=tuple(row.tolist()), time_ns=round((index + 1) * step_s * 1e9),
            velocities=() if velocities is None else tuple(velocities[index].tolist()))
        for index, row in enumerate(positions))
    return Command(
        source=source, interface=CommandInterface.JOINT_TRAJECTORY,
        joint_names=config.joint_names, points=points)


def _velocity_setpoint(
        source: str, velocities: _Array, start: JointSample, config: GateConfig) -> Command:
    """Make a velocity set-point; a controller of positions gets where one step of it leads."""
    if config.is_array_out and not config.is_velocity_out:
        return _position_setpoint(
            source, start.positions + config.setpoint_step * velocities, config)
    return Command(
        source=source, interface=CommandInterface.VELOCITY, joint_names=config.joint_names,
        points=(CommandPoint(positions=(), velocities=tuple(velocities.tolist())),))


def _position_setpoint(source: str, positions: _Array, config: GateConfig) -> Command:
    if config.is_velocity_out:
        raise CommandRefused(
            Reason.BAD_COMMAND, 'a displacement cannot go out as velocities; send velocities')
    return Command(
        source=source, interface=CommandInterface.POSITION, joint_names=config.joint_names,
        points=(CommandPoint(positions=tuple(positions.tolist())),))


def _sane(values: _Array, label: str, names: tuple[str, ...] | str) -> _Array:
    """Refuse numbers that no arithmetic would survive; the limits come later."""
    sane = np.abs(values) <= SANE_POSITION
    if not sane.all():
        index = int(np.argmin(sane))
        raise CommandRefused(
            Reason.BAD_COMMAND, f'the {label} of {names[index]} is {values[index]}')
    return values


def _scaled(
        values: _Array, label: str, names: tuple[str, ...] | str, config: GateConfig,
        scale: float) -> _Array:
    """Give values in SI units; unitless ones are -1 to 1 of ``scale``."""
    _sane(values, label, names)
    if config.command_in_type == 'speed_units':
        return values
    if np.abs(values).max() > 1.0:
        index = int(np.argmax(np.abs(values)))
        raise CommandRefused(
            Reason.BAD_COMMAND, f'the {label} of {names[index]} is {values[index]:.4g}; with '
            'command_in_type unitless it is -1 to 1')
    return values * scale
