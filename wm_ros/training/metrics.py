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
    negatives = scores[~labels]
    if not labels.any() or not len(negatives):
        return float('nan')
    return float((negatives >= recall_threshold(scores, labels, recall)).mean())


def recall_threshold(scores: NDArray[np.floating], labels: NDArray[np.bool_],
                     recall: float) -> float:
    """Return the highest threshold that catches a share of the positives; nan without any."""
    positives = np.sort(scores[labels])[::-1]
    if not len(positives):
        return float('nan')
    # The small number undoes what binary fractions add: 0.55 * 20 must count 11.
    return float(positives[max(0, int(np.ceil(recall * len(positives) - 1e-9)) - 1)])


def psnr(squared_error: float) -> float:
    """
    Return the peak signal-to-noise ratio in dB of a mean squared error of pixels in [0, 1].

    The error is averaged over all frames before the logarithm, as torchmetrics does, so that
    frames in which nothing moves do not count as infinite.
    """
    return float('inf') if squared_error <= 0 else float(-10 * np.log10(squared_error))


def psnr_by_step(squared_errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PSNR in dB of each of H mean squared errors, float64 (H,)."""
    return np.array([psnr(float(value)) for value in squared_errors])
