# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect play episodes in the simulation."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from wm_ros.verbs.shared import (
    SPLITS,
    add_verb,
    add_workers_option,
    console,
    natural,
    positive,
    positive_float,
    progress_bar,
)

MAIN_CAMERA = 'front'


def collect(arguments: argparse.Namespace) -> None:
    """Collect play episodes in the simulation."""
    run = _of_robot(arguments) if arguments.robot else _of_so101(
        arguments.split, arguments.cameras, arguments.seconds, arguments.glimpses or 0)
    _collect(run, arguments.out, episodes=arguments.episodes, seed=arguments.seed,
             workers=arguments.workers)


def collect_split(directory: Path, split: str, *, episodes: int, seed: int, workers: int,
                  cameras: tuple[str, ...]) -> None:
    """Collect what is missing of a split of the SO-101's scenes, for verbs that measure on it."""
    _collect(_of_so101(split, cameras), directory, episodes=episodes, seed=seed, workers=workers)


def _collect(run: Any, directory: Path, *, episodes: int, seed: int, workers: int) -> None:
    with progress_bar() as progress:
        task = progress.add_task('episodes', total=episodes)
        made = run(directory, num_episodes=episodes, seed=seed, workers=workers,
                   on_progress=lambda done: progress.update(task, completed=done))
    console.print(f'{episodes} episodes in {directory}, {made} of them new')


def _of_so101(split: str, cameras: tuple[str, ...], seconds: float | None = None,
              glimpses: int = 0) -> Any:
    from wm_ros.simulation.collect import EPISODE_S
    from wm_ros.simulation.collect import collect as run
    return partial(run, split=split, cameras=cameras, duration_s=seconds or EPISODE_S,
                   glimpses=glimpses)


def _of_robot(arguments: argparse.Namespace) -> Any:
    from wm_ros.simulation.configured_collect import collect_robot
    if arguments.split != 'id':
        raise ValueError(f'--split {arguments.split} exists for the SO-101 alone; leave it out '
                         'with --robot')
    if arguments.cameras != (MAIN_CAMERA,):
        raise ValueError('--cameras exists for the SO-101 alone; the camera of another robot is '
                         'the one that its file names')
    if arguments.glimpses is not None:
        raise ValueError('--glimpses exists for the SO-101 alone; leave it out with --robot')
    if arguments.seconds is not None:
        raise ValueError('--seconds exists for the SO-101 alone; how long an episode of another '
                         'robot lasts stands in its file')
    return partial(collect_robot, arguments.robot)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(','))


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, collect)
    parser.add_argument('--episodes', type=positive, required=True)
    parser.add_argument('--seed', type=natural, required=True)
    parser.add_argument('--split', choices=SPLITS,
                        default='id', help='kind of scenes, see docs/splits.md '
                        '(default: %(default)s)')
    parser.add_argument('--cameras', type=_names, default=(MAIN_CAMERA,), metavar='NAMES',
                        help='with commas, the main one first: front, wrist (default: front)')
    parser.add_argument('--seconds', type=positive_float, help='of an episode without a hazard '
                        '(default: 6); shorter ones show more scenes in the same time')
    parser.add_argument('--glimpses', type=positive, metavar='N', help='draw pictures at N '
                        'moments of each episode only: several times the scenes in the same time, '
                        'to train what judges commands (default: ten times a second)')
    parser.add_argument('--robot', type=Path, help='YAML file of another robot than the SO-101, '
                        'such as config/robots/aloha.yaml')
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    add_workers_option(parser)
