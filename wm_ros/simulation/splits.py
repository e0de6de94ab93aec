# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Named splits: what each one draws differently from the scenes that the model is trained on.

``id`` is what the model is measured on first and must never change: files collected years apart
are the same. ``objects``, ``appearance`` and ``dynamics`` leave it in one way each, so that their
rows in an evaluation say which way hurts. ``varied`` is for training: it leaves ``id`` in many
ways at once and less far than they do. docs/splits.md has the table.
"""

import colorsys
import math
from collections.abc import Callable

import numpy as np

from wm_ros.simulation.camera_move import CameraMove
from wm_ros.simulation.look import (
    TEXTURE_KINDS,
    TRAINED_TEXTURE_KINDS,
    Look,
    TableTexture,
)
from wm_ros.simulation.objects import SceneObject

# The number is part of the random stream: append, never reorder.
_STREAMS: dict[str, tuple[int, ...]] = {
    'id': (), 'objects': (1,), 'appearance': (2,), 'dynamics': (3,), 'varied': (4,)}
SPLITS = tuple(_STREAMS)
MAX_CAMERA_MOVE_M = 0.02
MAX_CAMERA_TURN_RAD = math.radians(3.0)
# What varied scenes reach of the camera's move in appearance.
_VARIED_SHARE = 0.8
_Triple = tuple[float, float, float]


def stream(seed: int, purpose: int, split: str) -> np.random.Generator:
    """
    Return the random numbers that a split uses for one purpose.

    :raises ValueError: if there is no such split.
    """
    if split not in _STREAMS:
        raise ValueError(f'no split is called {split!r}; choose from {", ".join(SPLITS)}')
    return np.random.default_rng([seed, purpose, *_STREAMS[split]])


def draw_object(rng: np.random.Generator, split: str, others: list[SceneObject]
                ) -> SceneObject | None:
    """Draw an object that stands clear of the others, or None where there is no room."""
    if split == 'objects':
        return _novel_object(rng, others)
    position = _free_place(rng, lambda spot: all(
        math.dist(spot, other.position) > 0.09 for other in others))
    if position is None:
        return None
    shape, size = _varied_shape(rng) if split == 'varied' else _trained_shape(rng)
    rgb = _COLOURS.get(split, _trained_colour)(rng)
    heavy = split == 'dynamics'
    return SceneObject(
        shape=shape, size=size, position=position, yaw_rad=float(rng.uniform(-np.pi, np.pi)),
        rgb=rgb, density=float(rng.uniform(1800, 5000) if heavy else rng.uniform(300, 900)))


def _free_place(rng: np.random.Generator, is_free: Callable[[tuple[float, float]], bool],
                *, nearest: float = 0.17) -> tuple[float, float] | None:
    for _ in range(50):
        radius, bearing = rng.uniform(nearest, 0.36), rng.uniform(-0.95, 0.95)
        place = float(radius * np.cos(bearing)), float(radius * np.sin(bearing))
        if is_free(place):
            return place
    return None


def _trained_shape(rng: np.random.Generator) -> tuple[str, _Triple]:
    shape = str(rng.choice(['box', 'cylinder', 'capsule']))
    half_height = rng.uniform(0.03, 0.085)
    if shape == 'box':
        return shape, (float(rng.uniform(0.014, 0.03)), float(rng.uniform(0.014, 0.03)),
                       float(half_height))
    radius = float(rng.uniform(0.014, 0.028))
    # A capsule's half height is that of its cylinder: the caps come on top.
    flat = half_height - radius if shape == 'capsule' else half_height
    return shape, (radius, float(max(flat, 0.01)), 0.0)


def _varied_shape(rng: np.random.Generator) -> tuple[str, _Triple]:
    """Draw a trained shape of sizes between the trained ones and those of ``objects``."""
    shape = str(rng.choice(['box', 'cylinder', 'capsule']))
    half_height = float(rng.uniform(0.025, 0.09))
    if shape == 'box':
        wide, deep = (float(rng.uniform(0.012, 0.036)) for _ in range(2))
        return shape, (wide, deep, half_height)
    radius = float(rng.uniform(0.013, min(0.03, half_height)))
    flat = half_height - radius if shape == 'capsule' else half_height
    return shape, (radius, max(flat, 0.01), 0.0)


def _trained_colour(rng: np.random.Generator) -> _Triple:
    # Any colour but the arm's yellow, which a camera could not tell from the arm.
    hue = float(rng.choice([rng.uniform(0.25, 1.0), rng.uniform(0.0, 0.06)], p=[0.9, 0.1]))
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0.55, 1.0), rng.uniform(0.4, 1.0))
    return float(red), float(green), float(blue)


def _unseen_colour(rng: np.random.Generator) -> _Triple:
    """Draw a pale or a dark colour: trained ones have saturation >= 0.55 and value >= 0.4."""
    pale = rng.random() < 0.6
    saturation = rng.uniform(0.0, 0.4) if pale else rng.uniform(0.0, 1.0)
    value = rng.uniform(0.45, 1.0) if pale else rng.uniform(0.1, 0.32)
    red, green, blue = colorsys.hsv_to_rgb(rng.uniform(0.0, 1.0), saturation, value)
    return float(red), float(green), float(blue)


def _varied_colour(rng: np.random.Generator) -> _Triple:
    hue = rng.uniform(0.22, 1.08) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(0.42, 1.0), rng.uniform(0.34, 1.0))
    return float(red), float(green), float(blue)


_COLOURS = {'appearance': _unseen_colour, 'varied': _varied_colour}


def _novel_object(rng: np.random.Generator, others: list[SceneObject]) -> SceneObject | None:
    shape, size = _NOVEL[int(rng.integers(len(_NOVEL)))](rng)
    drawn = SceneObject(
        shape=shape, size=size, position=(0.0, 0.0), yaw_rad=float(rng.uniform(-np.pi, np.pi)),
        rgb=_trained_colour(rng), density=float(rng.uniform(300, 900)))
    gap = drawn.footprint + 0.01
    place = _free_place(rng, lambda spot: all(
        math.dist(spot, other.position) > gap + other.footprint for other in others),
        nearest=0.13 + drawn.footprint)
    if place is None:
        return None
    return SceneObject(shape=drawn.shape, size=drawn.size, position=place, rgb=drawn.rgb,
                       yaw_rad=drawn.yaw_rad, density=drawn.density)


def _numbers(rng: np.random.Generator, *ranges: tuple[float, float]) -> _Triple:
    first, second, third = (float(rng.uniform(low, high)) for low, high in ranges)
    return first, second, third


def _ball(rng: np.random.Generator) -> tuple[str, _Triple]:
    radius = float(rng.uniform(0.03, 0.045))
    return 'sphere', (radius, radius, radius)


def _egg(rng: np.random.Generator) -> tuple[str, _Triple]:
    # Lowest along z, or it would roll onto its side.
    return 'ellipsoid', _numbers(rng, (0.034, 0.055), (0.034, 0.055), (0.022, 0.032))


def _post(rng: np.random.Generator) -> tuple[str, _Triple]:
    return 'cylinder', _numbers(rng, (0.008, 0.012), (0.09, 0.11), (0.0, 0.0))


def _slab(rng: np.random.Generator) -> tuple[str, _Triple]:
    return 'box', _numbers(rng, (0.038, 0.055), (0.038, 0.055), (0.012, 0.024))


def _corner(rng: np.random.Generator) -> tuple[str, _Triple]:
    return 'l_shape', _numbers(rng, (0.03, 0.048), (0.008, 0.013), (0.03, 0.075))


def _mast(rng: np.random.Generator) -> tuple[str, _Triple]:
    return 'tee', _numbers(rng, (0.035, 0.055), (0.012, 0.016), (0.055, 0.09))


def _cone(rng: np.random.Generator) -> tuple[str, _Triple]:
    return 'cone', _numbers(rng, (0.03, 0.042), (0.002, 0.012), (0.04, 0.085))


# No shape and size in here can come from _trained_shape.
_NOVEL = (_ball, _egg, _post, _slab, _corner, _mast, _cone)


def draw_light(rng: np.random.Generator, split: str) -> tuple[float, _Triple]:
    """Draw the factor on the lamp and its position, m; appearance lies outside the trained."""
    if split == 'varied':
        return float(rng.uniform(0.66, 1.19)), _numbers(rng, (-0.1, 0.6), (-0.5, 0.5), (0.8, 1.4))
    if split != 'appearance':
        return float(rng.uniform(0.75, 1.1)), _numbers(rng, (0.0, 0.5), (-0.4, 0.4), (0.9, 1.3))
    factor = rng.uniform(0.35, 0.65) if rng.random() < 0.5 else rng.uniform(1.2, 1.6)
    side = 1.0 if rng.random() < 0.5 else -1.0
    far, left, up = _numbers(rng, (-0.2, 0.8), (0.5, 0.9), (0.7, 1.4))
    return float(factor), (far, side * left, up)


def draw_look(rng: np.random.Generator, split: str) -> Look:
    """Draw lamp colour, table texture and camera move; those of most splits are the default."""
    if split == 'varied':
        return _varied_look(rng)
    if split != 'appearance':
        return Look()
    # From candle to overcast sky, equal in green.
    warmth = float(rng.uniform(-0.25, 0.25))
    return Look(
        light_rgb=(1.0 + warmth, 1.0, 1.0 - warmth), ambient=float(rng.uniform(0.65, 1.25)),
        table_texture=_draw_texture(rng),
        camera=CameraMove(offset_m=_vector(rng, 0.005, MAX_CAMERA_MOVE_M),
                          turn_rad=_vector(rng, math.radians(0.5), MAX_CAMERA_TURN_RAD)))


def _varied_look(rng: np.random.Generator) -> Look:
    """Draw one for training: a third of the tables stay plain, a third of the cameras fixed."""
    warmth = float(rng.uniform(-0.15, 0.15))
    has_texture, has_moved = rng.random(2) < 2 / 3
    move = CameraMove(
        offset_m=_vector(rng, 0.0, _VARIED_SHARE * MAX_CAMERA_MOVE_M),
        turn_rad=_vector(rng, 0.0, _VARIED_SHARE * MAX_CAMERA_TURN_RAD))
    texture = _varied_texture(rng)
    return Look(
        light_rgb=(1.0 + warmth, 1.0, 1.0 - warmth), ambient=float(rng.uniform(0.72, 1.2)),
        table_texture=texture if has_texture else None,
        camera=move if has_moved else CameraMove())


def _varied_texture(rng: np.random.Generator) -> TableTexture:
    kind = str(rng.choice(TRAINED_TEXTURE_KINDS))
    hue, saturation, value = rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.45), rng.uniform(0.35, 0.8)
    low, high = {'blobs': (8, 40), 'speckle': (12, 40), 'gradient': (1, 4)}[kind]
    first, second = (colorsys.hsv_to_rgb(hue, saturation, v)
                     for v in (value, value * rng.uniform(0.55, 0.9)))
    return TableTexture(
        kind=kind, rgb1=_numbers(rng, *((c, c) for c in first)),
        rgb2=_numbers(rng, *((c, c) for c in second)),
        repeats=int(rng.integers(low, high)), seed=int(rng.integers(2 ** 31)))


def _draw_texture(rng: np.random.Generator) -> TableTexture:
    kind = str(rng.choice(TEXTURE_KINDS))
    hue = rng.uniform(0.0, 1.0)
    value, saturation = rng.uniform(0.35, 0.8), rng.uniform(0.05, 0.5)
    darker = rng.uniform(0.55, 0.85)
    if kind == 'wood':
        hue, saturation = rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.6)
    low, high = {'wood': (14, 30), 'noise': (12, 60)}.get(kind, (10, 30))
    first, second = (colorsys.hsv_to_rgb(hue, saturation, v) for v in (value, value * darker))
    return TableTexture(
        kind=kind, rgb1=_numbers(rng, *((c, c) for c in first)),
        rgb2=_numbers(rng, *((c, c) for c in second)),
        repeats=int(rng.integers(low, high)), seed=int(rng.integers(2 ** 31)))


def _vector(rng: np.random.Generator, shortest: float, longest: float) -> _Triple:
    """Draw a vector of any direction whose length lies between the two."""
    direction = rng.normal(size=3)
    x, y, z = direction / np.linalg.norm(direction) * rng.uniform(shortest, longest)
    return float(x), float(y), float(z)
