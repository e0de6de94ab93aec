# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Is a command on the controller's topic a hold? Worked out from what was measured, by nothing else.

A hold is one point where the arm is, or a path that only loses the speed that was measured.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import Trajectory

# Joints are measured some milliseconds before the gate brakes from them, rad/s.
_SPEED_TOLERANCE = 0.2
_REST = 1e-9


class Measured(NamedTuple):
    """
    Joints as they were measured.

    :param received_ns: when they came in.
    :param positions: float64 (J,), rad, in the order of ``names``.
    :param velocities: float64 (J,), rad/s; None where the driver gives none.
    """

    received_ns: int
    names: tuple[str, ...]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64] | None


def is_hold(command: Trajectory, measured: Measured, tolerance_rad: float) -> bool:
    """
    Say whether a command keeps the arm where it was measured, or brings it to rest from there.

    :param tolerance_rad: how far the arm may have moved since it was measured.
    """
    # A driver may measure further joints than the gate moves.
    if not set(command.joint_names) <= set(measured.names) or not len(command.times):
        return False
    columns = [measured.names.index(name) for name in command.joint_names]
    here = measured.positions[columns]
    if len(command.times) == 1 and np.abs(command.positions[0] - here).max() < tolerance_rad:
        return True
    if measured.velocities is None or command.velocities is None:
        return False
    return _only_brakes(command, here, measured.velocities[columns], tolerance_rad)


def looks_like_hold(message: Any) -> bool:
    """
    Say whether a command alone looks like a hold: one point, or speeds that only fall, to rest.

    For who sends commands without velocities: what is released of those has none either.

    :param message: trajectory_msgs/JointTrajectory.
    """
    if len(message.points) <= 1:
        return True
    if not all(len(point.velocities) for point in message.points):
        return False
    speeds = np.abs([point.velocities for point in message.points])
    return bool((speeds[-1] <= _REST).all() and (np.diff(speeds, axis=0) <= _REST).all())


def _only_brakes(
        command: Trajectory, here: NDArray[np.float64], speed: NDArray[np.float64],
        tolerance_rad: float) -> bool:
    """Say whether no joint turns back or gains speed, and each place follows from the speeds."""
    assert command.velocities is not None
    # In the direction of the measured motion, so that a speed below 0 is a way back.
    speeds = np.vstack([speed, command.velocities]) * np.where(speed < 0.0, -1.0, 1.0)
    gains = np.diff(speeds, axis=0)
    gains[0] -= _SPEED_TOLERANCE
    if (np.abs(speeds[-1]) > _REST).any() or (gains > _REST).any() or (
            speeds[1:] < -_REST).any():
        return False
    velocities = np.vstack([speed, command.velocities])
    durations = np.diff(command.times, prepend=0.0)[:, None]
    path = here + np.cumsum((velocities[1:] + velocities[:-1]) / 2.0 * durations, axis=0)
    return bool(np.abs(command.positions - path).max() < tolerance_rad)
