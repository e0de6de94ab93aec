# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The gate's subscriptions that depend on its settings: requests, and the robot description."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from geometry_msgs.msg import TwistStamped
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from wm_ros.gate.effects import Effect
from wm_ros.gate.machine import Gate
from wm_ros.gate.values import Now
from wm_ros.msg import PolicyChunk
from wm_ros.ros import gate_requests as convert
from wm_ros.ros import qos


class Input(NamedTuple):
    """One subscription: what comes, and what is done with it."""

    kind: type
    topic: str
    profile: QoSProfile
    handle: Callable[[Any, Now], list[Effect]]


def request_inputs(gate: Gate) -> Iterator[Input]:
    """
    List the requests that the gate takes.

    :raises ValueError: if one needs a package that is not installed.
    """
    yield _request(gate, PolicyChunk, 'action_chunk_in', convert.chunk_to_request)
    if gate.config.tip_link:
        yield _request(gate, TwistStamped, 'delta_twist_cmds', convert.twist_to_request)
    if gate.config.enable_joint_jog:
        yield _request(
            gate, convert.load_joint_jog(), 'delta_joint_cmds', convert.jog_to_request)


def description_inputs(gate: Gate) -> Iterator[Input]:
    """List the topic of the robot description, where one is set."""
    if gate.config.robot_description_topic:
        yield Input(
            String, gate.config.robot_description_topic, qos.ROBOT_DESCRIPTION,
            lambda message, now: gate.take_description(message.data, now))


def _request(gate: Gate, kind: type, name: str, take_apart: Callable[[Any, str], Any]) -> Input:
    return Input(
        kind, f'~/{name}', qos.COMMAND_IN,
        lambda message, now: gate.take_command(take_apart(message, name), now))
