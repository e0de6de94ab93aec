# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the gate cannot know of messages that came while it stood still.

A process that was suspended or starved finds messages in its queues, takes them now, and cannot
tell when they came. Stamps tell it, but only while the ROS clock runs as the steady clock does:
if it was set back meanwhile, a message looks younger than it is.
"""

from wm_ros.gate.values import NS_PER_S, Now

# A gap between two looks at the clocks that is no standstill, unless ticks are as far apart.
_SHORT_NS = 50_000_000
# What waited in the middleware's buffers is taken to have come to the gate by then.
_BACKLOG_NS = 50_000_000


class Standstill:
    """
    How old messages may be that come now, beyond what they say.

    Both figures are for what comes until 50 ms after a standstill; one that begins before that
    time is over counts with the one before.

    :param control_rate: of the ticks, Hz; a gap of less than two of them is no standstill.
    """

    def __init__(self, control_rate: float) -> None:
        self.least_ns = max(_SHORT_NS, round(2 * NS_PER_S / control_rate))
        self.waited_ns = 0
        self.hidden_ns = 0
        self._last: Now | None = None
        self._before: Now | None = None
        self._ended_ns = 0

    def see(self, now: Now) -> None:
        """
        Take note of both clocks; call at each tick, and before an age is told.

        Afterwards ``waited_ns`` is for how long a message may have waited, and ``hidden_ns`` how
        much of that its stamp may hide, because the ROS clock was set back meanwhile.
        """
        last, self._last = self._last, now
        if last is None:
            return
        if now.steady_ns - last.steady_ns >= self.least_ns:
            if self._before is None:
                self._before = last
            self._ended_ns = now.steady_ns
        elif now.steady_ns - self._ended_ns > _BACKLOG_NS:
            self._before = None
        self.waited_ns = self.hidden_ns = 0
        if self._before is not None:
            self.waited_ns = now.steady_ns - self._before.steady_ns
            # At each look anew: simulated time follows a little later, a step may come then too.
            back_ns = self.waited_ns - (now.ros_ns - self._before.ros_ns)
            self.hidden_ns = min(max(0, back_ns), self.waited_ns)
