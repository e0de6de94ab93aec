# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A trajectory goal on its way: how far along its path it is, and how far it has been let go.

The controller never holds more of a goal than the model has looked at: the goal goes out in
pieces, each of which ends at rest and takes the place of the one before while that still moves.
"""

from dataclasses import dataclass

import numpy as np

from wm_ros.datatypes import Trajectory
from wm_ros.gate.values import NS_PER_S, Now

GOAL_SOURCE = 'follow_joint_trajectory'

# A piece begins no nearer than this to where the arm should be: the controller gets it a little
# later and would have to catch up within the first stretch, s.
_LEAD_S = 0.05
# Rounding must not make an end look like something that is left, s.
_NOTHING_S = 1e-6


@dataclass(slots=True)
class Goal:
    """
    The goal that runs through the gate.

    All times of the path are s after its start, at its own speed.

    :param goal_id: the node's number for it.
    :param path: the whole goal, checked. :param asked_steady_ns: when the last window was asked.
    :param window_s: where on the path that window begins.
    :param let_go_steady_ns: when the last piece went out; None before the first.
    :param let_go_s: where on the path that piece begins. :param reach_s: where it ends.
    :param factor: speed of that piece, in (0, 1].
    """

    goal_id: int
    path: Trajectory
    asked_steady_ns: int | None = None
    window_s: float = 0.0
    let_go_steady_ns: int | None = None
    let_go_s: float = 0.0
    reach_s: float = 0.0
    factor: float = 1.0

    @property
    def end_s(self) -> float:
        """Return the length of the path, s."""
        return float(self.path.times[-1])

    @property
    def is_all_out(self) -> bool:
        """Tell whether the last piece went out."""
        return self.reach_s >= self.end_s - _NOTHING_S

    def progress_s(self, now: Now) -> float:
        """Return where on the path the arm should be by now; it rests at the end of a piece."""
        if self.let_go_steady_ns is None:
            return 0.0
        passed_s = (now.steady_ns - self.let_go_steady_ns) / NS_PER_S
        return min(self.let_go_s + self.factor * passed_s, self.reach_s)

    def is_due(self, period_s: float, now: Now) -> bool:
        """Tell whether to look ahead: a period has passed, or what is out comes to its end."""
        if self.asked_steady_ns is None or now.steady_ns - self.asked_steady_ns >= (
                period_s * NS_PER_S):
            return True
        if self.let_go_steady_ns is None or self.is_all_out:
            return False
        return self.reach_s - self.progress_s(now) < self.factor * period_s

    def let_go(self, length_s: float, begin_s: float, factor: float, now: Now) -> None:
        """
        Note that a piece went out.

        :param length_s: of the path that it is, at the path's own speed, s.
        """
        self.let_go_steady_ns, self.let_go_s, self.factor = now.steady_ns, begin_s, factor
        self.reach_s = min(begin_s + length_s, self.end_s)

    def is_gain(self, reach_s: float, factor: float) -> bool:
        """Tell whether a piece up to ``reach_s`` says more than the one that is out."""
        if self.let_go_steady_ns is None or factor != self.factor:
            return True
        return reach_s > self.reach_s + _NOTHING_S


def advance(
        trajectory: Trajectory, by_s: float, *,
        at_most_s: float = np.inf) -> Trajectory | None:
    """
    Take away what lies before a moment, and begin there.

    :param by_s: the moment, s from the start of the trajectory.
    :param at_most_s: leave out what lies further than this after it, but for one point.
    :returns: a new trajectory, or None if all of it lies before.
    """
    if trajectory.times[-1] < by_s + _NOTHING_S:
        return None
    first = 0
    if by_s > 0.0:
        first = int(np.searchsorted(trajectory.times, by_s + _LEAD_S, side='left'))
        first = min(first, len(trajectory.times) - 1)
    last = 1 + int(np.searchsorted(trajectory.times, by_s + at_most_s, side='left'))
    last = max(last, first + 1)
    velocities = trajectory.velocities
    return Trajectory(
        joint_names=trajectory.joint_names, positions=trajectory.positions[first:last].copy(),
        # Whole nanoseconds, so that a message carries the same times.
        times=np.rint((trajectory.times[first:last] - max(0.0, by_s)) * 1e9) * 1e-9,
        velocities=None if velocities is None else velocities[first:last].copy())
