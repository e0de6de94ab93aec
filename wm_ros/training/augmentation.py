# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Change pictures as another camera or lamp would, the same for all pictures of a window.

A turn of the camera about its own centre is exact: it moves each pixel by a homography whatever
stands where. What it is turned by is known and is learned from the picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.world_model.config import ModelConfig

_LUMA = 0.299, 0.587, 0.114


def draw_turns(rng: np.random.Generator, count: int, largest_rad: float, share: float
               ) -> NDArray[np.float32]:
    """Return turns about the camera's axes, float32 (count, 3), rad; zero for the others."""
    turns = rng.uniform(-largest_rad, largest_rad, (count, 3))
    return (turns * (rng.random((count, 1)) < share)).astype(np.float32)


def draw_curves(rng: np.random.Generator, count: int, brightness: float, tint: float, gamma: float,
                invert_share: float = 0.0) -> NDArray[np.float32]:
    """
    Return what becomes of each value of each colour of a window, float32 (count, 256, 3).

    :param brightness: largest relative change of all colours.
    :param tint: largest relative change of each.
    :param gamma: largest power; the smallest is its inverse.
    :param invert_share: share of the windows that become negatives.
    """
    gains = rng.uniform(1 - brightness, 1 + brightness, (count, 1)) * rng.uniform(
        1 - tint, 1 + tint, (count, 3))
    values = np.arange(256)[:, None] / 255
    if invert_share:
        values = np.where(rng.random((count, 1, 1)) < invert_share, 1 - values, values)
    if gamma > 1:
        values = values ** (gamma ** rng.uniform(-1, 1, (count, 1, 1)))
    return (values * gains[:, None]).clip(0, 1).astype(np.float32)


def bend_colours(images: NDArray[np.uint8], curves: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Return pictures in [0, 1], each value replaced by what its colour's curve says.

    :param images: uint8 (..., 3).
    :param curves: float32 (256, 3).
    """
    pixels = images.reshape(-1, 1, 3)
    return np.asarray(cv2.LUT(pixels, curves[None]), np.float32).reshape(images.shape)


def draw_fading(rng: np.random.Generator, count: int, most: float) -> NDArray[np.float32]:
    """Return the share of its colour that each window loses, float32 (count,)."""
    if not most:
        return np.zeros(count, np.float32)
    return rng.uniform(0, most, count).astype(np.float32)


def fade_colours(pictures: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """
    Return pictures whose colours are nearer to grey of the same luma (ITU-R BT.601).

    :param pictures: float32 (..., 3) in [0, 1].
    :param share: 0 changes nothing, 1 leaves grey.
    """
    if not share:
        return pictures
    mix = (1 - share) * np.eye(3) + share * np.tile(_LUMA, (3, 1))
    return cv2.transform(pictures.reshape(-1, 1, 3), mix).reshape(pictures.shape)


def turn_images(images: NDArray[np.uint8], turn: NDArray[np.float32], config: ModelConfig
                ) -> NDArray[np.uint8]:
    """
    Return what a turned camera would have seen, edges repeated; other cameras stay as they are.

    :param images: uint8 (N, h, w, 3), cameras above each other.
    :param turn: float32 (3,), rad, see ``Context.camera``.
    """
    if config.geometry is None or not turn.any():
        return images
    matrix = turn_matrix(turn, config)
    height, width = config.image_height, config.image_width
    turned = images.copy()
    for index, image in enumerate(images):
        turned[index, :height] = cv2.warpPerspective(
            image[:height], matrix, (width, height), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE)
    return turned


def turn_matrix(turn: NDArray[np.float32], config: ModelConfig) -> NDArray[np.float64]:
    """Return the homography from pixels of the known camera to pixels of the turned one."""
    assert config.geometry is not None
    focal = 0.5 * config.image_height / np.tan(config.geometry.camera_fovy_rad / 2)
    centre_x, centre_y = (config.image_width - 1) / 2, (config.image_height - 1) / 2
    # Pixels to rays along the camera's right, up and backward axes.
    rays = np.array([[1 / focal, 0, -centre_x / focal], [0, -1 / focal, centre_y / focal],
                     [0, 0, -1.0]])
    x, y, z = (float(value) for value in turn)
    small = np.eye(3) + np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.linalg.inv(rays) @ small @ rays
