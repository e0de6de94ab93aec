# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Say at which joint samples something hazardous happened: pure functions on arrays.

Each labeller gives a mask over the joint samples, bool (S,); ``label`` puts a mask into an
episode under the name of a hazard kind. A sample stands for the time since the one before it.

Letters: S joint samples, J joints.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode
from wm_ros.errors import DatasetError

MAX_KINDS = 8


@dataclass(frozen=True, slots=True)
class Event:
    """
    A message on a topic that means something hazardous.

    :param stamp_ns: when it came, on the clock of the joint states.
    :param level: whether the hazard goes on from here; None for a hazard of this moment alone.
    """

    stamp_ns: int
    level: bool | None = None


def effort_spikes(stamps_ns: NDArray[np.int64], efforts: NDArray[np.floating],
                  limit_nm: float, *, window_s: float = 0.5) -> NDArray[np.bool_]:
    """
    Find samples whose effort stands out from those around it, as in a collision.

    The baseline of each joint is the running median over ``window_s``, so that gravity and slow
    loads do not count. The limit is the user's to choose: what starting and stopping take differs
    more between arms than any statistic of one recording tells.

    :param stamps_ns: int64 (S,), increasing.
    :param efforts: float (S, J), N m.
    :param limit_nm: how far from the baseline is a spike, N m.
    :param window_s: of the running median, s.
    :returns: bool (S,).
    :raises DatasetError: if efforts are not finite, or all zero: the driver gave none.
    """
    if not np.isfinite(efforts).all():
        row = np.flatnonzero(~np.isfinite(efforts).all(axis=1))[0]
        raise DatasetError(f'effort is not finite at row {row}')
    if not efforts.any():
        raise DatasetError('all efforts are zero: the driver gives none, so no spike can be found')
    half = max(1, round(window_s * 1e9 / max(_period_ns(stamps_ns), 1.0) / 2))
    padded = np.pad(efforts, ((half, half), (0, 0)), mode='edge')
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    return np.asarray((np.abs(efforts - np.median(windows, axis=-1)) > limit_nm).any(axis=1))


def at_events(stamps_ns: NDArray[np.int64], events: Sequence[Event]) -> NDArray[np.bool_]:
    """
    Mark the samples at events.

    A moment goes with the first sample at or after it; a level holds from the first sample at or
    after it until the first one at or after its end.

    :param stamps_ns: int64 (S,), increasing.
    :param events: in the order of their stamps.
    :returns: bool (S,).
    """
    mask = np.zeros(len(stamps_ns), np.bool_)
    rows = np.searchsorted(stamps_ns, [event.stamp_ns for event in events])
    ends = np.append(rows[1:], len(stamps_ns))[:len(rows)]
    for event, row, end in zip(events, rows, ends, strict=True):
        if event.level:
            mask[row:end] = True
        elif event.level is None and event.stamp_ns > stamps_ns[0] - _period_ns(stamps_ns):
            mask[row:row + 1] = True
    return mask


def in_intervals(stamps_ns: NDArray[np.int64],
                 intervals: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """
    Mark the samples inside intervals.

    :param stamps_ns: int64 (S,), increasing.
    :param intervals: start and end of each, ns, both included; one between two samples goes with
        the later one.
    :returns: bool (S,).
    :raises DatasetError: if an interval ends before it starts or lies outside the samples.
    """
    mask = np.zeros(len(stamps_ns), np.bool_)
    for start, end in intervals:
        if end < start:
            raise DatasetError(f'the interval ends {(start - end) / 1e9:.3f} s before it starts')
        if start > stamps_ns[-1] or end > stamps_ns[-1]:
            late = max(start, end)
            raise DatasetError(f'the interval reaches {(late - stamps_ns[-1]) / 1e9:.3f} s past '
                               'the end of the recording')
        if start < stamps_ns[0]:
            raise DatasetError(f'the interval starts {(stamps_ns[0] - start) / 1e9:.3f} s before '
                               'the recording')
        first = int(np.searchsorted(stamps_ns, start))
        last = int(np.searchsorted(stamps_ns, end, side='right'))
        mask[first:max(last, first + 1)] = True
    return mask


def last_seconds(stamps_ns: NDArray[np.int64], seconds: float) -> NDArray[np.bool_]:
    """
    Mark the end of an episode that failed.

    :param stamps_ns: int64 (S,), increasing.
    :param seconds: how much of the end, s; all of a shorter episode.
    :returns: bool (S,).
    """
    return np.asarray(stamps_ns >= stamps_ns[-1] - round(seconds * 1e9))


def contact_kind(pair: str) -> str:
    """Name the hazard of a simulated contact, ``body_a|body_b``: object, table or self."""
    bodies = pair.split('|')
    if 'table' in bodies:
        return 'table'
    return 'object' if any(name.startswith('object') for name in bodies) else 'self'


def with_kind(kinds: tuple[str, ...], kind: str) -> tuple[str, ...]:
    """
    Add a hazard kind unless it is there.

    :raises ValueError: if the name cannot be a kind's.
    :raises DatasetError: if there is no room for another kind.
    """
    if not kind or ',' in kind or kind != kind.strip():
        raise ValueError(f'hazard kind is {kind!r}; expected a name without commas')
    if kind in kinds:
        return kinds
    if len(kinds) == MAX_KINDS:
        raise DatasetError(f'no room for hazard kind {kind!r}: an episode holds {MAX_KINDS} '
                           f"kinds, here {', '.join(kinds)}")
    return (*kinds, kind)


def label(episode: Episode, kind: str, mask: NDArray[np.bool_]) -> Episode:
    """
    Add hazards of a kind to an episode; hazards that it has stay.

    :param kind: an old or a new kind's name.
    :param mask: bool (S,).
    :returns: a new episode.
    :raises ValueError: if the name cannot be a kind's or the mask is not over the samples.
    :raises DatasetError: if there is no room for another kind.
    """
    if mask.shape != episode.hazards.shape:
        raise ValueError(f'mask has shape {mask.shape}; expected {episode.hazards.shape}')
    kinds = with_kind(episode.hazard_kinds, kind)
    bits = np.where(mask, np.uint8(1 << kinds.index(kind)), np.uint8(0))
    return replace(episode, hazards=episode.hazards | bits, hazard_kinds=kinds)


def _period_ns(stamps_ns: NDArray[np.int64]) -> float:
    return float(np.median(np.diff(stamps_ns))) if len(stamps_ns) > 1 else 1e9
