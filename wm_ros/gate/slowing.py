# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
At which speed a permitted command goes out: the one at which it was judged, and no other.

Either the gate stretches it, in the message itself, or a controller that scales commands was told
before. Never both.
"""

from wm_ros.datatypes import Decision, JointSample, Reason, Trajectory, Verdict
from wm_ros.gate.commands import Prepared
from wm_ros.gate.config import GateConfig
from wm_ros.gate.docket import Case
from wm_ros.gate.effects import Refused
from wm_ros.gate.goal import GOAL_SOURCE
from wm_ros.gate.release import is_escape
from wm_ros.gate.speeds import Speeds, escape_factor
from wm_ros.gate.stance import Stance
from wm_ros.gate.streaks import Streaks
from wm_ros.gate.stretch import stretch
from wm_ros.gate.trim import trim
from wm_ros.gate.values import Now, State


class Slowing:
    """
    The speed of what is released.

    :param config: the gate's settings.
    :param stance: the state, which SLOW is one of.
    """

    def __init__(self, config: GateConfig, stance: Stance) -> None:
        self.config = config
        self.stance = stance
        self.streaks = Streaks()
        self._speed_factor = 1.0

    def _speeds_for(self, prepared: Prepared, start: JointSample) -> Speeds:
        """Say at which speeds else than its own a command would be released by now."""
        stance = self.stance
        is_held = stance.state is State.HOLD
        is_slow = stance.state is State.SLOW and self.streaks.oks + 1 < self.config.release_count
        is_escaping = stance.state is State.SLOW and bool(stance.reasons & Reason.ESCAPE)
        return Speeds(
            slow_factor=self._speed_factor if is_slow else 0.0,
            escape_factor=escape_factor(
                stance.reasons, prepared.trajectory, prepared.interface, start, self.config)
            if is_held or is_escaping else 0.0)

    def _is_speed_told(self, case: Case, verdict: Verdict, now: Now) -> bool:
        """Tell a controller that scales commands itself, and withhold until it has heard it."""
        config, stance = self.config, self.stance
        # How far a goal has come is the gate's to know, and the speed of an escape is new each
        # time, so it is the gate that slows these.
        is_stretched = case.chunk.source == GOAL_SOURCE or is_escape(verdict)
        is_slow = verdict.decision is Decision.SLOW or verdict.speed_factor < 1.0
        if not config.speed_scaling_topic or not config.is_enforcing or not is_slow:
            return True
        if is_escape(verdict) and stance.told_factor == 1.0:
            return True
        if not stance.is_scaling_heard:
            self._withhold(f'nobody listens on {config.speed_scaling_topic} for the speed')
            return False
        factor = 1.0 if is_stretched else verdict.speed_factor
        stance.tell_speed(factor, now)
        if stance.was_just_told(now):
            self._withhold(f'the controller was just told {factor:.3g} of the speed')
            return False
        return True

    def _as_released(
            self, trajectory: Trajectory, factor: float, horizon_s: float,
            start: JointSample) -> tuple[Trajectory, float]:
        """
        Slow a trajectory and cut it, so that it ends at rest within the horizon.

        What the controller slows itself is not stretched as well.

        :returns: it, and how much of its own time that is, s.
        """
        told = self.stance.told_factor
        left = min(1.0, factor / told)
        released = trim(stretch(trajectory, left), horizon_s * told, start.positions)
        return released, left * float(released.times[-1])

    def _let_go(self, verdict: Verdict, now: Now) -> float:
        """Change to RUNNING or SLOW; return the factor on speed that was judged, in (0, 1]."""
        is_slow = verdict.decision is Decision.SLOW or self._is_still_slow(verdict)
        if verdict.decision is Decision.SLOW:
            self._speed_factor = verdict.speed_factor
        self.stance.go(
            State.SLOW if is_slow else State.RUNNING, verdict.reasons,
            verdict.message or 'allowed', now)
        return verdict.speed_factor

    def _is_still_slow(self, verdict: Verdict) -> bool:
        """Tell whether an OK leaves the gate in SLOW."""
        return (verdict.decision is Decision.OK and self.stance.state is State.SLOW
                and self.streaks.oks < self.config.release_count)

    def _withhold(self, words: str) -> None:
        """Let a permitted command go unused, and say why."""
        self.stance.message = words
        self.stance.emit(Refused(reasons=self.stance.reasons, message=f'withheld: {words}'))
