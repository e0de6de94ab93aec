# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predict step by step beyond the trained horizon and measure the drift."""

import argparse
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.verbs.evaluate import add_episode_options, held_out_episodes
from wm_ros.verbs.shared import (
    SPLITS,
    add_verb,
    add_workers_option,
    check_writable,
    console,
    natural,
    positive,
    progress_bar,
)

_NUM_COLLECTED = 50


def rollout(arguments: argparse.Namespace) -> None:
    """Predict step by step beyond the trained horizon and measure the drift."""
    from wm_ros.inference.checkpoint import resolve_checkpoint, write_json
    from wm_ros.training.rollout_drift import measure_drift
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    check_writable(arguments.json)
    paths = held_out_episodes(arguments, num_collected=_NUM_COLLECTED)
    with progress_bar() as progress:
        task = progress.add_task('rollouts', total=None)
        found = measure_drift(
            checkpoint, paths, steps=arguments.steps, max_windows=arguments.windows,
            strides=tuple(arguments.stride), num_threads=arguments.threads,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total))
    strides = list(found.psnr)
    table = Table('time s', 'copy dB', *(f'stride {stride} dB' for stride in strides),
                  *(f'stride {stride} joints deg' for stride in strides),
                  title=f'{found.windows} windows; one pass was trained for '
                        f'{found.horizon * found.step_s:.1f} s')
    for step in range(found.steps):
        table.add_row(
            f'{(step + 1) * found.step_s:.1f}', f'{found.psnr_copy[step]:.1f}',
            *(f'{found.psnr[stride][step]:.1f}' for stride in strides),
            *(f'{found.joint_error_deg[stride][step]:.2f}' for stride in strides))
    console.print(table)
    if arguments.json:
        write_json(arguments.json, found.to_dict())


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, rollout)
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--steps', type=positive, default=20, help='steps to predict')
    parser.add_argument('--stride', type=positive, action='append', default=[],
                        help='steps taken from one pass, may be repeated; 1 and all if not given')
    parser.add_argument('--windows', type=positive, default=64)
    parser.add_argument('--split', choices=SPLITS, default='id', help='as for evaluate')
    parser.add_argument('--seed', type=natural, default=1001)
    add_episode_options(parser, num_collected=_NUM_COLLECTED)
    parser.add_argument('--threads', type=positive, default=2)
    parser.add_argument('--json', type=Path)
    add_workers_option(parser)
