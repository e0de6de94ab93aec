# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The outcomes of several faults, as JSON and as a table."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.faults.fault import Fault, Outcome

_WORDS = {True: 'held', False: 'BROKEN', None: 'not measured'}
_STYLES = {True: 'green', False: 'bold red', None: 'yellow'}


@dataclass(slots=True)
class Report:
    """
    Faults and their outcomes, in the order of running.

    :param results: of each fault that was tried.
    """

    results: list[tuple[Fault, Outcome]] = field(default_factory=list)

    def add(self, fault: Fault, outcome: Outcome) -> None:
        """Note one outcome."""
        self.results.append((fault, outcome))

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
            } for fault, outcome in self.results],
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

    def table(self) -> Table:
        """Return promise against measurement for people."""
        table = Table(title='Promise against measurement', title_justify='left', show_lines=True)
        for name in ('#', 'fault', 'promise', 'measured', ''):
            table.add_column(name, overflow='fold', no_wrap=name in ('#', 'fault', ''))
        for fault, outcome in self.results:
            table.add_row(str(fault.number), fault.name, fault.promise, outcome.measured,
                          f'[{_STYLES[outcome.held]}]{_WORDS[outcome.held]}[/]')
        return table
