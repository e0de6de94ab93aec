# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What was done to clocks, processes and permissions during a walk, and when.

The main rule: a busy machine may be late by TOLERANCE_NS, and whoever judges gives the gate the
benefit of it; so an action that is meant to be wrong is wrong by more than that.
"""

from dataclasses import dataclass, field

# Receipt is stamped by one thread a topic; on a busy machine they run out of step by this much.
TOLERANCE_NS = 100_000_000
_STEP_SHADOW_NS = 300_000_000
_FOR_EVER_NS = 2**63


@dataclass(slots=True)
class Window:
    """
    A time in which nothing may be released, and which of the promises says so.

    :param begin_ns: from then on, whatever the gate had under way.
    :param end_ns: until then.
    :param is_silent: not even a hold may come.
    """

    begin_ns: int
    invariant: str
    words: str
    is_silent: bool = False
    end_ns: int = _FOR_EVER_NS

    def holds(self, at_ns: int) -> bool:
        """Say whether it held at a time, with the tolerance at its beginning."""
        return self.begin_ns + TOLERANCE_NS < at_ns < self.end_ns


@dataclass(slots=True)
class Timeline:
    """
    All times are ns of the host's own clock, which does not step; the clock by which gate, robot
    and predictor stamp is equal to it at first.

    :param steps: (when, by how much the stamps' clock is ahead from then on).
    :param pauses: of the gate's process, (begin, end).
    :param restarts: of the gate's process, (begin, end).
    :param waits: for a processor, of the gate and of who listens, (when, ns so far).
    """

    steps: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    restarts: list[tuple[int, int]] = field(default_factory=list)
    waits: list[tuple[int, int]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    def open(self, window: Window) -> Window:
        """Begin a window; its owner sets its end."""
        self.windows.append(window)
        return window

    def close_windows(self, at_ns: int, *invariants: str) -> None:
        """End the windows of some promises, or of all, that are still open."""
        for window in self.windows:
            if window.end_ns == _FOR_EVER_NS and (not invariants
                                                  or window.invariant in invariants):
                window.end_ns = at_ns

    def begin_pause(self, at_ns: int) -> None:
        """Note that the gate's process stands still."""
        self.pauses.append((at_ns, _FOR_EVER_NS))

    def end_pause(self, at_ns: int) -> None:
        """Note that it goes on, if it stood."""
        if self.is_paused:
            self.pauses[-1] = (self.pauses[-1][0], at_ns)

    @property
    def is_paused(self) -> bool:
        """Say whether the gate's process stands still now."""
        return bool(self.pauses) and self.pauses[-1][1] == _FOR_EVER_NS

    def offset_ns(self, at_ns: int) -> int:
        """Return by how much the stamps' clock was ahead."""
        return next((offset for when, offset in reversed(self.steps) if when <= at_ns), 0)

    def span_ns(self, at_ns: int) -> tuple[int, int]:
        """Return the earliest and the latest that the gate's own clock may have shown."""
        offsets = [self.offset_ns(at_ns - TOLERANCE_NS), *(
            offset for when, offset in self.steps if at_ns - TOLERANCE_NS <= when <= at_ns)]
        return at_ns - TOLERANCE_NS + min(offsets), at_ns + max(offsets)

    def acted_ns(self, seen_ns: int, known_ns: int) -> int:
        """
        Return when the gate decided what was seen of it.

        A process that is stopped between a decision and the writing of it writes it when it goes
        on; that can only be so if it knew what it decided on before.

        :param seen_ns: when its act was seen.
        :param known_ns: when what it acted on was there.
        """
        for begin_ns, end_ns in self.pauses:
            if begin_ns <= seen_ns <= min(end_ns, _FOR_EVER_NS - 1) + TOLERANCE_NS and (
                    known_ns <= begin_ns):
                return begin_ns
        return seen_ns

    def waited_ns(self, begin_ns: int, end_ns: int) -> int:
        """Return how long they waited for a processor between two moments, at most."""
        before = next((total for at, total in reversed(self.waits) if at <= begin_ns), None)
        after = next((total for at, total in self.waits if at >= end_ns), None)
        if not self.waits:
            return 0
        first = self.waits[0][1] if before is None else before
        last = self.waits[-1][1] if after is None else after
        # A new process begins to count anew.
        return max(0, last - first)

    def was_paused(self, begin_ns: int, end_ns: int) -> bool:
        """Say whether the gate stood still or was away at any time between."""
        return any(begin <= end_ns and end >= begin_ns
                   for begin, end in (*self.pauses, *self.restarts))

    def is_near_step(self, at_ns: int) -> bool:
        """Say whether the order of the gate's own stamps cannot be trusted there."""
        return self.has_step(at_ns, at_ns)

    def has_step(self, begin_ns: int, end_ns: int) -> bool:
        """Say whether the gate's own stamps from between two moments have no order."""
        return any(begin_ns - _STEP_SHADOW_NS < when < end_ns + _STEP_SHADOW_NS
                   for when, _ in self.steps)
