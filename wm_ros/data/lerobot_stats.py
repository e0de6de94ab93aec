# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The statistics that LeRobot keeps of each feature, for each episode and for all of them.

Source: huggingface/lerobot, src/lerobot/datasets/compute_stats.py, for names and shapes.
"""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Stats = dict[str, NDArray[np.float64]]

_QUANTILES = {'q01': 0.01, 'q10': 0.1, 'q50': 0.5, 'q90': 0.9, 'q99': 0.99}


def feature_stats(values: NDArray[Any]) -> Stats:
    """
    Return the statistics of a feature over the rows of an episode.

    :param values: (N,) or (N, D); NaN is left out.
    :returns: min, max, mean, std and quantiles, float64 (D,), NaN where there is no value, and
        the number of rows, (1,).
    """
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # a column of NaN alone
        stats = {'min': np.nanmin(rows, axis=0), 'max': np.nanmax(rows, axis=0),
                 'mean': np.nanmean(rows, axis=0), 'std': np.nanstd(rows, axis=0)}
        stats |= {name: np.nanquantile(rows, share, axis=0)
                  for name, share in _QUANTILES.items()}
    return {**stats, 'count': np.array([float(len(rows))])}


def picture_stats(pictures: list[NDArray[np.uint8]]) -> Stats:
    """
    Return the statistics of a camera, in [0, 1] and of shape (3, 1, 1).

    :param pictures: samples of an episode, RGB uint8 (h, w, 3).
    """
    pixels = np.concatenate([picture[::4, ::4].reshape(-1, 3) for picture in pictures])
    stats = feature_stats(pixels / 255)
    return {name: np.array([float(len(pictures))]) if name == 'count' else value.reshape(3, 1, 1)
            for name, value in stats.items()}


def join_stats(parts: list[Stats]) -> Stats:
    """Return the statistics of all episodes; quantiles are means weighted by rows."""
    counts = np.concatenate([part['count'] for part in parts])
    shape = (-1,) + (1,) * parts[0]['mean'].ndim
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)
        means = np.stack([part['mean'] for part in parts])
        weights = np.where(np.isnan(means), 0.0, counts.reshape(shape))
        weights = weights / weights.sum(axis=0)
        mean = np.nansum(weights * means, axis=0)
        spread = np.stack([part['std'] for part in parts]) ** 2 + (means - mean) ** 2
        joined = {'min': np.nanmin(np.stack([part['min'] for part in parts]), axis=0),
                  'max': np.nanmax(np.stack([part['max'] for part in parts]), axis=0),
                  'mean': mean, 'std': np.sqrt(np.nansum(weights * spread, axis=0))}
        joined |= {name: np.nansum(weights * np.stack([part[name] for part in parts]), axis=0)
                   for name in _QUANTILES}
    return {**joined, 'count': np.array([counts.sum()])}


def is_known(stats: Stats) -> bool:
    """Tell whether there was any value in each column."""
    return not any(np.isnan(value).any() for value in stats.values())


def to_lists(stats: Stats) -> dict[str, list[Any]]:
    """Return the statistics as JSON and parquet hold them; counts are whole numbers."""
    return {name: [int(value[0])] if name == 'count' else value.tolist()
            for name, value in stats.items()}
