# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The cubic between two points with velocities, as joint_trajectory_controller follows it.

Between its points such a path can be faster, further out and steeper than at them, so limits are
checked on the extremes of the cubic and not at the points alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float64]


class Extremes(NamedTuple):
    """
    The extremes of S segments of J joints, each float64 (S, J).

    :param lowest: rad. :param highest: rad. :param speed: rad/s. :param acceleration: rad/s^2.
    """

    lowest: _Array
    highest: _Array
    speed: _Array
    acceleration: _Array


def cubic_extremes(
        positions: _Array, velocities: _Array, durations: _Array) -> Extremes:
    """
    Find the extremes of each segment.

    :param positions: the S + 1 points, float64 (S + 1, J), rad.
    :param velocities: the same of the velocities, rad/s.
    :param durations: of the segments, float64 (S,), s, > 0.
    """
    start, end = positions[:-1], positions[1:]
    v_start, v_end = velocities[:-1], velocities[1:]
    first, last = _accelerations(start, end, v_start, v_end, durations[:, None])
    jerk = (last - first) / durations[:, None]
    duration = np.broadcast_to(durations[:, None], jerk.shape)
    with np.errstate(divide='ignore', invalid='ignore', over='ignore'):
        turn = np.nan_to_num(-first / jerk, nan=-1.0)
        root = np.sqrt(first * first - 2.0 * jerk * v_start)
        stops = [
            (-first + root) / jerk, (-first - root) / jerk,
            # The same roots in the form that holds where the jerk is almost zero.
            2.0 * v_start / (-first - root), 2.0 * v_start / (-first + root)]
    speed = np.maximum(np.abs(v_start), np.abs(v_end))
    inside = (turn > 0.0) & (turn < duration)
    moment = np.where(inside, turn, 0.0)
    speed = np.maximum(
        speed, np.abs(v_start + first * moment + 0.5 * jerk * moment ** 2))
    lowest, highest = np.minimum(start, end), np.maximum(start, end)
    for stop in stops:
        moment = np.where((stop > 0.0) & (stop < duration), stop, 0.0)
        place = start + moment * (v_start + moment * (0.5 * first + moment * jerk / 6.0))
        lowest, highest = np.minimum(lowest, place), np.maximum(highest, place)
    return Extremes(lowest, highest, speed, np.maximum(np.abs(first), np.abs(last)))


def cubic_positions(
        positions: _Array, velocities: _Array, durations: _Array, segment: NDArray[np.int64],
        fraction: _Array) -> _Array:
    """
    Give positions on the cubics.

    :param segment: which segment each of M positions is on, (M,).
    :param fraction: how far along it in time, 0 to 1, (M,).
    :returns: float64 (M, J), rad.
    """
    dt = durations[segment][:, None]
    time = fraction[:, None] * dt
    start, end = positions[segment], positions[segment + 1]
    v_start = velocities[segment]
    first, last = _accelerations(start, end, v_start, velocities[segment + 1], dt)
    jerk = (last - first) / dt
    return np.asarray(start + time * (v_start + time * (0.5 * first + time * jerk / 6.0)))


def _accelerations(
        start: _Array, end: _Array, v_start: _Array, v_end: _Array,
        dt: _Array) -> tuple[_Array, _Array]:
    """Give the accelerations at both ends, each (S, J); between them they are linear in time."""
    step = (end - start) / dt
    first = (6.0 * step - 4.0 * v_start - 2.0 * v_end) / dt
    return first, (-6.0 * step + 2.0 * v_start + 4.0 * v_end) / dt
