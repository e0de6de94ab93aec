# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Collect play episodes in the simulation."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.verbs.shared import (
    add_verb,
    add_workers_option,
    console,
    natural,
    positive,
    progress_bar,
)


def collect(arguments: argparse.Namespace) -> None:
    """Collect play episodes in the simulation."""
    from wm_ros.simulation.collect import collect as run
    with progress_bar() as progress:
        task = progress.add_task('episodes', total=arguments.episodes)
        made = run(arguments.out, num_episodes=arguments.episodes, seed=arguments.seed,
                   split=arguments.split, workers=arguments.workers,
                   on_progress=lambda done: progress.update(task, completed=done))
    console.print(f'{arguments.episodes} episodes in {arguments.out}, {made} of them new')


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, collect)
    parser.add_argument('--episodes', type=positive, required=True)
    parser.add_argument('--seed', type=natural, required=True)
    # Spelt out, as MuJoCo takes a second to load; a test compares them with the simulation's.
    parser.add_argument('--split', choices=('id', 'objects', 'appearance', 'dynamics'),
                        default='id', help='kind of scenes: as in training, or unlike it in one '
                        'way (default: %(default)s)')
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    add_workers_option(parser)
