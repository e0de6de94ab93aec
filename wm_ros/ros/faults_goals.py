# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A client of the gate's FollowJointTrajectory, and a listener that counts how goals end."""

import json
import sys
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import qos_profile_action_status_default
from trajectory_msgs.msg import JointTrajectory

from wm_ros.errors import WorldModelError
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_trajectories import trajectory
from wm_ros.ros.gate_action import load_follow_joint_trajectory

GATE_ACTION = 'wm_gate/follow_joint_trajectory'
SUCCEEDED, CANCELED, ABORTED = (
    GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)
_ENDS = (SUCCEEDED, CANCELED, ABORTED)
_TIMEOUT_S = 10.0


class GoalEnds:
    """
    Note the states through which each goal of the gate goes, by its status topic.

    :param node: listens; executor's thread only, but for ``broken`` and ``num_ended``.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._states: dict[bytes, list[int]] = {}
        self._subscription = node.create_subscription(
            GoalStatusArray, f'{GATE_ACTION}/_action/status', self._note,
            qos_profile_action_status_default)

    @property
    def num_ended(self) -> int:
        """Count the goals that have ended."""
        return sum(states[-1] in _ENDS for states in list(self._states.values()))

    @property
    def broken(self) -> list[str]:
        """Say which goals have not ended, or not once."""
        return [f'goal {key.hex()[:8]} went through {states}'
                for key, states in list(self._states.items())
                if states[-1] not in _ENDS or sum(state in _ENDS for state in states) != 1]

    def close(self) -> None:
        """Listen no more."""
        self._node.destroy_subscription(self._subscription)

    def _note(self, message: GoalStatusArray) -> None:
        for status in message.status_list:
            states = self._states.setdefault(bytes(status.goal_info.goal_id.uuid), [])
            if not states or states[-1] != status.status:
                states.append(status.status)


class FaultClient:
    """
    Send goals as MoveIt does; made on the executor's thread, used on the rig's.

    :param rig: waits, and has the node.
    """

    def __init__(self, rig: Rig) -> None:
        self._rig, self._kind = rig, load_follow_joint_trajectory()
        self._client = ActionClient(rig.node, self._kind, GATE_ACTION)
        self._is_open = True

    def wait(self) -> None:
        """
        Wait for the gate's action.

        :raises WorldModelError: if it does not come.
        """
        self._rig.need(self._client.server_is_ready, _TIMEOUT_S, lambda: 'no action of the gate')

    def send(self, step_rad: float, seconds: float) -> Any:
        """
        Send a goal that moves the second joint; returns its handle.

        :raises WorldModelError: if the gate does not take it.
        """
        future = self._client.send_goal_async(
            self._kind.Goal(trajectory=self._rig.path(step_rad, seconds)))
        self._rig.need(future.done, _TIMEOUT_S, lambda: 'the goal is not answered')
        handle = future.result()
        if not handle.accepted:
            raise WorldModelError('the gate did not accept a goal')
        return handle

    def cancel(self, handle: Any) -> int:
        """Ask for a cancel; returns how many goals are being cancelled."""
        future = handle.cancel_goal_async()
        self._rig.need(future.done, _TIMEOUT_S, lambda: 'the cancel request is not answered')
        return len(future.result().goals_canceling)

    def result(self, handle: Any) -> tuple[int, str]:
        """
        Wait for the end of a goal; returns its status and the words of its result.

        :raises WorldModelError: if it does not end.
        """
        future = handle.get_result_async()
        self._rig.need(future.done, _TIMEOUT_S, lambda: 'a goal does not end')
        return future.result().status, future.result().result.error_string

    def close(self) -> None:
        """Go away; on the executor's thread. Safe to call twice."""
        if self._is_open:
            self._is_open = False
            self._client.destroy()


def main(args: list[str] | None = None) -> int:
    """
    Send one goal and go on living, to be killed.

    The first argument is its points as JSON: a list of [time in s, positions in rad].
    """
    points = json.loads((sys.argv[1:] if args is None else args)[0])
    message: JointTrajectory = trajectory([(at, positions) for at, positions in points])
    kind = load_follow_joint_trajectory()
    rclpy.init(args=[])
    node: Any = Node('mortal_client')
    client = ActionClient(node, kind, GATE_ACTION)
    client.wait_for_server()
    client.send_goal_async(kind.Goal(trajectory=message))
    rclpy.spin(node)
    return 0


if __name__ == '__main__':
    sys.exit(main())
