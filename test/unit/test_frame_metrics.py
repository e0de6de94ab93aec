# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of frames against cases worked by hand and against torchmetrics."""

import cv2
import numpy as np
import pytest

from wm_ros.training.frame_metrics import (
    gradient_energy,
    linear_motion,
    moving_pixels,
    ssim,
    unit_frames,
)
from wm_ros.training.perceptual import load_lpips


def textured(seed=0, height=48, width=64):
    """Return a smooth random picture, uint8."""
    noise = np.random.default_rng(seed).random((height, width, 3), np.float32)
    return (255 * cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 1,
                                cv2.NORM_MINMAX)).astype(np.uint8)


def test_ssim_of_flat_pictures_by_hand():
    # Without structure only the means are compared: (2 a b + C1) / (a^2 + b^2 + C1).
    first, second = np.full((24, 20, 3), 0.5, np.float32), np.full((24, 20, 3), 0.25, np.float32)
    assert ssim(first, second) == pytest.approx((0.25 + 1e-4) / (0.3125 + 1e-4), abs=1e-5)
    assert ssim(first, first) == pytest.approx(1)
    assert np.isnan(ssim(first[:10], second[:10]))


# Importing torchmetrics alone takes most of a minute where the machine is busy.
@pytest.mark.timeout(300)
def test_ssim_is_that_of_torchmetrics():
    torch = pytest.importorskip('torch', reason='needs torch')
    image = pytest.importorskip('torchmetrics.functional.image', reason='needs torchmetrics')
    first = unit_frames(textured())
    second = np.clip(first + np.random.default_rng(1).normal(0, 0.1, first.shape), 0, 1)
    second = second.astype(np.float32)
    as_torch = (torch.from_numpy(frame.transpose(2, 0, 1)[None].copy())
                for frame in (first, second))
    expected = float(image.structural_similarity_index_measure(*as_torch, data_range=1.0))
    assert 0.2 < expected < 0.95
    assert ssim(first, second) == pytest.approx(expected, abs=1e-4)


def test_moving_pixels_need_one_colour_to_change_enough():
    last = np.full((2, 3, 3), 0.5, np.float32)
    frames = np.stack([last, last])
    frames[1, 0, 1, 2] += 0.07
    frames[1, 1, 2, :] += 0.05
    moving = moving_pixels(frames, last)
    assert np.argwhere(moving).tolist() == [[1, 0, 1]]


def test_gradient_energy_by_hand():
    frame = np.zeros((2, 3, 1), np.float32)
    frame[0, 1] = 0.5
    # Steps of a half: left and right of the pixel, and below it.
    assert gradient_energy(frame) == pytest.approx(0.75)
    mask = np.zeros((2, 3), bool)
    mask[0, 0] = True
    assert gradient_energy(frame, mask) == pytest.approx(0.25)
    np.testing.assert_allclose(gradient_energy(np.stack([frame, 2 * frame])), [0.75, 3])


def test_blur_loses_gradient_energy():
    sharp = unit_frames(textured())
    assert gradient_energy(cv2.GaussianBlur(sharp, (0, 0), 2)) < 0.7 * gradient_energy(sharp)


def test_linear_motion_goes_on_as_it_was():
    wide = textured(height=64, width=96)
    previous, last = wide[:, 4:84], wide[:, 2:82]
    # The picture moves right by 2 pixels a step.
    made = linear_motion(previous, last, 2)
    assert made.shape == (2, 64, 80, 3)
    assert made.dtype == np.float32
    inside = np.s_[8:-8, 12:-12]
    for step, frame in enumerate(made, 1):
        truth = unit_frames(np.roll(wide, 2 * step, axis=1)[:, 2:82])
        still = np.square(unit_frames(last)[inside] - truth[inside]).mean()
        assert np.square(frame[inside] - truth[inside]).mean() < 0.1 * still


def test_linear_motion_of_a_still_picture_is_the_picture():
    still = textured()
    made = linear_motion(still, still, 3)
    # The flow is zero but for rounding at the border.
    assert np.abs(made - unit_frames(still)).mean() < 1e-3


def test_lpips_is_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    assert load_lpips() == (None, 'weights not present')
    assert list(tmp_path.iterdir()) == []
