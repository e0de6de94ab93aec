# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Bootstrap intervals over episodes.

Windows of one episode show the same scene and overlap in time: they are no independent draws.
Whole episodes are drawn with replacement, each with all of its windows.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

REPEATS = 500
_LEVELS = (0.025, 0.975)

# A figure's interval: its lower and its upper end, each shaped like the figure.
Interval = list[Any]


def group_rows(groups: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Return the rows of each group."""
    order = np.argsort(groups, kind='stable')
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return [np.asarray(part, np.int64) for part in np.split(order, starts) if len(part)]


def bootstrap(figures: Callable[[NDArray[np.int64]], Mapping[str, ArrayLike]],
              groups: NDArray[np.integer], *, repeats: int = REPEATS, seed: int = 0
              ) -> dict[str, Interval]:
    """
    Return the 95 % percentile intervals of figures, resampling whole groups.

    :param figures: from row numbers, which may repeat, to figures: numbers or arrays by name.
    :param groups: the episode of each row, int (N,).
    :returns: name to [low, high]; nan where more than half of the draws have no such figure.
    """
    rows = group_rows(groups)
    if not rows:
        return {}
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[ArrayLike]] = {}
    for _ in range(repeats):
        chosen = rng.integers(0, len(rows), len(rows))
        for name, value in figures(np.concatenate([rows[i] for i in chosen])).items():
            drawn.setdefault(name, []).append(value)
    return {name: _percentiles(np.array(values, np.float64)) for name, values in drawn.items()}


def _percentiles(draws: NDArray[np.float64]) -> Interval:
    """Return the two ends over the first axis, without interpolation: a draw may be infinite."""
    shape, flat = draws.shape[1:], draws.reshape(len(draws), -1)
    ends = np.full((2, flat.shape[1]), np.nan)
    for column, values in enumerate(flat.T):
        known = values[~np.isnan(values)]
        if 2 * len(known) > len(draws):
            ends[:, column] = np.quantile(known, _LEVELS, method='inverted_cdf')
    return [end.reshape(shape).tolist() for end in ends]
