# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One name for one command: BLAKE2b-128 of a canonical little-endian encoding.

Gate and predictor compute it on their own, so a verdict can only release the command that was
judged. Columns are sorted by joint name and times are whole nanoseconds, so that neither the
order of the joints nor the trip through a ROS message changes the digest.
"""

import hashlib
import struct

import numpy as np

from wm_ros.datatypes import CommandInterface, Trajectory

DIGEST_BYTES = 16
_MAGIC = b'wm_ros/trajectory/1'
_MAX_TIME_S = float(2**31)


def digest_trajectory(trajectory: Trajectory, interface: CommandInterface) -> bytes:
    """
    Compute the digest of a command.

    Equal up to a permutation of the joints, and -0.0 is 0.0; every other difference of names,
    order of points, positions, velocities, times (to 1 ns) or interface changes it.

    :param trajectory: positions (N, J) rad, times (N,) s, velocities (N, J) rad/s or None.
    :param interface: the controller interface the command came in by.
    :returns: 16 bytes.
    :raises ValueError: if a shape does not fit the others, or a time is not finite.
    """
    order = sorted(range(len(trajectory.joint_names)), key=trajectory.joint_names.__getitem__)
    num_points = len(trajectory.times)
    hasher = hashlib.blake2b(_MAGIC, digest_size=DIGEST_BYTES)
    hasher.update(struct.pack('<BII', int(interface), len(order), num_points))
    for column in order:
        name = trajectory.joint_names[column].encode()
        hasher.update(struct.pack('<I', len(name)) + name)
    hasher.update(_encode_times(trajectory.times))
    hasher.update(_encode_matrix(trajectory.positions, num_points, order, 'positions'))
    hasher.update(struct.pack('<B', trajectory.velocities is not None))
    if trajectory.velocities is not None:
        hasher.update(_encode_matrix(trajectory.velocities, num_points, order, 'velocities'))
    return hasher.digest()


def _encode_times(times: np.ndarray) -> bytes:
    """Encode times (N,) in s as int64 ns; a ROS duration carries no more."""
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or not np.all(np.abs(times) < _MAX_TIME_S):
        raise ValueError(f'times must be finite, 1-D and below 2**31 s; got {times!r}')
    return np.rint(times * 1e9).astype('<i8').tobytes()


def _encode_matrix(values: np.ndarray, num_points: int, order: list[int], label: str) -> bytes:
    """Encode (N, J) values row by row, columns in the given order."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (num_points, len(order)):
        raise ValueError(
            f'{label} must have shape ({num_points}, {len(order)}); got {values.shape}')
    return (values[:, order] + 0.0).astype('<f8').tobytes()
