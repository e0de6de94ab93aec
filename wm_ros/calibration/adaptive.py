# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A level that follows slow change, so that a threshold keeps its rate while the world drifts."""

from dataclasses import dataclass


@dataclass(slots=True)
class AdaptiveLevel:
    """
    Adaptive conformal inference: the level at which a p-value counts as an error.

    After each p-value, level <- level + gain (target - error). An error makes the next one
    harder, a quiet time makes it easier. For any sequence whatever, drawn by chance or by an
    adversary, the share of errors among T p-values is within
    (max(target, 1 - target) + gain) / (gain T) of ``target``, as long as neither limit is met.
    The level depends on the past alone, so a bet at it stays fair.

    :param target: wanted share of errors; also the first level.
    :param gain: how fast the level follows; 0 keeps it.
    :param lowest: the level goes no lower, so that there is always something to bet on.
    :param highest: nor higher.

    Source: Gibbs and Candes 2021, arXiv 2106.00170, equation 2 and proposition 4.1.
    """

    target: float
    gain: float = 0.0
    lowest: float = float('-inf')
    highest: float = float('inf')
    value: float = 0.0

    def __post_init__(self) -> None:
        """Start at the target."""
        if not 0 < self.target < 1 or not 0 <= self.gain <= 1:
            raise ValueError(f'target = {self.target} must lie between 0 and 1 and gain = '
                             f'{self.gain} from 0 to 1')
        if not self.lowest <= self.target <= self.highest:
            raise ValueError(f'target = {self.target} must lie within {self.lowest} to '
                             f'{self.highest}')
        self.value = self.target

    def update(self, p_value: float) -> bool:
        """
        Take one p-value.

        :returns: whether it was an error: at or below the level that held before it.
        """
        is_error = p_value <= self.value + 1e-12
        moved = self.value + self.gain * (self.target - is_error)
        self.value = min(max(moved, self.lowest), self.highest)
        return is_error
