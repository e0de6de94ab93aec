# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judge the command of a file of evidence again."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from wm_ros.verbs.shared import add_verb, check_writable, console, positive

if TYPE_CHECKING:
    from wm_ros.data.evidence import Evidence
    from wm_ros.inference.replay import Comparison


def replay(arguments: argparse.Namespace) -> int:
    """Judge the commands of a file of evidence again and compare; exit code 1 if they differ."""
    from wm_ros.data.evidence import read_evidence
    from wm_ros.inference import replay as core
    from wm_ros.inference.checkpoint import resolve_checkpoint, write_json
    from wm_ros.inference.judge import Judge
    check_writable(arguments.json)
    evidence = read_evidence(arguments.file)
    for problem in evidence.problems:
        sys.stderr.write(f'wm-ros replay: {problem}\n')
    recorded = core.recorded_engine(evidence)
    engine, device = arguments.engine or recorded[0], arguments.device or recorded[1]
    is_same = (engine, device) == recorded[:2]
    tolerance = arguments.tolerance
    if tolerance is None:
        tolerance = 0.0 if is_same else core.ENGINE_TOLERANCE
    chunk_ids = (sorted(evidence.verdicts) if arguments.all
                 else core.triggering_chunks(evidence) or sorted(evidence.verdicts)[-1:])
    judge = Judge.load(resolve_checkpoint(arguments.checkpoint or _checkpoint(evidence)),
                       engine=engine, device=device, num_threads=arguments.threads or recorded[2])
    try:
        found = core.replay(evidence, judge, chunk_ids, tolerance=tolerance)
    finally:
        judge.close()
    is_good = core.are_equal(found)
    if arguments.json:
        write_json(arguments.json, {
            'file': str(arguments.file), 'record': evidence.record, 'engine': engine,
            'device': device, 'recorded_engine': recorded[0], 'tolerance': tolerance,
            'model_id': judge.model_id, 'equal': is_good, 'problems': evidence.problems,
            'commands': [{**asdict(item), 'is_equal': item.is_equal} for item in found]})
    _show(found, f'{engine} ({device}) against {recorded[0]} ({recorded[1]}), '
          + (f'allowed difference {tolerance:g}' if tolerance else 'equal to the bit'))
    return int(not is_good)


def _checkpoint(evidence: 'Evidence') -> str:
    """
    Return the checkpoint that the predictor ran.

    :raises DatasetError: if it has no path on this machine.
    """
    from wm_ros.errors import DatasetError
    text = str(evidence.parameters('wm_predictor').get('checkpoint_path', ''))
    if text.startswith('package://') or not text:
        raise DatasetError(f'{evidence.path}: the predictor ran checkpoint_path {text!r}; name '
                           'its directory with --checkpoint')
    return text


def _show(found: list['Comparison'], title: str) -> None:
    table = Table('command', 'then', 'now', 'result', title=title, title_justify='left')
    for item in found:
        then = f'{item.recorded[0]} {item.recorded[1]:.9g}'
        now = f'{item.replayed[0]} {item.replayed[1]:.9g}' if item.replayed else '-'
        lines = [f'{one.what}: {one.recorded} -> {one.replayed}' for one in item.differences]
        if item.note:
            lines.append(item.note)
        table.add_row(str(item.chunk_id), then, now,
                      '\n'.join(lines) or 'equal')
    console.print(table if found else 'there is no verdict in the file')


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, replay)
    parser.add_argument('file', type=Path, help='an .mcap file of wm_evidence')
    parser.add_argument('--engine', help='default: the one that judged then')
    parser.add_argument('--device', help='default: the one that it ran on')
    parser.add_argument('--checkpoint', help='default: the one that judged then')
    parser.add_argument('--threads', type=positive, help='default: as many as then')
    parser.add_argument('--all', action='store_true',
                        help='every verdict in the file, not only those that it was written for')
    parser.add_argument('--tolerance', type=float, help='allowed difference of risks')
    parser.add_argument('--json', type=Path, help='write the comparison there')
