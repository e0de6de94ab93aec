# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One recorded episode and its file.

An episode file is one safetensors file: camera frames as JPEG, the joint log at its own rate, the
set-points that the controller was given, and the hazards, each with its own stamps. Nothing is
resampled when it is stored, so a reader can choose its own rate. The file appears under its name
only when it is whole. A file of one camera is of version 1, one of several of version 2.

Shapes: F frames, S joint samples, J joints.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wm_ros.data.picture_headers import check_picture
from wm_ros.data.pictures import decode_picture
from wm_ros.errors import DatasetError, ObservationError

FORMAT = 'wm_ros.episode'
VERSION = 1
SEVERAL_CAMERAS_VERSION = 2
EPISODE_GLOB = 'episode_*.safetensors'
JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CameraFrames:
    """
    What a further camera saw.

    :param frames: JPEG files of the RGB frames, F of them.
    :param stamps_ns: int64 (F,), increasing; its own, not the main camera's.
    """

    frames: tuple[bytes, ...]
    stamps_ns: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Episode:
    """
    A recording of one arm by one camera or several.

    :param frames: JPEG files of the RGB frames, F of them.
    :param frame_stamps_ns: int64 (F,), increasing.
    :param joint_names: J names.
    :param joint_stamps_ns: int64 (S,), increasing.
    :param positions: measured, float32 (S, J), rad.
    :param velocities: measured, float32 (S, J), rad/s.
    :param efforts: measured, float32 (S, J), N m.
    :param setpoints: what the controller was told to reach at each joint stamp, float32 (S, J).
    :param hazards: hazard kinds since the sample before, uint8 bit mask (S,), bit i is
        ``hazard_kinds[i]``.
    :param clearance: least distance of the arm to anything it could hit, float32 (S,), m; NaN
        where it is not known, as on a real robot.
    :param hazard_kinds: names of the bits.
    :param camera_name: the main camera, which took the frames.
    :param extra_cameras: what further cameras saw, by name.
    :param info: anything else worth keeping: seed, split, scene.
    """

    frames: tuple[bytes, ...]
    frame_stamps_ns: NDArray[np.int64]
    joint_names: tuple[str, ...]
    joint_stamps_ns: NDArray[np.int64]
    positions: NDArray[np.float32]
    velocities: NDArray[np.float32]
    efforts: NDArray[np.float32]
    setpoints: NDArray[np.float32]
    hazards: NDArray[np.uint8]
    clearance: NDArray[np.float32] | None = None
    hazard_kinds: tuple[str, ...] = ('object', 'table', 'self')
    camera_name: str = 'front'
    extra_cameras: Mapping[str, CameraFrames] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit each other."""
        num_joints, num_samples = len(self.joint_names), len(self.joint_stamps_ns)
        for name in ('positions', 'velocities', 'efforts', 'setpoints'):
            shape = getattr(self, name).shape
            if shape != (num_samples, num_joints):
                raise DatasetError(f'{name} has shape {shape}, expected '
                                   f'({num_samples}, {num_joints}): stamps x joints')
        for name in ('hazards', 'clearance'):
            values = getattr(self, name)
            if values is not None and values.shape != (num_samples,):
                raise DatasetError(f'{name} has shape {values.shape}, expected '
                                   f'({num_samples},): labels must end with the recording')
        if len(self.frames) != len(self.frame_stamps_ns):
            raise DatasetError(
                f'{len(self.frames)} frames but {len(self.frame_stamps_ns)} frame stamps')
        self._check_values()
        self._check_cameras()

    def _check_values(self) -> None:
        # Efforts may be NaN: drivers say so that they have none, and no model is shown them.
        for name in ('positions', 'velocities', 'setpoints'):
            rows = np.flatnonzero(~np.isfinite(getattr(self, name)).all(axis=1))
            if rows.size:
                raise DatasetError(f'{name} is not finite at row {rows[0]}')
        for name in ('frame_stamps_ns', 'joint_stamps_ns'):
            rows = np.flatnonzero(np.diff(getattr(self, name)) <= 0)
            if rows.size:
                raise DatasetError(f'{name} does not increase at row {rows[0] + 1}')

    def _check_cameras(self) -> None:
        if self.camera_name in self.extra_cameras:
            raise DatasetError(f'camera {self.camera_name!r} is there twice, as the main and as a '
                               'further camera')
        for name, camera in self.extra_cameras.items():
            if len(camera.frames) != len(camera.stamps_ns):
                raise DatasetError(f'camera {name!r}: {len(camera.frames)} frames but '
                                   f'{len(camera.stamps_ns)} frame stamps')
            rows = np.flatnonzero(np.diff(camera.stamps_ns) <= 0)
            if rows.size:
                raise DatasetError(f'camera {name!r}: its stamps do not increase at row '
                                   f'{rows[0] + 1}')

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of all cameras, the main one first."""
        return (self.camera_name, *self.extra_cameras)

    def of_camera(self, name: str) -> 'Episode':
        """
        Return the episode as if one of its cameras had been the only one.

        :raises DatasetError: if there is no such camera.
        """
        if name == self.camera_name:
            return replace(self, extra_cameras={}) if self.extra_cameras else self
        if name not in self.extra_cameras:
            raise DatasetError(f'camera {name!r} is not in the episode, which has '
                               f'{list(self.cameras)}')
        camera = self.extra_cameras[name]
        return replace(self, frames=camera.frames, frame_stamps_ns=camera.stamps_ns,
                       camera_name=name, extra_cameras={})

    def decode(self, index: int) -> NDArray[np.uint8]:
        """
        Decode a frame.

        :returns: RGB uint8 (h, w, 3).
        :raises DatasetError: if the JPEG is damaged.
        """
        try:
            return decode_picture(self.frames[index])
        except ObservationError as error:
            raise DatasetError(f'frame {index} is not a whole JPEG file: {error}') from error

    def check_pictures(self) -> None:
        """
        Look at the headers of all frames of the main camera.

        :raises DatasetError: naming the first frame that is damaged, or of another size than
            those before it.
        """
        first: tuple[int, int] | None = None
        for row, data in enumerate(self.frames):
            try:
                size = check_picture(data)
            except ObservationError as error:
                raise DatasetError(f'frame {row} is not a whole JPEG file: {error}') from error
            first = first or size
            if size != first:
                raise DatasetError(f'frame {row} is {size[1]}x{size[0]} pixels, those before it '
                                   f'{first[1]}x{first[0]}; import or record it again')


