# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep the times of what is done again and again."""

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Times by name, ms."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def time(self, name: str, run: Callable[[], Any]) -> Any:
        """Run something and note how long it took."""
        begin = time.perf_counter()
        result = run()
        self.note(name, 1e3 * (time.perf_counter() - begin))
        return result

    def note(self, name: str, value_ms: float) -> None:
        """Keep a time that was measured elsewhere."""
        self.times.setdefault(name, []).append(value_ms)

    def watch(self, engine: Any) -> dict[str, float]:
        """Keep the time that an engine spends in each of its graphs; the caller clears it."""
        spent: dict[str, float] = {}
        run = engine._run

        def timed(graph: str, inputs: Any) -> Any:
            begin = time.perf_counter()
            made = run(graph, inputs)
            spent[graph] = spent.get(graph, 0.0) + 1e3 * (time.perf_counter() - begin)
            return made

        engine._run = timed
        return spent
