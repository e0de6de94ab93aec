# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Check commands as a joint_trajectory_controller does, and put their joints in the arm's order.

Stricter than the real controller in one point: a value that is not finite is refused here too.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from trajectory_msgs.msg import JointTrajectory

from wm_ros.simulation.scene import JOINT_NAMES


def trajectory_to_targets(
        message: JointTrajectory, now_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Turn a trajectory into times from now and positions.

    :param message: header.stamp is when time_from_start begins, 0 means now. As in the real
        controller the arm sets out at once for the first point that is still to come, whether
        the stamp lies in the past or in the future.
    :param now_ns: ROS time, ns.
    :returns: times from now, float64 (N,), s, all positive, and positions, float64 (N, J), rad,
        in the order of ``JOINT_NAMES``.
    :raises ValueError: naming the value that is wrong.
    """
    columns = _columns(message.joint_names)
    times, positions = [], []
    for index, point in enumerate(message.points):
        if len(point.positions) != len(JOINT_NAMES):
            raise ValueError(f'point {index} has {len(point.positions)} positions; '
                             f'there are {len(JOINT_NAMES)} joints')
        _check_finite(point.positions, message.joint_names, f'point {index}')
        times.append(point.time_from_start.sec + point.time_from_start.nanosec * 1e-9)
        positions.append([point.positions[column] for column in columns])
    _check_times(times)
    stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
    delay = (stamp_ns - now_ns) * 1e-9 if stamp_ns else 0.0
    # A controller applies a point at time 0 in its next cycle; this one does it in a millisecond.
    from_now = np.maximum(np.array(times), 0.001) + delay
    coming = from_now > 0
    if not coming.any():
        raise ValueError(f'the whole trajectory lies in the past: its last point was due '
                         f'{-from_now[-1]:.3f} s ago')
    return from_now[coming], np.array(positions, np.float64)[coming]


def array_to_position(values: Sequence[float]) -> NDArray[np.float64]:
    """
    Check a position set-point.

    :param values: one per joint in the order of ``JOINT_NAMES``, rad.
    :returns: float64 (J,).
    :raises ValueError: naming the value that is wrong.
    """
    if len(values) != len(JOINT_NAMES):
        raise ValueError(f'{len(values)} values; there are {len(JOINT_NAMES)} joints')
    _check_finite(values, JOINT_NAMES, 'the command')
    return np.array(values, np.float64)


def _columns(names: Sequence[str]) -> list[int]:
    """Return where each joint of the arm stands in ``names``."""
    for name in names:
        if name not in JOINT_NAMES:
            raise ValueError(f'unknown joint {name!r}; the joints are {", ".join(JOINT_NAMES)}')
    if len(set(names)) != len(names):
        raise ValueError(f'a joint is named twice: {", ".join(names)}')
    missing = [name for name in JOINT_NAMES if name not in names]
    if missing:
        raise ValueError(f'no target for {", ".join(missing)}; every joint needs one')
    return [list(names).index(name) for name in JOINT_NAMES]


def _check_finite(values: Sequence[float], names: Sequence[str], where: str) -> None:
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value):
            raise ValueError(f'{where} has position {value} for {name}; it must be finite')


def _check_times(times: list[float]) -> None:
    previous = -1.0
    for index, at in enumerate(times):
        if at < 0 or at <= previous:
            raise ValueError(f'time_from_start of point {index} is {at:.3f} s after '
                             f'{previous:.3f} s; times must be positive and increase'
                             if index else f'time_from_start of point 0 is {at:.3f} s, negative')
        previous = at
