# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What several verbs need: options, settings from files, progress."""

import argparse
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()


def add_verb(verbs: Any, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    """Add a verb named like its function, with its docstring as help."""
    parser = verbs.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
    parser.set_defaults(run=run)
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a checkpoint and an engine."""
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--engine', default='onnxruntime', help='onnxruntime or torch')
    parser.add_argument('--threads', type=positive, default=2)


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes."""
    parser.add_argument('--workers', type=positive, default=os.cpu_count() or 1)


def read_settings(arguments: argparse.Namespace, kind: type[Any]) -> Any:
    """Return settings from --config, then --steps, then --set; unknown keys are errors."""
    import yaml
    values = read_yaml(arguments.config) if arguments.config else {}
    if arguments.steps is not None:
        values['steps'] = arguments.steps
    for item in arguments.sets:
        key, found, text = item.partition('=')
        if not found:
            raise ValueError(f'--set {item!r} must be KEY=VALUE')
        values[key] = yaml.safe_load(text)
    known = {item.name for item in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{unknown} are no training settings; there are {sorted(known)}')
    return kind(**values)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file."""
    import yaml
    try:
        loaded = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not YAML: {error}') from error
    if not isinstance(loaded, dict):
        raise ValueError(f'{path} must hold keys and values')
    return loaded


def check_writable(path: Path | None, option: str = '--json') -> None:
    """Raise ValueError unless the file that an option names could be written there."""
    if path is not None and not path.absolute().parent.is_dir():
        raise ValueError(f'{option} {path}: there is no directory {path.absolute().parent}')


def progress_bar() -> Progress:
    """Return a progress display with the time that is left."""
    return Progress(
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console)


def stages(progress: Progress) -> Callable[[str, int, int], None]:
    """Return a callback (stage, done, total) that shows one bar for each stage."""
    tasks: dict[str, Any] = {}

    def update(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done)

    return update


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} must be at least 1')
    return value


def natural(text: str) -> int:
    """Read a whole number of at least 0."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{value} must not be below 0')
    return value


def positive_float(text: str) -> float:
    """Read a number above 0."""
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} must be above 0')
    return value
