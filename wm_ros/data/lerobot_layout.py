# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where things are in a LeRobot data set of version 3, and what its metadata say.

Source: huggingface/lerobot, src/lerobot/datasets (``CODEBASE_VERSION`` v3.0).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from wm_ros.errors import DatasetError

VERSION = 'v3.0'
INFO_PATH, STATS_PATH, TASKS_PATH = 'meta/info.json', 'meta/stats.json', 'meta/tasks.parquet'
_FILE = 'chunk-{chunk_index:03d}/file-{file_index:03d}'
EPISODES_PATH = f'meta/episodes/{_FILE}.parquet'
DATA_PATH = f'data/{_FILE}.parquet'
VIDEO_PATH = f'videos/{{video_key}}/{_FILE}.mp4'
_FIELDS = {'chunk_index', 'file_index', 'video_key'}
STATE, ACTION, IMAGES = 'observation.state', 'action', 'observation.images.'
# What an episode of this package has beyond LeRobot's own features.
SETPOINT, VELOCITY, EFFORT = 'wm_ros.setpoint', 'wm_ros.velocity', 'wm_ros.effort'
HAZARD, CLEARANCE, STAMP = 'wm_ros.hazard', 'wm_ros.clearance', 'wm_ros.stamp_ns'
INFO_COLUMN = 'wm_ros/info'


@dataclass(frozen=True, kw_only=True, slots=True)
class LeRobotInfo:
    """
    What meta/info.json says.

    :param root: directory of the data set.
    :param fps: the one rate of the data set, Hz.
    :param features: features by name, each with dtype, shape and names.
    """

    root: Path
    fps: float
    features: dict[str, dict[str, Any]]
    data_path: str = DATA_PATH
    video_path: str = VIDEO_PATH
    total_episodes: int = 0

    def data_file(self, row: dict[str, Any]) -> Path:
        """
        Return the parquet file of an episode.

        :raises DatasetError: if the metadata lead out of the data set.
        """
        return self._inside(self.data_path.format(
            chunk_index=row['data/chunk_index'], file_index=row['data/file_index']))

    def video_file(self, row: dict[str, Any], key: str) -> Path:
        """
        Return the video file of an episode's camera.

        :raises DatasetError: if the metadata lead out of the data set.
        """
        return self._inside(self.video_path.format(
            video_key=key, chunk_index=row[f'videos/{key}/chunk_index'],
            file_index=row[f'videos/{key}/file_index']))

    def _inside(self, name: str) -> Path:
        """Return a path below the root; a link may lead out, as the hub's cache has them."""
        if Path(name).is_absolute() or '..' in Path(name).parts:
            raise DatasetError(f'{self.root / INFO_PATH} leads to {name!r}, outside the data set; '
                               'correct its paths, or do not use it')
        return self.root / name


def is_lerobot(path: Path) -> bool:
    """Tell whether a directory is a LeRobot data set of any version."""
    return (path / INFO_PATH).is_file()


def read_info(root: Path) -> LeRobotInfo:
    """
    Read and check meta/info.json.

    :raises DatasetError: if it is missing, damaged or of another version.
    """
    path = root / INFO_PATH
    try:
        raw = json.loads(path.read_text(encoding='utf-8'))
        version = raw['codebase_version']
    except FileNotFoundError as error:
        raise DatasetError(f'{root}: not a LeRobot data set: {INFO_PATH} is missing') from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f'{path}: not the metadata of a LeRobot data set ({error!r})'
                           ) from error
    if version != VERSION:
        raise DatasetError(
            f'{path}: codebase_version is {version!r}, this program reads {VERSION!r}; convert it '
            'with lerobot.scripts.convert_dataset_v21_to_v30 of the lerobot package')
    try:
        info = LeRobotInfo(
            root=root, fps=float(raw['fps']), features=dict(raw['features']),
            data_path=raw.get('data_path') or DATA_PATH,
            video_path=raw.get('video_path') or VIDEO_PATH,
            total_episodes=int(raw.get('total_episodes', 0)))
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f'{path}: a key is missing or wrong: {error!r}') from error
    for template in (info.data_path, info.video_path):
        _check_template(path, template)
    if not info.fps > 0:
        raise DatasetError(f'{path}: fps is {info.fps}; expected more than 0')
    return info


