# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The action server that a trajectory controller would have, for the robot of the catalogue."""

import time
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.task import Future

from wm_ros.ros.faults_robot import FaultRobot
from wm_ros.ros.gate_action import load_follow_joint_trajectory

ACTION = 'arm_controller/follow_joint_trajectory'
_TURN_S = 0.02
_SUCCEEDED, _CANCELED, _ABORTED = (
    GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)


class FaultController:
    """
    Move a robot along goals of FollowJointTrajectory; a newer goal replaces the one that runs.

    Made, used and closed on the executor's thread.

    :param robot: whose joints it moves, and whose node serves.
    :raises ValueError: if control_msgs is not installed.
    """

    def __init__(self, robot: FaultRobot) -> None:
        self._robot, self._kind = robot, load_follow_joint_trajectory()
        self.num_goals = 0
        self.ends: list[int] = []
        self._active: Any = None
        self._until_s = 0.0
        self._is_open = True
        self._futures: dict[bytes, Future] = {}
        self._server = ActionServer(
            robot, self._kind, ACTION, self._wait, handle_accepted_callback=self._accept,
            goal_callback=lambda _goal: GoalResponse.ACCEPT, cancel_callback=self._cancel)
        self._timer = robot.create_timer(_TURN_S, self._watch)

    @property
    def is_active(self) -> bool:
        """Tell whether a goal runs."""
        return self._active is not None

    def abort(self, words: str) -> None:
        """Abort the goal that runs, as a controller does whose joint leaves its path."""
        if self._active is not None:
            self._finish(_ABORTED, words)
            self._stop()

    def close(self) -> None:
        """Go away, as a controller that is deactivated. Safe to call twice."""
        if self._is_open:
            self._is_open = False
            self._robot.destroy_timer(self._timer)
            self._stop()
            self._server.destroy()

    def _accept(self, handle: Any) -> None:
        self._futures[bytes(handle.goal_id.uuid)] = Future(executor=self._robot.executor)
        if self._active is not None:
            self._finish(_ABORTED, 'replaced')
        self.num_goals += 1
        points = handle.request.trajectory.points
        last = points[-1].time_from_start
        self._active = handle
        self._until_s = time.monotonic() + last.sec + 1e-9 * last.nanosec
        self._robot.follow(handle.request.trajectory)
        handle.execute()

    async def _wait(self, handle: Any) -> Any:
        status, words = await self._futures[bytes(handle.goal_id.uuid)]
        if status == _SUCCEEDED:
            handle.succeed()
        elif status == _CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        code = self._kind.Result.PATH_TOLERANCE_VIOLATED if status == _ABORTED else 0
        return self._kind.Result(error_code=code, error_string=words)

    def _cancel(self, handle: Any) -> CancelResponse:
        if self._active is not None and handle == self._active:
            self._finish(_CANCELED, '')
            self._stop()
        return CancelResponse.ACCEPT

    def _watch(self) -> None:
        if self._active is not None and time.monotonic() > self._until_s:
            self._finish(_SUCCEEDED, '')

    def _finish(self, status: int, words: str) -> None:
        handle, self._active = self._active, None
        self.ends.append(status)
        self._futures[bytes(handle.goal_id.uuid)].set_result((status, words))

    def _stop(self) -> None:
        self._robot.place(self._robot.state()[0])
