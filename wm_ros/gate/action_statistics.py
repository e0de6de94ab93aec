# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From tokens to numbers in [-1, 1], and from those to the units of the data set.

Keys are called as in the ``dataset_statistics.json`` of OpenVLA's checkpoints.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.config import check_settings, setting
from wm_ros.datatypes import Reason
from wm_ros.gate.checks import CommandRefused

_PAIRS = {'q01_q99': ('q01', 'q99'), 'min_max': ('min', 'max'), 'mean_std': ('mean', 'std')}

_SANE = (-1e6, 1e6)

_Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """
    Figures of the data set, one for each number, in its own units.

    :raises ValueError: naming the key that is wrong.
    """

    q01: tuple[float, ...] = setting((), help='1st percentile', range=_SANE)
    q99: tuple[float, ...] = setting((), help='99th percentile', range=_SANE)
    min: tuple[float, ...] = setting((), help='lowest', range=_SANE)
    max: tuple[float, ...] = setting((), help='highest', range=_SANE)
    mean: tuple[float, ...] = setting((), help='mean', range=_SANE)
    std: tuple[float, ...] = setting((), help='standard deviation', range=_SANE)
    mask: tuple[bool, ...] = setting((), help='false: the number was not scaled; empty: all were')

    def __post_init__(self) -> None:
        """Check each key."""
        check_settings(self)

    def check(self, normalisation: str, size: int) -> None:
        """
        Check that the figures that a normalisation needs are there.

        :raises ValueError: naming the key.
        """
        if len(self.mask) not in (0, size):
            raise ValueError(f'statistics.mask has {len(self.mask)} values for {size} numbers')
        if normalisation == 'none':
            return
        low, high = (getattr(self, name) for name in _PAIRS[normalisation])
        for name, values in zip(_PAIRS[normalisation], (low, high), strict=True):
            if len(values) != size:
                raise ValueError(
                    f'statistics.{name} has {len(values)} values for {size} numbers; '
                    f'normalisation {normalisation} needs one each')
        least = high if normalisation == 'mean_std' else tuple(
            b - a for a, b in zip(low, high, strict=True))
        if not all(value >= 0.0 for value in least):
            raise ValueError(f'statistics.{_PAIRS[normalisation][1]} is {list(high)}; expected '
                             + ('no negative ones' if normalisation == 'mean_std'
                                else f'at least {_PAIRS[normalisation][0]}'))

    def restore(self, values: _Array, normalisation: str) -> _Array:
        """
        Give numbers back their units.

        :param values: float64 (N, A), normalised.
        """
        if normalisation == 'none':
            return values
        low, high = (np.array(getattr(self, name)) for name in _PAIRS[normalisation])
        if normalisation == 'mean_std':
            restored = values * high + low
        else:
            restored = 0.5 * (values + 1.0) * (high - low) + low
        return restored if not self.mask else np.where(np.array(self.mask), restored, values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """
    How tokens stand for numbers in [-1, 1].

    :raises ValueError: naming the key that is wrong.
    """

    scheme: str = setting(
        'none', choices=('none', 'index', 'openvla'),
        help='index: 0 to bins - 1, as RT-1 and RT-2 count; openvla: the last bins of the '
             'vocabulary, counted backwards')
    bins: int = setting(256, range=(2, 65536), help='number of bins')
    vocabulary: int = setting(
        32000, range=(2, 10_000_000), help='size of the vocabulary, for openvla')

    def __post_init__(self) -> None:
        """Check each key."""
        check_settings(self)
        if self.scheme == 'openvla' and self.vocabulary < self.bins:
            raise ValueError(
                f'tokens.vocabulary is {self.vocabulary}, less than tokens.bins, {self.bins}')

    def restore(self, tokens: NDArray[np.int64]) -> _Array:
        """
        Give the numbers that tokens stand for.

        :param tokens: int64 (N, A).
        :returns: float64 (N, A), in [-1, 1].
        :raises CommandRefused: BAD_COMMAND, for a token that stands for no number.
        """
        if self.scheme == 'none':
            raise CommandRefused(
                Reason.BAD_COMMAND, 'tokens came; set tokens.scheme of the action space')
        first = self.vocabulary - self.bins if self.scheme == 'openvla' else 0
        strange = (tokens < first) | (tokens >= first + self.bins)
        if strange.any():
            target, number = np.argwhere(strange)[0]
            raise CommandRefused(
                Reason.BAD_COMMAND, f'token {tokens[target, number]} of target {target}, number '
                f'{number} is none of {first} to {first + self.bins - 1}')
        if self.scheme == 'index':
            return np.asarray(2.0 * tokens / (self.bins - 1) - 1.0)
        # The bins' edges are bins values from -1 to 1, so there is one centre less; the last
        # token has that of its neighbour.
        index = np.clip(self.vocabulary - tokens - 1, 0, self.bins - 2)
        return np.asarray((2.0 * index + 1.0) / (self.bins - 1) - 1.0)
