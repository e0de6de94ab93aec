# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Hold where the arm is, and see that it is obeyed; how a moving arm brakes is in braking.py.

Publishing zero positions as a stop would move the arm, so a hold is always made of measured
joints; only a velocity controller gets zeros.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Trajectory
from wm_ros.gate.config import GateConfig
from wm_ros.gate.values import NS_PER_S, Now


def hold_trajectory(
        joint_names: tuple[str, ...], positions: NDArray[np.float64],
        duration_s: float) -> Trajectory:
    """
    Make the one-point trajectory that holds.

    :param positions: measured, float64 (J,), rad.
    :param duration_s: time_from_start of the point, s.
    """
    return Trajectory(
        joint_names=joint_names, positions=np.array(positions, dtype=np.float64)[None, :],
        times=np.array([duration_s]))


class HoldWatch:
    """Remember the last hold and judge, once it has had time to act, whether it is obeyed."""

    def __init__(self) -> None:
        self._target: NDArray[np.float64] | None = None
        self._since_ns = 0

    def start(self, target: NDArray[np.float64], now: Now) -> None:
        """Begin to watch a hold at ``target``, (J,) rad."""
        self._target, self._since_ns = target.copy(), now.steady_ns

    def stop(self) -> None:
        """Watch no longer; commands move the arm again."""
        self._target = None

    def complaint(self, sample: JointSample | None, now: Now, config: GateConfig) -> str:
        """
        Say how the hold is disobeyed.

        :param sample: fresh measured joints, or None.
        :returns: words, empty if obeyed, not yet due or unknown.
        """
        settle_ns = config.hold_settle * NS_PER_S
        if self._target is None or sample is None or now.steady_ns - self._since_ns < settle_ns:
            return ''
        error = np.abs(sample.positions - self._target)
        if np.all(error <= config.hold_tolerance):
            return ''
        joint = int(np.argmax(error))
        return (
            f'hold not obeyed: {sample.names[joint]} is {error[joint]:.3g} rad from its hold '
            f'after {config.hold_settle} s; hold_tolerance is {config.hold_tolerance} rad')
