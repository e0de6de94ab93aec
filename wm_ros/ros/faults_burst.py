# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A policy that floods the gate with commands, in a process of its own.

It writes one line of JSON when it is done: how many it sent, and in which time.
"""

import json
import sys
import time

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile
from trajectory_msgs.msg import JointTrajectory

from wm_ros.ros.faults_trajectories import trajectory

_POINTS = ((0.1, 0.01), (0.2, 0.02), (0.3, 0.03), (0.4, 0.04))
_DIFFERENCE_RAD = 1e-5
_MATCH_TIMEOUT_S = 20.0


def flood(node: Node, start: list[float], count: int, rate_hz: float) -> dict[str, object]:
    """
    Send commands that differ a little.

    :param start: measured joints, rad; only the second one moves.
    :returns: what the process writes.
    """
    publisher = node.create_publisher(
        JointTrajectory, 'wm_gate/joint_trajectory', QoSProfile(depth=count))
    deadline = time.monotonic() + _MATCH_TIMEOUT_S
    # The gate, and the observer that watches what came before it.
    while publisher.get_subscription_count() < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    message = trajectory([(at, [start[0], start[1] + step, *start[2:]]) for at, step in _POINTS])
    begin = time.monotonic()
    for index in range(count):
        time.sleep(max(0.0, begin + index / rate_hz - time.monotonic()))
        for point in message.points:
            point.positions[1] += _DIFFERENCE_RAD
        publisher.publish(message)
    took_s = time.monotonic() - begin
    # The last one must have left before its publisher goes.
    time.sleep(0.5)
    return {'count': count, 'took_s': took_s}


def main(args: list[str] | None = None) -> int:
    """Flood as the JSON of the first argument says; returns the exit code."""
    plan = json.loads((sys.argv[1:] if args is None else args)[0])
    rclpy.init(args=[])
    node = Node('burst_policy')
    try:
        sys.stdout.write(json.dumps(flood(node, **plan)) + '\n')
        return 0
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
