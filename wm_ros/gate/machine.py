# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate: events in, effects out; no clock, no thread, no ROS.

Every public method takes ``now`` and returns the effects in the order in which they must be
carried out. The rule behind all of them: nothing is forwarded in enforce without a verdict that
is about exactly this command, in time, and made of fresh inputs; every doubt ends in a hold.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from wm_ros.datatypes import Decision, JointSample, Reason, Verdict
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import CheckAnswered, Effect, Forward, Refused
from wm_ros.gate.estop import Cause
from wm_ros.gate.goal_events import GoalEvents
from wm_ros.gate.requests import Request, Sent
from wm_ros.gate.robot import Robot
from wm_ros.gate.streaks import Streaks
from wm_ros.gate.values import GateStatus, Heartbeat, Now, State
from wm_ros.gate.watching import ACTIVE_STATES


class Answer(NamedTuple):
    """
    Answer to a service, with what has to be done.

    :param chunk_id: for a check: the chunk whose CheckAnswered will follow; else 0.
    """

    success: bool
    message: str
    effects: list[Effect]
    chunk_id: int = 0


class Gate(GoalEvents):
    """
    The whole gate of one controller.

    Not thread-safe: all calls come from the executor thread.

    :param config: the gate's settings.
    :param first_chunk_id: a restarted gate must start above the ids of the one before.
    :param uses_sim_time: the ROS clock may jump; a jump back holds and forgets everything.
    :param urdf: the robot description of ``robot_description_file``.
    :param spaces: what the numbers of a policy mean; None: joint positions.
    """

    def activate(self, now: Now) -> list[Effect]:
        """Start in WAITING, or in ESTOP if a cause was latched while inactive."""
        self.docket.drop_all()
        self.streaks = Streaks()
        self._is_verdict_seen = False
        self._last_tick_ns = self._last_ros_ns = None
        self._next_probe_ns = now.steady_ns
        self.stance.forget_speed()
        if self.stance.latch.is_topic_active:
            self.stance.latch.causes.add(Cause.TOPIC)
        if causes := self.stance.latch.causes:
            words = ', '.join(sorted(cause.value for cause in causes))
            self.stance.go(State.ESTOP, Reason.ESTOP, words, now)
        else:
            self.stance.go(State.WAITING, Reason.NONE, 'waiting', now)
        return self.stance.drain()

    def deactivate(self, now: Now) -> list[Effect]:
        """End with the hold if the arm may be moving, then forward nothing."""
        self.end_goal(Reason.NONE, 'the gate was deactivated')
        self.counters.dropped += self.docket.drop_all()
        self._rest_at_ns = None
        self.stance.go(State.INACTIVE, Reason.NONE, 'inactive', now)
        return self.stance.drain()

    def replace_config(self, config: GateConfig) -> None:
        """Take new tunable settings; structural ones must be as they were."""
        self.config = self.inputs.config = config

    def take_joints(self, sample: JointSample, now: Now) -> list[Effect]:
        """Store measured joints; a sample that cannot be used is as good as none."""
        problem = self.inputs.take_joints(sample, now)
        if problem is not None:
            self.stance.emit(Refused(reasons=problem.reason, message=problem.text))
        return self.stance.drain()

    def take_description(self, urdf: str, now: Now) -> list[Effect]:
        """
        Take the robot's URDF, once: its limits hold until the gate is configured again.

        One that cannot be used is refused and leaves the gate waiting.
        """
        if self.inputs.has_description:
            if urdf != self.robot.urdf:
                self.stance.emit(Refused(
                    reasons=Reason.LIMIT, message='another robot description came; the first '
                    'one counts until the node is cleaned up and configured again'))
            return self.stance.drain()
        try:
            self.robot = Robot(self.config, urdf, self.robot.spaces)
            self.inputs.has_description = True
        except ValueError as error:
            self.stance.emit(Refused(reasons=Reason.LIMIT, message=str(error)))
        return self._finish(now)

    def take_heartbeat(self, beat: Heartbeat, now: Now) -> list[Effect]:
        """Store the predictor's sign of life and act on what it reports."""
        self.inputs.take_heartbeat(beat, now)
        return self._finish(now)

    def lose_predictor(self, text: str, now: Now) -> list[Effect]:
        """Act on the middleware's word that the heartbeat's publisher is gone."""
        self.inputs.lose_predictor(text)
        self._is_verdict_seen = False
        self.streaks.fresh = 0
        return self._finish(now)

    def take_command(self, command: Sent, now: Now) -> list[Effect]:
        """Take a command from a policy; only RUNNING, SLOW and HOLD put it to the predictor."""
        self._watch(now)
        state = self.stance.state
        if problem := self.inputs.command_problem(command.stamp_ns, now):
            self.reject(*problem)
        elif self.goal is not None:
            self.reject(Reason.NONE, 'a trajectory goal runs; cancel it first')
        elif state is State.BYPASS:
            self.forward_unjudged(command, now, has_limits=True)
        elif state not in ACTIVE_STATES or state is State.ESTOP or not self.stance.is_engaged:
            self.reject(self.stance.reasons, f'the gate is {state.name}: {self.explain(now)[1]}')
        else:
            self._take_engaged(command, now)
        return self.stance.drain()

    def _take_engaged(self, command: Request, now: Now) -> None:
        """Take a command while active and engaged."""
        refusal = None
        if not self.config.is_enforcing:
            refusal = self.forward_unjudged(command, now, has_limits=False)
        if self.stance.state is State.WAITING:
            if self.config.is_enforcing:
                reasons, words = self.explain(now)
                self.reject(reasons, f'the gate is WAITING: {words}')
        elif refusal is not None:
            self.enter_hold(refusal.reason, f'command refused: {refusal}', now)
        else:
            self.judge_command(command, now)

    def take_verdict(self, verdict: Verdict, now: Now) -> list[Effect]:
        """Take a verdict; it may be for a command, a probe, a check, or for nobody."""
        self.inputs.take_verdict(now)
        docket = self.docket
        if docket.probe is not None and docket.probe.is_about(verdict):
            docket.probe = None
            self._is_verdict_seen |= verdict.decision is not Decision.INVALID
        elif docket.check is not None and docket.check.is_about(verdict):
            docket.check = None
            self.stance.emit(CheckAnswered(
                chunk_id=verdict.chunk_id, verdict=verdict, message=verdict.message))
        elif self.stance.state in ACTIVE_STATES:
            self._watch(now)
            self.judge_verdict(verdict, now)
        return self.stance.drain()

    def take_emergency_stop(self, is_pressed: bool, now: Now) -> list[Effect]:
        """Follow the emergency_stop topic; a release of the button does not clear the latch."""
        latch = self.stance.latch
        latch.is_topic_active = is_pressed
        if is_pressed:
            self._stop(Cause.TOPIC, 'the emergency_stop topic is true', now)
        return self.stance.drain()

    def take_bypass(self, is_pressed: bool, now: Now) -> list[Effect]:
        """Follow the dead-man; it counts for bypass_timeout after each message."""
        state, waited_s = self.stance.state, self.inputs.waited_s(now)
        if not is_pressed:
            if state is State.BYPASS:
                self.enter_hold(Reason.NONE, 'the dead-man was released', now)
        elif not self.config.allow_bypass:
            self.stance.emit(Refused(
                reasons=Reason.NONE, message='bypass is not allowed; see allow_bypass'))
        elif waited_s >= self.config.bypass_timeout:
            self.stance.emit(Refused(
                reasons=Reason.NONE, message=f'the gate stood still for {waited_s:.3f} s and the '
                f'dead-man may be as old; bypass_timeout is {self.config.bypass_timeout} s'))
        elif state in ACTIVE_STATES and state is not State.ESTOP:
            self._bypass_steady_ns = now.steady_ns
            if state is not State.BYPASS:
                self.end_goal(Reason.NONE, 'bypassed')
                self.counters.dropped += self.docket.drop_commands()
                self.stance.go(
                    State.BYPASS, Reason.NONE, 'bypassed: commands go out unjudged', now)
        return self._finish(now)

    def engage(self, is_wanted: bool, now: Now) -> Answer:
        """Engage or disengage; disengaged, the gate holds and forwards nothing."""
        stance = self.stance
        if is_wanted and stance.state is State.ESTOP:
            return Answer(False, f'e-stop: {stance.message}; clear it first', stance.drain())
        stance.is_engaged = is_wanted
        if not is_wanted:
            # In HOLD a command may be before the predictor: its OK must not move the arm now.
            self.counters.dropped += self.docket.drop_commands()
        if stance.state in ACTIVE_STATES - {State.ESTOP, State.WAITING} and not is_wanted:
            self.enter_hold(Reason.NOT_ENGAGED, 'disengaged', now)
        elif stance.state in (State.WAITING, State.HOLD):
            stance.go(stance.state, Reason.NONE, 'waiting for an OK on a new command', now)
        return Answer(True, 'engaged' if is_wanted else 'disengaged', stance.drain())

    def stop(self, text: str, now: Now) -> Answer:
        """Latch the e-stop on request; works in any state."""
        self._stop(Cause.REQUEST, text, now)
        return Answer(True, f'e-stop latched: {text}', self.stance.drain())

    def clear(self, now: Now) -> Answer:
        """Clear the e-stop, unless a cause still lives."""
        stance = self.stance
        if not stance.latch.causes:
            return Answer(True, 'no e-stop was latched', stance.drain())
        if living := stance.latch.living_causes(self.inputs, now, self.config):
            return Answer(False, '; '.join(living), stance.drain())
        stance.latch.clear()
        self.streaks = Streaks()
        self._is_verdict_seen = False
        self._next_probe_ns = now.steady_ns
        if stance.state is State.ESTOP:
            stance.hold_watch.stop()
            stance.go(State.WAITING, Reason.NONE, 'e-stop cleared', now)
        return Answer(True, 'e-stop cleared', stance.drain())

    def check(self, command: Request, now: Now) -> Answer:
        """Put a trajectory to the predictor without ever releasing it."""
        if self.stance.state not in ACTIVE_STATES:
            return Answer(False, 'the gate is not active', self.stance.drain())
        if self.docket.check is not None:
            return Answer(False, 'another check is under way; try again', self.stance.drain())
        try:
            prepared = self._prepare_and_check(command, now)
        except CommandRefused as refusal:
            return Answer(False, str(refusal), self.stance.drain())
        start = self.inputs.fresh_joints(now)
        assert start is not None, 'check_limits refuses without joints'
        case = self.docket.open(
            prepared.trajectory, start, source=command.source, interface=prepared.interface,
            received=now, allowed_s=self.config.check_timeout)
        self.docket.check = self.docket.unsent_check = case
        self.send_next(now)
        return Answer(True, 'asked', self.stance.drain(), case.chunk.chunk_id)

    def fault(self, text: str, now: Now) -> list[Effect]:
        """Act on an exception in the gate: HOLD, then the latched ESTOP."""
        words, stance = f'exception in the gate: {text}', self.stance
        if stance.state in ACTIVE_STATES - {State.ESTOP, State.WAITING}:
            self.enter_hold(Reason.ESTOP, words, now)
            self._stop(Cause.FAULT, words, now)
            # What was under way when it raised may be a hold that never went out.
            stance.publish_hold(now)
        else:
            self._stop(Cause.FAULT, words, now)
        return stance.drain()

    def recall(self, effects: Sequence[Effect], decided: Now, now: Now) -> Sequence[Effect]:
        """
        Return what is to be carried out, with a hold for releases whose verdict expired meanwhile.

        Between its decision and the publisher a busy or suspended process may stand still.

        :param effects: as this gate returned them.
        :param decided: when it did.
        :param now: when they are carried out.
        """
        # The ROS clock may have been set back meanwhile.
        now = replace(now, ros_ns=max(
            now.ros_ns, decided.ros_ns + now.steady_ns - decided.steady_ns))
        late = [effect for effect in effects
                if isinstance(effect, Forward) and 0 < effect.valid_until_ns < now.ros_ns]
        if not late:
            return effects
        self.withdraw(late[0], now)
        return [*(effect for effect in effects if effect not in late), *self.stance.drain()]

    def note_scaling_listener(self, is_there: bool) -> None:
        """Note whether anybody hears the factors on ``speed_scaling_topic``."""
        self.stance.is_scaling_heard = is_there

    def status(self, now: Now) -> GateStatus:
        """Return what ~/state reports."""
        reasons, words = self.explain(now)
        self.counters.holds = self.stance.num_holds
        return GateStatus(
            state=self.stance.reported, is_enforcing=self.config.is_enforcing,
            would_hold=self.stance.would_hold, reasons=reasons,
            image_age_s=self.inputs.image_age_s(now), joint_age_s=self.inputs.joint_age_s(now),
            verdict_age_s=self.inputs.verdict_age_s(now),
            heartbeat_age_s=self.inputs.heartbeat_age_s(now),
            decision_ms=self.latency.last_ms, decision_ms_p99=self.latency.percentile_ms(99.0),
            counters=self.counters, message=words)

    def _stop(self, cause: Cause, text: str, now: Now) -> None:
        self.end_goal(Reason.ESTOP, text)
        self.counters.dropped += self.docket.drop_commands()
        self._rest_at_ns = None
        self.stance.stop(cause, Reason.NONE, text, now)
