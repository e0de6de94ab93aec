# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare frames: structure, motion, sharpness, and the baseline that lets motion go on.

Frames are RGB float32 (..., h, w, 3) in [0, 1]. Letters: H steps, h w image.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

MOVING_THRESHOLD = 0.06
# The window and constants of Wang et al. 2004, with a dynamic range of 1.
_SSIM_SIZE, _SSIM_STD = 11, 1.5
_SSIM_C1, _SSIM_C2 = 0.01 ** 2, 0.03 ** 2


def unit_frames(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return uint8 frames as float32 in [0, 1]."""
    return frames.astype(np.float32) / np.float32(255)


def moving_pixels(frames: NDArray[np.float32], last: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where any colour differs from the newest frame by more than 0.06, bool (H, h, w)."""
    return np.asarray((np.abs(frames - last) > MOVING_THRESHOLD).any(-1))


def ssim(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """
    Return the structural similarity of two frames, averaged over pixels and colours.

    A Gaussian window of 11 pixels, std 1.5, the border mirrored: the number of torchmetrics, which
    takes 25 times as long for it on a CPU.

    :param first: float32 (h, w, 3) in [0, 1], at least 11 pixels each way.
    :returns: -1 to 1; nan for frames smaller than the window.

    Source: Wang et al. 2004, Image Quality Assessment, equation 13.
    """
    if min(first.shape[:2]) < _SSIM_SIZE:
        return float('nan')
    mean_a, mean_b = _blur(first), _blur(second)
    var_a = np.maximum(_blur(first * first) - mean_a * mean_a, 0)
    var_b = np.maximum(_blur(second * second) - mean_b * mean_b, 0)
    both = _blur(first * second) - mean_a * mean_b
    value = ((2 * mean_a * mean_b + _SSIM_C1) * (2 * both + _SSIM_C2)
             / ((mean_a ** 2 + mean_b ** 2 + _SSIM_C1) * (var_a + var_b + _SSIM_C2)))
    return float(value.mean())


def _blur(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(image, (_SSIM_SIZE, _SSIM_SIZE), _SSIM_STD,
                                       borderType=cv2.BORDER_REFLECT_101), np.float32)


def gradient_energy(frames: NDArray[np.float32], mask: NDArray[np.bool_] | None = None
                    ) -> NDArray[np.float64]:
    """
    Return the sum of squared differences between neighbouring pixels: blur loses it.

    :param frames: float32 (..., h, w, 3).
    :param mask: where to count, bool (..., h, w), by the left or upper pixel; None everywhere.
    :returns: float64 (...).
    """
    right = np.square(np.diff(frames, axis=-2), dtype=np.float64).sum(-1)
    down = np.square(np.diff(frames, axis=-3), dtype=np.float64).sum(-1)
    if mask is not None:
        right, down = right * mask[..., :, :-1], down * mask[..., :-1, :]
    return np.asarray(right.sum((-2, -1)) + down.sum((-2, -1)))


def linear_motion(previous: NDArray[np.uint8], last: NDArray[np.uint8], num_steps: int
                  ) -> NDArray[np.float32]:
    """
    Return the frames that follow if every pixel goes on as it moved between the last two.

    The newest frame, warped by k times the optical flow from the frame one step before it
    (Farneback's method); what comes in from outside repeats the border.

    :param previous: RGB uint8 (h, w, 3), one step before ``last``.
    :returns: float32 (H, h, w, 3) in [0, 1].
    """
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (previous, last)]
    flow = cv2.calcOpticalFlowFarneback(grey[0], grey[1], None, 0.5, 3, 15, 3, 5, 1.2, 0)
    rows, columns = np.indices(last.shape[:2], np.float32)
    source = unit_frames(last)
    return np.stack([
        cv2.remap(source, columns - k * flow[..., 0], rows - k * flow[..., 1], cv2.INTER_LINEAR,
                  borderMode=cv2.BORDER_REPLICATE)
        for k in range(1, num_steps + 1)])
