# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make episodes of a LeRobot v3 data set.

LeRobot's action of a row is what was commanded at its frame, to be reached by the next; an
episode's set-point of a sample is what was to be reached at it. So the action of a row becomes
the set-point of the next one.

Letters: N rows of an episode, J joints.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode
from wm_ros.data.lerobot_columns import matrix, numbers, whole_numbers
from wm_ros.data.lerobot_layout import (
    ACTION,
    CLEARANCE,
    EFFORT,
    HAZARD,
    IMAGES,
    INFO_COLUMN,
    INFO_PATH,
    SETPOINT,
    STAMP,
    STATE,
    VELOCITY,
    LeRobotInfo,
    choose_camera,
    joint_names,
    read_episode_rows,
    read_info,
    read_parquet,
)
from wm_ros.data.pictures import decode_picture
from wm_ros.data.problems import Problems
from wm_ros.data.recording import HAZARD_KINDS, Recording
from wm_ros.data.video import read_pictures
from wm_ros.datatypes import Trajectory
from wm_ros.errors import DatasetError, ObservationError

SUCCESS = 'next.success'
MIN_LENGTH = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LeRobotOptions:
    """
    How to read a LeRobot data set.

    :param camera: feature key or name of the camera; '' takes the only one.
    :param camera_name: its name in the episodes; '' keeps that of the data set.
    :param extra_cameras: name in the episodes and feature key or name of each further camera.
    :param is_degrees: states and actions are degrees, as the SO-100 and SO-101 drivers of LeRobot
        write them on request.
    :param is_delta: an action is what to add to the state of its row.
    :param max_width_px: wider pictures are scaled down.
    """

    camera: str = ''
    camera_name: str = ''
    extra_cameras: tuple[tuple[str, str], ...] = ()
    is_degrees: bool = False
    is_delta: bool = False
    max_width_px: int = 320


def import_lerobot(root: Path, options: LeRobotOptions, problems: Problems) -> Iterator[Episode]:
    """
    Yield the episodes of a data set, each as soon as it is read.

    :param problems: is told which episodes and rows are damaged; the others are kept.
    :raises DatasetError: if the metadata are missing, damaged or of another version.
    """
    info = read_info(root)
    source = _Source(info, choose_camera(info, options.camera), joint_names(info), options,
                     problems)
    rows = read_episode_rows(info)
    if info.total_episodes not in (0, len(rows)):
        problems.add('episodes', f'{root}: meta/info.json says {info.total_episodes} episodes, '
                     f'meta/episodes has {len(rows)}; those are read')
    made = 0
    for row in rows:
        try:
            yield source.read(row)
            made += 1
        except DatasetError as error:
            problems.add(str(error), f"{root}: episode {row['episode_index']}: {error}; left out")
    if not made:
        raise DatasetError('; '.join([f'{root}: no episode of it can be read',
                                      *problems.lines()]))


