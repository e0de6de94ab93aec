# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record an episode from a live graph, by subscribing only."""

import math
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from sensor_msgs.msg import CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.config import check_settings, setting
from wm_ros.data.episode import write_episode
from wm_ros.data.messages import message_to_trajectory, stamp_to_ns
from wm_ros.data.recording import Recording, next_path
from wm_ros.errors import DatasetError, ObservationError
from wm_ros.msg import Contacts
from wm_ros.ros import qos
from wm_ros.ros.conversions import image_to_rgb

_EVERY_SAMPLE = QoSProfile(
    depth=100, reliability=qos.JOINT_STATES.reliability, durability=qos.JOINT_STATES.durability)


@dataclass(frozen=True, kw_only=True, slots=True)
class RecorderConfig:
    """
    Settings of the recorder; each field says its meaning in its metadata.

    :param out: directory of episodes.
    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    out: Path
    camera: str = setting('/camera/image_raw', required=True, help='image topic')
    compressed: bool = setting(False, help='camera is a CompressedImage topic')
    joint_states: str = setting('/joint_states', required=True, help='JointState topic')
    command: str = setting('/arm_controller/joint_trajectory', required=True,
                           help='JointTrajectory topic of the controller')
    hazard: str = setting('', help='wm_ros/Contacts topic; empty: no hazards are recorded')
    camera_name: str = setting('front', required=True, help='name of the camera in the episode')
    extra_camera_names: tuple[str, ...] = setting((), help='name of each further camera')
    extra_camera_topics: tuple[str, ...] = setting((), help='image topic of each further camera')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)
        names = [self.camera_name, *self.extra_camera_names]
        if len(set(names)) != len(names):
            raise ValueError(f'cameras are called {names}; each needs a name of its own')
        if len(names) != 1 + len(self.extra_camera_topics):
            raise ValueError(f'{list(self.extra_camera_names)} and '
                             f'{list(self.extra_camera_topics)} are not as many names as topics')

    @property
    def extra_cameras(self) -> dict[str, str]:
        """Topic of each further camera by its name."""
        return dict(zip(self.extra_camera_names, self.extra_camera_topics, strict=True))


class Recorder(Node):
    """
    Fill a recording from camera, joint states, commands and hazards.

    **Subscribes** what ``RecorderConfig`` names; publishes nothing.

    **Threads** one, the executor's, which owns ``recording``.
    """

    def __init__(self, config: RecorderConfig, **node_arguments: Any) -> None:
        super().__init__('wm_recorder', **node_arguments)
        self.recording = Recording(extra_cameras=config.extra_camera_names)
        for name, topic in (('', config.camera), *config.extra_cameras.items()):
            self.create_subscription(
                CompressedImage if config.compressed else Image, topic,
                partial(self._on_image, camera=name), qos.CAMERA_IN)
        self.create_subscription(
            JointState, config.joint_states, self._on_joints, _EVERY_SAMPLE)
        self.create_subscription(
            JointTrajectory, config.command, self._on_command, QoSProfile(depth=20))
        if config.hazard:
            self.create_subscription(
                Contacts, config.hazard, self._on_contacts, QoSProfile(depth=100))

    def _on_image(self, message: Image | CompressedImage, camera: str = '') -> None:
        try:
            self.recording.add_frame(image_to_rgb(message), stamp_to_ns(message.header.stamp),
                                     camera)
        except ObservationError as error:
            self.get_logger().warning(f'picture left out: {error}', throttle_duration_sec=1.0)

    def _on_joints(self, message: JointState) -> None:
        reason = self.recording.add_joints(
            tuple(message.name), np.array(message.position), np.array(message.velocity),
            np.array(message.effort), stamp_to_ns(message.header.stamp))
        if reason:
            self.get_logger().warning(f'joint state left out: {reason}',
                                      throttle_duration_sec=1.0)

    def _on_command(self, message: JointTrajectory) -> None:
        start_ns = stamp_to_ns(message.header.stamp) or self.get_clock().now().nanoseconds
        try:
            self.recording.add_command(message_to_trajectory(message), start_ns)
        except ValueError as error:
            self.get_logger().warning(f'command left out: {error}')

    def _on_contacts(self, message: Contacts) -> None:
        if message.hazard:
            self.recording.add_contacts(list(message.pairs))


def run_recorder(arguments: Any) -> Path:
    """
    Record until Ctrl-C or the end of the time, then write the episode.

    :param arguments: has the fields of ``RecorderConfig``, but ``extra_cameras`` as pairs of name
        and topic, and ``duration``, s.
    :returns: the file; it appears only when it is whole.
    :raises DatasetError: if nothing came; then no file is written.
    """
    names, topics = zip(*arguments.extra_cameras, strict=True) if arguments.extra_cameras else (
        (), ())
    config = RecorderConfig(
        extra_camera_names=names, extra_camera_topics=topics,
        **{name: getattr(arguments, name) for name in (
            'out', 'camera', 'compressed', 'joint_states', 'command', 'hazard', 'camera_name')})
    return record(config, duration_s=arguments.duration)


def record(config: RecorderConfig, *, duration_s: float = math.inf,
           console: Console | None = None) -> Path:
    """
    Record until Ctrl-C or the end of the time, then write the episode.

    :param duration_s: longest recording.
    :returns: the file.
    :raises DatasetError: if nothing came; then no file is written.
    """
    console = console or Console()
    stop: list[int] = []
    previous = {number: signal.signal(number, lambda signum, _frame: stop.append(signum))
                for number in (signal.SIGINT, signal.SIGTERM)}
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = Recorder(config)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    begin = time.monotonic()
    try:
        with console.status('recording; Ctrl-C ends it') as status:
            while not stop and time.monotonic() - begin < duration_s:
                executor.spin_once(timeout_sec=0.1)
                status.update(f'recording; {node.recording.num_frames} pictures, '
                              f'{node.recording.num_samples} joint states; Ctrl-C ends it')
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()
        for number, handler in previous.items():
            signal.signal(number, handler)
    path = next_path(config.out)
    recording = node.recording
    try:
        episode = recording.episode(
            camera_name=config.camera_name, info={'source': 'record', 'camera': config.camera})
    except DatasetError as error:
        topics = ', '.join([config.camera, *config.extra_camera_topics])
        raise DatasetError(f'{error}; listened to {topics} and {config.joint_states}') from error
    write_episode(path, episode)
    console.print(f'{recording.num_frames} pictures and {recording.num_samples} joint states in '
                  f'{path}; {recording.num_dropped} left out')
    return path
