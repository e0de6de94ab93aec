# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Two numbers that say how surprising what a camera shows is; both are high where it is.

A decoder that draws over the newest frame repeats whatever is wrong with that frame, so the
plain difference between a predicted and a seen frame hardly reacts to a moved camera or a dimmed
lamp. ``frame_error`` therefore looks only where something moved, and ``NoveltyModel`` looks at
the picture alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# A pixel has moved when it changed by more than noise does, grey levels.
_MOVED = 12.0
_LEAST_MOVED_SHARE = 0.01
_ROWS, _COLUMNS = 9, 12
# Added to a brightness of 0 to 1: below it a camera shows noise.
_DARK = 0.05
# Standard deviation of a cell's logarithm that says nothing: compression, rounding, scaling.
_FLOOR = 0.05
# Share of the cells that stay below the score.
_SHARE = 2 / 3
# The score of a scene is the median over so many pictures: one of an arm before the lens is none.
BLOCK = 3


def frame_error(predicted: NDArray[np.uint8], seen: NDArray[np.uint8],
                before: NDArray[np.uint8]) -> float | None:
    """
    Return which share of the motion in the picture the prediction got wrong.

    Root-mean-square lengths over the pixels that moved in either future:
    |predicted - seen| / (|predicted - before| + |seen - before|). It is 0 for a perfect
    prediction and at most 1 (triangle inequality), whatever contrast and brightness.

    :param predicted: RGB uint8 (h, w, 3).
    :param seen: what the camera showed at that time, the same shape.
    :param before: the newest frame when the prediction was made, the same shape.
    :returns: the share, or None where too little moved to tell.
    """
    start = before.astype(np.float32)
    foreseen, happened = predicted.astype(np.float32) - start, seen.astype(np.float32) - start
    lengths = [np.sqrt(np.square(change).mean(-1)) for change in (foreseen, happened)]
    moved = np.maximum(*lengths) > _MOVED
    if moved.mean() < _LEAST_MOVED_SHARE:
        return None
    wrong, *parts = (float(np.linalg.norm(change[moved]))
                     for change in (foreseen - happened, foreseen, happened))
    return wrong / sum(parts)


def picture_features(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """
    Return the logarithm of the mean colour of each cell of a coarse grid.

    :param image: RGB uint8 (h, w, 3).
    :returns: float64 (rows * columns * 3,).
    """
    cells = cv2.resize(image.astype(np.float32) / 255, (_COLUMNS, _ROWS),
                       interpolation=cv2.INTER_AREA)
    return np.log(_DARK + cells.astype(np.float64)).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class NoveltyModel:
    """
    How the cells of a picture go together in nominal pictures.

    :param mean: of the features, float32 (D,).
    :param precision: inverse of their covariance, float32 (D, D).
    """

    mean: NDArray[np.float32]
    precision: NDArray[np.float32]

    def score(self, features: NDArray[np.float64]) -> float:
        """
        Return how far cells are from what all the other cells say they should be.

        For a normal distribution with precision P, cell i given the others has the residual
        (P (x - mean))_i / sqrt(P_ii) in standard deviations. The score is what two thirds of
        the cells stay below: an arm in an unusual place, which is in a few cells, hardly counts;
        a moved camera, swapped colours or a dimmed lamp are in most.

        :param features: from ``picture_features``, float64 (D,).
        :returns: standard deviations, not negative.
        """
        pull = self.precision @ (features - self.mean)
        return float(np.quantile(np.abs(pull) / np.sqrt(np.diag(self.precision)), _SHARE))


def fit_novelty(features: NDArray[np.float64]) -> NoveltyModel:
    """
    Fit mean and precision to nominal pictures.

    A floor under every direction's variance keeps cells that hardly ever change from making
    compression noise look like news.

    :param features: float64 (N, D), N at least 2.
    """
    if len(features) < 2:
        raise ValueError(f'{len(features)} pictures cannot tell how pictures vary; give at least '
                         '2')
    covariance = np.cov(features.T) + _FLOOR ** 2 * np.eye(features.shape[1])
    return NoveltyModel(features.mean(0).astype(np.float32),
                        np.linalg.inv(covariance).astype(np.float32))
