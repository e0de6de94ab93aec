# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write episodes as a LeRobot v3 data set.

LeRobot has one rate, so the joint log is sampled at the frames: state, velocity, effort and
set-point are those of the newest joint sample at the frame; the action is the set-point at the
next frame; a hazard is one since the frame before, the clearance the least since then. Each row
keeps its frame's stamp. Where frames are missing an episode becomes several.

Letters: N rows of an episode, J joints.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.cutting import cut, stretches
from wm_ros.data.episode import Episode, read_episode
from wm_ros.data.hazard_labels import with_kind
from wm_ros.data.lerobot_layout import (
    ACTION,
    CLEARANCE,
    EFFORT,
    HAZARD,
    IMAGES,
    SETPOINT,
    STAMP,
    STATE,
    VELOCITY,
)
from wm_ros.data.lerobot_writer import LeRobotWriter
from wm_ros.data.problems import Problems
from wm_ros.errors import DatasetError

# Of the period of the frames; a longer pause is a gap.
_MAX_GAP_PERIODS = 1.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """
    How to write a LeRobot data set.

    :param task: what the robot does, for policies that read it.
    :param robot_type: for meta/info.json.
    :param codec: h264 or av1.
    :param crf: quality of the video; lower is better and larger.
    """

    task: str = 'play'
    robot_type: str = ''
    codec: str = 'h264'
    crf: int = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """What all episodes of a data set share."""

    joint_names: tuple[str, ...]
    camera_name: str
    size: tuple[int, int]
    fps: int
    hazard_kinds: tuple[str, ...]
    has_clearance: bool


def export_lerobot(paths: Iterable[Path], root: Path, options: ExportOptions,
                   problems: Problems, *,
                   on_progress: Callable[[int], None] = lambda done: None) -> int:
    """
    Write a data set; its directory appears under its name only when it is whole.

    :param paths: episode files.
    :param root: the data set's directory, which must not exist.
    :param problems: is told which files were left out and why.
    :param on_progress: called with the number of files that are done.
    :returns: how many episodes the data set has.
    :raises DatasetError: if the directory exists or no episode can be written.
    """
    if root.exists():
        raise DatasetError(f'{root} exists; name another directory or remove it')
    shape, usable = _survey(list(paths), problems)
    scratch = root.with_name(f'.{root.name}.{os.getpid()}.tmp')
    try:
        with LeRobotWriter(
                scratch, fps=shape.fps, features=_features(shape), task=options.task,
                camera=IMAGES + shape.camera_name, robot_type=options.robot_type,
                codec=options.codec, crf=options.crf) as writer:
            for done, path in enumerate(usable, 1):
                for part in _parts(read_episode(path), shape.fps, path, problems):
                    writer.add(_columns(part, shape), _decoded(part), json.dumps(part.info))
                on_progress(done)
            if not writer.num_episodes:
                raise DatasetError(f'{root}: no episode has two frames that follow each other')
        scratch.replace(root)
        return writer.num_episodes
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _survey(paths: list[Path], problems: Problems) -> tuple[_Shape, list[Path]]:
    """Find out what the episodes share; those that differ from the first are left out."""
    first: _Shape | None = None
    usable: list[Path] = []
    kinds: tuple[str, ...] = ()
    has_clearance = False
    for path in paths:
        try:
            episode = read_episode(path)
            shape = _shape(episode)
            first = first or shape
            _check_same(shape, first)
            if episode.extra_cameras:
                problems.add('further cameras', f'{path}: the pictures of its further cameras '
                             f'{[*episode.extra_cameras]} are not written')
            for kind in episode.hazard_kinds:
                kinds = with_kind(kinds, kind)
        except DatasetError as error:
            text = str(error)
            problems.add(text, f"{text if str(path) in text else f'{path}: {text}'}; left out")
            continue
        has_clearance = has_clearance or episode.clearance is not None
        usable.append(path)
    if first is None:
        raise DatasetError('; '.join(['no episode can be exported', *problems.lines()]))
    return _Shape(joint_names=first.joint_names, camera_name=first.camera_name, size=first.size,
                  fps=first.fps, hazard_kinds=kinds, has_clearance=has_clearance), usable


