# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where things are in a LeRobot data set of version 3, and what its metadata say.

Source: huggingface/lerobot, src/lerobot/datasets (``CODEBASE_VERSION`` v3.0).
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

from wm_ros.data.hazard_labels import MAX_KINDS
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
        return self._inside(self.data_path, chunk_index=row['data/chunk_index'],
                            file_index=row['data/file_index'])

    def video_file(self, row: dict[str, Any], key: str) -> Path:
        """
        Return the video file of an episode's camera.

        :raises DatasetError: if the metadata do not say, or lead out of the data set.
        """
        place = {}
        for name in ('chunk_index', 'file_index'):
            place[name] = row.get(f'videos/{key}/{name}')
            if place[name] is None:
                raise DatasetError(f'meta/episodes has no videos/{key}/{name}')
        return self._inside(self.video_path, video_key=key, **place)

    def _inside(self, template: str, **values: Any) -> Path:
        """Return a path below the root; a link may lead out, as the hub's cache has them."""
        try:
            name = template.format(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise DatasetError(f'{self.root / INFO_PATH}: the path {template!r} does not fit '
                               f'{values}: {error}') from error
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
    if not 0 < info.fps < math.inf:
        raise DatasetError(f'{path}: fps is {info.fps}; expected more than 0')
    _check_features(path, info.features)
    return info


def _check_features(path: Path, features: dict[str, Any]) -> None:
    for key, item in features.items():
        if not isinstance(item, dict):
            raise DatasetError(f'{path}: feature {key} is {item!r}; expected an object with '
                               'dtype, shape and names')
        shape, info = item.get('shape') or [], item.get('info') or {}
        # Of other features nothing depends on it.
        if key in (STATE, ACTION) and not (
                isinstance(shape, list) and all(isinstance(size, int) for size in shape)):
            raise DatasetError(f'{path}: the shape of feature {key} is {shape!r}; expected a list '
                               'of whole numbers')
        if not isinstance(info, dict):
            raise DatasetError(f'{path}: the info of feature {key} is {info!r}; expected an '
                               'object')
    kinds = features.get(HAZARD, {'names': []}).get('names')
    if not isinstance(kinds, list) or len(kinds) > MAX_KINDS or not all(
            isinstance(kind, str) and kind.strip() == kind != '' and ',' not in kind
            for kind in kinds):
        raise DatasetError(f'{path}: the names of feature {HAZARD} are {kinds!r}; expected at '
                           f'most {MAX_KINDS} names without commas')


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

    :raises DatasetError: if there is no state, its action is not of the same size or its names
        are no list.
    """
    for key in (STATE, ACTION):
        if key not in info.features:
            raise DatasetError(f'{info.root / INFO_PATH}: there is no feature {key}')
    shapes = [list(info.features[key].get('shape') or ()) for key in (STATE, ACTION)]
    if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise DatasetError(
            f'{info.root / INFO_PATH}: {STATE} has shape {shapes[0]} and {ACTION} {shapes[1]}; '
            'expected one target for each measured joint')
    stated = info.features[STATE].get('names') or []
    # {'motors': [...]}, as older writers have it
    parts = [*stated.values()] if isinstance(stated, dict) else [stated]
    if not all(isinstance(part, list) for part in parts):
        raise DatasetError(f'{info.root / INFO_PATH}: the names of feature {STATE} are '
                           f'{stated!r}; expected a list')
    names = [name for part in parts for name in part]
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
    for number, row in enumerate(rows):
        for name in ('episode_index', 'length', 'data/chunk_index', 'data/file_index'):
            if not isinstance(row.get(name), int):
                raise DatasetError(f'{paths[0].parent}: row {number} has {name} '
                                   f'{row.get(name)!r}; expected a whole number')
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
