# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Commands of the fault catalogue, as messages."""

from collections.abc import Sequence

from numpy.typing import NDArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.ros.faults_robot import JOINTS

_NS = 1_000_000_000


def trajectory(points: Sequence[tuple[float, NDArray | Sequence[float]]]) -> JointTrajectory:
    """Make a command that starts at once from (time in s, positions in rad)."""
    message = JointTrajectory(joint_names=list(JOINTS))
    for time_s, positions in points:
        point = JointTrajectoryPoint(positions=[float(value) for value in positions])
        point.time_from_start.sec, point.time_from_start.nanosec = divmod(
            round(time_s * _NS), _NS)
        message.points.append(point)
    return message
