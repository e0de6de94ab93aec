# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The side of a proxied goal that faces its client: it ends once, with words."""

from typing import Any

from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.executors import Executor
from rclpy.task import Future

from wm_ros.datatypes import Trajectory
from wm_ros.gate.values import NS_PER_S
from wm_ros.ros.gate_action_piece import ControllerPiece
from wm_ros.ros.gate_messages import trajectory_to_message

SUCCEEDED = GoalStatus.STATUS_SUCCEEDED
CANCELED = GoalStatus.STATUS_CANCELED
ABORTED = GoalStatus.STATUS_ABORTED

# The longest duration that a message carries.
_MAX_NS = (2**31 - 1) * NS_PER_S


class ClientGoal:
    """
    A goal of a client, from its acceptance to its one end, and its pieces at the controller.

    :param handle: rclpy's ServerGoalHandle.
    :param goal_id: the gate's number for it.
    :param kind: FollowJointTrajectory.
    :param executor: runs the coroutine that waits for the result.
    """

    def __init__(self, handle: Any, goal_id: int, kind: Any, executor: Executor | None) -> None:
        self.handle = handle
        self.goal_id = goal_id
        self.cancel_by_ns: int | None = None
        self._kind = kind
        self._future = Future(executor=executor)
        self._pieces: list[ControllerPiece] = []

    @property
    def piece(self) -> ControllerPiece | None:
        """Return the newest piece; the ones before it were replaced."""
        return self._pieces[-1] if self._pieces else None

    @property
    def is_over(self) -> bool:
        """Tell whether the goal has ended."""
        return bool(self._future.done())

    async def wait(self) -> Any:
        """
        Wait for the end of the goal, then set the state of rclpy's handle.

        The state is set here, after whatever callback ended the goal: a goal that is cancelled
        becomes ``canceling`` only when the cancel callback has returned.
        """
        status, result = await self._future
        if status == SUCCEEDED:
            self.handle.succeed()
        elif status == CANCELED and self.handle.is_cancel_requested:
            self.handle.canceled()
        else:
            self.handle.abort()
        return result

    def add_piece(self, piece: ControllerPiece) -> None:
        """Keep a piece that went to the controller, and forget those that are over."""
        self._pieces = [old for old in self._pieces if not old.is_over] + [piece]

    def cancel_pieces(self) -> None:
        """Cancel whatever the controller may still run of this goal."""
        for piece in self._pieces:
            piece.cancel()

    def piece_request(self, trajectory: Trajectory) -> Any:
        """Make the goal for the controller: a piece of the path, with the client's tolerances."""
        request = self.handle.request
        return self._kind.Goal(
            trajectory=trajectory_to_message(trajectory),
            path_tolerance=request.path_tolerance, goal_tolerance=request.goal_tolerance,
            component_path_tolerance=request.component_path_tolerance,
            component_goal_tolerance=request.component_goal_tolerance,
            goal_time_tolerance=request.goal_time_tolerance)

    def publish_feedback(self, feedback: Any, begin_s: float) -> None:
        """Pass feedback on, with times that count from the start of the client's goal."""
        if self.is_over:
            return
        for point in (feedback.desired, feedback.actual, feedback.error):
            time = point.time_from_start
            total = time.sec * NS_PER_S + time.nanosec + round(begin_s * NS_PER_S)
            total = min(max(total, 0), _MAX_NS)
            point.time_from_start = Duration(sec=total // NS_PER_S, nanosec=total % NS_PER_S)
        self.handle.publish_feedback(feedback)

    def end(self, status: int, message: str, result: Any = None) -> None:
        """
        End the goal; a second end changes nothing.

        :param status: SUCCEEDED, CANCELED or ABORTED.
        :param message: put before the controller's own words, if there are any.
        :param result: the controller's, whose code is kept.
        """
        if self.is_over:
            return
        if result is None:
            result = self._kind.Result(error_code=self._kind.Result.INVALID_GOAL)
        result.error_string = '; '.join(filter(None, [message, result.error_string]))
        self._future.set_result((status, result))
