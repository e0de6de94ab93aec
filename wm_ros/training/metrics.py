# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of merit, in numpy, each checked against a hand-worked case."""

import numpy as np
from numpy.typing import NDArray


def auroc(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """
    Return the area under the ROC curve: the chance that a positive outscores a negative.

    Ties count one half (Mann-Whitney U).

    :param scores: higher is more dangerous, (N,).
    :param labels: bool (N,).
    :returns: 0 to 1; nan if one class is empty.
    """
    positive = int(labels.sum())
    negative = len(labels) - positive
    if not positive or not negative:
        return float('nan')
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(ranks[inverse][labels].sum())
    return (rank_sum - positive * (positive + 1) / 2) / (positive * negative)


def false_veto_at_recall(scores: NDArray[np.floating], labels: NDArray[np.bool_],
                         recall: float) -> float:
    """
    Return the share of negatives at or over the highest threshold that catches enough positives.

    :param recall: the share of positives to catch, in (0, 1].
    :returns: 0 to 1; nan if one class is empty.
    """
    positives = np.sort(scores[labels])[::-1]
    negatives = scores[~labels]
    if not len(positives) or not len(negatives):
        return float('nan')
    threshold = positives[int(np.ceil(recall * len(positives))) - 1]
    return float((negatives >= threshold).mean())


def psnr(squared_error: float) -> float:
    """
    Return the peak signal-to-noise ratio in dB of a mean squared error of pixels in [0, 1].

    The error is averaged over all frames before the logarithm, as torchmetrics does, so that
    frames in which nothing moves do not count as infinite.
    """
    return float('inf') if squared_error <= 0 else float(-10 * np.log10(squared_error))


def bootstrap_interval(values: NDArray[np.floating], *, seed: int = 0, repeats: int = 1000
                       ) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a mean."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (repeats, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
