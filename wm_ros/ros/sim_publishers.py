# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn what the simulated arm and its cameras give into messages, and publish them."""

import math
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from wm_ros.data.messages import stamp_to_ns
from wm_ros.msg import Contacts
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg
from wm_ros.ros.sim_physics import Sample
from wm_ros.ros.topic_rate import TopicRate
from wm_ros.simulation.scene import IMAGE_HEIGHT_PX, IMAGE_WIDTH_PX, JOINT_NAMES


class ArmPublisher:
    """Publish joint states and contacts; ``publish`` runs in the physics thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._joints = node.create_publisher(JointState, 'joint_states', qos.JOINT_STATES_OUT)
        self._contacts = node.create_publisher(Contacts, '~/contacts', qos.CONTACTS)
        self.rate = TopicRate(self._joints.topic_name)

    def publish(self, sample: Sample) -> None:
        """Publish one sample with the present time; runs in the physics thread."""
        stamp = self._node.get_clock().now().to_msg()
        joints = JointState(
            name=list(JOINT_NAMES), position=sample.positions.tolist(),
            velocity=sample.velocities.tolist(), effort=sample.efforts.tolist())
        joints.header.stamp = stamp
        self._joints.publish(joints)
        self.rate.see(stamp_to_ns(stamp), self._node.get_clock().now().nanoseconds)
        contacts = Contacts(
            hazard=bool(sample.contacts), pairs=['|'.join(c.pair) for c in sample.contacts],
            forces=[c.force for c in sample.contacts])
        contacts.header.stamp = stamp
        self._contacts.publish(contacts)


class CameraPublisher:
    """
    Publish one camera; ``publish`` runs in the drawing thread.

    :param node: the owner.
    :param topic: prefix of the topics.
    :param frame_id: optical frame, z forward, x right.
    :param fovy_rad: vertical field of view.
    :param jpeg_quality: asked for each compressed picture.
    """

    def __init__(self, node: Node, topic: str, *, frame_id: str, fovy_rad: float,
                 jpeg_quality: Callable[[], int]) -> None:
        self._node = node
        self._frame_id = frame_id
        self._jpeg_quality = jpeg_quality
        self._info = camera_info(frame_id, fovy_rad)
        self._raw = node.create_publisher(Image, f'{topic}/image_raw', qos.CAMERA_OUT)
        self._jpeg = node.create_publisher(
            CompressedImage, f'{topic}/image_raw/compressed', qos.CAMERA_OUT)
        self._infos = node.create_publisher(CameraInfo, f'{topic}/camera_info', qos.CAMERA_INFO)
        self.rate = TopicRate(self._raw.topic_name)

    def is_wanted(self) -> bool:
        """Say whether anybody looks at the pictures or waits for the calibration."""
        return any(publisher.get_subscription_count() > 0
                   for publisher in (self._raw, self._jpeg, self._infos))

    def publish(self, image: NDArray[np.uint8], stamp_ns: int) -> None:
        """Publish one picture, RGB uint8 (h, w, 3); runs in the drawing thread."""
        stamp = Time(sec=stamp_ns // 1_000_000_000, nanosec=stamp_ns % 1_000_000_000)
        if self._raw.get_subscription_count() > 0:
            self._raw.publish(array_to_image(image, stamp=stamp, frame_id=self._frame_id))
        if self._jpeg.get_subscription_count() > 0:
            self._jpeg.publish(array_to_jpeg(
                image, stamp=stamp, frame_id=self._frame_id, quality=self._jpeg_quality()))
        self._info.header.stamp = stamp
        self._infos.publish(self._info)
        self.rate.see(stamp_ns, self._node.get_clock().now().nanoseconds)


def camera_info(frame_id: str, fovy_rad: float) -> CameraInfo:
    """
    Make the calibration of an ideal pinhole camera with square pixels.

    :param frame_id: optical frame.
    :param fovy_rad: vertical field of view.
    """
    focal_px = IMAGE_HEIGHT_PX / 2 / math.tan(fovy_rad / 2)
    # The centre of the first pixel is (0, 0), so the middle of 640 columns is 319.5.
    centre_x, centre_y = (IMAGE_WIDTH_PX - 1) / 2, (IMAGE_HEIGHT_PX - 1) / 2
    info = CameraInfo(
        height=IMAGE_HEIGHT_PX, width=IMAGE_WIDTH_PX, distortion_model='plumb_bob', d=[0.0] * 5,
        k=[focal_px, 0.0, centre_x, 0.0, focal_px, centre_y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal_px, 0.0, centre_x, 0.0, 0.0, focal_px, centre_y, 0.0, 0.0, 0.0, 1.0, 0.0])
    info.header.frame_id = frame_id
    return info
