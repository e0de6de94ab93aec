# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an uncertainty predicts the error: rank correlation and sparsification, in numpy."""

import numpy as np
from numpy.typing import NDArray


def ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ranks from 1, ties sharing the mean of theirs, float64 (N,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """
    Return Spearman's rank correlation, ties counted by mean ranks.

    :returns: -1 to 1; nan if either is constant.
    """
    one, two = ranks(first), ranks(second)
    one, two = one - one.mean(), two - two.mean()
    scale = np.sqrt((one ** 2).sum() * (two ** 2).sum())
    return float((one * two).sum() / scale) if scale > 0 else float('nan')


def sparsification(uncertainty: NDArray[np.floating], error: NDArray[np.floating]
                   ) -> NDArray[np.float64]:
    """
    Return the mean error of what is left while the most uncertain are taken away.

    Entry k is what remains after k of the N are gone, as a share of the whole mean. Among equal
    uncertainties the order is unknown, so each stands for the mean of its equals.

    :param uncertainty: (N,).
    :param error: not negative, (N,).
    :returns: float64 (N,), starting at 1; nan if there is no error at all.

    Source: Ilg et al. 2018, arXiv 1802.07095.
    """
    _, inverse, counts = np.unique(uncertainty, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(-1)
    shared = (np.bincount(inverse, weights=error) / counts)[inverse]
    kept = np.cumsum(shared[np.argsort(uncertainty, kind='stable')]) / np.arange(
        1, len(error) + 1)
    whole = float(np.mean(error)) if len(error) else 0.0
    return kept[::-1] / whole if whole > 0 else np.full(len(error), np.nan)


def ause(uncertainty: NDArray[np.floating], error: NDArray[np.floating]) -> float:
    """
    Return the area between the sparsification curve and that of the true error (AUSE).

    0 is an uncertainty that ranks as the error does; ``ause_random`` is one that knows nothing.

    :returns: nan if there is no error at all.

    Source: Ilg et al. 2018, arXiv 1802.07095.
    """
    if not len(error):
        return float('nan')
    return float((sparsification(uncertainty, error) - sparsification(error, error)).mean())


def ause_random(error: NDArray[np.floating]) -> float:
    """Return the AUSE of an uncertainty that is the same everywhere."""
    return ause(np.zeros(len(error)), error)
