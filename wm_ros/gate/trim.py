# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Cut a command to the horizon that was predicted, and end it at rest.

What lies beyond the horizon was never looked at. A controller whose last point has no velocity
stops there by itself, so a gate that dies leaves a robot at rest.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import Trajectory

_NS = 1e-9


def trim(trajectory: Trajectory, horizon_s: float, start: NDArray[np.float64]) -> Trajectory:
    """
    Keep the first ``horizon_s`` of a trajectory; the last point is at rest.

    A segment that crosses the horizon is cut by linear interpolation; before the first point
    the path runs from ``start`` at time 0.

    :param trajectory: positions (N, J) rad, times (N,) s, increasing.
    :param horizon_s: predicted horizon, s, > 0.
    :param start: measured positions, float64 (J,), rad.
    :returns: a new trajectory, last time <= horizon_s, last velocities zero where given.
    :raises ValueError: if the horizon is not a positive number.
    """
    if not 0.0 < horizon_s < np.inf:
        raise ValueError(f'horizon must be a positive number of seconds; got {horizon_s}')
    kept = int(np.searchsorted(trajectory.times, horizon_s + _NS, side='right'))
    times = np.array(trajectory.times[:kept], dtype=np.float64)
    positions = np.array(trajectory.positions[:kept], dtype=np.float64)
    velocities = None
    if trajectory.velocities is not None:
        velocities = np.array(trajectory.velocities[:kept], dtype=np.float64)
    if kept < len(trajectory.times) and (kept == 0 or times[-1] < horizon_s - _NS):
        positions = np.vstack([positions, _position_at(trajectory, horizon_s, kept, start)])
        times = np.append(times, horizon_s)
        if velocities is not None:
            velocities = np.vstack([velocities, np.zeros(len(start))])
    times = np.minimum(times, horizon_s)
    if velocities is not None:
        velocities[-1] = 0.0
    return Trajectory(
        joint_names=trajectory.joint_names, positions=positions, times=times,
        velocities=velocities)


def _position_at(
        trajectory: Trajectory, time_s: float, following: int,
        start: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate the position at a time before point ``following``, (J,) rad."""
    before = trajectory.positions[following - 1] if following else np.asarray(start)
    time_before = trajectory.times[following - 1] if following else 0.0
    fraction = (time_s - time_before) / (trajectory.times[following] - time_before)
    after = trajectory.positions[following]
    return np.asarray(before + fraction * (after - before), dtype=np.float64)
