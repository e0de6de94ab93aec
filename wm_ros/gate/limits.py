# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What each joint may do, from the parameters and the URDF; where both say it, the tighter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.gate.config import SANE_POSITION, SANE_VELOCITY, GateConfig
from wm_ros.gate.description import RobotDescription


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Limits:
    """
    Limits of the joints, each float64 (J,) in the order of ``joint_names``.

    :param lower: rad. :param upper: rad. :param speed: rad/s.
    :param acceleration: rad/s^2; inf where there is none.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    speed: NDArray[np.float64]
    acceleration: NDArray[np.float64]

    @property
    def has_acceleration(self) -> bool:
        """Tell whether any joint has a limit of acceleration."""
        return bool(np.isfinite(self.acceleration).any())


def limits_of(config: GateConfig, description: RobotDescription | None) -> Limits:
    """
    Join the limits of the parameters and of the URDF; the tighter one counts.

    :raises ValueError: if the two leave a joint no position at all.
    """
    size = len(config.joint_names)
    lower = np.array(config.position_lower or (-SANE_POSITION,) * size)
    upper = np.array(config.position_upper or (SANE_POSITION,) * size)
    speed = np.array(config.velocity_limit or (SANE_VELOCITY,) * size)
    acceleration = np.array(config.acceleration_limit or (np.inf,) * size)
    if description is not None:
        lower = np.maximum(lower, description.lower)
        upper = np.minimum(upper, description.upper)
        speed = np.minimum(speed, description.speed)
        acceleration = np.minimum(acceleration, description.acceleration)
    for joint, low, high in zip(config.joint_names, lower, upper, strict=True):
        if not low < high:
            raise ValueError(
                f'{joint} may be from {low:.4g} to {high:.4g} rad by position_lower, '
                'position_upper and the URDF together; correct the one that is wrong')
    return Limits(lower=lower, upper=upper, speed=speed, acceleration=acceleration)
