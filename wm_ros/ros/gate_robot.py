# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the gate gets its robot description from: a file now, or a topic later."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.node import Node
from std_msgs.msg import String

from wm_ros.gate.config import GateConfig
from wm_ros.ros import qos


def read_urdf(config: GateConfig) -> str | None:
    """
    Read ``robot_description_file``.

    :returns: the text, or None where no file is set.
    :raises ValueError: naming the path and what is wrong with it.
    """
    if not config.robot_description_file:
        return None
    path = Path(config.robot_description_file)
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f'robot_description_file is {config.robot_description_file!r}: {error}; give the '
            'path of a URDF') from error


def subscribe_description(
        node: Node, config: GateConfig, callback: Callable[[Any], None]) -> Any:
    """Subscribe to ``robot_description_topic``; None where it is not set."""
    if not config.robot_description_topic:
        return None
    return node.create_subscription(
        String, config.robot_description_topic, callback, qos.ROBOT_DESCRIPTION)
