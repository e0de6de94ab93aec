# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect what comes off a live graph until it makes an episode."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode, encode_frame
from wm_ros.datatypes import Trajectory
from wm_ros.errors import DatasetError

HAZARD_KINDS = ('object', 'table', 'self')
_STORED_WIDTH_PX = 320


class Setpoint:
    """
    What the controller was told, followed as a joint_trajectory_controller follows it.

    A new trajectory runs in straight lines from the set-point of the moment it came; before any
    command, the set-point is the first measured position.

    :param positions: float64 (J,), rad.
    """

    def __init__(self, positions: NDArray[np.float64]) -> None:
        self._times = np.zeros(1)
        self._points = np.array(positions, np.float64)[None]

    def at(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return the set-point at a time, (J,) rad."""
        now = stamp_ns * 1e-9
        return np.array([np.interp(now, self._times, column) for column in self._points.T])

    def follow(self, joint_names: tuple[str, ...], trajectory: Trajectory,
               start_ns: int) -> None:
        """
        Take a trajectory; joints that it does not name keep their set-point.

        :param joint_names: order of the set-point; names it does not know are left out.
        :param start_ns: when time_from_start begins.
        """
        start = self.at(start_ns)
        points = np.repeat(start[None], len(trajectory.times) + 1, axis=0)
        for column, name in enumerate(trajectory.joint_names):
            if name in joint_names:
                points[1:, joint_names.index(name)] = trajectory.positions[:, column]
        self._times = start_ns * 1e-9 + np.concatenate(
            [[0.0], np.maximum(trajectory.times, 1e-3)])
        self._points = points


@dataclass(slots=True, eq=False)
class Recording:
    """
    An episode in the making; belongs to one thread.

    Samples whose stamp does not increase are left out and counted in ``num_dropped``.
    """

    joint_names: tuple[str, ...] = ()
    num_dropped: int = 0
    _frames: list[bytes] = field(default_factory=list)
    _frame_stamps: list[int] = field(default_factory=list)
    _joint_stamps: list[int] = field(default_factory=list)
    _columns: list[tuple[NDArray, NDArray, NDArray, NDArray, int]] = field(default_factory=list)
    _setpoint: Setpoint | None = None
    _hazard: int = 0

    @property
    def num_frames(self) -> int:
        """Frames so far."""
        return len(self._frames)

    @property
    def num_samples(self) -> int:
        """Joint samples so far."""
        return len(self._joint_stamps)

    def add_frame(self, image: NDArray[np.uint8], stamp_ns: int) -> None:
        """Keep a picture, RGB uint8 (h, w, 3), at most 320 pixels wide."""
        if self._frame_stamps and stamp_ns <= self._frame_stamps[-1]:
            self.num_dropped += 1
            return
        height, width = image.shape[:2]
        if width > _STORED_WIDTH_PX:
            size = _STORED_WIDTH_PX, max(1, round(height * _STORED_WIDTH_PX / width))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._frames.append(encode_frame(image))
        self._frame_stamps.append(stamp_ns)

    def add_joints(self, names: tuple[str, ...], positions: NDArray[np.float64],
                   velocities: NDArray[np.float64], efforts: NDArray[np.float64],
                   stamp_ns: int) -> None:
        """
        Keep a joint sample; the first one decides joints and order.

        :param names: J names; the arrays are (J,) or, where the driver gives none, (0,).
        """
        if not self.joint_names:
            self.joint_names = names
        is_known = set(self.joint_names) <= set(names) and len(positions) == len(names)
        is_later = not self._joint_stamps or stamp_ns > self._joint_stamps[-1]
        if not (is_known and is_later and np.isfinite(positions).all()):
            self.num_dropped += 1
            return
        order = [names.index(name) for name in self.joint_names]
        rows = [np.asarray(values, np.float64)[order] if len(values) == len(names)
                else np.zeros(len(order)) for values in (positions, velocities, efforts)]
        if self._setpoint is None:
            self._setpoint = Setpoint(rows[0])
        self._columns.append(
            (rows[0], rows[1], rows[2], self._setpoint.at(stamp_ns), self._hazard))
        self._joint_stamps.append(stamp_ns)
        self._hazard = 0

    def add_command(self, trajectory: Trajectory, start_ns: int) -> None:
        """Let the set-point follow a command; before any joint sample there is nothing to move."""
        if self._setpoint is not None and np.isfinite(trajectory.positions).all():
            self._setpoint.follow(self.joint_names, trajectory, start_ns)

    def add_contacts(self, pairs: list[str]) -> None:
        """Note hazardous contacts, ``body_a|body_b``, with the next joint sample."""
        for pair in pairs:
            bodies = pair.split('|')
            kind = ('table' if 'table' in bodies else
                    'object' if any(name.startswith('object') for name in bodies) else 'self')
            self._hazard |= 1 << HAZARD_KINDS.index(kind)

    def episode(self, *, camera_name: str, info: dict[str, object]) -> Episode:
        """
        Make the episode.

        :raises DatasetError: if a part of it never came.
        """
        missing = [what for what, count in (('camera pictures', self.num_frames),
                                            ('joint states', self.num_samples)) if not count]
        if missing:
            raise DatasetError(f'nothing was recorded: no {" and no ".join(missing)} came')
        positions, velocities, efforts, setpoints, hazards = zip(*self._columns, strict=True)
        return Episode(
            frames=tuple(self._frames), frame_stamps_ns=np.array(self._frame_stamps, np.int64),
            joint_names=self.joint_names,
            joint_stamps_ns=np.array(self._joint_stamps, np.int64),
            positions=np.array(positions, np.float32),
            velocities=np.array(velocities, np.float32), efforts=np.array(efforts, np.float32),
            setpoints=np.array(setpoints, np.float32), hazards=np.array(hazards, np.uint8),
            hazard_kinds=HAZARD_KINDS, camera_name=camera_name, info=info)
