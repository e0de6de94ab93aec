# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Remember what was wrong with data that was read all the same."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Problems:
    """
    What was wrong, each kind of it told once with its first place and how often it came.

    ``notes`` are things to know that cost no data.
    """

    notes: list[str] = field(default_factory=list)
    _first: dict[str, str] = field(default_factory=dict)
    _count: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, text: str) -> None:
        """
        Note a problem.

        :param kind: problems of one kind are told in one line.
        :param text: names file, row and value.
        """
        self._first.setdefault(kind, text)
        self._count[kind] = self._count.get(kind, 0) + 1

    def lines(self) -> list[str]:
        """Return a line for each kind of problem, in the order of their first coming."""
        return [text if self._count[kind] == 1 else
                f'{text} (the first of {self._count[kind]} like it)'
                for kind, text in self._first.items()]
