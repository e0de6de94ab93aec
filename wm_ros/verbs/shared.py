# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What several verbs need: options and progress."""

import argparse
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table

if TYPE_CHECKING:
    from wm_ros.training.tables import TextTable

console = Console()
# Spelt out, as MuJoCo takes a second to load; a test compares them with the simulation's.
SPLITS = ('id', 'objects', 'appearance', 'dynamics', 'varied')


def add_verb(verbs: Any, run: Callable[[argparse.Namespace], int | None], *,
             name: str = '') -> argparse.ArgumentParser:
    """Add a verb named like its function, if no name is given, with its docstring as help."""
    parser = verbs.add_parser(name or run.__name__, help=run.__doc__, description=run.__doc__)
    parser.set_defaults(run=run)
    return parser


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a checkpoint and an engine."""
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--engine', default='onnxruntime',
                        help='onnxruntime, torch, torch_compile or tensorrt')
    parser.add_argument('--threads', type=positive, default=2)


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes."""
    parser.add_argument('--workers', type=positive, default=os.cpu_count() or 1)


def add_extra_camera_option(parser: Any, source: str) -> None:
    """Add the option that names further cameras, to a parser or a group of one."""
    parser.add_argument('--extra-camera', action='append', default=[], type=named_source,
                        metavar=f'NAME={source}', dest='extra_cameras',
                        help='a further camera and its name in the episodes; may be repeated')


def end_on_terminate() -> None:
    """Let SIGTERM end a verb as Ctrl-C does, with the processes that it started."""
    # A time limit of the shell or of a service sends it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def check_writable(path: Path | None, option: str = '--json') -> None:
    """Raise ValueError unless the file that an option names could be written there."""
    if path is not None and not path.absolute().parent.is_dir():
        raise ValueError(f'{option} {path}: there is no directory {path.absolute().parent}')


def progress_bar() -> Progress:
    """Return a progress display with the time that is left."""
    return Progress(
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console)


def print_tables(title: str, tables: Iterable['TextTable']) -> None:
    """Print tables; where the terminal is narrow names wrap, a figure never loses its end."""
    console.print(title, style='bold', soft_wrap=True)
    for content in tables:
        first, *others = content.columns
        table = Table(Column(first, overflow='fold'),
                      *(Column(name, no_wrap=True, justify='right') for name in others),
                      title=content.title, title_justify='left', box=SIMPLE_HEAD, pad_edge=False)
        for row in content.rows:
            table.add_row(*row)
        console.print(table)
        if content.note:
            console.print(content.note)


def stages(progress: Progress) -> Callable[[str, int, int], None]:
    """Return a callback (stage, done, total) that shows one bar for each stage."""
    tasks: dict[str, Any] = {}

    def update(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done)

    return update


def named_source(text: str) -> tuple[str, str]:
    """Read NAME=SOURCE."""
    name, found, source = text.partition('=')
    if not (found and name and source):
        raise argparse.ArgumentTypeError(f'{text!r} must be NAME=SOURCE')
    return name, source


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


def natural_float(text: str) -> float:
    """Read a finite number of at least 0."""
    value = float(text)
    if not 0 <= value < float('inf'):
        raise argparse.ArgumentTypeError(f'{text} must be finite and not below 0')
    return value
