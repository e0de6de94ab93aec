# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Is a command well formed? Cheap checks before the model sees it; motion.py has those of limits.

A controller on Jazzy takes NaN positions and checks sizes only, so nothing behind the gate can be
trusted to refuse. Joints may come in any order; they leave in the order of ``joint_names``.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import Reason, Trajectory
from wm_ros.gate.config import GateConfig
from wm_ros.gate.values import NS_PER_S, Command


class CommandRefused(Exception):
    """
    A command must not go on.

    :param reason: BAD_COMMAND, TIME_SYNC or LIMIT.
    :param message: what is wrong, with the value, in words.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_format(command: Command, config: GateConfig, now_ros_ns: int) -> Trajectory:
    """
    Turn a command as it came into a trajectory in the order of the configured joints.

    :param command: positions are required in every point, velocities in all points or in none.
    :param now_ros_ns: ROS time, for the age of the stamp.
    :returns: finite positions (N, J), increasing times (N,), velocities (N, J) or None.
    :raises CommandRefused: BAD_COMMAND or TIME_SYNC.
    """
    check_stamp(command.stamp_ns, config, now_ros_ns)
    num_points = len(command.points)
    if num_points == 0:
        raise CommandRefused(
            Reason.BAD_COMMAND, 'the trajectory is empty; to stop, use ~/emergency_stop')
    if num_points > config.max_points:
        raise CommandRefused(
            Reason.BAD_COMMAND, f'{num_points} points; max_points is {config.max_points}')
    order = column_order(command.joint_names, config.joint_names)
    if isinstance(order, str):
        raise CommandRefused(Reason.BAD_COMMAND, order)
    _check_sizes(command)
    return Trajectory(
        joint_names=config.joint_names,
        positions=_matrix([p.positions for p in command.points], 'position', command)[:, order],
        times=_check_times(command, config),
        velocities=_velocities(command, order))


def check_stamp(stamp_ns: int, config: GateConfig, now_ros_ns: int) -> None:
    """
    Check the age of a command's stamp; zero means now.

    :raises CommandRefused: TIME_SYNC.
    """
    if stamp_ns == 0:
        return
    age_s = (now_ros_ns - stamp_ns) / NS_PER_S
    if age_s < -config.max_future_skew:
        raise CommandRefused(
            Reason.TIME_SYNC, f'the stamp is {-age_s:.3f} s in the future; max_future_skew is '
            f'{config.max_future_skew} s')
    if age_s > config.max_command_age:
        raise CommandRefused(
            Reason.TIME_SYNC,
            f'the command is {age_s:.3f} s old; max_command_age is {config.max_command_age} s')


def column_order(given: tuple[str, ...], wanted: tuple[str, ...]) -> list[int] | str:
    """
    Find where each wanted joint stands among the given names.

    :returns: index into ``given`` for each of ``wanted``, or what is wrong, in words.
    """
    if len(set(given)) != len(given):
        return f'joint names {list(given)} name a joint twice'
    unknown = [name for name in given if name not in wanted]
    missing = [name for name in wanted if name not in given]
    if unknown or missing:
        parts = [f'unknown {unknown}'] if unknown else []
        parts += [f'missing {missing}'] if missing else []
        return f'joint names do not fit: {", ".join(parts)}; expected {list(wanted)}'
    return [given.index(name) for name in wanted]


def _check_sizes(command: Command) -> None:
    size = len(command.joint_names)
    has_velocities = bool(command.points[0].velocities)
    for index, point in enumerate(command.points):
        if len(point.positions) != size:
            raise CommandRefused(
                Reason.BAD_COMMAND,
                f'point {index} has {len(point.positions)} positions for {size} joints')
        if len(point.velocities) != (size if has_velocities else 0):
            raise CommandRefused(
                Reason.BAD_COMMAND,
                f'point {index} has {len(point.velocities)} velocities for {size} joints; give '
                f'them in all points or in none')


def _check_times(command: Command, config: GateConfig) -> NDArray[np.float64]:
    times_ns = [point.time_ns for point in command.points]
    if times_ns[0] < 0:
        raise CommandRefused(
            Reason.BAD_COMMAND, f'point 0 is at {times_ns[0]} ns, before the start')
    for index, (before, after) in enumerate(pairwise(times_ns)):
        if not before < after:
            raise CommandRefused(
                Reason.BAD_COMMAND, f'times must increase; point {index + 1} is at '
                f'{after / NS_PER_S:.9g} s after {before / NS_PER_S:.9g} s')
    if times_ns[-1] > config.max_duration * NS_PER_S:
        raise CommandRefused(
            Reason.BAD_COMMAND, f'the trajectory lasts {times_ns[-1] / NS_PER_S:.6g} s; '
            f'max_duration is {config.max_duration} s')
    if times_ns[-1] == 0:
        raise CommandRefused(
            Reason.BAD_COMMAND, 'the only point is at 0 s; give it a time_from_start')
    return np.array(times_ns, dtype=np.float64) / NS_PER_S


def _velocities(command: Command, order: list[int]) -> NDArray[np.float64] | None:
    if not command.points[0].velocities:
        return None
    return _matrix([p.velocities for p in command.points], 'velocity', command)[:, order]


def _matrix(
        rows: list[tuple[float, ...]], label: str, command: Command) -> NDArray[np.float64]:
    values = np.array(rows, dtype=np.float64)
    if not np.isfinite(values).all():
        point, joint = np.argwhere(~np.isfinite(values))[0]
        raise CommandRefused(
            Reason.BAD_COMMAND, f'{label} of {command.joint_names[joint]} at point {point} is '
            f'{values[point, joint]}')
    return values
