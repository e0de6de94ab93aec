# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The options that choose hazard labellers, and how problems are told."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wm_ros.verbs.shared import positive_float

if TYPE_CHECKING:
    from wm_ros.data.labelling import LabelOptions
    from wm_ros.data.problems import Problems


def add_label_options(parser: argparse.ArgumentParser) -> None:
    """Add the labellers that need nothing but an episode."""
    group = parser.add_argument_group('hazard labels')
    group.add_argument('--label-effort', type=positive_float, default=0.0, metavar='NM',
                       help='effort spikes, further than NM from the running median')
    group.add_argument('--label-intervals', type=Path, metavar='FILE',
                       help='CSV or JSON of start, end (s), kind and, if need be, episode')
    group.add_argument(
        '--intervals-clock', choices=['episode', 'ros'], default='episode',
        help="seconds since the episode's first joint sample, or of the stamps' clock")
    group.add_argument('--label-failed', type=positive_float, default=0.0, metavar='SECONDS',
                       help='the last SECONDS of each episode that failed')
    group.add_argument(
        '--failed', default='', metavar='EPISODES',
        help="episodes that failed, besides those whose data say so: names or numbers with "
        "commas, or 'all'")


def label_options(arguments: argparse.Namespace) -> 'LabelOptions':
    """
    Return the labellers that were chosen.

    :raises ValueError: if options contradict each other.
    """
    from wm_ros.data.labelling import LabelOptions
    if arguments.failed and not arguments.label_failed:
        raise ValueError('--failed needs --label-failed SECONDS')
    return LabelOptions(
        effort_nm=arguments.label_effort, intervals=arguments.label_intervals,
        is_ros_clock=arguments.intervals_clock == 'ros', failed_s=arguments.label_failed,
        failed=split_names(arguments.failed))


def split_names(text: str) -> tuple[str, ...]:
    """Split names at commas."""
    return tuple(name.strip() for name in text.split(',') if name.strip())


def tell_problems(verb: str, problems: 'Problems') -> int:
    """Write notes and problems to stderr; returns the exit code, 1 if there are problems."""
    lines = problems.lines()
    for line in problems.notes:
        sys.stderr.write(f'wm-ros {verb}: note: {line}\n')
    for line in lines:
        sys.stderr.write(f'wm-ros {verb}: {line}\n')
    return int(bool(lines))
