# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a checkpoint on held-out episodes."""

import argparse
import os
from pathlib import Path
from typing import Any

from wm_ros.verbs.collect import MAIN_CAMERA, collect_split
from wm_ros.verbs.shared import (
    SPLITS,
    add_model_options,
    add_verb,
    add_workers_option,
    check_writable,
    console,
    natural,
    natural_float,
    positive,
    print_tables,
    progress_bar,
    stages,
)

_NUM_COLLECTED = 200


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure a checkpoint on held-out episodes."""
    from wm_ros.data.episode import read_episode
    from wm_ros.inference.checkpoint import resolve_checkpoint, write_json
    from wm_ros.training.evaluation import EvaluationOptions
    from wm_ros.training.evaluation import evaluate as run
    from wm_ros.training.tables import evaluation_tables
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    check_writable(arguments.json)
    check_writable(arguments.report, '--report')
    if arguments.report:
        # A missing matplotlib must stop the run before its minutes, not after.
        from wm_ros.training.report import write_report
    paths = held_out_episodes(arguments, num_collected=_NUM_COLLECTED)
    options = EvaluationOptions(
        engine=arguments.engine, num_threads=arguments.threads, repeats=arguments.bootstrap,
        sensitivity_windows=arguments.sensitivity_windows,
        sampler_windows=arguments.sampler_windows, guidance=arguments.guidance,
        with_strips=arguments.report is not None)
    with progress_bar() as progress:
        measured = run(checkpoint, paths, options, stages(progress))
    values = measured.evaluation.to_dict()
    split = read_episode(paths[0]).info.get('split', arguments.split)
    source = arguments.data or f'seed {arguments.seed}'
    title = f'{values["model_id"]} on the {split} split, {source}'
    print_tables(title, evaluation_tables(values, all_steps=False))
    if arguments.json:
        write_json(arguments.json, {'split': split, 'seed': arguments.seed, **values})
    if arguments.report:
        write_report(arguments.report, measured, title=title)
        console.print(f'report in {arguments.report}')


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, evaluate)
    add_model_options(parser)
    parser.add_argument('--split', choices=SPLITS,
                        default='id', help='kind of scenes to collect (default: %(default)s)')
    parser.add_argument('--seed', type=natural, default=1001)
    add_episode_options(parser, num_collected=_NUM_COLLECTED)
    parser.add_argument('--json', type=Path, help='write the figures there')
    parser.add_argument('--report', type=Path, help='write a self-contained HTML report there')
    parser.add_argument('--sensitivity-windows', type=positive, default=600,
                        help='windows scored again with other actions (default: %(default)s)')
    parser.add_argument('--sampler-windows', type=positive, default=200,
                        help='windows whose futures are sampled (default: %(default)s)')
    parser.add_argument('--guidance', type=natural_float, default=1.0,
                        help='how strongly sampled futures follow the action; 1 as they were '
                        'learned (default: %(default)g)')
    parser.add_argument('--bootstrap', type=positive, default=500,
                        help='draws behind each interval (default: %(default)s)')
    add_workers_option(parser)


def add_episode_options(parser: argparse.ArgumentParser, *, num_collected: int) -> None:
    """Add the options that name episodes to use, or say how many to collect."""
    parser.add_argument('--episodes', type=positive, help='use so many (default: all of --data, '
                        f'or {num_collected} collected)')
    parser.add_argument('--data', type=Path, help='episodes to use instead of collecting')


def held_out_episodes(arguments: argparse.Namespace, *, num_collected: int) -> list[Path]:
    """
    Return the episodes in --data, or those of a split and seed, collected where missing.

    :param arguments: with ``checkpoint``, ``data``, ``split``, ``seed``, ``episodes`` and
        ``workers``.
    :param num_collected: how many are collected, where ``episodes`` is None.
    """
    from wm_ros.data.episode import list_episodes
    directory, count = arguments.data, arguments.episodes
    if directory is None:
        count = count or num_collected
        cameras = _cameras(arguments.checkpoint)
        directory = episode_cache(arguments.split, arguments.seed, cameras)
        collect_split(directory, arguments.split, episodes=count,
                      seed=arguments.seed, workers=arguments.workers, cameras=cameras)
    return list_episodes(directory)[:count]


def _cameras(checkpoint: str) -> tuple[str, ...]:
    from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint
    return load_checkpoint(resolve_checkpoint(checkpoint)).config.cameras


def episode_cache(split: str, seed: int, cameras: tuple[str, ...]) -> Path:
    main, *extra = cameras
    named = [] if main == MAIN_CAMERA else ['main', main]
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'wm_ros' / 'episodes' / '-'.join([split, str(seed), *named, *extra])