def _check_template(path: Path, template: str) -> None:
    """Allow only LeRobot's own fields in a path: a format string can reach into any object."""
    try:
        parts = [part for part in Formatter().parse(template) if part[1] is not None]
        # What stands after the colon may have fields of its own.
        parts += [part for _, _, inner, _ in parts for part in Formatter().parse(inner or '')]
        fields = {name for _, name, _, _ in parts if name is not None}
    except (ValueError, TypeError) as error:
        raise DatasetError(f'{path}: {template!r} is no path template: {error}') from error
    if unknown := sorted(fields - _FIELDS):
        raise DatasetError(f'{path}: the path {template!r} has the fields {unknown}; known are '
                           f'{sorted(_FIELDS)}')


def choose_camera(info: LeRobotInfo, wanted: str = '') -> str:
    """
    Return the key of the camera to take.

    :param wanted: its key, or its name after ``observation.images.``; '' for the only one.
    :raises DatasetError: if there is none, or several and none is chosen; naming them.
    """
    keys = [key for key, item in info.features.items() if item.get('dtype') in ('video', 'image')
            and not (item.get('info') or {}).get('is_depth_map')]
    names = ', '.join(keys)
    if not keys:
        raise DatasetError(f'{info.root}: there is no camera in it')
    if not wanted and len(keys) > 1:
        raise DatasetError(f'{info.root}: there are several cameras; choose one with --camera: '
                           f'{names}')
    chosen = wanted or keys[0]
    for key in (chosen, IMAGES + chosen):
        if key in keys:
            return key
    raise DatasetError(f'{info.root}: there is no camera {wanted!r}; there are {names}')


def joint_names(info: LeRobotInfo) -> tuple[str, ...]:
    """
    Return the names of the joints in the state.

    :raises DatasetError: if there is no state or its action is not of the same size.
    """
    for key in (STATE, ACTION):
        if key not in info.features:
            raise DatasetError(f'{info.root / INFO_PATH}: there is no feature {key}')
    shapes = [list(info.features[key].get('shape') or ()) for key in (STATE, ACTION)]
    if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise DatasetError(
            f'{info.root / INFO_PATH}: {STATE} has shape {shapes[0]} and {ACTION} {shapes[1]}; '
            'expected one target for each measured joint')
    names = info.features[STATE].get('names')
    if isinstance(names, dict):  # {'motors': [...]}, as older writers have it
        names = [name for part in names.values() for name in part]
    if not names or len(names) != shapes[0][0]:
        names = [f'joint_{number}' for number in range(shapes[0][0])]
    return tuple(str(name).removesuffix('.pos') for name in names)


def read_episode_rows(info: LeRobotInfo) -> list[dict[str, Any]]:
    """
    Read the table of episodes, without its statistics.

    :raises DatasetError: if it is missing or damaged, naming the file.
    """
    rows: list[dict[str, Any]] = []
    paths = sorted((info.root / 'meta' / 'episodes').glob('*/*.parquet'))
    if not paths:
        raise DatasetError(f'{info.root}: no meta/episodes/chunk-*/file-*.parquet in it')
    for path in paths:
        table = read_parquet(path)
        rows += table.select([name for name in table.column_names
                              if not name.startswith('stats/')]).to_pylist()
    needed = {'episode_index', 'length', 'data/chunk_index', 'data/file_index'}
    for number, row in enumerate(rows):
        missing = sorted(name for name in needed if row.get(name) is None)
        if missing:
            raise DatasetError(f"{paths[0].parent}: row {number} has no {', '.join(missing)}")
    return rows


def read_parquet(path: Path) -> Any:
    """
    Read a table.

    :raises DatasetError: naming the file, if it is missing or damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet
    try:
        return parquet.read_table(path, partitioning=None)
    except FileNotFoundError as error:
        raise DatasetError(f'{path}: there is no such file') from error
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f'{path}: not a whole parquet file ({error})') from error
