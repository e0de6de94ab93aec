# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Listen to what evidence is made of.

The main rule: messages come as bytes and go into the buffer as bytes. Only chunks, verdicts and
gate states, which are small, are read as well.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from wm_ros.data.evidence_buffer import EvidenceBuffer, Sample, cdr_stamp_ns
from wm_ros.ros.message_definitions import message_definition
from wm_ros.ros.topic_rate import TopicRate
from wm_ros.ros.topic_types import message_class, type_name, types_on_graph


class EvidenceTopics:
    """
    Subscriptions that fill a buffer; belongs to the executor thread.

    :param node: who listens.
    :param buffer: what to fill.
    """

    def __init__(self, node: Node, buffer: EvidenceBuffer) -> None:
        self._node, self._buffer = node, buffer
        self._unknown: dict[str, QoSProfile] = {}
        self.definitions: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.rates: dict[str, TopicRate] = {}
        self.problems: dict[str, str] = {}

    def listen(self, kind: type, topic: str, profile: QoSProfile,
               read: Callable[[Any], None] | None = None, *, is_measured: bool = False) -> str:
        """
        Keep what comes on a topic.

        :param read: is given each message as an object as well.
        :param is_measured: its rate is reported; the type must begin with a header.
        :returns: the topic's full name.
        """
        name = type_name(kind)
        self.definitions[name] = message_definition(name)
        full = self._node.resolve_topic_name(topic)
        self.counts.setdefault(full, 0)
        if is_measured:
            self.rates[full] = TopicRate(full)
        self._node.create_subscription(
            kind, topic, partial(self._take, full, name, kind, read), profile, raw=True)
        return full

    def listen_when_known(self, topics: Sequence[str], profile: QoSProfile) -> list[str]:
        """Keep what comes on topics whose types the graph will tell; returns their full names."""
        names = [self._node.resolve_topic_name(topic) for topic in topics]
        self._unknown.update(dict.fromkeys(names, profile))
        return names

    def look_around(self) -> None:
        """Listen to those topics that have a type by now."""
        if not self._unknown:
            return
        found = types_on_graph(self._node)
        for topic in [name for name in self._unknown if name in found]:
            profile = self._unknown.pop(topic)
            try:
                self.listen(message_class(found[topic]), topic, profile)
            except LookupError as error:
                self.problems[topic] = f'{topic} is not kept: {error}'
                self._node.get_logger().warning(self.problems[topic])

    def _take(self, topic: str, name: str, kind: type, read: Callable[[Any], None] | None,
              data: bytes) -> None:
        self.counts[topic] += 1
        now_ns = self._node.get_clock().now().nanoseconds
        self._buffer.add(Sample(topic, name, now_ns, data), time.monotonic_ns())
        if topic in self.rates:
            self.rates[topic].see(cdr_stamp_ns(data), now_ns)
        if read is not None:
            read(deserialize_message(data, kind))
