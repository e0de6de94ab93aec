# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How well a risk ranks hazards and how far it can be taken as a probability, in numpy."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.training.metrics import auroc, false_veto_at_recall

NUM_BINS = 15
RECALLS = (90, 95, 99)


class ReliabilityBin(NamedTuple):
    """
    Windows whose risk fell between two edges.

    :param low: lower edge, not included except for 0.
    :param high: upper edge, included.
    :param windows: how many there are.
    :param risk: their mean risk.
    :param observed: the share of them that had a hazard.
    """

    low: float
    high: float
    windows: int
    risk: float
    observed: float


def average_precision(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> float:
    """
    Return the mean precision over recall, each distinct score a threshold, no interpolation.

    :param scores: higher is more dangerous, (N,).
    :param labels: bool (N,).
    :returns: the share of positives up to 1; nan if there is no positive.
    """
    if not labels.any():
        return float('nan')
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    # The last of each run of equal scores: they are taken together or not at all.
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    caught = np.cumsum(labels[order])[ends]
    steps = np.diff(caught, prepend=0)
    return float((steps * caught / (ends + 1)).sum() / caught[-1])


def reliability(probability: NDArray[np.floating], labels: NDArray[np.bool_], *,
                num_bins: int = NUM_BINS) -> list[ReliabilityBin]:
    """
    Return the reliability diagram: bins of equal width, the empty ones left out.

    :param probability: in [0, 1], (N,).
    :param labels: bool (N,).
    """
    edges = np.linspace(0, 1, num_bins + 1)
    place = np.clip(np.searchsorted(edges, probability, side='left') - 1, 0, num_bins - 1)
    return [ReliabilityBin(float(edges[i]), float(edges[i + 1]), int(mine.sum()),
                           float(probability[mine].mean()), float(labels[mine].mean()))
            for i in range(num_bins) if (mine := place == i).any()]


def calibration_error(probability: NDArray[np.floating], labels: NDArray[np.bool_], *,
                      num_bins: int = NUM_BINS) -> float:
    """
    Return the expected calibration error (ECE): the bins' mean |observed - risk|, by count.

    :returns: 0 to 1; nan for no windows.

    Source: Guo et al. 2017, arXiv 1706.04599, equation 3.
    """
    bins = reliability(probability, labels, num_bins=num_bins)
    total = sum(item.windows for item in bins)
    if not total:
        return float('nan')
    return sum(item.windows * abs(item.observed - item.risk) for item in bins) / total


def ranking_figures(scores: NDArray[np.floating], labels: NDArray[np.bool_]) -> dict[str, float]:
    """Return AUROC, average precision and false vetoes at each recall, by their names."""
    return {
        'auroc': auroc(scores, labels), 'average_precision': average_precision(scores, labels),
        **{f'false_veto_at_{recall}_recall': false_veto_at_recall(scores, labels, recall / 100)
           for recall in RECALLS}}


def roc_curve(scores: NDArray[np.floating], labels: NDArray[np.bool_]
              ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """
    Return false-veto rate, recall and precision at each distinct threshold, highest first.

    :returns: three float64 arrays (K,); nan where a class is empty.
    """
    order = np.argsort(-scores, kind='stable')
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    caught = np.cumsum(labels[order])[ends].astype(np.float64)
    positive, negative = int(labels.sum()), int((~labels).sum())
    recall = caught / positive if positive else np.full(len(ends), np.nan)
    false = (ends + 1 - caught) / negative if negative else np.full(len(ends), np.nan)
    return false, recall, caught / (ends + 1)
