# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the gate cannot know of messages that came while it stood still.

A process that was suspended or starved finds messages in its queues, takes them now, and cannot
tell when they came. Stamps tell it, but only while the ROS clock runs as the steady clock does:
if it was set back meanwhile, a message looks younger than it is.
"""

from wm_ros.gate.values import Now

# The gate looks at its clocks every few milliseconds; in a longer gap it stood still.
STANDSTILL_NS = 50_000_000
# What waited in the middleware's buffers has come to the gate by then.
_BACKLOG_NS = 50_000_000


class Standstill:
    """
    How old messages may be that come now, beyond what they say.

    ``waited_ns`` is for how long a message may have waited: as long as the gate stood still.
    ``hidden_ns`` is how much of that its stamp may hide: as much as the ROS clock was set back
    meanwhile. Both are for what comes within 50 ms after the gate last stood still.
    """

    def __init__(self) -> None:
        self.waited_ns = 0
        self.hidden_ns = 0
        self._last: Now | None = None
        self._ended_ns = 0

    def see(self, now: Now) -> None:
        """Take note of both clocks; call at each tick, and before an age is told."""
        last, self._last = self._last, now
        if last is None:
            return
        silent_ns = now.steady_ns - last.steady_ns
        did_stand = silent_ns >= STANDSTILL_NS
        if (last if did_stand else now).steady_ns - self._ended_ns > _BACKLOG_NS:
            self.waited_ns = self.hidden_ns = 0
        if did_stand:
            back_ns = silent_ns - (now.ros_ns - last.ros_ns)
            self.waited_ns = max(self.waited_ns, silent_ns)
            self.hidden_ns = max(self.hidden_ns, min(silent_ns, back_ns))
            self._ended_ns = now.steady_ns
