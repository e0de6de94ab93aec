# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Lay out the files of a LeRobot v3 data set: tables, videos and metadata.

Source: huggingface/lerobot, src/lerobot/datasets (``dataset_writer.py``, ``dataset_metadata.py``)
for paths, columns and their types.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.lerobot_layout import (
    DATA_PATH,
    EPISODES_PATH,
    INFO_COLUMN,
    INFO_PATH,
    STATS_PATH,
    TASKS_PATH,
    VERSION,
    VIDEO_PATH,
)
from wm_ros.data.lerobot_stats import (
    Stats,
    feature_stats,
    is_known,
    join_stats,
    picture_stats,
    to_lists,
)
from wm_ros.data.video import VideoWriter

CHUNKS_SIZE, DATA_FILE_MB, VIDEO_FILE_MB = 1000, 100, 200
_DEFAULT_FEATURES = {
    name: {'dtype': kind, 'shape': [1], 'names': None} for name, kind in (
        ('timestamp', 'float32'), ('frame_index', 'int64'), ('episode_index', 'int64'),
        ('index', 'int64'), ('task_index', 'int64'))}
# One picture in so many counts for the statistics.
_STATS_EVERY = 5


class LeRobotWriter:
    """
    Write a data set of one camera and one task, an episode after the other.

    Leave the ``with`` block to write the metadata; after an error in it they are not written.

    :param root: directory to make.
    :param features: the features beyond LeRobot's own, as meta/info.json describes them.
    :param camera: the feature of the video.
    """

    def __init__(self, root: Path, *, fps: int, features: dict[str, dict[str, Any]], task: str,
                 camera: str, robot_type: str = '', codec: str = 'h264', crf: int = 18) -> None:
        self._root, self._fps, self._task, self._camera = root, fps, task, camera
        self._features = {**features, **_DEFAULT_FEATURES}
        self._robot_type, self._codec, self._crf = robot_type, codec, crf
        self._rows: list[dict[str, Any]] = []
        self._stats: list[dict[str, Stats]] = []
        self._num_frames = 0
        self._data: Any = None
        self._data_file = -1
        self._video: VideoWriter | None = None
        self._video_file = -1

    @property
    def num_episodes(self) -> int:
        """Episodes so far."""
        return len(self._rows)

    def add(self, columns: dict[str, NDArray[Any]], pictures: Iterable[NDArray[np.uint8]],
            info: str) -> None:
        """
        Add an episode.

        :param columns: the features but the video's, each (N, D).
        :param pictures: N pictures, RGB uint8 (h, w, 3).
        :param info: JSON of what else is to be kept of the episode.
        """
        length, number = len(next(iter(columns.values()))), self.num_episodes
        index = np.arange(length)
        columns = {**columns, 'timestamp': index / self._fps, 'frame_index': index,
                   'episode_index': np.full(length, number), 'index': index + self._num_frames,
                   'task_index': np.zeros(length, np.int64)}
        row = {'episode_index': number, 'tasks': [self._task], 'length': length,
               **self._write_data(columns), 'dataset_from_index': self._num_frames,
               'dataset_to_index': self._num_frames + length}
        stats = {name: feature_stats(values) for name, values in columns.items()}
        place, stats[self._camera] = self._write_video(pictures)
        self._rows.append({**row, **place, 'meta/episodes/chunk_index': 0,
                           'meta/episodes/file_index': 0, INFO_COLUMN: info})
        self._stats.append(stats)
        self._num_frames += length

    def __enter__(self) -> 'LeRobotWriter':
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the files, and write the metadata unless something failed."""
        if self._data is not None:
            self._data.close()
        if self._video is not None:
            self._video.close()
        if kind is None and self._rows:
            self._write_metadata()

    def _write_data(self, columns: dict[str, NDArray[Any]]) -> dict[str, int]:
        """Write an episode's rows as a row group and say in which file."""
        import pyarrow as pa
        from pyarrow import parquet
        path = self._path(DATA_PATH, self._data_file) if self._data is not None else None
        if path is None or path.stat().st_size > DATA_FILE_MB * 2**20:
            if self._data is not None:
                self._data.close()
            self._data_file += 1
            path = self._path(DATA_PATH, self._data_file)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._data = None
        table = pa.table({name: _arrow(values, self._features[name])
                          for name, values in columns.items()})
        if self._data is None:
            self._data = parquet.ParquetWriter(path, table.schema)
        self._data.write_table(table)
        return {'data/chunk_index': self._data_file // CHUNKS_SIZE,
                'data/file_index': self._data_file % CHUNKS_SIZE}

    def _write_video(self, pictures: Iterable[NDArray[np.uint8]]) -> tuple[dict[str, Any], Stats]:
        """Append an episode's pictures to a video; say where it is, and its statistics."""
        height, width, _ = self._features[self._camera]['shape']
        if self._video is not None and self._video.size_bytes > VIDEO_FILE_MB * 2**20:
            self._video.close()
            self._video = None
        if self._video is None:
            self._video_file += 1
            self._video = VideoWriter(
                self._path(VIDEO_PATH, self._video_file), fps=self._fps, size=(height, width),
                codec=self._codec, crf=self._crf)
        start, sample = self._video.num_frames, []
        for number, picture in enumerate(pictures):
            self._video.add(picture)
            if number % _STATS_EVERY == 0:
                sample.append(picture)
        key = f'videos/{self._camera}'
        return {f'{key}/chunk_index': self._video_file // CHUNKS_SIZE,
                f'{key}/file_index': self._video_file % CHUNKS_SIZE,
                f'{key}/from_timestamp': start / self._fps,
                f'{key}/to_timestamp': self._video.num_frames / self._fps}, picture_stats(sample)

    def _path(self, template: str, number: int) -> Path:
        return self._root / template.format(
            video_key=self._camera, chunk_index=number // CHUNKS_SIZE,
            file_index=number % CHUNKS_SIZE)

    def _write_metadata(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet
        known = [name for name in self._stats[0]
                 if all(is_known(stats[name]) for stats in self._stats)]
        for row, stats in zip(self._rows, self._stats, strict=True):
            for name in known:
                row.update({f'stats/{name}/{key}': value
                            for key, value in to_lists(stats[name]).items()})
        path = self._path(EPISODES_PATH, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(self._rows), path)
        _write_tasks(self._root / TASKS_PATH, [self._task])
        joined = {name: join_stats([stats[name] for stats in self._stats])
                  for name in self._stats[0]}
        self._write_json(STATS_PATH, {name: to_lists(stats) for name, stats in joined.items()
                                      if is_known(stats)})
        self._features[self._camera]['info'] = self._video_info()
        self._write_json(INFO_PATH, {
            'codebase_version': VERSION, 'robot_type': self._robot_type or None,
            'total_episodes': self.num_episodes, 'total_frames': self._num_frames,
            'total_tasks': 1, 'chunks_size': CHUNKS_SIZE, 'data_files_size_in_mb': DATA_FILE_MB,
            'video_files_size_in_mb': VIDEO_FILE_MB, 'fps': self._fps,
            'splits': {'train': f'0:{self.num_episodes}'}, 'data_path': DATA_PATH,
            'video_path': VIDEO_PATH, 'features': self._features})

    def _video_info(self) -> dict[str, Any]:
        height, width, _ = self._features[self._camera]['shape']
        return {'video.height': height, 'video.width': width, 'video.codec': self._codec,
                'video.pix_fmt': 'yuv444p' if height % 2 or width % 2 else 'yuv420p',
                'video.fps': self._fps, 'video.channels': 3, 'is_depth_map': False,
                'has_audio': False}

    def _write_json(self, name: str, values: dict[str, Any]) -> None:
        (self._root / name).write_text(json.dumps(values, indent=4), encoding='utf-8')


def _arrow(values: NDArray[Any], feature: dict[str, Any]) -> Any:
    """Return a column as LeRobot types it: a scalar for one value, else a list of fixed size."""
    import pyarrow as pa
    kind = {'float32': pa.float32(), 'int64': pa.int64(), 'bool': pa.bool_()}[feature['dtype']]
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), type=kind, from_pandas=False)
    width = feature['shape'][0]
    return flat if width == 1 else pa.FixedSizeListArray.from_arrays(flat, width)


def _write_tasks(path: Path, tasks: list[str]) -> None:
    """Write the table of tasks, whose index LeRobot reads with pandas."""
    import pyarrow as pa
    from pyarrow import parquet
    columns = [{'name': name, 'field_name': name, 'pandas_type': kind, 'numpy_type': numpy_kind,
                'metadata': None} for name, kind, numpy_kind in (
                    ('task_index', 'int64', 'int64'), ('task', 'unicode', 'object'))]
    index = [{'name': None, 'field_name': None, 'pandas_type': 'unicode', 'numpy_type': 'object',
              'metadata': {'encoding': 'UTF-8'}}]
    about = {'index_columns': ['task'], 'column_indexes': index, 'columns': columns,
             'creator': {'library': 'pyarrow', 'version': pa.__version__},
             'pandas_version': '2.2.0'}
    table = pa.table({'task_index': pa.array(range(len(tasks)), pa.int64()),
                      'task': pa.array(tasks)})
    parquet.write_table(table.replace_schema_metadata({'pandas': json.dumps(about)}), path)
