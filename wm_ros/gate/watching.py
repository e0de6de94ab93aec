# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What time alone can turn bad: silence, age, a late verdict, a hold that is not obeyed.

Everything here runs on the steady clock; the tick calls it, and so does every event, so that a
starved timer cannot let a stale command through.
"""

from wm_ros.datatypes import CommandInterface, Reason
from wm_ros.gate.action_space import ActionSpaces
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import CheckAnswered, Effect, PublishChunk
from wm_ros.gate.estop import Cause
from wm_ros.gate.goals import GoalJudging
from wm_ros.gate.hold import hold_trajectory
from wm_ros.gate.inputs import Problem
from wm_ros.gate.values import MOVING_STATES, NS_PER_S, Now, State

ACTIVE_STATES = frozenset(State) - {State.UNCONFIGURED, State.INACTIVE}

_JUMP_BACK_NS = 100_000_000


class Watching(GoalJudging):
    """
    Watchdogs, arming and the words for why nothing is forwarded.

    :param config: the gate's settings.
    :param first_chunk_id: a restarted gate must start above the ids of the one before.
    :param urdf: the robot description of ``robot_description_file``.
    :param spaces: what the numbers of a policy mean; None: joint positions.
    :param uses_sim_time: the ROS clock may jump; a jump back holds and forgets everything.
    """

    def __init__(
            self, config: GateConfig, *, first_chunk_id: int = 1,
            uses_sim_time: bool = False, urdf: str | None = None,
            spaces: ActionSpaces | None = None) -> None:
        super().__init__(config, first_chunk_id=first_chunk_id, urdf=urdf, spaces=spaces)
        self._uses_sim_time = uses_sim_time
        self._last_ros_ns: int | None = None
        self._last_tick_ns: int | None = None
        self._was_starved = False
        self._is_verdict_seen = False
        self._next_probe_ns = 0
        self._bypass_steady_ns = 0

    def tick(self, now: Now) -> list[Effect]:
        """Run the watchdogs; call at control_rate on the steady clock."""
        late_ns = 0 if self._last_tick_ns is None else now.steady_ns - self._last_tick_ns
        self._last_tick_ns = now.steady_ns
        self.inputs.see_clocks(now)
        # One tick of grace, so that messages already in the queues count before the watchdogs.
        self._was_starved = late_ns >= self.inputs.standstill_ns and not self._was_starved
        if self._was_starved or self.stance.state not in ACTIVE_STATES:
            return self.stance.drain()
        self._watch(now)
        problems = self.inputs.problems(now)
        self.streaks.fresh = 0 if problems else self.streaks.fresh + 1
        if any(problem.reason is Reason.PREDICTOR_LOST for problem in problems):
            self._is_verdict_seen = False
        if self.stance.state is State.WAITING and not problems:
            self._arm(now)
        if self.stance.state is not State.ESTOP:
            self.run_goal(now)
            self.send_next(now)
        return self.stance.drain()

    def explain(self, now: Now) -> tuple[Reason, str]:
        """Return why the gate does not forward, as reasons and words; the state's own first."""
        stance = self.stance
        reasons, words = stance.reasons, [stance.message] if stance.message else []
        if stance.state in (State.WAITING, State.HOLD):
            problems = self.inputs.problems(now)
            if stance.state is State.WAITING:
                words = [] if problems else ['waiting for the first verdict']
            reasons |= _sum_up(problems)[0]
            words += [problem.text for problem in problems]
        if stance.state in ACTIVE_STATES and not stance.is_engaged:
            reasons |= Reason.NOT_ENGAGED
            words.append('not engaged; call ~/engage')
        return reasons, '; '.join(dict.fromkeys(words))

    def _finish(self, now: Now) -> list[Effect]:
        self._watch(now)
        return self.stance.drain()

    def _watch(self, now: Now) -> None:
        """Look at everything that time alone can turn bad."""
        stance = self.stance
        if stance.state not in ACTIVE_STATES:
            return
        self._watch_clock(now)
        self._expire_checks(now)
        self.expire_judged(now)
        if stance.state is State.BYPASS:
            silence_ns = now.steady_ns - self._bypass_steady_ns
            if silence_ns > self.config.bypass_timeout * NS_PER_S:
                self.enter_hold(Reason.NONE, 'the dead-man fell silent', now)
        elif stance.state in MOVING_STATES and (problems := self.inputs.problems(now)):
            self.enter_hold(*_sum_up(problems), now)
        self.rest_if_due(now)
        self._watch_hold(now)

    def _watch_hold(self, now: Now) -> None:
        if self.stance.state is not State.HOLD:
            return
        sample = self.inputs.fresh_joints(now)
        if words := self.stance.hold_watch.complaint(sample, now, self.config):
            self.stop_automatically(Cause.NOT_OBEYED, Reason.NONE, words, now)

    def _watch_clock(self, now: Now) -> None:
        last, self._last_ros_ns = self._last_ros_ns, now.ros_ns
        if self._uses_sim_time and last is not None and now.ros_ns < last - _JUMP_BACK_NS:
            text = f'the clock jumped back by {(last - now.ros_ns) / NS_PER_S:.3f} s'
            if self.stance.state in MOVING_STATES:
                self.enter_hold(Reason.TIME_SYNC, text, now)
            self.end_goal(Reason.TIME_SYNC, text)
            self.counters.dropped += self.docket.drop_all()
            self.inputs.forget()
            self.streaks.fresh = 0

    def _expire_checks(self, now: Now) -> None:
        docket = self.docket
        if docket.probe is not None and docket.probe.is_late(now):
            docket.probe = None
        if docket.check is not None and docket.check.is_late(now):
            case, docket.check, docket.unsent_check = docket.check, None, None
            self.stance.emit(CheckAnswered(
                chunk_id=case.chunk.chunk_id, verdict=None,
                message=f'no verdict within {self.config.check_timeout} s; a command may have '
                        f'taken its place'))

    def _arm(self, now: Now) -> None:
        """Leave WAITING once inputs stayed fresh and a verdict was seen; probe for one."""
        if self._is_verdict_seen:
            if self.streaks.fresh >= self.config.arm_cycles and self.stance.is_engaged:
                self.stance.go(State.RUNNING, Reason.NONE, 'armed', now)
            return
        if self.docket.probe is not None or now.steady_ns < self._next_probe_ns:
            return
        start = self.inputs.fresh_joints(now)
        if start is None:
            return
        self._next_probe_ns = now.steady_ns + round(self.config.probe_period * NS_PER_S)
        self.docket.probe = self.docket.open(
            hold_trajectory(start.names, start.positions, self.config.hold_duration), start,
            source='probe', interface=CommandInterface.JOINT_TRAJECTORY, received=now,
            allowed_s=self.config.probe_period)
        self.stance.emit(PublishChunk(chunk=self.docket.probe.chunk))


def _sum_up(problems: list[Problem]) -> tuple[Reason, str]:
    """Join problems into one set of reasons and one sentence."""
    reasons = Reason.NONE
    for problem in problems:
        reasons |= problem.reason
    return reasons, '; '.join(problem.text for problem in problems)
