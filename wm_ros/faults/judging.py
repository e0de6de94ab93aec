# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Promise against measurement: the outcome of a fault from the checks that were made.

The main rule: a promise is kept only if every part of it was seen; what was not seen counts
against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wm_ros.datatypes import Reason
from wm_ros.faults.fault import Outcome, Timing

# What an operating system may add on a busy machine to a time that the gate keeps by itself: the
# wake-up of the gate, the way over DDS and the wake-up of the listener.
SCHEDULING_S = 0.1


@dataclass(slots=True)
class Findings:
    """
    The parts of one promise, each with what was measured.

    :param parts: (kept, words) in the order of measuring.
    :param times: those that were promised and seen.
    """

    parts: list[tuple[bool, str]] = field(default_factory=list)
    times: list[Timing] = field(default_factory=list)

    def check(self, kept: bool, words: str) -> bool:
        """Note one part of the promise; returns ``kept``."""
        self.parts.append((bool(kept), words))
        return bool(kept)

    def need(self, kept: bool, words: str) -> bool:
        """Note what must be so before anything is injected, if it is not; returns ``kept``."""
        return bool(kept) or self.check(False, words)

    def within(self, took_s: float | None, limit_s: float, what: str, *,
               spare_s: float = SCHEDULING_S) -> bool:
        """
        Note a time.

        :param took_s: measured, s; None if it never happened.
        :param limit_s: promised, s.
        :param what: happened, in words.
        :param spare_s: allowed on top of what is promised, s.
        """
        if took_s is None:
            return self.check(False, f'no {what}')
        text = f'{what} after {1e3 * took_s:.0f} ms (promised {1e3 * limit_s:.0f} ms)'
        self.times.append(Timing(what, took_s, limit_s))
        return self.check(took_s <= limit_s + spare_s, text)

    def reason(self, found: int, wanted: Reason) -> bool:
        """Note whether a mask of reasons has all that are wanted."""
        names = reason_names(found) or 'none'
        return self.check(Reason(found) & wanted == wanted, f'reason {names}')

    def says(self, text: str, wanted: str) -> bool:
        """Note whether a message says what people need to read."""
        has = wanted.lower() in text.lower()
        return self.check(has, f'says {text!r}' + ('' if has else f', not {wanted!r}'))

    def outcome(self, unsafe_releases: Sequence[str] = ()) -> Outcome:
        """
        Sum up.

        :param unsafe_releases: what the observer could not justify; any of them breaks the
            promise, whatever else was kept.
        """
        broken = [words for kept, words in self.parts if not kept]
        words = [f'BROKEN: {text}' for text in (*broken, *unsafe_releases)]
        words += [text for kept, text in self.parts if kept]
        held = bool(self.parts) and not words[:len(broken) + len(unsafe_releases)]
        return Outcome(held=held, measured='; '.join(words),
                       unsafe_releases=len(unsafe_releases), times=tuple(self.times))


def reason_names(mask: int) -> str:
    """Spell a mask of reasons, joined with +; empty for none."""
    return '+'.join(reason.name or '' for reason in Reason if reason and mask & reason)
