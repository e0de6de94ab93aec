# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the fields of ROS messages, whoever made the objects.

rclpy's classes and those of ``rosbags`` have the same fields, so a live graph and a bag are read
by the same functions and none of them needs ROS.
"""

from typing import Any

import numpy as np

from wm_ros.datatypes import ActionChunk, CommandInterface, JointSample, Trajectory

NS_PER_S = 1_000_000_000


def stamp_to_ns(stamp: Any) -> int:
    """Give a message's stamp, or a duration, in ns."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def message_to_trajectory(message: Any) -> Trajectory:
    """
    Read a trajectory.

    :param message: a JointTrajectory; every point with one position per joint; velocities in all
        points or in none.
    :returns: the trajectory; values are not checked for being finite.
    :raises ValueError: naming the point whose size does not fit.
    """
    num_joints, points = len(message.joint_names), message.points
    if not num_joints or not points:
        raise ValueError(f'trajectory has {num_joints} joints and {len(points)} points')
    has_velocities = len(points[0].velocities) > 0
    for index, point in enumerate(points):
        sizes = len(point.positions), len(point.velocities)
        if sizes != (num_joints, num_joints * has_velocities):
            raise ValueError(f'point {index} has {sizes[0]} positions and {sizes[1]} velocities '
                             f'for {num_joints} joints')
    times = [point.time_from_start.sec + point.time_from_start.nanosec / NS_PER_S
             for point in points]
    return Trajectory(
        joint_names=tuple(message.joint_names), times=np.array(times, dtype=np.float64),
        positions=np.array([point.positions for point in points], dtype=np.float64),
        velocities=np.array([point.velocities for point in points], dtype=np.float64)
        if has_velocities else None)


def message_to_chunk(message: Any) -> ActionChunk:
    """
    Read a chunk.

    :param message: a wm_ros/ActionChunk as the gate sent it.
    :returns: the chunk with the digest that the message claims.
    :raises ValueError: if the trajectory, the start or the interface cannot be read.
    """
    start = message.start_state
    if len(start.position) != len(start.name):
        raise ValueError(f'start_state has {len(start.name)} names and '
                         f'{len(start.position)} positions')
    velocities = start.velocity if len(start.velocity) else np.zeros(len(start.name))
    # Files of evidence may be older than the speeds.
    factors = {name: float(getattr(message, name, 0.0)) for name in (
        'slow_factor', 'escape_factor')}
    for name, factor in factors.items():
        if not 0.0 <= factor <= 1.0:
            raise ValueError(f'{name} is {factor}; allowed is 0 to 1')
    return ActionChunk(
        chunk_id=int(message.chunk_id), digest=bytes(message.digest), source=message.source,
        interface=CommandInterface(message.command_interface),
        trajectory=message_to_trajectory(message.trajectory),
        start=JointSample(names=tuple(start.name), stamp_ns=stamp_to_ns(start.header.stamp),
                          positions=np.array(start.position, dtype=np.float64),
                          velocities=np.array(velocities, dtype=np.float64)),
        stamp_ns=stamp_to_ns(message.header.stamp), decide_by_ns=stamp_to_ns(message.decide_by),
        **factors)


def array_to_trajectory(message: Any, joint_names: tuple[str, ...]) -> Trajectory:
    """
    Read the positions that a forward command controller is told to take at once.

    :param message: a Float64MultiArray of positions, rad.
    :param joint_names: J names in the controller's order.
    :returns: a trajectory of one point at time 0.
    :raises ValueError: if the number of values is not that of the joints.
    """
    values = np.asarray(message.data, np.float64)
    if values.shape != (len(joint_names),):
        raise ValueError(f'command has {values.size} values for the {len(joint_names)} joints '
                         f"{', '.join(joint_names)}")
    return Trajectory(joint_names=joint_names, times=np.zeros(1), positions=values[None])
