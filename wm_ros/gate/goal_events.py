# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the action server tells the gate: a goal came, is over, or its controller fails."""

from wm_ros.datatypes import Reason
from wm_ros.gate.effects import Effect, GoalEnded
from wm_ros.gate.values import Command, Now, State
from wm_ros.gate.watching import ACTIVE_STATES, Watching


class GoalEvents(Watching):
    """
    The events of a goal; every public method returns the effects to be carried out.

    :param config: the gate's settings; the other parameters are those of ``Gate``.
    """

    def take_goal(self, goal_id: int, command: Command, now: Now) -> list[Effect]:
        """
        Take a trajectory goal; it takes the place of the one that runs.

        :param goal_id: the node's number for it; GoalEnded and Forward carry it.
        """
        self._watch(now)
        self.end_goal(Reason.NONE, 'preempted by a newer goal')
        state = self.stance.state
        is_closed = state is State.WAITING and self.config.is_enforcing
        if (state not in ACTIVE_STATES or state is State.ESTOP or is_closed
                or not self.stance.is_engaged):
            reasons, words = self.explain(now)
            words = f'the gate is {state.name}: {words}'
            self.reject(reasons, words)
            self.stance.emit(GoalEnded(goal_id=goal_id, reasons=reasons, message=words))
        else:
            self.begin_goal(goal_id, command, now)
        return self.stance.drain()

    def drop_goal(self, goal_id: int, now: Now) -> list[Effect]:
        """Forget a goal that is over or that its client has cancelled; nothing is announced."""
        if self.goal is not None and self.goal.goal_id == goal_id:
            self.goal = None
            self.counters.dropped += self.docket.drop_commands()
        return self._finish(now)

    def lose_controller(self, text: str, now: Now) -> list[Effect]:
        """Hold, because the controller does not do what an action server must."""
        if self.stance.state in ACTIVE_STATES - {State.ESTOP, State.WAITING}:
            self.enter_hold(Reason.NONE, text, now)
        return self._finish(now)
