# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Take apart the messages that say where to go from here; nothing is judged.

control_msgs is imported on use: where no jog is taken, the gate runs without it.
"""

from typing import Any

from geometry_msgs.msg import TwistStamped

from wm_ros.gate.requests import ActionTargets, Jog, Twist
from wm_ros.msg import PolicyChunk
from wm_ros.ros.gate_messages import time_to_ns


def load_joint_jog() -> Any:
    """
    Import control_msgs/JointJog.

    :raises ValueError: saying how to install it.
    """
    try:
        from control_msgs.msg import JointJog
    except ImportError as error:
        raise ValueError(
            'enable_joint_jog needs the package control_msgs; install ros-jazzy-control-msgs, or '
            f'set it to false ({error})') from error
    return JointJog


def load_speed_scaling() -> Any:
    """
    Import control_msgs/SpeedScalingFactor.

    :raises ValueError: saying how to install it.
    """
    try:
        from control_msgs.msg import SpeedScalingFactor
    except ImportError as error:
        raise ValueError(
            'speed_scaling_topic needs SpeedScalingFactor of the package control_msgs; install '
            f'ros-jazzy-control-msgs, or leave it empty ({error})') from error
    return SpeedScalingFactor


def jog_to_request(message: Any, source: str) -> Jog:
    """Take a jog apart; ``duration`` is not read: a jog ends after ``setpoint_horizon``."""
    return Jog(
        source=source, joint_names=tuple(message.joint_names),
        displacements=tuple(message.displacements), velocities=tuple(message.velocities),
        stamp_ns=time_to_ns(message.header.stamp))


def twist_to_request(message: TwistStamped, source: str) -> Twist:
    """Take a twist apart."""
    linear, angular = message.twist.linear, message.twist.angular
    return Twist(
        source=source, frame_id=message.header.frame_id.removeprefix('/'),
        linear=(linear.x, linear.y, linear.z), angular=(angular.x, angular.y, angular.z),
        stamp_ns=time_to_ns(message.header.stamp))


def chunk_to_request(message: PolicyChunk, source: str) -> ActionTargets:
    """Take a policy's chunk apart."""
    return ActionTargets(
        source=source, action_space=message.action_space, action_size=message.action_size,
        actions=tuple(message.actions), tokens=tuple(message.tokens), step_s=message.step,
        stamp_ns=time_to_ns(message.header.stamp))