def encode_frame(image: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """
    Encode an RGB uint8 (h, w, 3) image as JPEG without colour subsampling.

    Small coloured objects lose their edges to 4:2:0 subsampling.
    """
    good, data = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [
        cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444])
    if not good:
        raise DatasetError(f'OpenCV cannot encode an image of shape {image.shape}')
    return bytes(data)


def write_episode(path: Path, episode: Episode) -> None:
    """Write an episode under a temporary name, sync it and rename it into place."""
    tensors = {
        **_frame_tensors('', episode.frames, episode.frame_stamps_ns),
        'joint_stamps_ns': np.asarray(episode.joint_stamps_ns, np.int64),
        'hazards': np.asarray(episode.hazards, np.uint8),
    }
    for name in ('positions', 'velocities', 'efforts', 'setpoints'):
        tensors[name] = np.ascontiguousarray(getattr(episode, name), np.float32)
    if episode.clearance is not None:
        tensors['clearance'] = np.ascontiguousarray(episode.clearance, np.float32)
    meta = {'format': FORMAT, 'version': VERSION, 'joint_names': episode.joint_names,
            'hazard_kinds': episode.hazard_kinds, 'camera_name': episode.camera_name,
            'info': episode.info}
    if episode.extra_cameras:
        # Programs that know one camera only read what they can make sense of, and refuse this.
        meta |= {'version': SEVERAL_CAMERAS_VERSION, 'extra_cameras': [*episode.extra_cameras]}
        for name, camera in episode.extra_cameras.items():
            tensors |= _frame_tensors(f'{name}/', camera.frames, camera.stamps_ns)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        save_file(tensors, scratch, metadata={'episode': json.dumps(meta)})
        with scratch.open('rb') as handle:
            os.fsync(handle.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def read_episode(path: Path) -> Episode:
    """
    Read an episode file.

    :raises DatasetError: naming the file, if it is missing, damaged, of another version or
        without a joint log.
    """
    try:
        with safe_open(path, framework='numpy') as handle:
            meta = json.loads((handle.metadata() or {}).get('episode', '{}'))
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise DatasetError(f'{path}: no such episode file') from error
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise DatasetError(f'{path}: not a whole episode file ({error}); '
                           'delete it and collect or record it again') from error
    meta = meta if isinstance(meta, dict) else {}
    if meta.get('format') != FORMAT or meta.get('version') not in (
            VERSION, SEVERAL_CAMERAS_VERSION):
        raise DatasetError(f"{path}: format {meta.get('format')!r} version {meta.get('version')!r}"
                           f', this program reads {FORMAT!r} versions {VERSION} and '
                           f'{SEVERAL_CAMERAS_VERSION}')
    try:
        _check_metadata(meta)
        extra = {name: CameraFrames(frames=_take_frames(tensors, f'{name}/'),
                                    stamps_ns=tensors.pop(f'{name}/frame_stamps_ns'))
                 for name in meta.get('extra_cameras', ())}
        episode = Episode(
            frames=_take_frames(tensors, ''), joint_names=tuple(meta['joint_names']),
            hazard_kinds=tuple(meta['hazard_kinds']), camera_name=meta['camera_name'],
            extra_cameras=extra, info=meta['info'], **tensors)
        if not episode.positions.size:
            samples, joints = episode.positions.shape
            raise DatasetError(f'{samples} samples of {joints} joints are no joint log')
        return episode
    except (KeyError, TypeError) as error:
        raise DatasetError(f'{path}: a field is missing or unknown: {error}') from error
    except DatasetError as error:
        raise DatasetError(f'{path}: {error}; import or record it again') from error


def _check_metadata(meta: dict[str, Any]) -> None:
    """Refuse metadata of another form than ``write_episode`` gives them."""
    for name in ('joint_names', 'hazard_kinds', 'extra_cameras'):
        names = meta.get(name, [])
        if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
            raise DatasetError(f'{name} is {names!r}; expected a list of names')
    for name, kind, words in (('camera_name', str, 'a string'), ('info', dict, 'a JSON object')):
        if not isinstance(meta[name], kind):
            raise DatasetError(f'{name} is {meta[name]!r}; expected {words}')


def _frame_tensors(prefix: str, frames: tuple[bytes, ...], stamps_ns: NDArray[np.int64]
                   ) -> dict[str, NDArray[Any]]:
    return {f'{prefix}frames_jpeg': np.frombuffer(b''.join(frames), np.uint8),
            f'{prefix}frame_lengths': np.array([len(frame) for frame in frames], np.int64),
            f'{prefix}frame_stamps_ns': np.asarray(stamps_ns, np.int64)}


def _take_frames(tensors: dict[str, NDArray[Any]], prefix: str) -> tuple[bytes, ...]:
    """Take the JPEG files of one camera out of what was read."""
    lengths = tensors.pop(f'{prefix}frame_lengths')
    data = tensors.pop(f'{prefix}frames_jpeg').tobytes()
    _check_lengths(prefix, lengths, len(data))
    ends = np.cumsum(lengths)
    return tuple(data[end - size:end] for end, size in zip(
        ends, np.diff(ends, prepend=0), strict=True))


def _check_lengths(prefix: str, lengths: NDArray[Any], num_bytes: int) -> None:
    if lengths.dtype != np.int64 or lengths.ndim != 1:
        raise DatasetError(f'{prefix}frame_lengths is {lengths.dtype} of shape {lengths.shape}; '
                           'expected int64 (F,)')
    negative = np.flatnonzero(lengths < 0)
    if negative.size:
        raise DatasetError(f'{prefix}frame_lengths: the length of frame {negative[0]} is '
                           f'{lengths[negative[0]]} bytes')
    if lengths.sum() != num_bytes:
        raise DatasetError(f'{prefix}frame_lengths add up to {lengths.sum()} bytes, frames_jpeg '
                           f'has {num_bytes}')


def list_episodes(directory: Path) -> list[Path]:
    """
    Return the episode files of a directory in order.

    :raises DatasetError: if there are none.
    """
    paths = sorted(directory.glob(EPISODE_GLOB))
    if not paths:
        raise DatasetError(f'{directory}: no {EPISODE_GLOB} in it; '
                           "make some with 'wm-ros collect' or 'wm-ros record'")
    return paths
