# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A light robot whose camera and joints can be made to fail.

It has no physics: the joints are where the last command on the controller's topic puts them, as a
joint trajectory controller would interpolate. That is all that a fault needs of a robot.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg
from wm_ros.ros.gate_messages import ns_to_time

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
JOINT_RATE_HZ, CAMERA_RATE_HZ = 50.0, 20.0
_SIZE = (48, 64)
_REST_RAD = 1e-4


class FaultRobot(Node):
    """
    Publish joints and pictures, follow the controller's topic, and fail as told.

    **Publishes** ``joint_states`` (50 Hz), ``camera/image_raw`` and
    ``camera/image_raw/compressed`` (RGB, 20 Hz).

    **Subscribes** ``arm_controller/joint_trajectory``.

    **Threads** timers and the callback on the executor's; everything public may be used from one
    other thread.

    :param has_camera: publish pictures.
    """

    def __init__(self, *, has_camera: bool, **node_arguments: Any) -> None:
        super().__init__('fault_robot', **node_arguments)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._lock, self._camera_lock = threading.Lock(), threading.Lock()
        self._knots = np.array([0.0]), np.zeros((1, len(JOINTS)))
        self._started_s = time.monotonic()
        self._noise = np.random.default_rng(0)
        self._camera_timer: Any = None
        self._jpegs: Any = None
        self.last_picture_ns = 0
        self._joints_at_s = time.monotonic()
        self._longest_gap_s = 0.0
        self._joints = self.create_publisher(JointState, 'joint_states', qos.JOINT_STATES_OUT)
        self.create_subscription(
            JointTrajectory, 'arm_controller/joint_trajectory', self.follow, 10)
        self.create_timer(1.0 / JOINT_RATE_HZ, self._publish_joints, clock=self._steady)
        self._camera: Any = None
        if has_camera:
            self.open_camera(qos.CAMERA_OUT)
        self.heal()

    def heal(self) -> None:
        """End every fault."""
        self.now_ns: Callable[[], int] = time.time_ns
        self.change_joints: Callable[[JointState], JointState | None] = lambda message: message
        self.change_picture: Callable[[Image], Image | None] = lambda message: message
        self.change_jpeg: Callable[[CompressedImage], CompressedImage] = lambda message: message
        self.picture: NDArray[np.uint8] | None = None
        self.ignores_commands = False
        if self._camera is not None:
            self.set_camera_rate(CAMERA_RATE_HZ)

    def open_camera(self, profile: QoSProfile) -> None:
        """Open the raw and the compressed camera topic, in the place of those that were open."""
        # The timer's thread must not find a publisher that is being destroyed.
        with self._camera_lock:
            for publisher in (self._camera, self._jpegs):
                if publisher is not None:
                    self.destroy_publisher(publisher)
            self._jpegs = self.create_publisher(
                CompressedImage, 'camera/image_raw/compressed', profile)
            self._camera = self.create_publisher(Image, 'camera/image_raw', profile)

    def set_camera_rate(self, rate_hz: float) -> None:
        """Let the camera run at a rate, Hz."""
        if self._camera_timer is not None:
            self._camera_timer.timer_period_ns = round(1e9 / rate_hz)
        else:
            self._camera_timer = self.create_timer(
                1.0 / rate_hz, self._publish_picture, clock=self._steady)

    def place(self, positions: NDArray[np.float64]) -> None:
        """Put the joints somewhere, (J,) rad, at rest."""
        with self._lock:
            self._knots = np.array([0.0]), np.array(positions, np.float64)[None]

    def state(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return positions, rad, and velocities, rad/s, each (J,)."""
        with self._lock:
            (times, points), now = self._knots, time.monotonic() - self._started_s
        here, after = (np.array([np.interp(at, times, column) for column in points.T])
                       for at in (now, now + 1e-3))
        return here, (after - here) / 1e-3

    @property
    def is_at_rest(self) -> bool:
        """Say whether no joint moves."""
        return bool(np.abs(self.state()[1]).max() < _REST_RAD)

    def follow(self, message: JointTrajectory) -> None:
        """Move along a trajectory from where the joints are, as a controller would."""
        if self.ignores_commands or set(message.joint_names) != set(JOINTS):
            return
        here = self.state()[0]
        columns = [list(message.joint_names).index(name) for name in JOINTS]
        times = [p.time_from_start.sec + 1e-9 * p.time_from_start.nanosec for p in message.points]
        points = [np.array(point.positions)[columns] for point in message.points]
        with self._lock:
            self._started_s = time.monotonic()
            self._knots = np.array([0.0, *times]), np.array([here, *points])

    def take_longest_gap_s(self) -> float:
        """Return the longest time between two samples of the joints since the last call, s."""
        longest, self._longest_gap_s = self._longest_gap_s, 0.0
        return longest

    def _publish_joints(self) -> None:
        now_s = time.monotonic()
        self._longest_gap_s = max(self._longest_gap_s, now_s - self._joints_at_s)
        self._joints_at_s = now_s
        positions, velocities = self.state()
        message = JointState(
            name=list(JOINTS), position=positions.tolist(), velocity=velocities.tolist())
        message.header.stamp = ns_to_time(self.now_ns())
        changed = self.change_joints(message)
        if changed is not None:
            self._joints.publish(changed)

    def _publish_picture(self) -> None:
        with self._camera_lock:
            self._send_picture()

    def _send_picture(self) -> None:
        """Send one picture; runs under the camera's lock."""
        # A real camera has noise, so that no two of its pictures are equal.
        rgb = self.picture if self.picture is not None else self._noise.integers(
            0, 255, (*_SIZE, 3), np.uint8)
        header = {'stamp': ns_to_time(self.now_ns()), 'frame_id': 'camera'}
        if self._jpegs.get_subscription_count():
            self._jpegs.publish(self.change_jpeg(array_to_jpeg(rgb, **header)))
        changed = self.change_picture(array_to_image(rgb, **header))
        if changed is not None:
            self.last_picture_ns = time.time_ns()
            self._camera.publish(changed)