class _Source:
    """Reads one episode after the other; keeps the table that it read last."""

    def __init__(self, info: LeRobotInfo, camera: str, joints: tuple[str, ...],
                 options: LeRobotOptions, problems: Problems) -> None:
        self._info, self._camera, self._joints = info, camera, joints
        self._extra = {name: choose_camera(info, wanted)
                       for name, wanted in options.extra_cameras}
        self._options, self._problems = options, problems
        self._table: tuple[Path, Any] | None = None
        self._unit = math.pi / 180 if options.is_degrees else 1.0

    def read(self, row: dict[str, Any]) -> Episode:
        """Read the episode of a row of meta/episodes."""
        path = self._info.data_file(row)
        table = self._rows_of(path, row)
        stamps = self._stamps(path, table)
        recording = Recording(
            joint_names=self._joints, max_width_px=self._options.max_width_px,
            hazard_kinds=self._hazard_kinds(path, table), extra_cameras=tuple(self._extra))
        self._add_samples(recording, path, table, stamps)
        for name, key in {'': self._camera, **self._extra}.items():
            self._add_frames(recording, row, table, stamps, name, key)
        if min(recording.num_frames, recording.num_samples) < MIN_LENGTH:
            raise DatasetError(f'{recording.num_frames} pictures and {recording.num_samples} '
                               'joint states of it can be used')
        return recording.episode(
            camera_name=self._options.camera_name or self._camera.removeprefix(IMAGES),
            info=self._info_of(row, table))

    def _rows_of(self, path: Path, row: dict[str, Any]) -> Any:
        """Return the episode's part of its data file, after checking that it is all there."""
        if self._table is None or self._table[0] != path:
            self._table = path, read_parquet(path)
        table = self._table[1]
        for name in (STATE, ACTION, 'episode_index', 'frame_index', 'timestamp'):
            if name not in table.column_names:
                raise DatasetError(f'{path}: there is no column {name}')
        number = row['episode_index']
        found = np.flatnonzero(whole_numbers(path, table, 'episode_index') == number)
        if len(found) != row['length']:
            raise DatasetError(f"{path}: it has {len(found)} rows there, meta/episodes says "
                               f"{row['length']}")
        frames = whole_numbers(path, table, 'frame_index')[found]
        wrong = np.flatnonzero(frames != np.arange(len(found)))
        if wrong.size:
            raise DatasetError(f'{path}: row {found[wrong[0]]} has frame_index '
                               f'{frames[wrong[0]]}, expected {wrong[0]}')
        return table.take(found)

    def _stamps(self, path: Path, table: Any) -> NDArray[np.int64]:
        if STAMP in table.column_names:
            return whole_numbers(path, table, STAMP)
        times = numbers(path, table, 'timestamp')
        regular = np.arange(len(times)) / self._info.fps
        # float32 seconds are off by microseconds after a minute.
        times = np.where(np.abs(times - regular) < 1e-3, regular, times)
        wrong = np.flatnonzero(~(np.diff(times) > 0))
        if wrong.size:
            raise DatasetError(f'{path}: timestamp does not increase at frame {wrong[0] + 1}')
        return np.asarray(np.round(times * 1e9), np.int64)

    def _hazard_kinds(self, path: Path, table: Any) -> tuple[str, ...]:
        if HAZARD not in table.column_names:
            return HAZARD_KINDS
        if HAZARD not in self._info.features:
            raise DatasetError(f'{path}: column {HAZARD} is no feature of {INFO_PATH}, which '
                               'should name its kinds')
        return tuple(self._info.features[HAZARD]['names'])

    def _add_samples(self, recording: Recording, path: Path, table: Any,
                     stamps: NDArray[np.int64]) -> None:
        num_joints = len(self._joints)
        state = self._unit * matrix(path, table, STATE, num_joints)
        setpoints = self._setpoints(path, table, state)
        extras = {name: matrix(path, table, name, num_joints)
                  for name in (VELOCITY, EFFORT) if name in table.column_names}
        velocity = extras[VELOCITY] if VELOCITY in extras else _speeds(state, stamps)
        effort = extras.get(EFFORT, np.zeros_like(state))
        hazards = (matrix(path, table, HAZARD, len(recording.hazard_kinds))
                   if HAZARD in table.column_names else np.zeros((len(state), 0)))
        clearance = (matrix(path, table, CLEARANCE, 1)[:, 0]
                     if CLEARANCE in table.column_names else np.full(len(state), np.nan))
        for index, stamp in enumerate(map(int, stamps)):
            if np.isfinite(setpoints[index]).all():
                recording.add_command(Trajectory(
                    joint_names=self._joints, times=np.zeros(1),
                    positions=setpoints[index][None]), stamp)
            else:
                self._problems.add('setpoint', f'{path}: action is not finite before frame '
                                   f'{index}; the set-point before it stays')
            for bit in np.flatnonzero(hazards[index]):
                recording.add_hazard(recording.hazard_kinds[bit])
            recording.add_clearance(float(clearance[index]))
            reason = recording.add_joints(self._joints, state[index], velocity[index],
                                          effort[index], stamp)
            if reason:
                self._problems.add('state', f'{path}: {STATE} at frame {index}: {reason}; that '
                                   'sample is left out')

    def _setpoints(self, path: Path, table: Any,
                   state: NDArray[np.float64]) -> NDArray[np.float64]:
        if SETPOINT in table.column_names:
            return matrix(path, table, SETPOINT, state.shape[1])
        action = self._unit * matrix(path, table, ACTION, state.shape[1])
        if self._options.is_delta:
            action = state + action
        return np.concatenate([state[:1], action[:-1]])

    def _add_frames(self, recording: Recording, row: dict[str, Any], table: Any,
                    stamps: NDArray[np.int64], camera: str, key: str) -> None:
        seen = 0
        try:
            for index, picture in self._pictures(row, table, key):
                recording.add_frame(picture, int(stamps[index]), camera)
                seen += 1
        except (DatasetError, ObservationError) as error:
            self._problems.add(f'pictures {error}', str(error))
        if seen < len(stamps):
            self._problems.add('few', f"{self._info.root}: episode {row['episode_index']} has "
                               f'{seen} pictures for {len(stamps)} rows; the others are kept')

    def _pictures(self, row: dict[str, Any], table: Any, camera: str
                  ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        if self._info.features[camera]['dtype'] == 'image':
            yield from _stored_pictures(self._info.data_file(row), table, camera)
            return
        start = row.get(f'videos/{camera}/from_timestamp')
        if not isinstance(start, int | float) or not math.isfinite(start):
            raise DatasetError(f'meta/episodes has no videos/{camera}/from_timestamp')
        times = start + np.arange(len(table)) / self._info.fps
        yield from read_pictures(self._info.video_file(row, camera), times,
                                 tolerance_s=0.4 / self._info.fps)

    def _info_of(self, row: dict[str, Any], table: Any) -> dict[str, Any]:
        if row.get(INFO_COLUMN):
            return _json_object(row[INFO_COLUMN])
        tasks = row.get('tasks') or []
        info = {'source': 'lerobot', 'dataset': self._info.root.name,
                'episode': row['episode_index'],
                'tasks': tasks if isinstance(tasks, list) else [tasks]}
        if SUCCESS in table.column_names:
            info['success'] = any(table.column(SUCCESS).to_pylist())
        return info


def _stored_pictures(path: Path, table: Any, camera: str
                     ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    if camera not in table.column_names:
        raise DatasetError(f'{path}: there is no column {camera}')
    for index, item in enumerate(table.column(camera).to_pylist()):
        place = f'{path}: {camera} at frame {index}'
        item = item if isinstance(item, dict) else {}
        data = item.get('bytes')
        if not isinstance(data, bytes):
            where = f", but the path {item['path']!r}" if item.get('path') else ''
            raise DatasetError(f'{place} has no bytes{where}; pictures must be in the table')
        try:
            yield index, decode_picture(data)
        except ObservationError as error:
            raise DatasetError(f'{place}: {error}') from error


def _json_object(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DatasetError(f'meta/episodes: {INFO_COLUMN} is no JSON object ({error})') from error
    if not isinstance(found, dict):
        raise DatasetError(f'meta/episodes: {INFO_COLUMN} is no JSON object, but {found!r}')
    return found


def _speeds(state: NDArray[np.float64], stamps: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    Return the speed at each row since the row before it that has a state, float64 (N, J).

    A policy may not see the future. Rows without a state, or whose stamp does not increase, are
    left out later; theirs is zero.
    """
    rows = np.flatnonzero(np.isfinite(state).all(axis=1))
    steps_ns = np.diff(stamps[rows]).astype(np.float64)[:, None]
    speeds = np.zeros_like(state)
    speeds[rows[1:]] = np.diff(state[rows], axis=0) / np.where(
        steps_ns > 0, steps_ns, np.inf) * 1e9
    return speeds
