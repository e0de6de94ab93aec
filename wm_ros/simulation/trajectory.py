# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The set-points of a joint trajectory controller that is given positions alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class SetpointTrajectory:
    """
    Straight lines between points, the last of which is held.

    It interpolates from the last set-point, as joint_trajectory_controller does with
    ``interpolate_from_desired_state``. A value: whoever copies a robot may share it.

    :param times: of the points, float64 (N,), s, increasing.
    :param points: float64 (N, J), in the joints' units.
    """

    times: NDArray[np.float64]
    points: NDArray[np.float64]

    @classmethod
    def held(cls, positions: NDArray[np.float64]) -> 'SetpointTrajectory':
        """Return the trajectory that stays at ``positions``, float64 (J,)."""
        return cls(np.zeros(1), positions[None])

    def at(self, time_s: float) -> NDArray[np.float64]:
        """Return where the joints should be at a time, float64 (J,)."""
        # All joints at once: physics asks at each of its steps.
        after = int(np.searchsorted(self.times, time_s, side='right'))
        if after in (0, len(self.times)):
            return self.points[-1 if after else 0].copy()
        (begin, end), (start, stop) = (part[after - 1:after + 1] for part in (
            self.times, self.points))
        slope = (stop - start) / (end - begin)
        return np.asarray(slope * (time_s - begin) + start)

    def replaced(self, now_s: float, times: NDArray[np.float64], positions: NDArray[np.float64],
                 *, lower: NDArray[np.float64], upper: NDArray[np.float64]
                 ) -> 'SetpointTrajectory':
        """
        Return the trajectory that goes on with other points from now.

        :param times: from now, float64 (N,), s, increasing, >= 0.
        :param positions: float64 (N, J), clipped to ``lower`` and ``upper``.
        """
        keep = times > 0
        return SetpointTrajectory(
            np.concatenate([[now_s], now_s + times[keep]]),
            np.clip(np.concatenate([self.at(now_s)[None], positions[keep]]), lower, upper))
