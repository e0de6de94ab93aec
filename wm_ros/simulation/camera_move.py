# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Move and turn a camera a little, as a knock or a careless screw would."""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraMove:
    """
    A small motion of a camera from where it was put.

    :param offset_m: along the axes of its parent (x forward, y left, z up for a fixed one), m.
    :param turn_rad: rotation vector in its own frame (x right, y up, z towards the viewer), rad.
    """

    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn_rad: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        """Refuse what is not finite: MuJoCo would draw nothing and not say why."""
        if not np.isfinite([*self.offset_m, *self.turn_rad]).all():
            raise ValueError(f'a camera move must be finite, not {self.offset_m} m and '
                             f'{self.turn_rad} rad')

    @property
    def distance_m(self) -> float:
        """How far the camera moves, m."""
        return float(np.linalg.norm(self.offset_m))

    @property
    def angle_rad(self) -> float:
        """How far the camera turns, rad."""
        return float(np.linalg.norm(self.turn_rad))

    def apply(self, position: NDArray[np.float64], quat: NDArray[np.float64]
              ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """
        Return where a camera is after the move.

        :param position: before it, float64 (3,), m.
        :param quat: before it, w first, float64 (4,).
        :returns: position and quaternion after it; exactly the same for a move of nothing.
        """
        moved = np.asarray(position, np.float64) + self.offset_m
        if not self.angle_rad:
            return moved, np.array(quat, np.float64)
        turn, turned = np.zeros(4), np.zeros(4)
        axis = np.array(self.turn_rad) / self.angle_rad
        mujoco.mju_axisAngle2Quat(turn, axis, self.angle_rad)
        mujoco.mju_mulQuat(turned, np.asarray(quat, np.float64), turn)
        return moved, turned
