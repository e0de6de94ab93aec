# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A robot that is a recording: its camera, its joints and a policy that goes on as it did.

A process of its own in the benchmark. It renders and computes nothing, so that what it takes of
the CPU is what a camera driver and a robot driver would take.
"""

import json
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Duration
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.data.episode import Episode, encode_frame, read_episode
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.process import run_plain

JOINT_RATE_HZ = 100.0
CHUNK_TIMES_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_FRAME_ID = 'camera_optical_frame'


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotPlan:
    """
    What to replay.

    :param recording: an episode whose end leads on to its beginning.
    :param period_s: its length.
    :param width_px: of the pictures, and so ``height_px``: the recorded ones are scaled.
    :param rate_hz: of the camera; 0: no camera.
    :param transport: raw or compressed.
    :param command_rate_hz: of the policy.
    """

    recording: str
    period_s: float
    width_px: int
    height_px: int
    rate_hz: float
    transport: str
    command_rate_hz: float = 10.0


class BenchmarkRobot(Node):
    """
    Replay a recording for ever, with fresh stamps.

    **Publishes**
    - **camera/image_raw** (sensor_msgs/Image) or **camera/image_raw/compressed**
      (sensor_msgs/CompressedImage), **camera/camera_info**, **joint_states** at 100 Hz.
    - **wm_gate/joint_trajectory** (trajectory_msgs/JointTrajectory) while sending: eight
      set-points of the next 0.8 s, as the recorded arm was told them.

    **Services**
    - **~/send** (std_srvs/SetBool): begin or stop to send commands.

    **Threads** one, the executor's.
    """

    def __init__(self, plan: RobotPlan, **node_arguments: Any) -> None:
        super().__init__('benchmark_robot', **node_arguments)
        self._plan = plan
        self._episode = read_episode(Path(plan.recording))
        self._times = (self._episode.joint_stamps_ns - self._episode.joint_stamps_ns[0]) / 1e9
        self._begin = time.monotonic()
        self._is_sending = False
        self._joints = self.create_publisher(JointState, 'joint_states', qos.JOINT_STATES_OUT)
        self._commands = self.create_publisher(
            JointTrajectory, 'wm_gate/joint_trajectory', qos.COMMAND_OUT)
        self.create_service(SetBool, '~/send', self._on_send)
        self._every(JOINT_RATE_HZ, self._publish_joints)
        self._every(plan.command_rate_hz, self._send)
        if plan.rate_hz > 0:
            self._open_camera()

    def _open_camera(self) -> None:
        plan, is_raw = self._plan, self._plan.transport == 'raw'
        make = picture_to_image if is_raw else picture_to_jpeg
        self._pictures = [make(cv2.resize(self._episode.decode(index), (
            plan.width_px, plan.height_px), interpolation=cv2.INTER_AREA))
            for index in range(len(self._episode.frames))]
        self._camera = self.create_publisher(
            Image if is_raw else CompressedImage,
            'camera/image_raw' + ('' if is_raw else '/compressed'), qos.CAMERA_OUT)
        self._infos = self.create_publisher(CameraInfo, 'camera/camera_info', qos.CAMERA_INFO)
        self._info = CameraInfo(width=plan.width_px, height=plan.height_px)
        self._info.header.frame_id = _FRAME_ID
        self._every(plan.rate_hz, self._publish_picture)

    def _every(self, rate_hz: float, act: Callable[[], None]) -> None:
        self.create_timer(1.0 / rate_hz, act, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _phase_s(self) -> float:
        return (time.monotonic() - self._begin) % self._plan.period_s

    def _at(self, values: NDArray[np.float32], phase_s: float) -> list[float]:
        return [float(np.interp(phase_s, self._times, column, period=self._plan.period_s))
                for column in values.T]

    def _publish_joints(self) -> None:
        phase_s, episode = self._phase_s(), self._episode
        message = JointState(name=list(episode.joint_names),
                             position=self._at(episode.positions, phase_s),
                             velocity=self._at(episode.velocities, phase_s))
        message.header.stamp = self.get_clock().now().to_msg()
        self._joints.publish(message)

    def _publish_picture(self) -> None:
        index = int(self._phase_s() / self._plan.period_s * len(self._pictures))
        message = self._pictures[index]
        message.header.stamp = self._info.header.stamp = self.get_clock().now().to_msg()
        self._camera.publish(message)
        self._infos.publish(self._info)

    def _send(self) -> None:
        if self._is_sending:
            self._commands.publish(chunk(self._episode, [
                self._at(self._episode.setpoints, self._phase_s() + ahead)
                for ahead in CHUNK_TIMES_S]))

    def _on_send(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        self._is_sending, response.success = request.data, True
        return response


def chunk(episode: Episode, positions: list[list[float]]) -> JointTrajectory:
    """Make a command with stamp 0: it starts at once."""
    message = JointTrajectory(joint_names=list(episode.joint_names))
    for time_s, targets in zip(CHUNK_TIMES_S, positions, strict=True):
        message.points.append(JointTrajectoryPoint(
            positions=targets, time_from_start=Duration(nanosec=round(time_s * 1e9))))
    return message


def picture_to_image(rgb: NDArray[np.uint8]) -> Image:
    """Make a raw message whose stamp is set when it is sent."""
    return array_to_image(rgb, stamp=CameraInfo().header.stamp, frame_id=_FRAME_ID)


def picture_to_jpeg(rgb: NDArray[np.uint8]) -> CompressedImage:
    """Make a JPEG message whose stamp is set when it is sent."""
    message = CompressedImage(format='rgb8; jpeg compressed bgr8')
    message.header.frame_id = _FRAME_ID
    message.data = array('B', encode_frame(rgb))
    return message


def main(args: list[str] | None = None) -> int:
    """Replay what the JSON in the first argument says until SIGINT or SIGTERM."""
    plan = RobotPlan(**json.loads((sys.argv[1:] if args is None else args)[0]))
    return run_plain(lambda: BenchmarkRobot(plan), [])


if __name__ == '__main__':
    sys.exit(main())
