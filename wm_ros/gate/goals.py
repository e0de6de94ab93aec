# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A goal of FollowJointTrajectory among the commands.

It is put before the predictor window by window, from where the arm is to some way ahead, for as
long as it runs. Each window is a command like every other, with its own digest and verdict;
whatever makes the gate hold ends the goal. While it runs it is the only command.
"""

from wm_ros.datatypes import CommandInterface, Reason, Verdict
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import prepare_request
from wm_ros.gate.docket import Case
from wm_ros.gate.effects import GoalEnded, Refused
from wm_ros.gate.estop import Cause
from wm_ros.gate.goal import GOAL_SOURCE, Goal, advance
from wm_ros.gate.judging import Judging
from wm_ros.gate.release import Ruling
from wm_ros.gate.requests import GoalWindow
from wm_ros.gate.values import Command, Now, State

# A piece shorter than this is no use to a controller, s.
_SHORTEST_S = 0.01


class GoalJudging(Judging):
    """Commands and verdicts, with at most one goal that runs over many of them."""

    goal: Goal | None = None

    @property
    def goal_id(self) -> int:
        """Return the number of the goal that runs; 0 for none."""
        return self.goal.goal_id if self.goal is not None else 0

    def begin_goal(self, goal_id: int, command: Command, now: Now) -> None:
        """Take a goal in RUNNING, SLOW, HOLD or BYPASS, or in shadow; refuse it in words."""
        has_limits = self.config.is_enforcing
        try:
            prepared = prepare_request(
                command, self.inputs.fresh_joints(now), self.config, self.robot, now.ros_ns,
                has_limits=has_limits)
        except CommandRefused as refusal:
            self.reject(refusal.reason, str(refusal))
            self.stance.emit(GoalEnded(
                goal_id=goal_id, reasons=refusal.reason, message=f'goal refused: {refusal}'))
            return
        self.counters.dropped += self.docket.drop_commands()
        self.goal = Goal(goal_id, prepared.trajectory)
        if self.stance.state is State.BYPASS or not self.config.is_enforcing:
            piece = prepared.trajectory
            self.goal.let_go(float(piece.times[-1]), 0.0, 1.0, now)
            self._forward(piece, CommandInterface.JOINT_TRAJECTORY, 0, now, goal=self.goal)
        self.run_goal(now)

    def run_goal(self, now: Now) -> None:
        """Ask about the next window of the goal, when it is due and the predictor has nothing."""
        goal, state = self.goal, self.stance.state
        is_judged = state in (State.RUNNING, State.SLOW, State.HOLD)
        if goal is None or not is_judged or self.docket.is_busy:
            return
        if not goal.is_due(self.config.goal_recheck_period, now):
            return
        goal.window_s = goal.progress_s(now)
        window = advance(goal.path, goal.window_s, at_most_s=self.config.goal_window)
        if window is None:
            return
        goal.asked_steady_ns = now.steady_ns
        self.judge_command(GoalWindow(source=GOAL_SOURCE, trajectory=window), now)

    def end_goal(self, reasons: Reason, message: str) -> None:
        """Let the node end the goal, and forget what was asked about it."""
        if self.goal is None:
            return
        goal, self.goal = self.goal, None
        self.counters.dropped += self.docket.drop_commands()
        self.stance.emit(GoalEnded(goal_id=goal.goal_id, reasons=reasons, message=message))

    def refuse(self, ruling: Ruling, now: Now) -> None:
        """Count a refused command; a goal that has not begun to move ends with the first one."""
        super().refuse(ruling, now)
        if self.goal is not None and self.goal.let_go_steady_ns is None:
            self.end_goal(ruling.reasons, f'{ruling.decision.name}: {ruling.message}')

    def enter_hold(self, reasons: Reason, message: str, now: Now) -> None:
        """End the goal, then hold; in shadow only what a person asked for is real."""
        if self.config.is_enforcing or not self.stance.is_engaged:
            self.end_goal(reasons, message)
        super().enter_hold(reasons, message, now)

    def stop_automatically(
            self, cause: Cause, reasons: Reason, message: str, now: Now) -> None:
        """End the goal, then latch the e-stop; shadow does neither."""
        if self.config.is_enforcing:
            self.end_goal(reasons | Reason.ESTOP, message)
        super().stop_automatically(cause, reasons, message, now)

    def _release(self, case: Case, verdict: Verdict, now: Now) -> None:
        """Release a command; of a goal, the part of the window that lies ahead."""
        goal = self.goal
        if goal is None or case.chunk.source != GOAL_SOURCE:
            super()._release(case, verdict, now)
            return
        factor = self._let_go(verdict, now)
        begin_s = goal.progress_s(now)
        passed_s = begin_s - goal.window_s
        rest = advance(case.chunk.trajectory, passed_s)
        # At the speed that was judged it takes longer to where the path goes on by now.
        horizon_s = verdict.horizon_s - passed_s / factor
        start = self.inputs.fresh_joints(now)
        if not self.config.is_enforcing or rest is None or start is None:
            return
        if horizon_s < _SHORTEST_S:
            self.stance.emit(Refused(
                reasons=Reason.DEADLINE, message=f'the verdict looked {verdict.horizon_s:.2f} s '
                f'ahead at {factor:.3g} of the speed, {passed_s / factor:.2f} s of which are '
                'behind'))
            return
        piece, length_s = self._as_released(rest, factor, horizon_s, start)
        if goal.is_gain(begin_s + length_s, factor):
            goal.let_go(length_s, begin_s, factor, now)
            self._forward(
                piece, CommandInterface.JOINT_TRAJECTORY, case.chunk.chunk_id, now, goal=goal)
