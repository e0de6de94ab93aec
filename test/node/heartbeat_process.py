# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A process that only beats like the predictor, to be killed by test_gate_node.py.

It ends by itself when its standard input closes, so that a killed test leaves nothing behind.
"""

import select
import sys

import rclpy

from wm_ros.msg import PredictorStatus
from wm_ros.ros import qos


def main() -> None:
    """Beat at 20 Hz."""
    rclpy.init()
    node = rclpy.create_node('wm_predictor')
    publisher = node.create_publisher(PredictorStatus, 'wm_predictor/heartbeat', qos.HEARTBEAT)
    progress = 0
    while not select.select([sys.stdin], [], [], qos.HEARTBEAT_PERIOD_S)[0]:
        progress += 1
        publisher.publish(PredictorStatus(
            progress=progress, calibrated=True, image_age=0.03, joint_age=0.01))
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
