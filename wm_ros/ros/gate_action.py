# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
~/follow_joint_trajectory: goals on their way through the gate to a controller's action.

A goal is accepted at once and held; its result carries the reason of a refusal, which a rejected
goal could not. What the gate lets go is sent to the controller as goals of its own, each of which
takes the place of the one before. control_msgs is imported on use.
"""

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node

from wm_ros.gate.effects import CancelGoal, Effect, Forward, GoalEnded
from wm_ros.gate.goal import GOAL_SOURCE
from wm_ros.gate.machine import Gate
from wm_ros.gate.values import NS_PER_S, Now
from wm_ros.ros.gate_action_goal import ABORTED, CANCELED, SUCCEEDED, ClientGoal
from wm_ros.ros.gate_action_piece import ControllerPiece, PieceEvents
from wm_ros.ros.gate_messages import trajectory_to_command

_NAME = '~/follow_joint_trajectory'
# Results are kept this long for a client that asks late, s.
_RESULT_TIMEOUT_S = 60
# A controller that has not answered a cancel request by then does not obey, s.
_CANCEL_TIMEOUT_S = 1.0


def load_follow_joint_trajectory() -> Any:
    """
    Import control_msgs/FollowJointTrajectory.

    :raises ValueError: saying how to install it.
    """
    try:
        from control_msgs.action import FollowJointTrajectory
    except ImportError as error:
        raise ValueError(
            'follow_joint_trajectory_action needs the package control_msgs; install '
            f'ros-jazzy-control-msgs, or leave the setting empty ({error})') from error
    return FollowJointTrajectory


class TrajectoryProxy:
    """
    The action server towards the policy and the client towards the controller.

    Executor thread only; nothing here waits.

    :param node: the gate's node.
    :param gate: decides.
    :param guarded: makes a callback of ``handle(*message, now)``; see GateNode.
    :raises ValueError: if control_msgs is not installed.
    """

    def __init__(
            self, node: Node, gate: Gate, guarded: Callable[[Callable], Callable]) -> None:
        self._node = node
        self._gate = gate
        self._guarded = guarded
        self._kind = load_follow_joint_trajectory()
        self._goals: dict[int, ClientGoal] = {}
        self._num_goals = 0
        self._client = ActionClient(
            node, self._kind, gate.config.follow_joint_trajectory_action)
        self._server = ActionServer(
            node, self._kind, _NAME, self._wait,
            goal_callback=lambda goal: GoalResponse.ACCEPT,
            handle_accepted_callback=self._accept, cancel_callback=self._cancel,
            result_timeout=_RESULT_TIMEOUT_S)
        self._send_goal_service = node.resolve_service_name(f'{_NAME}/_action/send_goal')

    def carry_out(self, effects: Sequence[Effect]) -> None:
        """Send pieces to the controller and end goals, in order."""
        for effect in effects:
            if isinstance(effect, Forward) and effect.piece is not None:
                self._send(effect)
            elif isinstance(effect, GoalEnded):
                self._end(effect.goal_id, effect.message)
            elif isinstance(effect, CancelGoal):
                for goal_id in list(self._goals):
                    self._end(goal_id, effect.message)

    def watch(self, now: Now) -> list[Effect]:
        """Look for what sends no message: a client or a controller that is gone."""
        effects: list[Effect] = []
        for goal in list(self._goals.values()):
            effects += self._watch_goal(goal, now)
        return effects

    def close(self) -> None:
        """End both sides; a goal that still runs is cancelled at the controller."""
        for goal in self._goals.values():
            goal.cancel_pieces()
            # Nobody would resume the coroutine that waits; the status topic tells the client.
            goal.handle.abort()
        self._goals.clear()
        self._server.destroy()
        self._client.destroy()

    async def _wait(self, handle: Any) -> Any:
        goal = self._goal_of(handle)
        if goal is None:
            return self._kind.Result()
        result = await goal.wait()
        self._goals.pop(goal.goal_id, None)
        return result

    def _goal_of(self, handle: Any) -> ClientGoal | None:
        return next((goal for goal in self._goals.values() if goal.handle == handle), None)

    def _accept(self, handle: Any) -> None:
        self._num_goals += 1
        goal = ClientGoal(handle, self._num_goals, self._kind, self._node.executor)
        self._goals[goal.goal_id] = goal
        handle.execute()

        def take(now: Now) -> list[Effect]:
            if problem := self._problem(handle.request):
                goal.end(ABORTED, problem)
                return []
            command = trajectory_to_command(handle.request.trajectory, GOAL_SOURCE)
            return self._gate.take_goal(goal.goal_id, command, now)

        self._guarded(take)()
        if not goal.is_over and self._gate.goal_id != goal.goal_id:
            goal.end(ABORTED, 'exception in the gate; see its log')

    def _problem(self, request: Any) -> str:
        if request.multi_dof_trajectory.points:
            return 'goal refused: multi_dof_trajectory is not supported'
        if not self._client.server_is_ready():
            name = self._gate.config.follow_joint_trajectory_action
            return f'goal refused: no action server on {name}; is the controller active?'
        return ''

    def _cancel(self, handle: Any) -> CancelResponse:
        goal = self._goal_of(handle)
        if goal is None or goal.is_over:
            return CancelResponse.REJECT

        def cancel(now: Now) -> list[Effect]:
            if goal.piece is None or goal.piece.is_over:
                goal.end(CANCELED, 'cancelled; nothing of it runs')
            else:
                goal.cancel_pieces()
                goal.cancel_by_ns = now.steady_ns + round(_CANCEL_TIMEOUT_S * NS_PER_S)
            return self._gate.drop_goal(goal.goal_id, now)

        self._guarded(cancel)()
        return CancelResponse.ACCEPT

    def _watch_goal(self, goal: ClientGoal, now: Now) -> list[Effect]:
        if goal.is_over:
            return []
        if goal.cancel_by_ns is not None:
            if now.steady_ns < goal.cancel_by_ns:
                return []
            words = 'the controller did not answer a cancel request'
            goal.end(CANCELED, words)
            return self._fail(goal, words, now)
        if not self._node.count_clients(self._send_goal_service):
            self._end(goal.goal_id, 'the client of the goal is gone')
            return self._gate.drop_goal(goal.goal_id, now)
        if goal.piece is None:
            return []
        if not self._client.server_is_ready():
            return self._fail(goal, 'the action server of the controller is gone', now)
        if goal.piece.is_overdue(now, self._gate.config.goal_result_timeout):
            return self._fail(
                goal, 'nothing more of the goal was let go' if goal.piece.is_over else
                'the controller has not ended a goal whose time is over', now)
        return []

    def _send(self, effect: Forward) -> None:
        goal = self._goals.get(effect.piece.goal_id) if effect.piece is not None else None
        if goal is None or goal.is_over:
            return
        events = PieceEvents(
            feedback=lambda piece, feedback: self._relay_feedback(goal, piece, feedback),
            refused=self._guarded(lambda now: self._take_refusal(goal, now)),
            result=self._guarded(lambda piece, status, result, now: self._take_result(
                goal, piece, status, result, now)))
        goal.add_piece(ControllerPiece(
            self._client, goal.piece_request(effect.trajectory), effect, events))

    def _relay_feedback(self, goal: ClientGoal, piece: ControllerPiece, feedback: Any) -> None:
        if piece is goal.piece:
            goal.publish_feedback(feedback, piece.begin_s)

    def _take_refusal(self, goal: ClientGoal, now: Now) -> list[Effect]:
        return [] if goal.is_over else self._fail(goal, 'the controller refused the goal', now)

    def _take_result(
            self, goal: ClientGoal, piece: ControllerPiece, status: int, result: Any,
            now: Now) -> list[Effect]:
        """Take the end of a piece; one that was replaced has nothing to say."""
        if piece is not goal.piece or goal.is_over:
            return []
        if status == SUCCEEDED and piece.is_last:
            goal.end(SUCCEEDED, '', result)
        elif goal.cancel_by_ns is not None:
            goal.end(CANCELED, '', result)
        elif status == SUCCEEDED:
            return []
        else:
            words = 'cancelled' if status == CANCELED else 'aborted'
            goal.end(ABORTED, f'the controller {words} the goal', result)
        return self._gate.drop_goal(goal.goal_id, now)

    def _end(self, goal_id: int, message: str) -> None:
        """Cancel at the controller and tell the client why."""
        goal = self._goals.get(goal_id)
        if goal is not None and not goal.is_over:
            goal.cancel_pieces()
            goal.end(ABORTED, message)

    def _fail(self, goal: ClientGoal, words: str, now: Now) -> list[Effect]:
        """End a goal whose controller does not do its part, and hold."""
        self._end(goal.goal_id, words)
        return [*self._gate.drop_goal(goal.goal_id, now), *self._gate.lose_controller(words, now)]
