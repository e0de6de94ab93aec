# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what is in a data set: episodes of this package, a bag, or a LeRobot data set."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.bag_reader import open_bag, storage_files
from wm_ros.data.episode import list_episodes, read_episode
from wm_ros.data.lerobot_layout import is_lerobot, joint_names, read_episode_rows, read_info
from wm_ros.errors import DatasetError


def describe(path: Path, on_progress: Callable[[int], None] = lambda done: None
             ) -> dict[str, Any]:
    """
    Return the figures of a data set, ready for JSON.

    :raises DatasetError: if there is no data set or nothing of it can be read.
    """
    if is_lerobot(path):
        return _describe_lerobot(path)
    if storage_files(path):
        bag = open_bag(path)
        return {'kind': 'rosbag2', 'topics': {
            name: {'type': bag.types[name], 'messages': bag.counts.get(name, 0)}
            for name in sorted(bag.types)}, 'problems': bag.problems}
    return _describe_episodes(path, on_progress)


def _describe_lerobot(path: Path) -> dict[str, Any]:
    info, rows = read_info(path), read_episode_rows(read_info(path))
    frames = sum(int(row['length']) for row in rows)
    return {'kind': 'lerobot', 'episodes': len(rows), 'frames': frames, 'frame_hz': info.fps,
            'duration_s': frames / info.fps, 'joints': list(joint_names(info)),
            'features': {name: {'dtype': item.get('dtype'), 'shape': item.get('shape')}
                         for name, item in info.features.items()}}


def _describe_episodes(path: Path, on_progress: Callable[[int], None]) -> dict[str, Any]:
    joints: Counter[tuple[str, ...]] = Counter()
    totals: Counter[str] = Counter()
    cameras, sizes, hazards = Counter[str](), Counter[str](), Counter[str]()
    rates: dict[str, list[float]] = {'frame_hz': [], 'joint_hz': []}
    problems = []
    for done, file in enumerate(list_episodes(path), 1):
        on_progress(done)
        try:
            episode = read_episode(file)
            if not episode.frames:
                raise DatasetError('there is no picture in it')
            height, width = episode.decode(0).shape[:2]
        except DatasetError as error:
            text = str(error)
            problems.append(text if str(file) in text else f'{file}: {text}')
            continue
        totals.update(episodes=1, frames=len(episode.frames),
                      joint_samples=len(episode.joint_stamps_ns))
        totals['duration_ns'] += int(episode.frame_stamps_ns[-1] - episode.frame_stamps_ns[0])
        joints[episode.joint_names] += 1
        cameras.update(episode.cameras)
        sizes[f'{width}x{height}'] += 1
        seen = int(np.bitwise_or.reduce(episode.hazards, initial=0))
        hazards.update(kind for bit, kind in enumerate(episode.hazard_kinds) if seen >> bit & 1)
        rates['frame_hz'] += _rate(episode.frame_stamps_ns)
        rates['joint_hz'] += _rate(episode.joint_stamps_ns)
    if not totals:
        raise DatasetError('; '.join(problems))
    return {'kind': 'episodes', 'episodes': totals['episodes'], 'frames': totals['frames'],
            'joint_samples': totals['joint_samples'], 'duration_s': totals['duration_ns'] / 1e9,
            **{name: round(float(np.median(values)), 3) if values else 0.0
               for name, values in rates.items()},
            'joints': [{'names': list(names), 'episodes': count}
                       for names, count in joints.most_common()],
            'cameras': dict(cameras), 'sizes': dict(sizes), 'hazard_episodes': dict(hazards),
            'problems': problems}


def _rate(stamps_ns: NDArray[np.int64]) -> list[float]:
    return [1e9 / float(np.median(np.diff(stamps_ns)))] if len(stamps_ns) > 1 else []
