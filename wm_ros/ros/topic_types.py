# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Between the names of message types and their classes."""

from importlib import import_module
from typing import Any

from rclpy.node import Node


def type_name(kind: type) -> str:
    """Return for example ``sensor_msgs/msg/Image`` for its class."""
    return f'{kind.__module__.partition(".")[0]}/msg/{kind.__name__}'


def message_class(name: str) -> Any:
    """
    Return the class of a message type.

    :raises LookupError: if it is not installed.
    """
    package, _, kind = name.partition('/msg/')
    try:
        return getattr(import_module(f'{package}.msg'), kind)
    except (ImportError, AttributeError) as error:
        raise LookupError(f'{name} is not installed ({error})') from error


def types_on_graph(node: Node) -> dict[str, str]:
    """Return the type of each topic that somebody writes or reads; the first if they disagree."""
    return {topic: kinds[0] for topic, kinds in node.get_topic_names_and_types() if kinds}
