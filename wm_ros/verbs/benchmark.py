# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure how long everything takes on this machine."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.verbs.shared import (
    add_verb,
    check_writable,
    console,
    end_on_terminate,
    natural,
    positive,
)

# Spelt out, as the verb's help must not load the parts; a test compares them.
PARTS = ('stages', 'engines', 'scaling', 'gate', 'loop', 'executor', 'peers')


def benchmark(arguments: argparse.Namespace) -> int:
    """Measure how long everything takes on this machine."""
    from wm_ros.benchmark.config import BenchmarkConfig
    from wm_ros.benchmark.run import run_benchmark
    check_writable(arguments.json)
    end_on_terminate()
    parts = tuple(arguments.only) or PARTS[:-1]
    if arguments.peers and 'peers' not in parts:
        parts = (*parts, 'peers')
    store = run_benchmark(BenchmarkConfig(
        parts=parts, commands=arguments.commands, minutes=arguments.minutes,
        busy_cores=arguments.busy_cores, conditions=arguments.conditions,
        rounds=arguments.rounds, threads=arguments.threads, checkpoint=arguments.checkpoint,
        engine=arguments.engine, output_directory=arguments.output, json_path=arguments.json,
        resume=arguments.resume), console)
    return 1 if store.failed else 0


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, benchmark)
    parser.add_argument('--only', action='append', choices=PARTS, default=[],
                        help='measure this part only; may be repeated')
    parser.add_argument('--peers', action='store_true',
                        help="time other architectures of their papers' sizes as well")
    parser.add_argument('--commands', type=positive, default=5000,
                        help="of the loop's first condition, at 10 Hz; the others are given a "
                             'share of it (default: %(default)s)')
    parser.add_argument('--minutes', type=float, default=0.0,
                        help='length of the first condition, instead of --commands')
    parser.add_argument('--busy-cores', type=natural, default=1,
                        help='cores that a condition of its own keeps busy; 0 leaves it out '
                             '(default: %(default)s)')
    parser.add_argument('--conditions', type=positive, default=6,
                        help='how many conditions of the loop are run (default: all)')
    parser.add_argument('--rounds', type=positive, default=60,
                        help='repetitions of each timing (default: %(default)s)')
    parser.add_argument('--threads', type=positive, default=2,
                        help='of the engines outside the loop (default: %(default)s)')
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--engine', default='onnxruntime', help='what runs the model in the loop')
    parser.add_argument('--output', type=Path, default=Path('benchmark_output'),
                        help='plots and logs (default: %(default)s)')
    parser.add_argument('--json', type=Path,
                        help='the report (default: benchmark.json in --output)')
    parser.add_argument('--resume', action='store_true',
                        help='keep the steps that an interrupted run has finished')
