# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Say what is wrong with a running graph."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.verbs.shared import add_verb, check_writable, console, positive_float

_COLOURS = {'error': 'red', 'warning': 'yellow', 'note': ''}


def doctor(arguments: argparse.Namespace) -> int:
    """Listen to a running graph and say in words what is wrong; exit code 1 if anything is."""
    from wm_ros.inference.checkpoint import write_json
    from wm_ros.ros.doctor import LEAST_DURATION_S, count, examine
    check_writable(arguments.json)
    if arguments.duration < LEAST_DURATION_S:
        raise ValueError(f'--duration {arguments.duration:g}: a graph takes at least '
                         f'{LEAST_DURATION_S:g} s to be discovered')
    with console.status(f'listening for {arguments.duration:g} s'):
        findings = examine(namespace=arguments.namespace, duration_s=arguments.duration)
    errors, warnings = count(findings, 'error'), count(findings, 'warning')
    if arguments.json:
        write_json(arguments.json, {'errors': errors, 'warnings': warnings,
                                    'findings': [asdict(item) for item in findings]})
    if findings:
        table = Table('level', 'what', 'found', 'what to do')
        for item in findings:
            table.add_row(item.level, item.code, item.text, item.fix,
                          style=_COLOURS[item.level])
        console.print(table)
    console.print(f'{errors} errors, {warnings} warnings')
    return int(errors > 0)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, doctor)
    parser.add_argument('--namespace', default='', help='of gate and predictor')
    parser.add_argument('--duration', type=positive_float, default=4.0,
                        help='how long to listen, s (default: %(default)s)')
    parser.add_argument('--json', type=Path, help='write the findings there')
