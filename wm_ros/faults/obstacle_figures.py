# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The four figures by which Nav2's Collision Monitor is judged on a recording.

Time to stop, share of the time in the way that it holds, time to resume, share of the time with
nothing in the way that it stops all the same. Times in s from the beginning of the recording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wm_ros.faults.judging import Findings

MOST_STOP_S, MOST_RESUME_S = 0.6, 0.6
LEAST_HOLD, MOST_FALSE_STOP = 0.9, 0.05

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class ObstacleFigures:
    """
    What was measured on one recording or several.

    :param stops_s: for each time that something came in the way how long until the gate held;
        None if it never did while it was there.
    :param resumes_s: for each time that it went how long until the gate held no more; None if it
        held until the next came, or the end.
    :param in_way_s: time in the way, and ``held_s`` of it the gate held.
    :param clear_s: time with nothing in the way, without the first MOST_RESUME_S after something
        had gone, and ``false_s`` of it the gate held.
    """

    stops_s: tuple[float | None, ...]
    resumes_s: tuple[float | None, ...]
    in_way_s: float
    held_s: float
    clear_s: float
    false_s: float

    @property
    def hold_share(self) -> float:
        """Share of the time in the way that the gate held."""
        return self.held_s / self.in_way_s if self.in_way_s else 0.0

    @property
    def false_stop_share(self) -> float:
        """Share of the time with nothing in the way that the gate held."""
        return self.false_s / self.clear_s if self.clear_s else 1.0


def runs(flags: Sequence[bool], times_s: Sequence[float], end_s: float) -> list[Interval]:
    """Return from when to when flags are set; each holds until the time of the next."""
    edges = [*times_s, end_s]
    found: list[Interval] = []
    for index, flag in enumerate(flags):
        if not flag:
            continue
        if found and found[-1][1] == edges[index]:
            found[-1] = found[-1][0], edges[index + 1]
        else:
            found.append((edges[index], edges[index + 1]))
    return found


def figures(in_way: Sequence[Interval], held: Sequence[Interval], end_s: float
            ) -> ObstacleFigures:
    """
    Compare what the gate did with what was in the way.

    :param in_way: when something was, in order.
    :param held: when the gate held, in order.
    :param end_s: of the recording.
    """
    stops, resumes, clear, since_s = [], [], [], 0.0
    for index, (begin_s, gone_s) in enumerate(in_way):
        next_s = in_way[index + 1][0] if index + 1 < len(in_way) else end_s
        stops.append(next((max(0.0, at - begin_s) for at, until in held
                           if until > begin_s and at < gone_s), None))
        resumes.append(_resume(held, gone_s, next_s))
        clear.append((since_s, begin_s))
        since_s = gone_s + MOST_RESUME_S
    clear.append((since_s, end_s))
    return ObstacleFigures(
        stops_s=tuple(stops), resumes_s=tuple(resumes),
        in_way_s=_length(in_way), held_s=_overlap(in_way, held),
        clear_s=_length(clear), false_s=_overlap(clear, held))


def together(parts: Sequence[ObstacleFigures]) -> ObstacleFigures:
    """Return the figures of several recordings as of one."""
    return ObstacleFigures(
        stops_s=tuple(value for part in parts for value in part.stops_s),
        resumes_s=tuple(value for part in parts for value in part.resumes_s),
        in_way_s=sum(part.in_way_s for part in parts),
        held_s=sum(part.held_s for part in parts),
        clear_s=sum(part.clear_s for part in parts),
        false_s=sum(part.false_s for part in parts))


def judge(found: Findings, of: ObstacleFigures, num_episodes: int) -> None:
    """Compare the four figures with what Nav2 asks of its Collision Monitor."""
    found.check(True, f'{num_episodes} episodes, {len(of.stops_s)} times something in the way')
    for times, most_s, what in ((of.stops_s, MOST_STOP_S, 'stop with something in the way'),
                                (of.resumes_s, MOST_RESUME_S, 'release when it had gone')):
        for took_s in times:
            found.within(took_s, most_s, what, spare_s=0.0)
    found.check(of.hold_share >= LEAST_HOLD,
                f'held {100 * of.hold_share:.1f} % of {of.in_way_s:.1f} s with something in the '
                f'way (promised {100 * LEAST_HOLD:.0f} %)')
    found.check(of.false_stop_share <= MOST_FALSE_STOP,
                f'held {100 * of.false_stop_share:.1f} % of {of.clear_s:.1f} s with nothing in '
                f'the way (promised {100 * MOST_FALSE_STOP:.0f} %)')


def _resume(held: Sequence[Interval], gone_s: float, next_s: float) -> float | None:
    """Return how long after something had gone the gate held on."""
    until_s = next((until for at, until in held if at <= gone_s < until), gone_s)
    return until_s - gone_s if until_s < next_s else None


def _length(intervals: Sequence[Interval]) -> float:
    return sum(max(0.0, end - begin) for begin, end in intervals)


def _overlap(ones: Sequence[Interval], others: Sequence[Interval]) -> float:
    return _length([(max(one[0], other[0]), min(one[1], other[1]))
                    for one in ones for other in others])
