# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Send one long trajectory goal to the gate, say so, and go on living until killed.

It ends by itself when its standard input closes, so that a killed test leaves nothing behind.
"""

import select
import sys

import rclpy
from action_bench import GATE_ACTION
from control_msgs.action import FollowJointTrajectory
from rclpy.action import ActionClient
from trajectory_msgs.msg import JointTrajectoryPoint


def main() -> None:
    """Send the goal."""
    rclpy.init()
    node = rclpy.create_node('mortal_client')
    client = ActionClient(node, FollowJointTrajectory, GATE_ACTION)
    client.wait_for_server()
    goal = FollowJointTrajectory.Goal()
    goal.trajectory.joint_names = ['a', 'b']
    for second in range(1, 31):
        point = JointTrajectoryPoint(positions=[0.1 + 0.01 * second, -0.2])
        point.time_from_start.sec = second
        goal.trajectory.points.append(point)
    sent = client.send_goal_async(goal)
    rclpy.spin_until_future_complete(node, sent)
    sys.stdout.write('accepted\n' if sent.result().accepted else 'refused\n')
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0.0)[0]:
        rclpy.spin_once(node, timeout_sec=0.1)


if __name__ == '__main__':
    main()
