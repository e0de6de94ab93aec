# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Listen to topics for some seconds and say how often and how late something came."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message

from wm_ros.data.evidence_buffer import cdr_stamp_ns
from wm_ros.data.messages import NS_PER_S
from wm_ros.ros.doctor_facts import Heard

_MAX_SAMPLES = 20_000


class Ear:
    """
    Listens to any number of topics; belongs to the executor thread.

    :param node: who listens.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._samples: dict[str, deque[tuple[float, float]]] = {}
        self._newest: dict[str, tuple[Any, int]] = {}

    def listen(self, kind: Any, topic: str, profile: QoSProfile, *, has_header: bool = True,
               keeps_message: bool = True) -> None:
        """
        Begin to listen to a topic; does nothing the second time.

        :param has_header: the type begins with a header.
        :param keeps_message: read messages; False for pictures, whose size alone matters.
        """
        if topic in self._samples:
            return
        self._samples[topic] = deque(maxlen=_MAX_SAMPLES)
        read = partial(deserialize_message, message_type=kind) if keeps_message else None
        self._node.create_subscription(
            kind, topic, partial(self._take, topic, read, has_header), profile, raw=True)

    def heard(self) -> dict[str, Heard]:
        """Return what has come so far, by topic."""
        return {topic: self._sum_up(topic) for topic in self._samples}

    def _take(self, topic: str, read: Callable[[bytes], Any] | None, has_header: bool,
              data: bytes, info: Mapping[str, int]) -> None:
        # When the middleware got it: this process may be starved, which says nothing of the graph.
        at_ns = info['received_timestamp'] or time.time_ns()
        delay_s = float('nan')
        if has_header and (stamp_ns := cdr_stamp_ns(data)):
            delay_s = (at_ns - stamp_ns) / NS_PER_S
        self._samples[topic].append((at_ns / NS_PER_S, delay_s))
        self._newest[topic] = read(data) if read is not None else None, len(data)

    def _sum_up(self, topic: str) -> Heard:
        samples = list(self._samples[topic])
        message, size = self._newest.get(topic, (None, 0))
        span_s = samples[-1][0] - samples[0][0] if samples else 0.0
        return Heard(
            count=len(samples), newest=message, num_bytes=size,
            rate_hz=(len(samples) - 1) / span_s if span_s > 0 else 0.0,
            # The least: load can only add to it.
            delay_s=min((delay for _, delay in samples if not math.isnan(delay)),
                        default=float('nan')))
