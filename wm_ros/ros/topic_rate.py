# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rate and delay of a topic, reported under the keys that greenwave_monitor's dashboards read.

One status for each topic, named ``NODE TOPIC``: frame_rate_node by the time of receipt,
frame_rate_msg by the stamps, current_delay_from_realtime_ms from stamp to receipt.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from wm_ros.data.messages import NS_PER_S, stamp_to_ns
from wm_ros.ros import diagnostics

_WINDOW_S = 2.0
_MAX_SAMPLES = 2000
TOLERANCE_PERCENT = 10.0


class TopicRate:
    """
    Figures of one topic over the last two seconds; any thread may call any method.

    :param topic: full name.
    :param expected_hz: the least rate that is needed; 0: none.
    """

    def __init__(self, topic: str, *, expected_hz: float = 0.0) -> None:
        self.topic, self.expected_hz = topic, expected_hz
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int]] = deque(maxlen=_MAX_SAMPLES)
        self._delay_ms = float('nan')
        self.count = 0

    def see(self, stamp_ns: int, now_ns: int) -> None:
        """
        Note a message.

        :param stamp_ns: its stamp, 0 if it has none.
        :param now_ns: the clock of the stamps, ns.
        """
        with self._lock:
            self.count += 1
            self._samples.append((time.monotonic(), stamp_ns))
            self._delay_ms = (now_ns - stamp_ns) / 1e6 if stamp_ns else float('nan')

    def counted(self, handle: Callable, now_ns: Callable[[], int]) -> Callable:
        """Return a callback (message, ...) that notes the message and then calls ``handle``."""
        def callback(message: Any, *more: Any) -> Any:
            header = getattr(message, 'header', None)
            self.see(stamp_to_ns(header.stamp) if header is not None else 0, now_ns())
            return handle(message, *more)
        return callback

    def rate_hz(self) -> float:
        """Return the rate by receipt, 0 if nothing came lately."""
        return _rate([at for at, _ in self._recent()])

    def status(self, node_name: str) -> DiagnosticStatus:
        """Make the report."""
        recent, wanted = self._recent(), self.expected_hz
        rate_hz = _rate([at for at, _ in recent])
        level, text = diagnostics.OK, 'ok'
        if wanted and not recent:
            level, text = diagnostics.STALE, f'no message for {_WINDOW_S:g} s'
        elif wanted and rate_hz < wanted * (1 - TOLERANCE_PERCENT / 100):
            level, text = diagnostics.WARN, f'{rate_hz:.1f} Hz; need {wanted:.1f} Hz'
        return diagnostics.status(f'{node_name} {self.topic}', level, text, values={
            'frame_rate_node': rate_hz,
            'frame_rate_msg': _rate([stamp / NS_PER_S for _, stamp in recent]),
            'current_delay_from_realtime_ms': self._delay_ms if recent else float('nan'),
            'expected_frequency': wanted, 'tolerance': TOLERANCE_PERCENT,
            'total_messages': self.count})

    def _recent(self) -> list[tuple[float, int]]:
        now_s = time.monotonic()
        with self._lock:
            return [item for item in self._samples if now_s - item[0] <= _WINDOW_S]


def _rate(times: list[float]) -> float:
    """Return the rate of some moments, s; 0 for fewer than two or if they do not increase."""
    span_s = times[-1] - times[0] if len(times) > 1 else 0.0
    return (len(times) - 1) / span_s if span_s > 0 else 0.0
