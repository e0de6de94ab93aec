# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write episodes as rosbag2 bags (MCAP), so that ROS tools can play and show them.

Nothing is resampled and pictures stay the JPEG files that they are: a bag that is read again
gives the same episode. The command topic has, at each joint sample, the set-point of the next
one as a trajectory of one point, which leads a controller through the same set-points.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wm_ros.data.bag_reader import typestore
from wm_ros.data.bag_topics import (
    IMAGE_TYPES,
    JOINTS_TYPE,
    NUMBER_TYPE,
    TEXT_TYPE,
    TRAJECTORY_TYPE,
    camera_topic,
    export_topics,
)
from wm_ros.data.episode import Episode
from wm_ros.errors import DatasetError

# Version 8 is what Jazzy writes.
_BAG_VERSION = 8
_TYPES = {'camera': IMAGE_TYPES[1], 'joint_states': JOINTS_TYPE, 'command': TRAJECTORY_TYPE,
          'hazards': TEXT_TYPE, 'clearance': NUMBER_TYPE, 'episode': TEXT_TYPE}


def export_bag(episode: Episode, path: Path) -> None:
    """
    Write an episode as a bag; the directory appears under its name only when it is whole.

    :param path: the bag's directory, which must not exist.
    :raises DatasetError: if it exists or the episode has stamps that a message cannot hold.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer
    if path.exists():
        raise DatasetError(f'{path} exists; name another directory or remove it')
    first_ns = _first_ns(episode)
    if first_ns < 0:
        raise DatasetError(f'the first stamp is {first_ns} ns; a message cannot hold times '
                           'before 0')
    scratch = path.parent / f'.{path.name}.{os.getpid()}.tmp'
    topics = export_topics(episode.camera_name)
    try:
        # The storage file is named after its directory.
        with Writer(scratch / path.name, version=_BAG_VERSION,
                    storage_plugin=StoragePlugin.MCAP) as writer:
            types = {**{topic: _TYPES[name] for name, topic in topics.items()},
                     **{camera_topic(name): _TYPES['camera'] for name in episode.extra_cameras}}
            connections = {topic: writer.add_connection(topic, kind, typestore=typestore())
                           for topic, kind in types.items()}
            for stamp_ns, _, name, message in sorted(
                    _messages(episode, topics), key=lambda item: item[:2]):
                topic = topics.get(name, name)
                writer.write(connections[topic], stamp_ns,
                             typestore().serialize_cdr(message, types[topic]))
        (scratch / path.name).replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _first_ns(episode: Episode) -> int:
    cameras = (episode.of_camera(name).frame_stamps_ns for name in episode.cameras)
    return min(int(stamps[0]) for stamps in (episode.joint_stamps_ns, *cameras) if len(stamps))


def _messages(episode: Episode, topics: dict[str, str]) -> Iterator[tuple[int, int, str, Any]]:
    """Yield (stamp, order among those of one stamp, topic or its name, message)."""
    first_ns = _first_ns(episode)
    own: dict[str, Any] = {name: topic for name, topic in topics.items() if name != 'episode'}
    if episode.extra_cameras:
        own['extra_cameras'] = {name: camera_topic(name) for name in episode.extra_cameras}
    said = {'topics': own, 'hazard_kinds': episode.hazard_kinds,
            'camera_name': episode.camera_name, 'info': episode.info}
    yield first_ns, 0, 'episode', _new('episode', data=json.dumps(said))
    for row, stamp in enumerate(map(int, episode.joint_stamps_ns)):
        yield stamp, 1, 'command', _command(episode, row)
        if episode.hazards[row]:
            kinds = [kind for bit, kind in enumerate(episode.hazard_kinds)
                     if episode.hazards[row] >> bit & 1]
            yield stamp, 2, 'hazards', _new('hazards', data=','.join(kinds))
        if episode.clearance is not None:
            yield stamp, 2, 'clearance', _new('clearance', data=float(episode.clearance[row]))
        yield stamp, 3, 'joint_states', _new(
            'joint_states', header=_header(stamp), name=list(episode.joint_names),
            **{field: getattr(episode, values)[row].astype(np.float64) for field, values in (
                ('position', 'positions'), ('velocity', 'velocities'), ('effort', 'efforts'))})
    for name in episode.cameras:
        seen = episode.of_camera(name)
        topic = 'camera' if name == episode.camera_name else camera_topic(name)
        for stamp, data in zip(map(int, seen.frame_stamps_ns), seen.frames, strict=True):
            yield stamp, 4, topic, _new(
                'camera', header=_header(stamp, name), format='rgb8; jpeg compressed bgr8',
                data=np.frombuffer(data, np.uint8))


def _command(episode: Episode, row: int) -> Any:
    """Return the trajectory that leads from this sample's set-point to the next one's."""
    stamps, points = episode.joint_stamps_ns, []
    if row == 0:
        points.append(_point(episode.setpoints[0], 0))
    if row + 1 < len(stamps):
        points.append(_point(episode.setpoints[row + 1], int(stamps[row + 1] - stamps[row])))
    if not points:
        points.append(_point(episode.setpoints[row], 0))
    return _new('command', header=_header(int(stamps[row])),
                joint_names=list(episode.joint_names), points=points)


def _point(positions: Any, after_ns: int) -> Any:
    types, nothing = typestore().types, np.zeros(0)
    sec, nanosec = divmod(after_ns, 1_000_000_000)
    return types['trajectory_msgs/msg/JointTrajectoryPoint'](
        positions=positions.astype(np.float64), velocities=nothing, accelerations=nothing,
        effort=nothing, time_from_start=types['builtin_interfaces/msg/Duration'](
            sec=sec, nanosec=nanosec))


def _header(stamp_ns: int, frame_id: str = '') -> Any:
    types = typestore().types
    sec, nanosec = divmod(stamp_ns, 1_000_000_000)
    return types['std_msgs/msg/Header'](
        stamp=types['builtin_interfaces/msg/Time'](sec=sec, nanosec=nanosec), frame_id=frame_id)


def _new(topic: str, /, **fields: Any) -> Any:
    return typestore().types[_TYPES[topic]](**fields)
