# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a checkpoint on held-out episodes."""

import argparse
import os
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.verbs.collect import collect
from wm_ros.verbs.shared import (
    add_model_options,
    add_verb,
    add_workers_option,
    check_writable,
    console,
    natural,
    positive,
    progress_bar,
    stages,
)


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure a checkpoint on held-out episodes."""
    from wm_ros.inference.checkpoint import resolve_checkpoint, write_json
    from wm_ros.training.evaluation import evaluate as run
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    check_writable(arguments.json)
    paths = held_out_episodes(arguments)
    with progress_bar() as progress:
        result = run(checkpoint, paths, engine=arguments.engine, num_threads=arguments.threads,
                     on_progress=stages(progress))
    _print_evaluation(result.to_dict(), f'{arguments.split} split, seed {arguments.seed}')
    if arguments.json:
        write_json(arguments.json, {'split': arguments.split, 'seed': arguments.seed,
                                    **result.to_dict()})


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, evaluate)
    add_model_options(parser)
    parser.add_argument('--split', choices=['id'], default='id')
    parser.add_argument('--seed', type=natural, default=1001)
    parser.add_argument('--episodes', type=positive, default=200)
    parser.add_argument('--data', type=Path, help='episodes to use instead of collecting')
    parser.add_argument('--json', type=Path)
    add_workers_option(parser)


def held_out_episodes(arguments: argparse.Namespace) -> list[Path]:
    """
    Return the episodes in --data, or those of a split and seed, collected where missing.

    :param arguments: with ``data``, ``split``, ``seed``, ``episodes`` and ``workers``.
    """
    from wm_ros.data.episode import list_episodes
    directory = arguments.data or episode_cache(arguments.split, arguments.seed)
    if arguments.data is None:
        collect(argparse.Namespace(episodes=arguments.episodes, seed=arguments.seed,
                                   split=arguments.split, out=directory,
                                   workers=arguments.workers))
    return list_episodes(directory)[:arguments.episodes]


def episode_cache(split: str, seed: int) -> Path:
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'wm_ros' / 'episodes' / f'{split}-{seed}'


def _print_evaluation(values: dict[str, Any], title: str) -> None:
    table = Table('figure', 'world model', 'baseline', title=title)
    pairs = {'auroc': 'auroc_kinematic',
             'false_veto_at_95_recall': 'false_veto_at_95_recall_kinematic',
             'psnr': 'psnr_copy', 'psnr_moving': 'psnr_moving_copy'}
    for name, value in values.items():
        if name in pairs.values():
            continue
        table.add_row(name, _cell(value), _cell(values.get(pairs.get(name, ''))))
    console.print(table)
    console.print('baselines: a classifier that sees joints and command but no camera; the '
                   'newest frame repeated. Lists are per step.')


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, list):
        return ' '.join(f'{item:.1f}' for item in value)
    return f'{value:.4f}' if isinstance(value, float) else str(value)
