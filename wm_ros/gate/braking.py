# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Come to rest from a motion as the joints can: the hold of an arm that moves.

Each joint brakes evenly at its own limit of acceleration. Such a path is a parabola and then
stands still; a trajectory controller follows points with velocities as cubics, so points at the
moments when joints come to rest say all of it exactly.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Trajectory
from wm_ros.gate.config import GateConfig
from wm_ros.gate.limits import Limits
from wm_ros.gate.values import NS_PER_S

# A measured speed further above the limit than this is not believed.
_FASTER = 1.1

_Array = NDArray[np.float64]


def braking_trajectory(
        sample: JointSample, age_s: float, limits: Limits,
        config: GateConfig) -> Trajectory | None:
    """
    Brake from the measured motion to rest, within the limits of position.

    Where a joint would leave its limits of position it brakes harder than its limit of
    acceleration: a stop beyond the limit is worse.

    :param sample: the measured joints, in the order of the gate's.
    :param age_s: of the sample, s; the arm has moved on since by as much as its speed says.
    :returns: at most one point for each joint, the last at rest; or None where the hold at the
        measured positions serves better: the arm is at rest, a joint that moves has no limit of
        acceleration, its measured speed makes no sense, to brake would take longer than
        ``hold_settle``, or the controller takes set-points, which cannot say how fast.
    """
    speeds = np.abs(sample.velocities)
    is_moving = speeds > config.rest_velocity
    has_limit = np.isfinite(limits.acceleration)
    if (config.is_array_out or not is_moving.any() or (is_moving & ~has_limit).any()
            or (speeds > _FASTER * limits.speed).any()):
        return None
    velocities = np.where(is_moving, sample.velocities, 0.0)
    begin = _stay_inside(sample.positions, sample.positions + velocities * age_s, limits)
    deceleration = np.where(has_limit, limits.acceleration, 1.0)
    # Up to where the limits of position let it: the mean speed of a braking joint is half.
    wanted = begin + np.sign(velocities) * velocities ** 2 / (2.0 * deceleration)
    end = _stay_inside(sample.positions, wanted, limits)
    distance = np.abs(end - begin)
    with np.errstate(divide='ignore', invalid='ignore'):
        durations = np.where(distance > 0.0, 2.0 * distance / np.abs(velocities), 0.0)
    # Whole nanoseconds, so that a message carries the same times.
    times = np.unique(np.rint(durations * NS_PER_S))
    times = times[times > 0] / NS_PER_S
    if not len(times) or times[-1] > config.hold_settle:
        return None
    return _sample(sample.names, begin, velocities, durations, times)


def _stay_inside(measured: _Array, wanted: _Array, limits: Limits) -> _Array:
    """Keep positions within the limits; a joint that is outside goes no further out."""
    return np.clip(
        wanted, np.minimum(limits.lower, measured), np.maximum(limits.upper, measured))


def _sample(
        names: tuple[str, ...], begin: _Array, velocities: _Array, durations: _Array,
        times: _Array) -> Trajectory:
    """Put points on the parabolas at ``times``, (N,); joint j rests from ``durations[j]`` on."""
    moving = np.minimum(times[:, None], durations[None])
    share_left = np.where(
        durations > 0.0, 1.0 - moving / np.where(durations > 0.0, durations, 1.0), 0.0)
    # Rounding to nanoseconds must not leave the last bit of a speed behind.
    share_left[np.abs(times[:, None] - durations[None]) < 1e-9] = 0.0
    positions = begin + velocities * moving * (1.0 + share_left) / 2.0
    return Trajectory(
        joint_names=names, positions=positions, times=times, velocities=velocities * share_left)
