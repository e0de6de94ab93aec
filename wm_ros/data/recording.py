# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Collect what comes off a live graph or out of a bag until it makes an episode.

Nothing here knows ROS: the recorder node and the importers turn messages into values first.
"""

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import EPISODE_GLOB, CameraFrames, Episode, encode_frame
from wm_ros.data.hazard_labels import contact_kind, with_kind
from wm_ros.data.picture_headers import check_picture
from wm_ros.data.pictures import decode_picture
from wm_ros.datatypes import Trajectory
from wm_ros.errors import DatasetError

HAZARD_KINDS = ('object', 'table', 'self')
STORED_WIDTH_PX = 320

_Row = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64],
             NDArray[np.float64], int, float]


class Setpoint:
    """
    What the controller was told, followed as a joint_trajectory_controller follows it.

    A new trajectory runs in straight lines from the set-point of the moment it came, or from its
    own first point where that is due at once; before any command, the set-point is the first
    measured position.

    :param positions: float64 (J,), rad.
    """

    def __init__(self, positions: NDArray[np.float64]) -> None:
        self._start_ns = 0
        self._times = np.zeros(1)
        self._points = np.array(positions, np.float64)[None]

    def at(self, stamp_ns: int) -> NDArray[np.float64]:
        """Return the set-point at a time, (J,) rad."""
        # Relative to the start: a float of seconds since 1970 resolves 0.2 microseconds only.
        now = (stamp_ns - self._start_ns) * 1e-9
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
        times = np.concatenate([[0.0], trajectory.times])
        keep = np.append(times[1:] > 0, True)  # of points due by now only the last counts
        self._start_ns, self._times, self._points = start_ns, times[keep], points[keep]


@dataclass(slots=True, eq=False)
class _Frames:
    """Pictures of one camera so far."""

    files: list[bytes] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)

    def taken(self) -> CameraFrames:
        return CameraFrames(frames=tuple(self.files), stamps_ns=np.array(self.stamps, np.int64))


@dataclass(slots=True, eq=False)
class Recording:
    """
    An episode in the making; belongs to one thread.

    Samples whose stamp does not increase are left out and counted in ``num_dropped``.

    :param max_width_px: wider pictures are scaled down to it.
    :param hazard_kinds: names of the bits; a new kind is added to them.
    :param extra_cameras: names of the cameras besides the main one, which is called ''.
    """

    joint_names: tuple[str, ...] = ()
    max_width_px: int = STORED_WIDTH_PX
    hazard_kinds: tuple[str, ...] = HAZARD_KINDS
    extra_cameras: tuple[str, ...] = ()
    num_dropped: int = 0
    _frames: dict[str, _Frames] = field(init=False)
    _joint_stamps: list[int] = field(default_factory=list)
    _rows: list[_Row] = field(default_factory=list)
    _setpoint: Setpoint | None = None
    _waiting: tuple[Trajectory, int] | None = None
    _hazard: int = 0
    _clearance: float = np.nan

    def __post_init__(self) -> None:
        """Begin each camera."""
        self._frames = {name: _Frames() for name in ('', *self.extra_cameras)}

    @property
    def num_frames(self) -> int:
        """Frames so far, of the camera that has least."""
        return min(len(camera.files) for camera in self._frames.values())

    @property
    def num_samples(self) -> int:
        """Joint samples so far."""
        return len(self._joint_stamps)

    @property
    def last_frame_ns(self) -> int | None:
        """Stamp of the main camera's newest frame."""
        stamps = self._frames[''].stamps
        return stamps[-1] if stamps else None

    @property
    def last_sample_ns(self) -> int | None:
        """Stamp of the newest joint sample."""
        return self._joint_stamps[-1] if self._joint_stamps else None

    def following(self) -> 'Recording':
        """Return an empty recording of the same robot, whose set-point goes on from here."""
        return Recording(joint_names=self.joint_names, max_width_px=self.max_width_px,
                         hazard_kinds=self.hazard_kinds, extra_cameras=self.extra_cameras,
                         _setpoint=self._setpoint, _waiting=self._waiting)

    def add_frame(self, image: NDArray[np.uint8], stamp_ns: int, camera: str = '') -> None:
        """Keep a picture of the main or another camera, RGB uint8 (h, w, 3)."""
        if self._is_new_frame(stamp_ns, camera):
            self._keep(encode_frame(fit_width(image, self.max_width_px)), stamp_ns, camera)

    def add_picture_file(self, data: bytes, stamp_ns: int, camera: str = '') -> None:
        """
        Keep a JPEG or PNG file; a JPEG of at most the stored width is kept to the byte.

        :raises ObservationError: if it is damaged.
        """
        _, width = check_picture(data)
        if width > self.max_width_px or not data.startswith(b'\xff\xd8'):
            self.add_frame(decode_picture(data), stamp_ns, camera)
        elif self._is_new_frame(stamp_ns, camera):
            self._keep(data, stamp_ns, camera)

    def _keep(self, data: bytes, stamp_ns: int, camera: str) -> None:
        self._frames[camera].files.append(data)
        self._frames[camera].stamps.append(stamp_ns)

    def _is_new_frame(self, stamp_ns: int, camera: str) -> bool:
        stamps = self._frames[camera].stamps
        if stamps and stamp_ns <= stamps[-1]:
            self.num_dropped += 1
            return False
        return True

    def add_joints(self, names: tuple[str, ...], positions: NDArray[np.float64],
                   velocities: NDArray[np.float64], efforts: NDArray[np.float64],
                   stamp_ns: int) -> str:
        """
        Keep a joint sample; the first one decides joints and order.

        Positions and velocities must be finite; nothing learns from efforts.

        :param names: J names; the arrays are (J,) or, where the driver gives none, (0,).
        :returns: why the sample was left out, or '' if it is kept.
        """
        reason = self._joints_problem(names, positions, velocities, stamp_ns)
        if reason:
            self.num_dropped += 1
            return reason
        self.joint_names = self.joint_names or names
        order = [names.index(name) for name in self.joint_names]
        measured, velocity, effort = (
            np.asarray(values, np.float64)[order] if len(values) == len(names)
            else np.zeros(len(order)) for values in (positions, velocities, efforts))
        if self._setpoint is None:
            self._setpoint = Setpoint(measured)
        if self._waiting is not None:
            self._setpoint.follow(self.joint_names, *self._waiting)
            self._waiting = None
        self._rows.append((measured, velocity, effort, self._setpoint.at(stamp_ns),
                           self._hazard, self._clearance))
        self._joint_stamps.append(stamp_ns)
        self._hazard, self._clearance = 0, np.nan
        return ''

    def _joints_problem(self, names: tuple[str, ...], positions: NDArray[np.float64],
                        velocities: NDArray[np.float64], stamp_ns: int) -> str:
        missing = [name for name in self.joint_names if name not in names]
        if missing:
            return f"joint {', '.join(missing)} is missing"
        if not names or len(positions) != len(names):
            return f'{len(positions)} positions for {len(names)} joints'
        kept = [names.index(name) for name in self.joint_names or names]
        for what, values in (('position', positions), ('velocity', velocities)):
            is_given = len(values) == len(names)
            bad = [index for index in kept if is_given and not np.isfinite(values[index])]
            if bad:
                return f'{what} of joint {names[bad[0]]} is {values[bad[0]]}'
        if self._joint_stamps and stamp_ns <= self._joint_stamps[-1]:
            return f'its stamp {stamp_ns} ns is not after {self._joint_stamps[-1]} ns'
        return ''

    def add_command(self, trajectory: Trajectory, start_ns: int) -> None:
        """
        Let the set-point follow a command.

        One that comes before any joint sample waits for it: the arm may still be following it.
        """
        if not np.isfinite(trajectory.positions).all():
            return
        if self._setpoint is None:
            self._waiting = trajectory, start_ns
        else:
            self._setpoint.follow(self.joint_names, trajectory, start_ns)

    def add_contacts(self, pairs: list[str]) -> None:
        """Note hazardous contacts, ``body_a|body_b``, with the next joint sample."""
        for pair in pairs:
            self.add_hazard(contact_kind(pair))

    def add_hazard(self, kind: str) -> None:
        """
        Note a hazard of any kind with the next joint sample.

        :raises DatasetError: if there are more kinds than an episode can hold.
        """
        self.hazard_kinds = with_kind(self.hazard_kinds, kind)
        self._hazard |= 1 << self.hazard_kinds.index(kind)

    def add_clearance(self, distance: float) -> None:
        """Note the arm's clearance, m, with the next joint sample."""
        self._clearance = distance

    def episode(self, *, camera_name: str, info: dict[str, object]) -> Episode:
        """
        Make the episode.

        :raises DatasetError: if a part of it never came.
        """
        counts = {f'pictures of camera {name!r}' if name else 'camera pictures': camera.files
                  for name, camera in self._frames.items()}
        missing = [what for what, found in {**counts, 'joint states': self._rows}.items()
                   if not found]
        if missing:
            raise DatasetError(f'nothing was recorded: no {" and no ".join(missing)} came')
        *columns, hazards, clearance = zip(*self._rows, strict=True)
        positions, velocities, efforts, setpoints = (
            np.array(column, np.float32) for column in columns)
        distances = np.array(clearance, np.float32)
        main, *others = (camera.taken() for camera in self._frames.values())
        return Episode(
            frames=main.frames, frame_stamps_ns=main.stamps_ns,
            extra_cameras=dict(zip(self.extra_cameras, others, strict=True)),
            joint_names=self.joint_names,
            joint_stamps_ns=np.array(self._joint_stamps, np.int64),
            positions=positions, velocities=velocities, efforts=efforts, setpoints=setpoints,
            hazards=np.array(hazards, np.uint8), hazard_kinds=self.hazard_kinds,
            clearance=None if np.isnan(distances).all() else distances,
            camera_name=camera_name, info=info)


def fit_width(image: NDArray[np.uint8], max_width_px: int) -> NDArray[np.uint8]:
    """Scale a picture (h, w, 3) down to at most a width, averaging areas."""
    height, width = image.shape[:2]
    if width <= max_width_px:
        return image
    size = max_width_px, max(1, round(height * max_width_px / width))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def next_path(directory: Path) -> Path:
    """Return the path of the next episode in a directory."""
    numbers = [int(path.stem.removeprefix('episode_'))
               for path in directory.glob(EPISODE_GLOB)
               if path.stem.removeprefix('episode_').isdigit()]
    return directory / f'episode_{max(numbers, default=-1) + 1:09d}.safetensors'
