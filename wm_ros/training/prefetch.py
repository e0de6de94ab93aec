# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the next batches while a GPU computes; they are the same as drawn one by one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from wm_ros.training.batches import Batch


class Prefetcher:
    """
    Draws batches ahead of their use, in threads of its own.

    On a CPU nothing is gained by it: threads that draw would take cores from those that compute.
    """

    def __init__(self, draw: Callable[[int, int], Batch], *, parts: list[int], depth: int) -> None:
        """
        :param draw: returns the batch of a step and part, a pure function of the two.
        :param parts: the parts that this process takes of each step, in order.
        :param depth: how many batches to draw ahead; 0 draws none.
        """
        self._draw, self._parts, self._depth = draw, parts, depth
        self._pool = ThreadPoolExecutor(depth) if depth else None
        self._waiting: dict[tuple[int, int], Future[Batch]] = {}

    def draw(self, step: int, micro: int) -> Batch:
        """Return the batch of a pass, counted from 0 in its step."""
        if self._pool is None:
            return self._draw(step, self._parts[micro])
        place = step * len(self._parts) + micro
        wanted = [self._key(place + ahead) for ahead in range(self._depth + 1)]
        for key in wanted:
            if key not in self._waiting:
                self._waiting[key] = self._pool.submit(self._draw, *key)
        drawn = self._waiting.pop(wanted[0]).result()
        for key in [key for key in self._waiting if key not in wanted]:
            self._waiting.pop(key).cancel()
        return drawn

    def _key(self, place: int) -> tuple[int, int]:
        step, micro = divmod(place, len(self._parts))
        return step, self._parts[micro]
