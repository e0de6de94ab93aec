# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The last seconds of some topics, as bytes.

The main rule: messages are kept as they came and are not looked into, so that keeping them costs
little and a file of them shows what was really sent.
"""

from collections import deque
from dataclasses import dataclass

from wm_ros.data.messages import NS_PER_S


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """
    One message.

    :param topic: full name.
    :param type: for example ``sensor_msgs/msg/Image``.
    :param stamp_ns: when it came, ns of the ROS clock.
    :param data: CDR bytes.
    """

    topic: str
    type: str
    stamp_ns: int
    data: bytes


class EvidenceBuffer:
    """
    A history that is bounded in time and in bytes; belongs to one thread.

    :param span_s: how long a message is kept, s.
    :param max_bytes: most bytes of messages; the oldest go first.
    """

    def __init__(self, *, span_s: float, max_bytes: int) -> None:
        self._span_ns = round(span_s * NS_PER_S)
        self._max_bytes = max_bytes
        self._samples: deque[tuple[int, Sample]] = deque()
        self.num_bytes = 0
        self.num_short = 0

    def __len__(self) -> int:
        """Return the number of messages that are kept."""
        return len(self._samples)

    def add(self, sample: Sample, steady_ns: int) -> None:
        """
        Keep a message, and let go of those that are too old.

        :param steady_ns: now; the ROS clock may jump or stand still.
        """
        self._samples.append((steady_ns, sample))
        self.num_bytes += len(sample.data)
        self.trim(steady_ns)
        while self.num_bytes > self._max_bytes and len(self._samples) > 1:
            self._drop()
            self.num_short += 1

    def trim(self, steady_ns: int) -> None:
        """Let go of what is too old by now."""
        while self._samples and steady_ns - self._samples[0][0] > self._span_ns:
            self._drop()

    def since(self, steady_ns: int) -> list[Sample]:
        """Return what came at a time or later, oldest first."""
        return [sample for at_ns, sample in self._samples if at_ns >= steady_ns]

    def _drop(self) -> None:
        self.num_bytes -= len(self._samples.popleft()[1].data)


def cdr_stamp_ns(data: bytes) -> int:
    """
    Read the stamp of a serialized message that begins with a header, ns.

    :raises ValueError: if there are too few bytes.
    """
    if len(data) < 12:
        raise ValueError(f'a message of {len(data)} bytes has no header')
    order = 'little' if data[1] & 1 else 'big'
    sec = int.from_bytes(data[4:8], order, signed=True)  # type: ignore[arg-type]
    return sec * NS_PER_S + int.from_bytes(data[8:12], order)  # type: ignore[arg-type]
