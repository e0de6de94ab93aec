# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Loose objects: their shapes, and how they are put on the table.

A shape is one or more geoms of one body, so that every contact with any of them counts as a
contact with the object. Letters: V vertices.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

_GEOMS = {
    'box': mujoco.mjtGeom.mjGEOM_BOX, 'cylinder': mujoco.mjtGeom.mjGEOM_CYLINDER,
    'capsule': mujoco.mjtGeom.mjGEOM_CAPSULE, 'ellipsoid': mujoco.mjtGeom.mjGEOM_ELLIPSOID,
    'sphere': mujoco.mjtGeom.mjGEOM_SPHERE}
_ROUND = ('ellipsoid', 'sphere')
SHAPES = (*_GEOMS, 'cone', 'l_shape', 'tee')
_CONE_SIDES = 24
# Without rolling friction a ball that was touched rolls off the table.
_ROLLING_FRICTION_M = 0.002


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneObject:
    """
    One loose object.

    :param shape: one of SHAPES.
    :param size: half extents (box, ellipsoid, sphere), or radius, half height, 0 (cylinder,
        capsule), or bottom radius, top radius, half height (cone), or half length and half
        thickness of the bars, half height (l_shape, tee), m.
    :param position: centre on the table, (x, y), m.
    :param yaw_rad: turn about z.
    :param rgb: colour, 0 to 1.
    :param density: kg/m^3.
    """

    shape: str
    size: tuple[float, float, float]
    position: tuple[float, float]
    yaw_rad: float
    rgb: tuple[float, float, float]
    density: float

    @property
    def height(self) -> float:
        """Half of the object's height, m."""
        if self.shape == 'capsule':
            return self.size[0] + self.size[1]
        return self.size[1] if self.shape == 'cylinder' else self.size[2]

    @property
    def footprint(self) -> float:
        """Radius of the smallest upright cylinder about the centre that holds it, m."""
        first, second, _ = self.size
        if self.shape in ('cylinder', 'capsule', 'cone'):
            return first
        if self.shape in _ROUND:
            return max(first, second)
        return float(np.hypot(first, first if self.shape == 'l_shape' else second))


def add_object(spec: mujoco.MjSpec, index: int, item: SceneObject) -> None:
    """
    Stand an object on the table as the free body ``object_<index>``.

    :raises ValueError: if its shape is not one of SHAPES.
    """
    if item.shape not in SHAPES:
        raise ValueError(f'object {index} has shape {item.shape!r}; choose from {SHAPES}')
    name = f'object_{index}'
    body = spec.worldbody.add_body(
        name=name, pos=[*item.position, item.height + 0.0005],
        quat=[np.cos(item.yaw_rad / 2), 0, 0, np.sin(item.yaw_rad / 2)])
    body.add_freejoint(name=name)
    common = {'density': item.density, 'rgba': [*item.rgb, 1.0], 'friction': [0.7, 0.005, 0.0005]}
    if item.shape in _GEOMS:
        if item.shape in _ROUND:
            common |= {'condim': 6, 'friction': [0.7, 0.005, _ROLLING_FRICTION_M]}
        body.add_geom(name=name, type=_GEOMS[item.shape], size=list(item.size), **common)
    elif item.shape == 'cone':
        spec.add_mesh(name=name, uservert=cone_vertices(*item.size).ravel().tolist())
        body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, **common)
    else:
        bars = _l_bars(*item.size) if item.shape == 'l_shape' else _tee_bars(*item.size)
        for number, (centre, half) in enumerate(bars):
            body.add_geom(name=f'{name}_{number}' if number else name, pos=centre, size=half,
                          type=mujoco.mjtGeom.mjGEOM_BOX, **common)


def cone_vertices(bottom: float, top: float, half_height: float) -> NDArray[np.float64]:
    """Return the corners of a cut cone about its middle, float64 (V, 3), m."""
    turn = np.linspace(0, 2 * np.pi, _CONE_SIDES, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)], axis=1)
    up = np.array([0.0, 0.0, half_height])
    return np.concatenate([ring * bottom - up, ring * top + up])


_Bars = tuple[tuple[list[float], list[float]], ...]


def _l_bars(length: float, thick: float, high: float) -> _Bars:
    """Return centre and half extents of two walls that meet in a corner."""
    return (([0.0, thick - length, 0.0], [length, thick, high]),
            ([thick - length, thick, 0.0], [thick, length - thick, high]))


def _tee_bars(length: float, thick: float, high: float) -> _Bars:
    """Return centre and half extents of a lying foot and the mast on its middle."""
    return (([0.0, 0.0, thick - high], [length, thick, thick]),
            ([0.0, 0.0, thick], [thick, thick, high - thick]))
