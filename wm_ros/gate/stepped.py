# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Steps back of the wall clock that hide how old a message is.

A stamp tells a message's age only while the ROS clock runs as the steady clock does. Where the
process stood still (suspended, or starved) and the ROS clock was set back meanwhile, a message
that waited in a queue looks younger than it is.
"""

from wm_ros.gate.values import Now

# What waited in the middleware's buffers has come to the gate by then.
_BACKLOG_NS = 50_000_000


class HiddenAge:
    """How much older than their stamps say messages may be that come now."""

    def __init__(self) -> None:
        self._last: Now | None = None
        self._hidden_ns = 0
        self._since_ns = 0

    def see(self, now: Now) -> int:
        """
        Take note of both clocks; call often, at the latest before an age is read from a stamp.

        :returns: what a stamp may hide, ns: the step back since the gate last looked, but no more
            than the time in which it did not; for what comes within 50 ms.
        """
        last, self._last = self._last, now
        if last is not None:
            silent_ns = now.steady_ns - last.steady_ns
            back_ns = silent_ns - (now.ros_ns - last.ros_ns)
            hidden_ns = max(0, min(silent_ns, back_ns))
            if hidden_ns >= self._hidden_ns or now.steady_ns - self._since_ns > _BACKLOG_NS:
                self._hidden_ns, self._since_ns = hidden_ns, now.steady_ns
        return self._hidden_ns
