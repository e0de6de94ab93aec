# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Take a condition's events as they come, sample the processes, and say what came of it."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from wm_ros.benchmark.conditions import Condition
from wm_ros.benchmark.loop_figures import loop_figures
from wm_ros.benchmark.resources import ResourceLog
from wm_ros.errors import WorldModelError

Figures = dict[str, Any]
_SAMPLE_PERIOD_S, _SAVE_PERIOD_S = 2.0, 30.0


class LoopLog:
    """
    One condition's records. Every event is on disk before the next one is read.

    :param condition: for the figures.
    :param pids: of the processes whose load and memory are told, by name.
    :param path: where events are written, a JSON object a line.
    :param on_partial: called now and then with the figures so far.
    """

    def __init__(self, condition: Condition, pids: Mapping[str, int], path: Path,
                 on_partial: Callable[[Condition, Figures], None]) -> None:
        self._condition, self._on_partial = condition, on_partial
        self._resources = ResourceLog(pids)
        self._records: list[Figures] = []
        self._counts: Figures | None = None
        self._is_over = False
        self._is_started = False
        self._sampled_at, self._saved_at = 0.0, time.monotonic()
        self._file = path.open('w', encoding='utf-8')

    def __enter__(self) -> 'LoopLog':
        """Return the log itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()

    @property
    def is_over(self) -> bool:
        """Say whether the last event has come."""
        return self._is_over

    def take(self, event: Figures | None) -> None:
        """
        Take an event, or None when there was none for a moment.

        :raises WorldModelError: if the conductor gave up, in its words.
        """
        now = time.monotonic()
        if self._is_started and now - self._sampled_at >= _SAMPLE_PERIOD_S:
            self._resources.sample()
            self._sampled_at = now
        if event is not None:
            self._file.write(json.dumps(event) + '\n')
            self._file.flush()
            self._sort(event)
        if self._is_started and now - self._saved_at >= _SAVE_PERIOD_S and not self.is_over:
            self._on_partial(self._condition, self.to_dict())
            self._saved_at = now

    def to_dict(self) -> Figures:
        """Return the figures so far, or those of the whole condition when it is over."""
        return {'condition': self._condition.to_dict(),
                **loop_figures(self._records, self._counts),
                'processes': self._resources.to_dict()}

    def _sort(self, event: Figures) -> None:
        kind = event.get('event')
        if kind == 'error':
            raise WorldModelError(
                f'condition {self._condition.name} cannot go on: {event["text"]}')
        self._is_started = self._is_started or kind == 'start'
        if kind == 'command':
            self._records.append(event)
        elif kind in ('counts', 'end'):
            self._counts, self._is_over = event, kind == 'end'
