# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The newest frame with everything that moves with the arm carried to where it will be.

Without torch, for every engine. Few pixels show the arm, and only those are read elsewhere:
sampling a whole picture in a graph takes as long as a third of its convolutions.

Letters: B batch, C h w image.
"""

import numpy as np
from numpy.typing import NDArray

from wm_ros.world_model.surface import SurfaceMaps


def carry(last: NDArray[np.float32], drawn: SurfaceMaps) -> NDArray[np.float32]:
    """
    Return what ``grid_sample`` makes of a picture and ``drawn.back``, but for rounding.

    :param last: float32 (B, C, h, w).
    :param drawn: of the same B, h and w.
    :returns: float32 (B, C, h, w).
    """
    height, width = last.shape[2:]
    moved = last.copy()
    for picture, result, point, back in zip(last, moved, drawn.point, drawn.back, strict=True):
        where = np.flatnonzero(point)
        x, y = (((back.reshape(-1, 2)[where, axis] + 1) * (size / 2) - 0.5).clip(0, size - 1)
                for axis, size in ((0, width), (1, height)))
        # One less than the last, so that there is always a pixel to the right and one below.
        left, top = np.minimum(x, width - 2).astype(np.intp), np.minimum(
            y, height - 2).astype(np.intp)
        right, down = (x - left).astype(np.float32), (y - top).astype(np.float32)
        corner, flat = top * width + left, picture.reshape(len(picture), -1)
        upper, lower = (flat[:, row] + right * (flat[:, row + 1] - flat[:, row])
                        for row in (corner, corner + width))
        result.reshape(len(picture), -1)[:, where] = upper + down * (lower - upper)
    return moved
