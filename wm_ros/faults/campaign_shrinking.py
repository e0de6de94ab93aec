# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the few actions that matter: delta debugging over a list.

Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, IEEE TSE 2002, with a
first step of its own: what came after the failure cannot have caused it.
"""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar('T')


def shrink(items: Sequence[T], fails: Callable[[Sequence[T]], bool], *,
           last: int | None = None, most_tries: int = 60) -> list[T]:
    """
    Leave out as much as possible.

    A test that depends on timing may pass although it could fail: then more is kept than is
    needed, never less.

    :param items: that fail together; they are not tried again as they are.
    :param fails: tries some of them, in the same order.
    :param last: index of the last item that was begun when it failed.
    :param most_tries: how often ``fails`` is called at most.
    :returns: items that have failed together.
    """
    tries = _Tries(fails, most_tries)
    kept = list(items)
    if last is not None:
        # The last few alone are most often enough.
        for count in (1, 2, 4, 8, last + 1):
            part = kept[max(0, last + 1 - count):last + 1]
            if len(part) < len(kept) and tries.fail(part):
                kept = part
                break
    num_parts = 2
    while len(kept) > 1 and not tries.are_over:
        smaller = _without_a_part(kept, num_parts, tries)
        if smaller is not None:
            kept, num_parts = smaller, max(2, num_parts - 1)
        elif num_parts >= len(kept):
            break
        else:
            num_parts = min(len(kept), 2 * num_parts)
    return kept


def _without_a_part(kept: list[T], num_parts: int, tries: '_Tries[T]') -> list[T] | None:
    """Return what is left after one part is taken out and it still fails, None if nothing is."""
    size = -(-len(kept) // num_parts)
    # From the front: what failed is at the end.
    for begin in range(0, len(kept), size):
        part = kept[:begin] + kept[begin + size:]
        if part and tries.fail(part):
            return part
    return None


class _Tries(Generic[T]):
    """Calls of a test, each list once."""

    def __init__(self, fails: Callable[[Sequence[T]], bool], most: int) -> None:
        self._fails, self._left = fails, most
        self._known: list[tuple[list[T], bool]] = []

    @property
    def are_over(self) -> bool:
        return self._left <= 0

    def fail(self, items: list[T]) -> bool:
        for known, answer in self._known:
            if known == items:
                return answer
        if self.are_over:
            return False
        self._left -= 1
        answer = self._fails(items)
        self._known.append((items, answer))
        return answer
