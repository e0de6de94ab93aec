# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write episodes as LeRobot data sets and as bags."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_ros.errors import DatasetError
from wm_ros.verbs.labels import tell_problems
from wm_ros.verbs.shared import console, progress_bar

if TYPE_CHECKING:
    from wm_ros.data.problems import Problems


def export_dataset(arguments: argparse.Namespace) -> int:
    """Write episodes as a LeRobot v3 data set or as MCAP bags."""
    from wm_ros.data.episode import list_episodes
    from wm_ros.data.problems import Problems
    paths = (list_episodes(arguments.data) if arguments.data.is_dir() else [arguments.data])
    problems = Problems()
    write = _write_lerobot if arguments.format == 'lerobot' else _write_bags
    made = write(paths, arguments, problems)
    console.print(f'{made} episodes in {arguments.out}')
    return tell_problems('export-dataset', problems)


def _write_lerobot(paths: list[Path], arguments: argparse.Namespace, problems: 'Problems') -> int:
    from wm_ros.data.lerobot_export import ExportOptions, export_lerobot
    options = ExportOptions(task=arguments.task, robot_type=arguments.robot_type,
                            codec=arguments.codec, crf=arguments.crf)
    with progress_bar() as progress:
        task = progress.add_task('episodes', total=len(paths))
        return export_lerobot(paths, arguments.out, options, problems,
                              on_progress=lambda done: progress.update(task, completed=done))


def _write_bags(paths: list[Path], arguments: argparse.Namespace, problems: 'Problems') -> int:
    from wm_ros.data.bag_export import export_bag
    from wm_ros.data.episode import read_episode
    made = 0
    arguments.out.mkdir(parents=True, exist_ok=True)
    with progress_bar() as progress:
        for path in progress.track(paths, description='episodes'):
            try:
                export_bag(read_episode(path), arguments.out / path.stem)
                made += 1
            except DatasetError as error:
                problems.add(str(error), f'{error}; left out')
    return made


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    text = export_dataset.__doc__
    parser = verbs.add_parser('export-dataset', help=text, description=text)
    parser.set_defaults(run=export_dataset)
    parser.add_argument('--data', type=Path, required=True,
                        help='directory of episodes, or one episode file')
    parser.add_argument('--format', choices=['lerobot', 'mcap'], required=True)
    parser.add_argument('--out', type=Path, required=True,
                        help='directory to make: the data set, or one bag for each episode')
    group = parser.add_argument_group('LeRobot data sets')
    group.add_argument('--task', default='play', help='what the robot does, in words')
    group.add_argument('--robot-type', default='')
    group.add_argument('--codec', choices=['h264', 'av1'], default='h264')
    group.add_argument('--crf', type=int, default=18, help='lower is better and larger')
