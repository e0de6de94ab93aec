# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Remember the last moments of a camera, for the pictures that the demo makes."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from wm_ros.ros import qos
from wm_ros.ros.conversions import image_to_rgb

SIZE_PX = (160, 120)
_NUM_FRAMES = 60


class CameraMemory:
    """
    The last three seconds of a camera, small.

    :param node: who listens; belongs to the executor's thread.
    """

    def __init__(self, node: Node, topic: str = 'camera/image_raw') -> None:
        self._node = node
        self._frames: deque[tuple[int, NDArray[np.uint8]]] = deque(maxlen=_NUM_FRAMES)
        self._subscription = node.create_subscription(Image, topic, self._take, qos.CAMERA_IN)

    @property
    def num_frames(self) -> int:
        """How many frames are remembered."""
        return len(self._frames)

    def close(self) -> None:
        """Listen no more; pictures cost time. Safe to call twice."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def at(self, stamps_ns: list[int]) -> NDArray[np.uint8]:
        """
        Return for each time the frame that is nearest to it.

        :param stamps_ns: N times, ns of the ROS clock.
        :returns: RGB uint8 (N, 120, 160, 3); N is 0 if nothing is remembered or
            wanted.
        """
        if not self._frames or not stamps_ns:
            return np.zeros((0, SIZE_PX[1], SIZE_PX[0], 3), np.uint8)
        return np.stack([
            min(self._frames, key=lambda item: abs(item[0] - wanted))[1] for wanted in stamps_ns])

    def _take(self, message: Image) -> None:
        stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        small = cv2.resize(image_to_rgb(message), SIZE_PX, interpolation=cv2.INTER_AREA)
        self._frames.append((stamp_ns, np.asarray(small, np.uint8)))
