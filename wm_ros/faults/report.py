# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outcomes of several faults, as JSON and as text."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_ros.faults.fault import Fault, Outcome
from wm_ros.faults.repeating import combine, time_figures

_WORDS = {True: 'held', False: 'BROKEN', None: 'not measured'}


@dataclass(slots=True)
class Report:
    """
    Faults and their outcomes.

    :param outcomes: of each repetition of each fault.
    """

    outcomes: dict[Fault, list[Outcome]] = field(default_factory=dict)

    def add(self, fault: Fault, outcome: Outcome) -> Outcome:
        """Note the outcome of one repetition; returns that of all so far."""
        self.outcomes.setdefault(fault, []).append(outcome)
        return combine(self.outcomes[fault])

    @property
    def results(self) -> list[tuple[Fault, Outcome]]:
        """Each fault with the outcome of all its repetitions, in the order of trying."""
        return [(fault, combine(outcomes)) for fault, outcomes in self.outcomes.items()]

    @property
    def num_broken(self) -> int:
        """Promises that were measured and not kept."""
        return sum(outcome.held is False for _, outcome in self.results)

    @property
    def unsafe_releases(self) -> int:
        """Commands on the controller's topic that no verdict allowed, over all faults."""
        return sum(outcome.unsafe_releases for _, outcome in self.results)

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        return {
            'faults': [{
                'number': fault.number, 'name': fault.name, 'injected': fault.injected,
                'promise': fault.promise, 'graph': fault.graph.value,
                'measured': outcome.measured, 'held': outcome.held,
                'unsafe_releases': outcome.unsafe_releases,
                'duration_s': round(outcome.duration_s, 1),
                'repetitions': len(self.outcomes[fault]),
                'times_ms': time_figures(outcome.times),
            } for fault, outcome in sorted(self.results, key=lambda result: result[0].number)],
            'held': sum(outcome.held is True for _, outcome in self.results),
            'broken': self.num_broken,
            'not_measured': sum(outcome.held is None for _, outcome in self.results),
            'unsafe_releases': self.unsafe_releases,
        }

    def write(self, path: Path) -> None:
        """Write the JSON file under a temporary name and rename it. Raise OSError if it fails."""
        temporary = path.with_name(f'.{path.name}.{os.getpid()}')
        try:
            temporary.write_text(json.dumps(self.to_dict(), indent=2) + '\n', encoding='utf-8')
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def summary(self) -> str:
        """Return the counts in one line."""
        held = sum(outcome.held is True for _, outcome in self.results)
        unmeasured = sum(outcome.held is None for _, outcome in self.results)
        return (f'{held} held, {self.num_broken} broken, {unmeasured} not measured, '
                f'{self.unsafe_releases} unsafe releases')


def describe(fault: Fault, outcome: Outcome) -> str:
    """Return promise against measurement, three lines for people."""
    return (f'{fault.number:2d} {fault.name}: {_WORDS[outcome.held]}\n'
            f'   promised: {fault.promise}\n   measured: {outcome.measured}')
