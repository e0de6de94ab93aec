# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A fault that was injected several times: one outcome, with the least and the greatest time."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from wm_ros.faults.fault import Outcome, Timing

_MOST_WORDS = 5


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """
    Return the outcome of all repetitions; of one, or where nothing could be measured, the first.

    Held is what was held each time; a repetition that could not be measured leaves it open.

    :raises ValueError: if there is none.
    """
    if not outcomes:
        raise ValueError('no repetition was measured')
    if len(outcomes) == 1 or all(outcome.held is None for outcome in outcomes):
        return outcomes[0]
    helds = [outcome.held for outcome in outcomes]
    held = False if False in helds else None if None in helds else True
    times = tuple(timing for outcome in outcomes for timing in outcome.times)
    return Outcome(
        held=held, measured=_words(outcomes, times), times=times,
        unsafe_releases=sum(outcome.unsafe_releases for outcome in outcomes),
        duration_s=sum(outcome.duration_s for outcome in outcomes))


def time_figures(times: Sequence[Timing]) -> dict[str, dict[str, Any]]:
    """Return for each thing that was timed the least, median and greatest time, ms, and more."""
    found: dict[str, dict[str, Any]] = {}
    for what in dict.fromkeys(timing.what for timing in times):
        took_ms = [1e3 * timing.took_s for timing in times if timing.what == what]
        limit_s = next(timing.limit_s for timing in times if timing.what == what)
        found[what] = {'min': round(min(took_ms), 1), 'median': round(median(took_ms), 1),
                       'max': round(max(took_ms), 1), 'promised': round(1e3 * limit_s, 1),
                       'count': len(took_ms)}
    return found


def _words(outcomes: Sequence[Outcome], times: Sequence[Timing]) -> str:
    """Return the times of all, and what was said of those that were not kept."""
    kept = sum(outcome.held is True for outcome in outcomes)
    words = [f'kept in {kept} of {len(outcomes)} repetitions']
    words += [f"{what}: least {of['min']:.0f} ms, median {of['median']:.0f} ms, greatest "
              f"{of['max']:.0f} ms (promised {of['promised']:.0f} ms)"
              for what, of in time_figures(times).items()]
    others = [f'repetition {index + 1}: {outcome.measured}'
              for index, outcome in enumerate(outcomes) if outcome.held is not True]
    words += others[:_MOST_WORDS]
    return '; '.join(words)
