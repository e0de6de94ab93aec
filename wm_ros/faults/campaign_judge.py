# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The promises that are about the order of what was on the wire, after a walk.

Whether a single release was allowed is the ledger's to say (wm_ros.ros.campaign_ledger). What the
gate says of its state is used here only against it: it must be true.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from wm_ros.faults.campaign_timeline import TOLERANCE_NS, Timeline
from wm_ros.gate.values import MOVING_STATES, State

_JOINT_TIMEOUT_NS = 200_000_000
_LOST_NS = 200_000_000
# A tick of grace to a starved gate, the tick itself, and the 10 Hz of its state.
_REPORT_NS = 350_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """
    A promise that was broken.

    :param invariant: '1' to '10' as in docs/campaign.md, 'stopped', 'liveness' or 'alive'.
    :param words: what was seen.
    :param at_ns: when; 0 where it is not about one moment.
    """

    invariant: str
    words: str
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """
    A command on the controller's topic.

    :param at_ns: of its receipt.
    :param source_ns: when the gate published it, by the gate's clock.
    :param is_after_gap: the listener missed what came right before it.
    """

    at_ns: int
    source_ns: int
    is_hold: bool
    is_after_gap: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """What the gate said of itself; times as those of an output."""

    at_ns: int
    source_ns: int
    state: int
    message: str = ''


@dataclass(slots=True)
class Record:
    """
    Everything that was seen in one walk, in the order of receipt.

    :param beats: when a heartbeat came that was good enough to move on.
    :param joints: when joints came that were good enough to move on and to hold at.
    """

    outputs: list[Output] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    joints: list[int] = field(default_factory=list)


def judge(record: Record, timeline: Timeline) -> list[Violation]:
    """Return every promise about the order of things that was broken."""
    return [*_judge_order(record, timeline), *_judge_windows(record, timeline),
            *_judge_watchdog(record, timeline), *_judge_exceptions(record)]


def _judge_order(record: Record, timeline: Timeline) -> Iterator[Violation]:
    """Invariants 1 and 4: silent while waiting; the hold is the last word of a motion."""
    last: Output | None = None
    unheld: Output | None = None
    report: Report | None = None
    gaps = _gaps(record)
    for event in _in_order(record, timeline):
        if timeline.is_near_step(event.at_ns) or _is_between_lives(report, event, timeline):
            # What came before is not known, so that nothing follows from it.
            last = unheld = report = None
        if isinstance(event, Output):
            last, unheld = event, None if event.is_hold else event
            continue
        is_quiet = event.state in (State.WAITING, State.INACTIVE)
        if is_quiet and report is not None and last is not None and (
                report.state in (State.WAITING, State.INACTIVE)) and _key(
                    last, timeline) > _key(report, timeline):
            yield Violation(invariant='1', at_ns=last.at_ns, words=(
                f'a {"hold" if last.is_hold else "command"} went out between two reports of '
                f'{State(event.state).name}'))
        if event.state not in MOVING_STATES and unheld is not None:
            # A hold may be what was missed.
            if unheld.at_ns not in gaps and _could_hold(record, timeline, event):
                yield Violation(invariant='4', at_ns=event.at_ns, words=(
                    f'the gate says {State(event.state).name} and the last message on the wire '
                    f'is a command, not a hold; {_next_output(record, timeline, event)}'))
            # Without joints there is nothing to hold at, now and later.
            unheld = None
        report = event


def _next_output(record: Record, timeline: Timeline, report: Report) -> str:
    """Say what came next: a hold that is late and one that never came have other causes."""
    said_ns = _key(report, timeline)
    later = [output for output in record.outputs if _key(output, timeline) > said_ns]
    if not later:
        return 'nothing came after'
    output = min(later, key=lambda output: _key(output, timeline))
    after_ms = (_key(output, timeline) - said_ns) / 1e6
    return f'a {"hold" if output.is_hold else "command"} came {after_ms:.1f} ms later'


def _gaps(record: Record) -> set[int]:
    """Return when the outputs came after which others were missed."""
    return {before.at_ns for before, after in pairwise(record.outputs) if after.is_after_gap}


def _key(event: Output | Report, timeline: Timeline) -> int:
    """Return when the gate published something, in ns of the host's own clock."""
    return event.source_ns - timeline.offset_ns(event.at_ns)


def _in_order(record: Record, timeline: Timeline) -> list[Output | Report]:
    events: list[Output | Report] = [*record.outputs, *record.reports]
    return sorted(events, key=lambda event: _key(event, timeline))


def _is_between_lives(report: Report | None, event: Output | Report,
                      timeline: Timeline) -> bool:
    """Say whether the gate was killed between two events: it could not hold any more."""
    before_ns = report.at_ns if report is not None else 0
    return any(before_ns <= end and event.at_ns >= begin
               for begin, end in timeline.restarts)


def _could_hold(record: Record, timeline: Timeline, report: Report) -> bool:
    """Say whether the gate certainly had joints to hold at: invariant 5 lets it be without."""
    begin_ns = report.at_ns - _JOINT_TIMEOUT_NS - TOLERANCE_NS
    if timeline.was_paused(begin_ns - _REPORT_NS, report.at_ns):
        return False
    times = [begin_ns, *(at for at in record.joints if begin_ns <= at <= report.at_ns),
             report.at_ns]
    gaps = (after - before for before, after in zip(times, times[1:], strict=False))
    return max(gaps) < _JOINT_TIMEOUT_NS - TOLERANCE_NS


def _judge_windows(record: Record, timeline: Timeline) -> Iterator[Violation]:
    """Look for what came while nothing may come, whatever the gate says of itself."""
    for output in record.outputs:
        for window in timeline.windows:
            is_wrong = window.is_silent or not output.is_hold
            if is_wrong and window.holds(timeline.acted_ns(output.at_ns, window.begin_ns)):
                late_ms = (output.at_ns - window.begin_ns) / 1e6
                yield Violation(invariant=window.invariant, at_ns=output.at_ns, words=(
                    f'a {"hold" if output.is_hold else "command"} went out {late_ms:.0f} ms after '
                    f'{window.words}'))


def _judge_watchdog(record: Record, timeline: Timeline) -> Iterator[Violation]:
    """Invariant 8: whatever the clocks show, the gate does not run on silence."""
    index, beat_ns = 0, 0
    for report in record.reports:
        while index < len(record.beats) and record.beats[index] <= report.at_ns:
            beat_ns = record.beats[index]
            index += 1
        silence_ns = report.at_ns - beat_ns
        is_late = beat_ns and silence_ns > _LOST_NS + _REPORT_NS
        if report.state in (State.RUNNING, State.SLOW) and is_late and not timeline.was_paused(
                beat_ns, report.at_ns):
            yield Violation(invariant='8', at_ns=report.at_ns, words=(
                f'the gate is {State(report.state).name} {silence_ns / 1e6:.0f} ms after the last '
                'usable heartbeat'))


def _judge_exceptions(record: Record) -> Iterator[Violation]:
    """Invariant 10 from outside: nothing that comes on a topic may raise in the gate."""
    for report in record.reports:
        if 'exception in the gate' in report.message:
            yield Violation(invariant='10', at_ns=report.at_ns, words=report.message)
            return