def _shape(episode: Episode) -> _Shape:
    if len(episode.frames) < 2 or not len(episode.joint_stamps_ns):
        raise DatasetError(f'{len(episode.frames)} frames and {len(episode.joint_stamps_ns)} '
                           'joint samples are no episode')
    episode.check_pictures()
    period_ns = float(np.median(np.diff(episode.frame_stamps_ns)))
    return _Shape(joint_names=episode.joint_names, camera_name=episode.camera_name,
                  size=episode.decode(0).shape[:2], fps=max(1, round(1e9 / period_ns)),
                  hazard_kinds=episode.hazard_kinds,
                  has_clearance=episode.clearance is not None)


def _check_same(shape: _Shape, first: _Shape) -> None:
    for name, what in (('joint_names', 'joints'), ('camera_name', 'camera'),
                       ('size', 'picture size'), ('fps', 'frame rate')):
        if getattr(shape, name) != getattr(first, name):
            raise DatasetError(f'its {what} is {getattr(shape, name)}, that of the first episode '
                               f'{getattr(first, name)}')


def _parts(episode: Episode, fps: int, path: Path, problems: Problems) -> Iterator[Episode]:
    """Yield the stretches of an episode whose frames follow each other."""
    frames, samples = episode.frame_stamps_ns, episode.joint_stamps_ns
    inside = np.flatnonzero((frames >= samples[0]) & (frames <= samples[-1] + 0.5e9 / fps))
    stamps = episode.frame_stamps_ns[inside]
    found = stretches(stamps, _MAX_GAP_PERIODS * 1e9 / fps)
    if len(found) > 1:
        problems.notes.append(f'{path}: frames are missing, so it becomes {len(found)} episodes')
    for first, last in found:
        if last > first:
            yield cut(episode, int(stamps[first]), int(stamps[last]))


def _columns(episode: Episode, shape: _Shape) -> dict[str, NDArray[Any]]:
    """Return the features of an episode's rows, each (N, D)."""
    frames, samples = episode.frame_stamps_ns, episode.joint_stamps_ns
    now = np.searchsorted(samples, frames, side='right') - 1
    setpoints = episode.setpoints[now]
    starts = np.concatenate([[max(0, int(now[0]))], now[:-1] + 1])
    columns: dict[str, NDArray[Any]] = {
        STATE: episode.positions[now], VELOCITY: episode.velocities[now],
        EFFORT: episode.efforts[now], SETPOINT: setpoints,
        ACTION: np.concatenate([setpoints[1:], setpoints[-1:]]), STAMP: frames[:, None]}
    masks = np.array([np.bitwise_or.reduce(episode.hazards[start:end + 1], initial=0)
                      for start, end in zip(starts, now, strict=True)])
    bits = [episode.hazard_kinds.index(kind) if kind in episode.hazard_kinds else -1
            for kind in shape.hazard_kinds]
    columns[HAZARD] = np.stack(
        [(masks >> bit & 1 if bit >= 0 else 0 * masks).astype(np.bool_) for bit in bits], axis=1)
    if shape.has_clearance:
        least = np.full(len(frames), np.nan, np.float32)
        if episode.clearance is not None:
            for row, (start, end) in enumerate(zip(starts, now, strict=True)):
                known = episode.clearance[start:end + 1]
                known = known[~np.isnan(known)]
                least[row] = known.min() if known.size else np.nan
        columns[CLEARANCE] = least[:, None]
    return columns


def _decoded(episode: Episode) -> Iterator[NDArray[np.uint8]]:
    for index in range(len(episode.frames)):
        yield episode.decode(index)


def _features(shape: _Shape) -> dict[str, dict[str, Any]]:
    """Return the features as meta/info.json describes them, without LeRobot's own."""
    joints = list(shape.joint_names)
    floats = {name: {'dtype': 'float32', 'shape': [len(joints)], 'names': joints}
              for name in (STATE, ACTION, VELOCITY, EFFORT, SETPOINT)}
    features: dict[str, dict[str, Any]] = {
        **floats,
        HAZARD: {'dtype': 'bool', 'shape': [len(shape.hazard_kinds)],
                 'names': list(shape.hazard_kinds)},
        STAMP: {'dtype': 'int64', 'shape': [1], 'names': None}}
    if shape.has_clearance:
        features[CLEARANCE] = {'dtype': 'float32', 'shape': [1], 'names': None}
    features[IMAGES + shape.camera_name] = {
        'dtype': 'video', 'shape': [*shape.size, 3], 'names': ['height', 'width', 'channels']}
    return features
