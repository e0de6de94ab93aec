# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Percentiles, and ratios that a machine's changing mood cannot bend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

_LEAST_SPAN_S = 600.0


@dataclass(frozen=True, slots=True)
class Summary:
    """
    What is told of many durations; all in the unit of the values.

    :param count: how many there were.
    """

    p50: float
    p95: float
    p99: float
    max: float
    count: int

    def to_dict(self) -> dict[str, float]:
        """Return the figures as JSON can hold them."""
        return asdict(self)


def summarise(values: Sequence[float]) -> Summary:
    """
    Summarise measured values; p99 is a value that was measured, never one between two.

    :raises ValueError: if there are none.
    """
    if not len(values):
        raise ValueError('nothing was measured, so there is nothing to summarise')
    p50 = float(np.median(values))
    p95, p99 = (float(np.percentile(values, q, method='higher')) for q in (95, 99))
    return Summary(_round(p50), _round(p95), _round(p99), _round(float(max(values))), len(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """
    Return the median of the ratios of pairs that were measured right after each other.

    Whatever slows the machine for a while slows both of a pair, so it leaves the ratio alone.

    :raises ValueError: if the lists are empty, differ in length, or ``below`` is not above 0.
    """
    if len(above) != len(below) or not len(above):
        raise ValueError(f'pairs are needed, given were {len(above)} and {len(below)} values')
    if not min(below) > 0:
        raise ValueError(f'a duration of {min(below)} cannot be the measure of another')
    return _round(float(np.median(np.divide(above, below))))


def growth_percent(values: Sequence[float], *, share: float = 0.1) -> float | None:
    """
    Return by how much a level rose from the beginning to the end of a run, in %.

    The first tenth is left out, because caches fill there; the medians of the tenth after it and
    of the last tenth are compared.

    :returns: None if there are too few values to have tenths.
    """
    size = int(len(values) * share)
    if size < 1 or len(values) < 3 * size:
        return None
    begin = float(np.median(values[size:2 * size]))
    return _round(100.0 * (float(np.median(values[-size:])) - begin) / begin)


def slope_percent_per_h(times_s: Sequence[float], values: Sequence[float], *,
                        share: float = 1 / 6, most_s: float = 600.0) -> float | None:
    """
    Return the slope of the straight line through a level, in % of its mean an hour.

    The first sixth of the time is left out, but never more than ten minutes: caches fill there.

    :param times_s: of the values, increasing, s.
    :returns: None if less than ten minutes are left, of which a slope by the hour says nothing.
    """
    if not len(times_s):
        return None
    since_s = times_s[0] + min(share * (times_s[-1] - times_s[0]), most_s)
    kept = [(at, value) for at, value in zip(times_s, values, strict=True) if at >= since_s]
    if len(kept) < 3 or kept[-1][0] - kept[0][0] < _LEAST_SPAN_S:
        return None
    at, level = np.array(kept).T
    slope = float(np.polyfit((at - at[0]) / 3600.0, level, 1)[0])
    return _round(100.0 * slope / float(level.mean()))


def _round(value: float) -> float:
    return round(float(value), 4)
