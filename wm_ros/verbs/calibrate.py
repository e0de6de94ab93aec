# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choose thresholds on held-out episodes."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.verbs.shared import add_model_options, add_verb, console, progress_bar, stages


def calibrate(arguments: argparse.Namespace) -> None:
    """Choose thresholds on held-out episodes."""
    from wm_ros.inference.checkpoint import resolve_checkpoint
    from wm_ros.training.calibrating import calibrate_checkpoint
    with progress_bar() as progress:
        result = calibrate_checkpoint(
            resolve_checkpoint(arguments.checkpoint), arguments.data,
            alpha_miss=arguments.alpha_miss, alpha_veto=arguments.alpha_veto,
            engine=arguments.engine, num_threads=arguments.threads, on_progress=stages(progress))
    table = Table('figure', 'value', title='calibration')
    for item in fields(result):
        value = getattr(result, item.name)
        table.add_row(item.name, f'{value:.4f}' if isinstance(value, float) else str(value))
    console.print(table)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, calibrate)
    add_model_options(parser)
    parser.add_argument('--data', type=Path, required=True, help='held-out episodes')
    parser.add_argument('--alpha-miss', type=float, default=0.05)
    parser.add_argument('--alpha-veto', type=float, default=0.05)
