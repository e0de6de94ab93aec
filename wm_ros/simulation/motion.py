# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How fast and how far play moves; the ``dynamics`` split moves faster than the trained."""

from dataclasses import dataclass

from wm_ros.simulation.splits import stream

CHUNK_S = 0.8
# Highest speed of a minimum-jerk path of unit length and time (Hogan 1984).
PEAK_SPEED = 1.875


@dataclass(frozen=True, kw_only=True, slots=True)
class Motion:
    """
    The ranges that play draws its moves from; the default is what the model is trained on.

    :param chunk_s: how long a common move takes, s, a multiple of 0.1.
    :param reach_rad: shortest and longest way of the joint that moves most, in a common move.
    :param slow_share: share of the moves that take longer.
    :param slow_s: the longest of them, s.
    """

    chunk_s: float = CHUNK_S
    reach_rad: tuple[float, float] = (0.5, 1.3)
    slow_share: float = 0.25
    slow_s: float = 2.0

    @property
    def peak_speed(self) -> float:
        """The highest joint speed that a common move asks for, rad/s."""
        return PEAK_SPEED * self.reach_rad[1] / self.chunk_s


def sample_motion(seed: int, split: str = 'id') -> Motion:
    """
    Return the motion of a seed in a split.

    :raises ValueError: if there is no such split.
    """
    rng = stream(seed, 0x307, split)
    if split != 'dynamics':
        return Motion()
    return Motion(
        chunk_s=int(rng.integers(5, 8)) / 10,
        reach_rad=(float(rng.uniform(0.9, 1.2)), float(rng.uniform(1.5, 1.9))), slow_share=0.1)
