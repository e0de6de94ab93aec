# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The observer's ledger under attack: many verdicts on one command, and clocks that step.

The main rule: a release must be shown to follow from one verdict that was on the wire before it
and allowed it then. Which of several the gate took cannot be seen, as its queue keeps the newest;
so one that allows it is enough, and everything that is asked of that one is asked here again.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from wm_ros.datatypes import Decision, Reason, Verdict
from wm_ros.faults.campaign_judge import Output, Violation
from wm_ros.faults.campaign_timeline import TOLERANCE_NS, Timeline
from wm_ros.ros.observer_ledger import Ledger, Passage, _Output, follows

_HOLD_WINDOW_NS, _LONG_AGO_NS = 250_000_000, 1_500_000_000
# As deployed (config/wm_gate.yaml).
_JOINT_TIMEOUT_NS = 200_000_000
_HEARTBEAT_TIMEOUT_NS = 200_000_000
_DECISION_TIMEOUT_NS = 150_000_000
_IMAGE_TIMEOUT_NS = 500_000_000
_MAX_SKEW_NS = 50_000_000
# From where a sample says that the arm is; it moves by less between two of them.
_HOLD_TOLERANCE_RAD = 0.02


@dataclass(slots=True, eq=False)
class CampaignLedger(Ledger):
    """
    Everything seen in one walk.

    :param timeline: what was done to clocks and processes; shared with who does it.
    :param source_ns: when the message in hand was published, by its publisher's clock.
    :param has_missed: whether others were missed right before it.
    :param outputs: as judged by ``settle``.
    :param violations: as found by ``settle``.
    """

    hold_tolerance_rad: float = _HOLD_TOLERANCE_RAD
    # An arm that obeys is soon where a wrong hold has sent it.
    sample_delay_ns: int = 40_000_000
    timeline: Timeline = field(default_factory=Timeline)
    source_ns: int = 0
    has_missed: bool = False
    outputs: list[Output] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    usable_joints: list[int] = field(default_factory=list)
    # By the time of receipt: commands that must not go out, and why.
    _forbidden: dict[int, str] = field(default_factory=dict)
    _sources: list[tuple[int, bool]] = field(default_factory=list)
    _chunk_sources: dict[int, int] = field(default_factory=dict)

    def successor(self) -> 'CampaignLedger':
        """
        Return a new ledger that knows where the arm is; its walk has a new timeline.

        Where it was before it was put into its place for this walk is nowhere to hold at.
        """
        newest_ns = self._joints[-1].received_ns if self._joints else 0
        return CampaignLedger(_joints=deque(
            (measured for measured in self._joints
             if newest_ns - measured.received_ns < _HOLD_WINDOW_NS), self._joints.maxlen))

    def forbid(self, received_ns: int, words: str) -> None:
        """Say that the command that was received then must never go out, and why."""
        self._forbidden[received_ns] = words

    def note_chunk_source(self, chunk_id: int) -> None:
        """Note when the gate published a chunk."""
        self._chunk_sources[chunk_id] = self.source_ns

    def take_output(self, *arguments, **named) -> None:
        """Note a command on the controller's topic, and when it was published."""
        Ledger.take_output(self, *arguments, **named)
        self._sources.append((self.source_ns, self.has_missed))

    def settle(self, *, is_final: bool = False) -> None:
        """Judge what came on the controller's topic, once nothing is on its way any more."""
        if not is_final:
            return
        hold: Output | None = None
        for output, (source_ns, has_missed) in zip(self._outputs, self._sources, strict=True):
            # What it had decided it wrote when it was given a processor again.
            late_ns = self._waited_ns(output.received_ns - _HOLD_WINDOW_NS, output.received_ns)
            is_point = len(output.trajectory.times) == 1
            # A path that was sent is a release, even if it could be a way to stop.
            problem = '' if is_point else self._judge_command(output)
            is_hold = (is_point or bool(problem)) and self._is_late_hold(output, late_ns)
            self.outputs.append(Output(output.received_ns, source_ns, is_hold, has_missed))
            if is_hold:
                self.num_holds += 1
                hold = self.outputs[-1]
                self._judge_hold(output, late_ns)
                continue
            self.num_releases += 1
            problem = (self._judge_command(output) if is_point else problem) or (
                self._judge_replay(output, source_ns, hold))
            if problem:
                is_old = self._is_old_hold(output)
                problem = 'a hold at joints of long ago: ' * is_old + problem
                self.unverified.append(problem)
                self.violations.append(Violation(
                    invariant='5' if is_old else '2', words=problem, at_ns=output.received_ns))
        self._outputs, self._sources = [], []

    def _complete(self, chunk_id: int) -> None:
        """Leave open which verdict counts until a release is judged."""

    def _is_late_hold(self, output: _Output, late_ns: int) -> bool:
        """Say whether it is a hold, or was one whenever the gate may have decided on it."""
        latest_ns = late_ns + TOLERANCE_NS
        # A sample counts for so long: nothing lies between two of these times.
        return any(self._is_hold(replace(output, received_ns=output.received_ns - earlier_ns))
                   for earlier_ns in (*range(0, latest_ns, _HOLD_WINDOW_NS), latest_ns))

    def _is_old_hold(self, output: _Output) -> bool:
        """Say whether it would have been a hold in the last seconds."""
        return any(self._is_hold(replace(output, received_ns=output.received_ns - shift_ns))
                   for shift_ns in range(_HOLD_WINDOW_NS, _LONG_AGO_NS, _HOLD_WINDOW_NS))

    def _waited_ns(self, begin_ns: int, end_ns: int) -> int:
        return min(self.timeline.waited_ns(begin_ns, end_ns), max(0, end_ns - begin_ns))

    def _judge_hold(self, output: _Output, late_ns: int) -> None:
        """Invariant 5, beside the place of the hold: somebody must have measured it lately."""
        limit_ns = output.received_ns - late_ns - _JOINT_TIMEOUT_NS - TOLERANCE_NS
        if not any(limit_ns <= at <= output.received_ns + TOLERANCE_NS
                   for at in self.usable_joints):
            self.violations.append(Violation(
                invariant='5', at_ns=output.received_ns,
                words='a hold went out and no usable joints had come for 0.3 s'))

    def _judge_command(self, output: _Output) -> str:
        """Say why a release is not allowed; '' if a verdict on a command allows it."""
        objections: list[str] = []
        # A burst makes thousands of passages, so that these are looked up once.
        unheard = [found for chunk_id, heard in self._verdicts.items()
                   if chunk_id not in self._chunk_sources for found in heard]
        for passage in chain(reversed(self._judged.values()), reversed(self.passages)):
            if passage.received_ns - output.received_ns > TOLERANCE_NS:
                continue
            for verdict, at_ns in self._verdicts_on(passage, unheard):
                passage.verdict, passage.verdict_ns = verdict, at_ns
                if not follows(output.trajectory, passage):
                    continue
                objection = next(self._objections(output, passage), '')
                if not objection:
                    passage.release_ns = output.received_ns
                    return ''
                objections.append(objection)
        count = len(output.trajectory.times)
        return objections[0] if objections else (
            f'a command of {count} points at {output.trajectory.positions[-1].round(3).tolist()} '
            'that is neither a hold nor the beginning of a command that was sent')

    def _verdicts_on(self, passage: Passage, unheard: list[tuple[Verdict, int]]
                     ) -> Sequence[tuple[Verdict | None, int]]:
        """
        Return the verdicts on a command, in the order in which they came.

        The gate keeps one chunk for readers that were late, so that of two in short order this
        listener may miss one. Then a verdict on a chunk that was not heard counts if it has the
        command's digest.

        :param unheard: verdicts on such chunks.
        """
        found = self._verdicts.get(passage.chunk_id) if passage.chunk_id else [
            one for one in unheard if one[0].digest == passage.digest]
        return found or [(None, 0)]

    def _objections(self, output: _Output, passage: Passage) -> Iterator[str]:
        """Yield what speaks against the release of a command on the verdict that it has."""
        verdict, name = passage.verdict, f'command {passage.digest.hex()[:8]}'
        if passage.release_ns not in (0, output.received_ns):
            yield f'{name} was released twice'
        if passage.received_ns in self._forbidden:
            yield f'{name} was released: {self._forbidden[passage.received_ns]}'
        if verdict is None:
            yield f'{name} was released without a verdict'
            return
        acted_ns = self.timeline.acted_ns(output.received_ns, passage.verdict_ns)
        acted_ns -= self._waited_ns(passage.verdict_ns, acted_ns)
        for words in (*self._lateness(passage, verdict, acted_ns),
                      *self._staleness(acted_ns), *_figures(verdict)):
            yield f'{name} was released {words}'
        if verdict.digest != passage.digest:
            yield f'{name} was released on a verdict about digest {verdict.digest.hex()}'
        if output.trajectory.velocities is not None and output.trajectory.velocities[-1].any():
            yield f'{name} was released and does not end at rest'

    def _lateness(self, passage: Passage, verdict: Verdict, acted_ns: int) -> Iterator[str]:
        earliest_ns, latest_ns = self.timeline.span_ns(acted_ns)
        if passage.verdict_ns > acted_ns + TOLERANCE_NS:
            yield f'{(passage.verdict_ns - acted_ns) / 1e6:.0f} ms before its verdict'
        # A chunk that was not heard was there at the latest when its verdict came.
        chunk_ns = passage.chunk_ns or passage.verdict_ns
        if passage.verdict_ns < chunk_ns - TOLERANCE_NS:
            yield 'on a verdict that came before its chunk'
        if earliest_ns > verdict.valid_until_ns:
            yield (f'{(earliest_ns - verdict.valid_until_ns) / 1e6:.0f} ms after its verdict had '
                   'expired')
        if acted_ns - chunk_ns > _DECISION_TIMEOUT_NS + TOLERANCE_NS:
            yield f'{(acted_ns - chunk_ns) / 1e6:.0f} ms after it was put to the predictor'
        if earliest_ns - verdict.observation_stamp_ns > _IMAGE_TIMEOUT_NS:
            yield 'on a frame that was too old'
        if verdict.observation_stamp_ns - latest_ns > _MAX_SKEW_NS + TOLERANCE_NS:
            yield 'on a frame of the future'
        if verdict.stamp_ns - latest_ns > _MAX_SKEW_NS + TOLERANCE_NS:
            yield 'on a verdict of the future'

    def _staleness(self, acted_ns: int) -> Iterator[str]:
        for times, timeout_ns, name in ((self.beats, _HEARTBEAT_TIMEOUT_NS, 'heartbeat'),
                                        (self.usable_joints, _JOINT_TIMEOUT_NS, 'joints')):
            limit_ns = acted_ns - timeout_ns - TOLERANCE_NS
            if not any(limit_ns <= at <= acted_ns + TOLERANCE_NS for at in times):
                yield f'without a usable {name} for {(acted_ns - limit_ns) / 1e6:.0f} ms'

    def _judge_replay(self, output: _Output, source_ns: int, hold: Output | None) -> str:
        """Say whether a command from before a hold came after it; all by the gate's own clock."""
        passage = next((p for p in self._judged.values()
                        if p.release_ns == output.received_ns), None)
        if hold is None or passage is None or self.timeline.is_near_step(passage.chunk_ns) or (
                self.timeline.has_step(hold.at_ns, output.received_ns)):
            return ''
        chunk_source_ns = self._chunk_sources.get(passage.chunk_id, 0)
        if 0 < chunk_source_ns < hold.source_ns < source_ns:
            return (f'command {passage.digest.hex()[:8]} was released after a hold, and the gate '
                    'had taken it before')
        return ''


def _figures(verdict: Verdict) -> Iterator[str]:
    """Yield what a verdict's own figures say against it."""
    if verdict.decision not in (Decision.OK, Decision.SLOW):
        yield f'on a verdict {verdict.decision.name}'
    if not 0.0 < verdict.horizon_s < math.inf:
        yield f'on a horizon of {verdict.horizon_s} s'
    if not 0.0 < verdict.speed_factor <= 1.0:
        yield f'on a speed factor of {verdict.speed_factor}'
    is_risky = verdict.decision is Decision.OK and not verdict.risk <= verdict.risk_threshold
    if is_risky or not math.isfinite(verdict.risk + verdict.risk_threshold):
        yield f'on a risk of {verdict.risk} against {verdict.risk_threshold}'
    if verdict.reasons & Reason.UNCALIBRATED:
        yield 'on a model that is not calibrated'
