# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
secure_peer.cpp as a ROS node: the same arguments in the same order, answers and exit codes.

    secure_node.py write|read DOMAIN TOPIC NAME [--ros-args --enclave ENCLAVE]

The keys come from ROS_SECURITY_KEYSTORE, as with every node.
"""

import select
import sys

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String

NO_NODE, NO_ENDPOINT = 3, 4
PERIOD_S = 0.02


def is_wanted() -> bool:
    """Wait for a moment; False once standard input has ended."""
    ready, _, _ = select.select([sys.stdin], [], [], PERIOD_S)
    return not ready or bool(sys.stdin.readline())


def serve(node: Node, role: str, topic: str, name: str) -> int:
    """Write or read until standard input ends."""
    heard: set[str] = set()

    def hear(message: String) -> None:
        if message.data not in heard:
            heard.add(message.data)
            sys.stdout.write(f'heard {message.data}\n')
            sys.stdout.flush()

    try:
        if role == 'write':
            publisher = node.create_publisher(String, topic, 1)
        else:
            publisher = None
            node.create_subscription(String, topic, hear, 1)
    except RCLError as error:
        sys.stderr.write(f'{error}\n')
        return NO_ENDPOINT
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    while is_wanted():
        if publisher is not None:
            publisher.publish(String(data=name))
        executor.spin_once(timeout_sec=PERIOD_S)
    return 0


def main() -> int:
    """Make a node that needs no right but its one topic's."""
    role, _, topic, name = sys.argv[1:5]
    try:
        rclpy.init(args=sys.argv)
        node = Node('secure_node', enable_rosout=False, start_parameter_services=False,
                    parameter_overrides=[Parameter('start_type_description_service', value=False)])
    except (RCLError, RuntimeError) as error:
        sys.stderr.write(f'{error}\n')
        return NO_NODE
    return serve(node, role, topic.removeprefix('rt'), name)


if __name__ == '__main__':
    sys.exit(main())
