# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Describe, check and label data sets."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.errors import DatasetError
from wm_ros.verbs.labels import add_label_options, label_options, tell_problems
from wm_ros.verbs.shared import check_writable, console, positive_float, progress_bar


def dataset_info(arguments: argparse.Namespace) -> int:
    """Say what is in episodes, a bag or a LeRobot data set."""
    from wm_ros.data.describing import describe
    from wm_ros.inference.checkpoint import write_json
    check_writable(arguments.json)
    with progress_bar() as progress:
        task = progress.add_task('reading', total=None)
        figures = describe(arguments.data,
                           lambda done: progress.update(task, completed=done))
    if arguments.json:
        write_json(arguments.json, figures)
    table = Table('figure', 'value', title=str(arguments.data))
    for name, value in figures.items():
        if isinstance(value, dict):
            for key, item in value.items():
                text = ', '.join(map(str, item.values())) if isinstance(item, dict) else str(item)
                table.add_row(f'{name} {key}', text)
        else:
            table.add_row(name, f'{value:.3f}' if isinstance(value, float) else str(value))
    console.print(table)
    return int(bool(figures.get('problems')))


def dataset_check(arguments: argparse.Namespace) -> int:
    """Find gaps, clock skew, frozen cameras, missing joints and damage in episodes."""
    from wm_ros.data.checks import ERROR, CheckLimits, check_files
    from wm_ros.data.episode import list_episodes
    from wm_ros.inference.checkpoint import write_json
    check_writable(arguments.json)
    limits = CheckLimits(gap_periods=arguments.gap_periods, skew_s=arguments.skew,
                         frozen_frames=arguments.frozen_frames)
    paths = list_episodes(arguments.data)
    with progress_bar() as progress:
        task = progress.add_task('checking', total=len(paths))
        findings = check_files(paths, limits, on_progress=lambda done: progress.update(
            task, completed=done))
    errors = sum(item.level == ERROR for item in findings)
    if arguments.json:
        write_json(arguments.json, {
            'episodes': len(paths), 'errors': errors, 'warnings': len(findings) - errors,
            'findings': [asdict(item) for item in findings]})
    if findings:
        table = Table('file', 'level', 'what', 'row', 'found', title=str(arguments.data))
        for item in findings:
            table.add_row(item.file, item.level, item.what,
                          '' if item.row < 0 else str(item.row), item.text)
        console.print(table)
    console.print(f'{len(paths)} episodes: {errors} errors, {len(findings) - errors} warnings')
    return int(errors > 0)


def dataset_label(arguments: argparse.Namespace) -> int:
    """Add hazard labels to episodes; those that they have stay."""
    from wm_ros.data.episode import list_episodes, read_episode, write_episode
    from wm_ros.data.labelling import Labeller
    from wm_ros.data.problems import Problems
    options, problems = label_options(arguments), Problems()
    if options.is_empty:
        raise ValueError('no labeller is chosen: give --label-effort, --label-intervals or '
                         '--label-failed')
    labeller = Labeller(options, problems)
    changed = 0
    for path in list_episodes(arguments.data):
        try:
            episode = read_episode(path)
        except DatasetError as error:
            problems.add(str(error), f'{error}; left as it is')
            continue
        number = int(digits) if (digits := path.stem.rpartition('_')[2]).isdigit() else -1
        labelled = labeller.apply(episode, name=path.stem, number=number)
        if (labelled.hazards != episode.hazards).any():
            write_episode(path, labelled)
            changed += 1
    labeller.finish()
    console.print(f'{changed} episodes of {arguments.data} have new labels')
    return tell_problems('dataset label', problems)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    text = __doc__.strip()
    parser = verbs.add_parser('dataset', help=text, description=text)
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION')
    for name, run in (('info', dataset_info), ('check', dataset_check),
                      ('label', dataset_label)):
        action = actions.add_parser(name, help=run.__doc__, description=run.__doc__)
        action.set_defaults(run=run)
        action.add_argument('data', type=Path, help='directory of episodes'
                            + (', bag or LeRobot data set' if name == 'info' else ''))
        if name == 'label':
            add_label_options(action)
        else:
            action.add_argument('--json', type=Path, help='write the figures to this file')
        if name == 'check':
            _add_limits(action)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--gap-periods', type=positive_float, default=2.5,
                        help='a pause of more periods is a gap')
    parser.add_argument('--skew', type=positive_float, default=0.15,
                        help='how far pictures and joints may be from each other, s')
    parser.add_argument('--frozen-frames', type=int, default=3,
                        help='so many equal pictures while the arm moves are a frozen camera')
