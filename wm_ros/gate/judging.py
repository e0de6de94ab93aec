# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From a command to its verdict, and from the verdict to a release or a hold.

This half of the gate knows about commands; machine.py knows about time, faults and people.
"""

from wm_ros.datatypes import CommandInterface, Decision, Reason, Trajectory, Verdict
from wm_ros.gate.action_space import ActionSpaces
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import Prepared, prepare_request
from wm_ros.gate.config import GateConfig
from wm_ros.gate.docket import Case, Docket, Waiting
from wm_ros.gate.effects import Forward, GoalPiece, PublishChunk, Refused
from wm_ros.gate.estop import Cause
from wm_ros.gate.goal import Goal
from wm_ros.gate.inputs import Inputs
from wm_ros.gate.latency import LatencyWindow
from wm_ros.gate.release import Ruling, is_escape, rule
from wm_ros.gate.requests import Request
from wm_ros.gate.robot import Robot
from wm_ros.gate.slowing import Slowing
from wm_ros.gate.stance import Stance
from wm_ros.gate.trim import trim
from wm_ros.gate.values import NS_PER_S, Counters, Now, State


class Judging(Slowing):
    """
    Commands, verdicts and what they release.

    :param config: the gate's settings.
    :param first_chunk_id: a restarted gate must start above the ids of the one before.
    :param urdf: the robot description of ``robot_description_file``.
    :param spaces: what the numbers of a policy mean; None: joint positions.
    """

    def __init__(
            self, config: GateConfig, *, first_chunk_id: int, urdf: str | None = None,
            spaces: ActionSpaces | None = None) -> None:
        self.robot = Robot(config, urdf, spaces)
        self.inputs = Inputs(config)
        super().__init__(config, Stance(config, self.inputs, lambda: self.robot.limits))
        self.docket = Docket(first_chunk_id)
        self.counters = Counters()
        self.latency = LatencyWindow()
        self._rest_at_ns: int | None = None

    def judge_command(self, command: Request, now: Now) -> None:
        """Take a command in RUNNING, SLOW or HOLD: check it and put it before the predictor."""
        if self.docket.judged is not None:
            try:
                self._prepare_and_check(command, now)
            except CommandRefused as refusal:
                self._hold_for(refusal, now)
                return
        if self.docket.waiting is not None:
            self.counters.dropped += 1
        self.docket.waiting = Waiting(command=command, received=now)
        self.send_next(now)

    def forward_unjudged(
            self, command: Request, now: Now, *, has_limits: bool) -> CommandRefused | None:
        """
        Forward a command without a verdict, for shadow and bypass only.

        A malformed command is refused even here: a controller would take a NaN.

        :param has_limits: check limits as well, and end at rest.
        :returns: why nothing was forwarded, None if it was.
        """
        start = self.inputs.fresh_joints(now)
        try:
            prepared = prepare_request(
                command, start, self.config, self.robot, now.ros_ns, has_limits=has_limits)
        except CommandRefused as refusal:
            self.reject(refusal.reason, str(refusal))
            return refusal
        trajectory = prepared.trajectory
        if has_limits and start is not None:
            trajectory = trim(trajectory, float(trajectory.times[-1]), start.positions)
        self._forward(trajectory, prepared.interface, 0, now)
        return None

    def send_next(self, now: Now) -> None:
        """Send the waiting command if the predictor has none, else a check that waits."""
        if self.docket.judged is not None:
            return
        waiting, self.docket.waiting = self.docket.waiting, None
        if waiting is None:
            if self.docket.unsent_check is not None:
                self.stance.emit(PublishChunk(chunk=self.docket.unsent_check.chunk))
                self.docket.unsent_check = None
            return
        try:
            prepared = self._prepare_and_check(waiting.command, now)
        except CommandRefused as refusal:
            self._hold_for(refusal, now)
            return
        start = self.inputs.fresh_joints(now)
        assert start is not None, 'check_limits refuses without joints'
        self.docket.judged = self.docket.open(
            prepared.trajectory, start, source=waiting.command.source,
            interface=prepared.interface, received=waiting.received,
            allowed_s=self.config.decision_timeout, speeds=self._speeds_for(prepared, start))
        self.stance.emit(PublishChunk(chunk=self.docket.judged.chunk))

    def judge_verdict(self, verdict: Verdict, now: Now) -> None:
        """Apply a verdict to the command under judgement; any other verdict is ignored."""
        case = self.docket.judged
        if case is None or case.chunk.chunk_id != verdict.chunk_id:
            self.counters.verdicts_ignored += 1
            return
        ruling = rule(verdict, case.chunk, now, self.config)
        self._close(case, now)
        if ruling.decision in (Decision.OK, Decision.SLOW):
            self._permit(case, verdict, now)
        else:
            self.refuse(ruling, now)
        self.send_next(now)

    def expire_judged(self, now: Now) -> None:
        """Veto the command under judgement if its time is over."""
        case = self.docket.judged
        if case is None or not case.is_late(now):
            return
        self._close(case, now)
        self.refuse(Ruling(
            Decision.VETO, Reason.DEADLINE,
            f'no verdict within {self.config.decision_timeout} s'), now)
        self.send_next(now)

    def refuse(self, ruling: Ruling, now: Now) -> None:
        """Count a refused command and hold when hysteresis says so."""
        is_late = Reason.DEADLINE in ruling.reasons
        if is_late:
            self.counters.deadline_missed += 1
        else:
            self.counters.vetoed += 1
        streaks = self.streaks
        streaks.permits = streaks.oks = 0
        streaks.refusals += 1
        streaks.vetoes += ruling.decision is Decision.VETO and not is_late
        self.stance.emit(Refused(reasons=ruling.reasons, message=ruling.message))
        if ruling.decision is Decision.ABSTAIN and self.config.abstain_policy == 'drop':
            return
        is_certain = is_late or ruling.decision is Decision.INVALID
        if is_certain or streaks.refusals >= self.config.trigger_count:
            self.enter_hold(ruling.reasons, f'{ruling.decision.name}: {ruling.message}', now)
        if streaks.vetoes >= self.config.max_consecutive_vetoes:
            self.stop_automatically(
                Cause.VETOES, ruling.reasons, f'{streaks.vetoes} vetoes in a row', now)

    def reject(self, reason: Reason, message: str) -> None:
        """Count and report a command that never reached the predictor."""
        self.counters.rejected += 1
        self.stance.emit(Refused(reasons=reason, message=message))

    def enter_hold(self, reasons: Reason, message: str, now: Now) -> None:
        """Hold; on the way in from a moving state the queue is dropped."""
        if self.stance.state is not State.HOLD:
            self.counters.dropped += self.docket.drop_commands()
            self.streaks.permits = self.streaks.oks = 0
        if self.stance.state is not State.ESTOP:
            self.stance.hold(reasons, message, now)
        self._rest_at_ns = None

    def stop_automatically(
            self, cause: Cause, reasons: Reason, message: str, now: Now) -> None:
        """Latch the e-stop for a cause that no person asked for; shadow does not act on it."""
        if self.config.is_enforcing:
            self.counters.dropped += self.docket.drop_commands()
            self.stance.stop(cause, reasons, message, now)

    def rest_if_due(self, now: Now) -> None:
        """Send zeros once an approved velocity has run its time; nobody else would."""
        if self._rest_at_ns is not None and now.steady_ns >= self._rest_at_ns:
            self._rest_at_ns = None
            if not self.stance.publish_hold(now):
                self.enter_hold(Reason.STALE_JOINTS, 'no measured joints', now)

    def _permit(self, case: Case, verdict: Verdict, now: Now) -> None:
        """Release a permitted command, unless the inputs or hysteresis speak against it."""
        streaks, state = self.streaks, self.stance.state
        streaks.vetoes = streaks.refusals = 0
        problems = self.inputs.problems(now)
        if problems:
            reasons, words = problems[0].reason, '; '.join(p.text for p in problems)
            self.enter_hold(reasons, f'not released: {words}', now)
            return
        needed = self.config.arm_cycles
        if streaks.fresh < needed:
            self._withhold(f'inputs fresh for {streaks.fresh} of {needed} cycles')
            return
        streaks.permits += 1
        streaks.oks = streaks.oks + 1 if verdict.decision is Decision.OK else 0
        # What leads away must not wait where it is for more permissions.
        is_early = streaks.permits < self.config.release_count and not is_escape(verdict)
        if state is State.HOLD and is_early:
            self._withhold(f'{streaks.permits} of {self.config.release_count} OK verdicts')
            return
        if self._is_still_slow(verdict) and verdict.speed_factor != case.chunk.slow_factor:
            self._withhold('allowed at its own speed, but not judged at that of SLOW: '
                           f'{streaks.oks} of {self.config.release_count} OK verdicts')
            return
        if self._is_speed_told(case, verdict, now):
            self._release(case, verdict, now)

    def _release(self, case: Case, verdict: Verdict, now: Now) -> None:
        """Change to RUNNING or SLOW and forward, at the speed and for the time allowed."""
        factor = self._let_go(verdict, now)
        chunk = case.chunk
        released, _ = self._as_released(
            chunk.trajectory, factor, verdict.horizon_s, chunk.start)
        if self.config.is_enforcing:
            self._forward(released, chunk.interface, chunk.chunk_id, now,
                          valid_until_ns=verdict.valid_until_ns)

    def withdraw(self, forward: Forward, now: Now) -> None:
        """Take a release back that was not carried out while its verdict was valid, and hold."""
        self.counters.forwarded -= 1
        self.refuse(Ruling(
            Decision.VETO, Reason.DEADLINE,
            f'the verdict expired {(now.ros_ns - forward.valid_until_ns) / 1e6:.1f} ms before the '
            'command could be published'), now)

    def _forward(
            self, trajectory: Trajectory, interface: CommandInterface, chunk_id: int,
            now: Now, *, goal: Goal | None = None, valid_until_ns: int = 0) -> None:
        self.stance.emit(Forward(
            trajectory=trajectory, interface=interface, chunk_id=chunk_id,
            valid_until_ns=valid_until_ns,
            piece=None if goal is None else GoalPiece(
                goal_id=goal.goal_id, begin_s=goal.let_go_s,
                is_last=goal.is_all_out)))
        self.stance.hold_watch.stop()
        self.counters.forwarded += 1
        if self.config.is_velocity_out:
            self._rest_at_ns = now.steady_ns + round(float(trajectory.times[-1]) * NS_PER_S)

    def _hold_for(self, refusal: CommandRefused, now: Now) -> None:
        self.reject(refusal.reason, str(refusal))
        self.enter_hold(refusal.reason, f'command refused: {refusal}', now)

    def _close(self, case: Case, now: Now) -> None:
        self.docket.judged = None
        self.latency.add(now.steady_ns - case.received_steady_ns)

    def _prepare_and_check(self, command: Request, now: Now) -> Prepared:
        return prepare_request(
            command, self.inputs.fresh_joints(now), self.config, self.robot, now.ros_ns)
