# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What is known of the robot's shape and of the camera's place, free of torch and of simulators.

Both are what a URDF and a calibrated camera give. With them the model is told where each command
will take the arm; what stands there it must see.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from wm_ros.errors import CheckpointError


@dataclass(frozen=True, kw_only=True, slots=True)
class Geometry:
    """
    A tree of links that each turn about one joint, points on them, and a pinhole camera.

    Link l hangs on link ``parents[l]`` (-1: the base) at ``positions[l]``, turned by
    ``rotations[l]``, and turns about ``axes[l]`` by joint ``joints[l]`` of the model.

    :param parents: L indices, each before its own.
    :param joints: L indices into the model's joints.
    :param positions: L offsets in the parent's frame, (x, y, z), m.
    :param rotations: L rotations in the parent's frame, row-major 3x3.
    :param axes: L unit axes in the link's frame.
    :param point_links: P links.
    :param points: P points in their link's frame, m.
    :param surface_links: S links, for drawing the arm.
    :param surface_points: S points close together all over the surface, in their link's frame, m.
    :param surface_normals: S unit normals there, in their link's frame.
    :param camera_position: in the base frame, m.
    :param camera_rotation: columns right, up, backward in the base frame, row-major 3x3.
    :param camera_fovy_rad: full vertical field of view.
    """

    parents: tuple[int, ...]
    joints: tuple[int, ...]
    positions: tuple[tuple[float, ...], ...]
    rotations: tuple[tuple[float, ...], ...]
    axes: tuple[tuple[float, ...], ...]
    point_links: tuple[int, ...]
    points: tuple[tuple[float, ...], ...]
    surface_links: tuple[int, ...]
    surface_points: tuple[tuple[float, ...], ...]
    surface_normals: tuple[tuple[float, ...], ...]
    camera_position: tuple[float, ...]
    camera_rotation: tuple[float, ...]
    camera_fovy_rad: float

    def __post_init__(self) -> None:
        """Refuse lists that do not fit each other."""
        for name in ('joints', 'positions', 'rotations', 'axes'):
            if len(getattr(self, name)) != len(self.parents):
                raise ValueError(f'geometry: {name} has {len(getattr(self, name))} entries for '
                                 f'{len(self.parents)} links')
        if any(not -1 <= parent < link for link, parent in enumerate(self.parents)):
            raise ValueError('geometry: a link must come after its parent')
        if len(self.points) != len(self.point_links) or not self.points:
            raise ValueError(f'geometry: {len(self.points)} points on '
                             f'{len(self.point_links)} links')
        if not len(self.surface_links) == len(self.surface_points) == len(self.surface_normals):
            raise ValueError(f'geometry: {len(self.surface_points)} points of the surface and '
                             f'{len(self.surface_normals)} normals on {len(self.surface_links)} '
                             'links')
        if not self.surface_points:
            raise ValueError('geometry: surface_points is empty; give at least those of points')


def geometry_from_dict(values: Mapping[str, Any]) -> Geometry:
    """
    Read the JSON form, ``dataclasses.asdict`` of a geometry.

    :raises CheckpointError: if a key is missing or unknown, or lists do not fit each other.
    """
    if set(values) != {item.name for item in fields(Geometry)}:
        raise CheckpointError(f'geometry has the keys {sorted(values)}, not the expected ones')
    try:
        return Geometry(**{key: _frozen(value) for key, value in values.items()})
    except (TypeError, ValueError) as error:
        raise CheckpointError(str(error)) from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value
