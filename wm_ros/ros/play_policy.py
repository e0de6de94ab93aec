# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A policy that plays: seeded moves, some of which end in a collision.

It stands for any learned policy and knows nothing of the gate; which topic it writes decides
whether it is guarded.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.config import check_settings, setting
from wm_ros.ros import qos
from wm_ros.ros.parameters import ConfigParameters
from wm_ros.ros.process import run_plain
from wm_ros.simulation.play import Move, Play
from wm_ros.simulation.scene import JOINT_NAMES, sample_scene


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayPolicyConfig:
    """
    Settings of the play policy; each field says its meaning in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    seed: int = setting(
        0, range=(0, 2**53), tunable=True,
        help="decides the moves, which head for the objects of so101_sim's scene of that seed; "
             'takes effect at ~/reset')
    command_topic: str = setting(
        'wm_gate/joint_trajectory', required=True, tunable=True,
        help='where commands go; takes effect at ~/reset')
    period_s: float = setting(
        1.1, unit='s', range=(0.0, 3600.0), help='between commands; 0: only when asked')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)


class PlayPolicy(Node):
    """
    Draw moves from a seed and publish them as trajectories of eight points over 0.8 s.

    **Subscribes**
    - **joint_states** (sensor_msgs/JointState, best effort).

    **Publishes**
    - **command_topic** (trajectory_msgs/JointTrajectory, reliable), stamp 0: starts at once.
    - **~/proposal** (trajectory_msgs/JointTrajectory, reliable): a command before it is sent.

    **Services**
    - **~/reset** (std_srvs/Trigger): begin again with parameters seed and command_topic.
    - **~/propose** (std_srvs/Trigger): draw the next command and show it on ~/proposal.
    - **~/send** (std_srvs/Trigger): send the proposal, once.

    **Parameters** see ``PlayPolicyConfig``.

    **Threads** one, the executor's.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('play_policy', **node_arguments)
        self._settings = ConfigParameters(self, PlayPolicyConfig)
        config = self._settings.build()
        self._joints: JointState | None = None
        self._proposed: JointTrajectory | None = None
        self._command: Any = None
        self._begin(config)
        self._proposal = self.create_publisher(JointTrajectory, '~/proposal', qos.COMMAND_OUT)
        self.create_subscription(
            JointState, 'joint_states', self._on_joints, qos.JOINT_STATES)
        for name, answer in (('~/reset', self._on_reset), ('~/propose', self._on_propose),
                             ('~/send', self._on_send)):
            self.create_service(Trigger, name, answer)
        if config.period_s > 0:
            self.create_timer(config.period_s, self._play_on)

    def _begin(self, config: PlayPolicyConfig) -> None:
        self._play = Play(config.seed, sample_scene(config.seed))
        # The first draw is the starting pose, which so101_sim takes from the same seed.
        self._play.start()
        self._proposed = None
        topic = self.resolve_topic_name(config.command_topic)
        if self._command is None or self._command.topic_name != topic:
            if self._command is not None:
                self.destroy_publisher(self._command)
            self._command = self.create_publisher(JointTrajectory, topic, qos.COMMAND_OUT)

    def _on_joints(self, message: JointState) -> None:
        self._joints = message

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Any:
        config = self._settings.config
        assert config is not None
        self._begin(config)
        response.success, response.message = True, f'moves of seed {config.seed}'
        return response

    def _on_propose(self, _request: Trigger.Request, response: Trigger.Response) -> Any:
        response.success = self._propose()
        response.message = '' if response.success else 'no usable joint_states yet'
        return response

    def _on_send(self, _request: Trigger.Request, response: Trigger.Response) -> Any:
        if self._proposed is None:
            response.message = 'nothing was proposed'
        elif self._command.get_subscription_count() == 0:
            response.message = f'nobody subscribes to {self._command.topic_name}'
        else:
            self._send()
            response.success = True
        return response

    def _play_on(self) -> None:
        if self._propose():
            self._send()

    def _propose(self) -> bool:
        joints = self._joints
        if joints is None or set(JOINT_NAMES) - set(joints.name):
            return False
        columns = [joints.name.index(name) for name in JOINT_NAMES]
        current = np.array(joints.position, np.float64)[columns]
        self._proposed = move_to_message(self._play.next_move(current))
        self._proposal.publish(self._proposed)
        return True

    def _send(self) -> None:
        self._command.publish(self._proposed)
        self._proposed = None


def move_to_message(move: Move) -> JointTrajectory:
    """Make a trajectory message with stamp 0."""
    message = JointTrajectory(joint_names=list(JOINT_NAMES))
    for time_s, positions in zip(move.times, move.positions, strict=True):
        point = JointTrajectoryPoint(positions=positions.tolist())
        sec, nanosec = divmod(round(float(time_s) * 1e9), 1_000_000_000)
        point.time_from_start.sec, point.time_from_start.nanosec = sec, nanosec
        message.points.append(point)
    return message


def main(args: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    return run_plain(PlayPolicy, args)


if __name__ == '__main__':
    sys.exit(main())
