# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run a command slower along the same path, for the verdict SLOW."""

from wm_ros.datatypes import Trajectory


def stretch(trajectory: Trajectory, speed_factor: float) -> Trajectory:
    """
    Stretch a trajectory in time; the path stays the same.

    :param trajectory: positions (N, J) rad, times (N,) s.
    :param speed_factor: factor on speed, in (0, 1].
    :returns: a new trajectory: times divided, velocities multiplied by the factor.
    :raises ValueError: if the factor is outside (0, 1].
    """
    if not 0.0 < speed_factor <= 1.0:
        raise ValueError(f'speed_factor must be in (0, 1]; got {speed_factor}')
    velocities = trajectory.velocities
    return Trajectory(
        joint_names=trajectory.joint_names,
        positions=trajectory.positions.copy(),
        times=trajectory.times / speed_factor,
        velocities=None if velocities is None else velocities * speed_factor)
