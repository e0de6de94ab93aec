# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a scene looks like beyond its objects: lamp, table texture, where the camera sits."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.camera_move import CameraMove

TEXTURE_PX = 512
TEXTURE_KINDS = ('checker', 'stripes', 'noise', 'wood')
# Only scenes to train on have these, so that those above stay unseen.
TRAINED_TEXTURE_KINDS = ('blobs', 'speckle', 'gradient')


@dataclass(frozen=True, kw_only=True, slots=True)
class TableTexture:
    """
    A pattern of two colours over the whole table.

    :param kind: one of TEXTURE_KINDS or TRAINED_TEXTURE_KINDS.
    :param rgb1: first colour, 0 to 1.
    :param rgb2: second colour, 0 to 1.
    :param repeats: how many elements of the pattern lie along one side of the table.
    :param seed: of the noise in it.
    """

    kind: str
    rgb1: tuple[float, float, float]
    rgb2: tuple[float, float, float]
    repeats: int
    seed: int

    def pixels(self) -> NDArray[np.uint8]:
        """
        Return the pattern, RGB uint8 (512, 512, 3).

        :raises ValueError: if its kind is none of them.
        """
        share = _share(self)[..., None]
        colour = (1 - share) * np.array(self.rgb1) + share * np.array(self.rgb2)
        return np.asarray(np.clip(np.rint(colour * 255), 0, 255), np.uint8)


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """
    What a split may change of the picture and nothing else; the default is the trained look.

    :param light_rgb: factors on the lamp's colour.
    :param ambient: factor on the light that comes from everywhere.
    :param table_texture: drawn instead of the table's plain colour.
    :param camera: how the front camera is moved.
    """

    light_rgb: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ambient: float = 1.0
    table_texture: TableTexture | None = None
    camera: CameraMove = field(default_factory=CameraMove)


def _share(texture: TableTexture) -> NDArray[np.float64]:
    """Return how much of the second colour each pixel has, float64 (512, 512)."""
    place = (np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * texture.repeats
    rows, columns = np.meshgrid(place, place, indexing='ij')
    if texture.kind == 'checker':
        return (np.floor(rows) + np.floor(columns)) % 2
    if texture.kind == 'stripes':
        return np.floor(2 * columns) % 2
    rng = np.random.default_rng([texture.seed, 0x7E])
    if texture.kind == 'gradient':
        # A ramp up and down again, in any direction.
        angle = rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * rows + np.sin(angle) * columns
        return np.abs(2 * (along - np.floor(along)) - 1)
    if texture.kind == 'speckle':
        cells = rng.uniform(0, 1, (texture.repeats, texture.repeats)) > 0.5
        return cells[rows.astype(np.int64), columns.astype(np.int64)].astype(np.float64)
    noise = smooth_noise(rng, texture.repeats)
    if texture.kind == 'blobs':
        return np.clip((noise - 0.45) * 10, 0, 1)
    if texture.kind == 'noise':
        return noise
    if texture.kind == 'wood':
        # Grain runs along the rows and wavers slowly.
        return 0.5 + 0.5 * np.sin(2 * np.pi * (columns + 1.5 * noise))
    raise ValueError(f'table texture {texture.kind!r} is unknown; choose from '
                     f'{TEXTURE_KINDS + TRAINED_TEXTURE_KINDS}')


def smooth_noise(rng: np.random.Generator, cells: int) -> NDArray[np.float64]:
    """
    Return noise from 0 to 1 that is smooth within each of ``cells`` cells, float64 (512, 512).

    Source: value noise, Perlin 1985, in its bilinear form.
    """
    grid = rng.uniform(0, 1, (cells + 1, cells + 1))
    place = (np.arange(TEXTURE_PX) + 0.5) / TEXTURE_PX * cells
    whole = np.minimum(place.astype(np.int64), cells - 1)
    part = place - whole
    part = part * part * (3 - 2 * part)
    across = (grid[:, whole] * (1 - part) + grid[:, whole + 1] * part)
    return across[whole] * (1 - part[:, None]) + across[whole + 1] * part[:, None]
