# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From what became of each command to the figures of a condition."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wm_ros.benchmark.statistics import summarise

OUTCOMES = ('released', 'refused', 'late', 'dropped', 'withheld')
STAGES = ('wait', 'observe', 'prepare', 'predict')
_TIMES = ('release_ms', 'verdict_ms', 'gate_ms')


def loop_figures(commands: Sequence[Mapping[str, Any]], end: Mapping[str, Any] | None = None
                 ) -> dict[str, Any]:
    """
    Compute the figures of one condition.

    :param commands: records of the conductor, see ``BenchmarkObserver``.
    :param end: its last event, or the counts so far; None before the first.
    :returns: counts of commands by outcome; ``misses_held``, the late ones after which the gate
        was seen to hold; ``steps_looked_at``, verdicts by the number of steps that the predictor
        had time for; summaries of times in ms, None where there are none; from ``end``
        ``deadline_misses`` as the gate counts them, releases that no verdict allows, holds and
        emergency stops.
    """
    counts = Counter(command['outcome'] for command in commands)
    found: dict[str, Any] = {'commands': len(commands)}
    found |= {outcome: counts[outcome] for outcome in OUTCOMES}
    found['misses_held'] = sum(bool(command.get('is_held')) for command in commands)
    found['refused_by'] = dict(Counter(
        command['decision'] for command in commands if command['outcome'] == 'refused'))
    found['steps_looked_at'] = dict(Counter(
        str(command['num_steps']) for command in commands if command.get('num_steps')))
    for name in _TIMES:
        found[name] = _summary([command[name] for command in commands
                                if command.get(name) is not None])
    found['predictor_stage_ms'] = _stages(commands)
    if end is not None:
        found |= {'deadline_misses': end['deadline_missed'],
                  'unverified_releases': len(end['unverified']),
                  'unverified': list(end['unverified'])[:10], 'holds': end['num_holds'],
                  'emergency_stops': end['emergency_stops'], 'rejected': end['rejected']}
    return found


def _stages(commands: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [command['stage_ms'] for command in commands
            if len(command.get('stage_ms', ())) == len(STAGES)]
    return {name: _summary([row[place] for row in rows]) for place, name in enumerate(STAGES)}


def _summary(values: Sequence[float]) -> dict[str, float] | None:
    return summarise(values).to_dict() if values else None
