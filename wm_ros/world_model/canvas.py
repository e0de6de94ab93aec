# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Canvases that points are drawn onto, with a margin for those outside of the picture.

Letters: B batch, S points.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cells_about(place: NDArray[np.float32], height: int, width: int, dtype: type
                ) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """
    Return an empty canvas with a margin, and the four cells of it about each place.

    The margin takes what falls outside the picture, so that nothing has to be left out.

    :param place: float32 (B, S, 2), px.
    :returns: zeros (B, height + 4, width + 4), see ``inside``, and flat indices into them, int
        (B, S, 4).
    """
    across, down = width + 4, height + 4
    corner = to_cells(place + np.float32(1.5), 0, (across - 2, down - 2))
    first = corner[..., 1] * across + corner[..., 0]
    first += np.arange(len(place))[:, None] * (down * across)
    cells = first[..., None] + np.array([0, 1, across, across + 1])
    return np.zeros((len(place), down, across), dtype), cells


def to_cells(place: NDArray[np.float32], least: float, most: float | tuple[int, int]
             ) -> NDArray[np.intp]:
    """
    Return the cells that places are in, at least and at most these, as int of the same shape.

    Limited as numbers, because what is far away fits no integer; what is no number is ``most``.
    """
    return np.fmax(np.fmin(np.floor(place), np.asarray(most, np.float32)),
                   np.float32(least)).astype(np.intp)


def inside(canvas: NDArray[Any]) -> NDArray[Any]:
    """Return the picture without its margin, (B, height, width), a view."""
    return canvas[:, 2:-2, 2:-2]
