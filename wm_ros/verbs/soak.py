# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The soak among the actions of ``wm-ros faults``."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.errors import WorldModelError
from wm_ros.verbs.shared import check_writable, console, end_on_terminate, positive_float


def soak(arguments: argparse.Namespace) -> None:
    """Run the graph with the shipped checkpoint for long; count, and watch the memory."""
    from wm_ros.benchmark.soak import SoakConfig, run_soak
    from wm_ros.benchmark.soak_figures import describe
    check_writable(arguments.json)
    end_on_terminate()
    report = run_soak(SoakConfig(
        minutes=arguments.minutes, rate=arguments.rate, checkpoint=arguments.checkpoint,
        output_directory=arguments.output, json_path=arguments.json, resume=arguments.resume),
        console)
    console.print(describe(report), markup=False, highlight=False, soft_wrap=True)
    if not report['held']:
        raise WorldModelError('the promise of the soak was not kept')


def add_action(actions: Any) -> None:
    """Add the action to those of ``wm-ros faults``."""
    parser = actions.add_parser('soak', help=soak.__doc__, description=soak.__doc__)
    parser.add_argument('--minutes', type=positive_float, default=60.0,
                        help='of commands (default: %(default)g)')
    parser.add_argument('--rate', type=positive_float, default=20.0, metavar='HZ',
                        help='of commands (default: %(default)g)')
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--json', type=Path,
                        help='the report (default: soak.json in --output), written while it runs')
    parser.add_argument('--output', type=Path, default=Path('soak_output'),
                        help='logs and events (default: %(default)s)')
    parser.add_argument('--resume', action='store_true',
                        help='go on with the report of an interrupted soak')
    parser.set_defaults(run=soak)
