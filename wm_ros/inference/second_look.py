# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A second look at a command: slower along the same path, or as a motion away from a risk.

The first look decides whether a command is OK; the second can only add what is slower and was
judged as such. It is taken where the time until the decision allows it. Owned by one thread.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from wm_ros.datatypes import ActionChunk, Decision, Observation, Reason, Trajectory
from wm_ros.gate.speeds import as_sent
from wm_ros.gate.stretch import stretch
from wm_ros.inference.escape import leads_away
from wm_ros.inference.judge import Judgement
from wm_ros.inference.plans import Plan, PlanChooser

_OF_RISK = Reason.RISK | Reason.UNCERTAIN


class Moment(NamedTuple):
    """
    What the first look was taken by.

    :param stamp_ns: its time, ns of the ROS clock.
    :param plan: how much was looked at.
    :param left_ms: until the verdict must be there, ms.
    """

    observation: Observation
    stamp_ns: int
    plan: Plan
    left_ms: float


class SecondLook:
    """
    Looks at the same command at other speeds.

    :param judge: a Judge, or what stands in for one.
    :param plans: says how long a look takes.
    :param slow_factors: on the speed of a refused command, falling, each in (0, 1).
    :param risk_share: of the threshold, below which a slowed command's risk must be.
    """

    def __init__(self, judge: Any, plans: PlanChooser, *, slow_factors: Sequence[float] = (),
                 risk_share: float = 0.5) -> None:
        self._judge, self._plans = judge, plans
        self._slow_factors = tuple(as_sent(factor) for factor in slow_factors)
        self._risk_share = risk_share

    def is_wanted(self, chunk: ActionChunk, first: Judgement) -> bool:
        """Tell whether another speed could change what becomes of a command."""
        verdict = first.verdict
        if verdict.decision is Decision.OK:
            return 0.0 < chunk.slow_factor < 1.0
        is_of_risk = bool(verdict.reasons & _OF_RISK) and not verdict.reasons & ~_OF_RISK
        return is_of_risk and bool(self._slow_factors or chunk.escape_factor)

    def look(self, chunk: ActionChunk, first: Judgement, moment: Moment) -> Judgement:
        """
        Return the judgement that counts: the first, or one of the command at another speed.

        :param chunk: the command; the verdict carries its digest whatever its speed.
        :param first: of the command at its own speed.
        :raises EngineError: if the engine broke.
        """
        if not self.is_wanted(chunk, first):
            return first
        if first.verdict.decision is Decision.OK:
            return self._confirm(chunk, first, moment)
        look_ms = self._plans.estimate_ms(moment.plan)
        # Time that is over already must not count from the end of the list.
        left_ms = max(0.0, moment.left_ms)
        num_looks = int(left_ms / look_ms) if look_ms > 0.0 else len(self._slow_factors) + 2
        factors = self._slow_factors[:num_looks]
        has_escape = chunk.escape_factor > 0.0 and num_looks >= len(factors) + 2
        chunks = [_slowed(chunk, factor) for factor in factors]
        if has_escape:
            chunks += [_slowed(chunk, chunk.escape_factor), _staying(chunk)]
        made = self._judge_all(chunks, moment)
        for factor, found in zip(factors, made, strict=False):
            if self._is_calm(found):
                return self._slow(found, factor, first)
        if has_escape:
            return self._escape(chunk, first, *made[-2:])
        return first

    def _judge_all(self, chunks: list[ActionChunk], moment: Moment) -> list[Judgement]:
        if not chunks:
            return []
        made: list[Judgement] = self._judge.judge_candidates(
            chunks, moment.observation, stamp_ns=moment.stamp_ns,
            num_steps=moment.plan.num_steps)
        return made

    def _confirm(self, chunk: ActionChunk, first: Judgement, moment: Moment) -> Judgement:
        """Look at an allowed command at the speed at which it will be released."""
        if self._plans.estimate_ms(moment.plan) > moment.left_ms:
            return first
        (found,) = self._judge_all([_slowed(chunk, chunk.slow_factor)], moment)
        verdict = found.verdict
        words = f'{verdict.message} at {chunk.slow_factor:.3g} of its speed; at its own: ' \
                f'{first.verdict.message}'
        is_ok = verdict.decision is Decision.OK
        return found._replace(verdict=replace(
            verdict, message=words, speed_factor=chunk.slow_factor if is_ok else 1.0))

    def _is_calm(self, found: Judgement) -> bool:
        verdict = found.verdict
        return verdict.decision is Decision.OK and (
            verdict.risk < self._risk_share * verdict.risk_threshold)

    def _slow(self, found: Judgement, factor: float, first: Judgement) -> Judgement:
        limit = self._risk_share * found.verdict.risk_threshold
        return found._replace(verdict=replace(
            found.verdict, decision=Decision.SLOW, reasons=first.verdict.reasons,
            speed_factor=factor, risk_threshold=limit,
            message=f'risk {found.verdict.risk:.3f} at {factor:.3g} of its speed, limit '
                    f'{limit:.3f}; at its own: {first.verdict.message}'))

    def _escape(self, chunk: ActionChunk, first: Judgement, moving: Judgement,
                staying: Judgement) -> Judgement:
        if moving.prediction is None or staying.prediction is None or not leads_away(
                moving.prediction, staying.prediction, moving.verdict.risk_threshold):
            return first
        return moving._replace(verdict=replace(
            moving.verdict, decision=Decision.SLOW, reasons=Reason.RISK | Reason.ESCAPE,
            speed_factor=chunk.escape_factor,
            message=f'leads away from a risk: {moving.verdict.risk:.3f} at '
                    f'{chunk.escape_factor:.3g} of its speed, {staying.verdict.risk:.3f} if the '
                    'arm stays'))


def _slowed(chunk: ActionChunk, factor: float) -> ActionChunk:
    """Make the command that the gate would release at another speed."""
    return replace(chunk, trajectory=stretch(chunk.trajectory, factor))


def _staying(chunk: ActionChunk) -> ActionChunk:
    """Make the command that keeps the arm where it was measured."""
    start = chunk.start
    return replace(chunk, trajectory=Trajectory(
        joint_names=start.names, positions=start.positions[None].astype(np.float64),
        times=np.ones(1)))
