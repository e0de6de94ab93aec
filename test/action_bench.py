# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate between a client and a controller of FollowJointTrajectory, over real DDS.

control_msgs is imported when a bench is made: the process that collects the tests may lack it.
"""

import time
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from gate_bench import Bench
from harness import Harness
from rclpy.action import ActionClient, ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node
from rclpy.task import Future
from trajectory_msgs.msg import JointTrajectoryPoint

ACTION = '/arm_controller/follow_joint_trajectory'
GATE_ACTION = '/wm_gate/follow_joint_trajectory'


def action_type() -> Any:
    """Import the action."""
    from control_msgs.action import FollowJointTrajectory
    return FollowJointTrajectory


class Controller:
    """
    A controller as joint_trajectory_controller is one: a newer goal replaces the one that runs.

    :param node: who serves. :param bench: whose joints it moves.
    """

    def __init__(self, node: Node, bench: Bench) -> None:
        self.kind = action_type()
        self.bench = bench
        self.goals: list[Any] = []
        self.ends: list[tuple[Any, int]] = []
        self.is_accepting = True
        self.is_cancelling = True
        self.is_answering = True
        self.final_code = 0
        self._futures: dict[bytes, Future] = {}
        self._active: Any = None
        self._begin_s = 0.0
        self._origin = np.zeros(2)
        self.server = ActionServer(
            node, self.kind, ACTION, self._wait, handle_accepted_callback=self._accept,
            goal_callback=lambda _: (
                GoalResponse.ACCEPT if self.is_accepting else GoalResponse.REJECT),
            cancel_callback=self._cancel)
        self._node = node
        self._timer = node.create_timer(0.02, self._move)

    @property
    def is_active(self) -> bool:
        """Tell whether a goal runs."""
        return self._active is not None

    def trajectories(self) -> list[Any]:
        """Return every trajectory that came."""
        return [goal.request.trajectory for goal in self.goals]

    def finish(self, status: int, words: str = '') -> None:
        """End the goal that runs."""
        handle, self._active = self._active, None
        result = self.kind.Result(error_code=self.final_code, error_string=words)
        self.ends.append((handle, status))
        self._futures[bytes(handle.goal_id.uuid)].set_result((status, result))

    def close(self) -> None:
        """Go away, as a controller that is deactivated."""
        self._node.destroy_timer(self._timer)
        self.server.destroy()

    def _accept(self, handle: Any) -> None:
        self._futures[bytes(handle.goal_id.uuid)] = Future(executor=self._node.executor)
        if self._active is not None:
            self.finish(GoalStatus.STATUS_ABORTED, 'replaced')
        self.goals.append(handle)
        self._active, self._begin_s = handle, time.monotonic()
        self._origin = np.array(self.bench.positions)
        handle.execute()

    async def _wait(self, handle: Any) -> Any:
        status, result = await self._futures[bytes(handle.goal_id.uuid)]
        if status == GoalStatus.STATUS_SUCCEEDED:
            handle.succeed()
        elif status == GoalStatus.STATUS_CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    def _cancel(self, handle: Any) -> CancelResponse:
        if not self.is_cancelling:
            return CancelResponse.REJECT
        if self._active is not None and handle == self._active:
            self.finish(GoalStatus.STATUS_CANCELED)
        return CancelResponse.ACCEPT

    def _move(self) -> None:
        """Move the joints along the goal, and end it at its end."""
        if self._active is None:
            return
        points = self._active.request.trajectory.points
        times = [0.0] + [
            p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in points]
        at_s = time.monotonic() - self._begin_s
        rows = np.array([self._origin, *(p.positions for p in points)])
        self.bench.positions = [
            float(np.interp(at_s, times, column)) for column in rows.T]
        feedback = self.kind.Feedback(joint_names=['a', 'b'])
        feedback.desired = JointTrajectoryPoint(positions=self.bench.positions)
        feedback.desired.time_from_start.nanosec = min(999_999_999, round(at_s * 1e9))
        self._active.publish_feedback(feedback)
        if at_s > times[-1] and self.is_answering:
            self.finish(GoalStatus.STATUS_SUCCEEDED)


class Client:
    """
    A client, as MoveIt is one.

    :param harness: who spins.
    """

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.kind = action_type()
        self.node = harness.add(Node(
            'client', context=harness.context, use_global_arguments=False))
        self.client = ActionClient(self.node, self.kind, GATE_ACTION)
        self.feedback: list[Any] = []

    def wait(self) -> None:
        """Wait for the gate's action."""
        self.harness.spin_until(self.client.server_is_ready, 10.0, 'no action of the gate')

    def goal(self, positions=((0.15, -0.2), (0.2, -0.2)), step_s=0.1, **fields) -> Any:
        """Make a goal with points ``step_s`` apart."""
        goal = self.kind.Goal(**fields)
        goal.trajectory.joint_names = ['a', 'b']
        for index, row in enumerate(positions):
            ns = round((index + 1) * step_s * 1e9)
            point = JointTrajectoryPoint(positions=[float(p) for p in row])
            point.time_from_start.sec, point.time_from_start.nanosec = divmod(ns, 10**9)
            goal.trajectory.points.append(point)
        return goal

    def long_goal(self, seconds=3.0, speed=0.2) -> Any:
        """Make a goal along joint a, from 0.1 rad."""
        count = round(seconds * 10)
        return self.goal([(0.1 + speed * 0.1 * (k + 1), -0.2) for k in range(count)])

    def send(self, goal: Any = None) -> Any:
        """Send a goal and wait until it is taken."""
        future = self.client.send_goal_async(
            goal if goal is not None else self.goal(),
            feedback_callback=lambda m: self.feedback.append(m.feedback))
        self.harness.spin_until(future.done, 10.0, 'the goal is not answered')
        handle = future.result()
        assert handle.accepted
        return handle

    def result(self, handle: Any, timeout_s: float = 10.0) -> tuple[int, Any]:
        """Wait for the end of a goal: its status, and its result."""
        future = handle.get_result_async()
        self.harness.spin_until(future.done, timeout_s, 'the goal does not end')
        return future.result().status, future.result().result

    def cancel(self, handle: Any) -> int:
        """Cancel a goal; give how many are cancelled."""
        future = handle.cancel_goal_async()
        self.harness.spin_until(future.done, 10.0, 'the cancel request is not answered')
        return len(future.result().goals_canceling)
