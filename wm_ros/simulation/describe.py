# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Describe the simulated arm and its front camera, as a URDF and a calibration would."""

import math

import mujoco
import numpy as np
from numpy.typing import NDArray

from wm_ros.simulation.robot import So101Simulation
from wm_ros.simulation.scene import FRONT_CAMERA, JOINT_NAMES, Scene
from wm_ros.world_model.geometry import Geometry

POINTS_PER_LINK = 6
_EMPTY = Scene(objects=(), table_rgb=(0.5,) * 3, light=1.0, light_position=(0.2, 0.0, 1.0))


def so101_geometry() -> Geometry:
    """Return links, points spread over their surfaces, and the front camera."""
    model = So101Simulation(_EMPTY).model
    bodies = [int(model.joint(name).bodyid[0]) for name in JOINT_NAMES]
    points, owners = [], []
    for link, body in enumerate(bodies):
        # The shoulder turns in place just above the table and touches nothing.
        if link:
            spread = _spread(_surface(model, body), POINTS_PER_LINK)
            points += [_rounded(point) for point in spread]
            owners += [link] * len(spread)
    camera = model.camera(FRONT_CAMERA)
    return Geometry(
        parents=tuple(bodies.index(int(model.body_parentid[b]))
                      if int(model.body_parentid[b]) in bodies else -1 for b in bodies),
        joints=tuple(range(len(bodies))),
        positions=tuple(_rounded(model.body_pos[body]) for body in bodies),
        rotations=tuple(_rounded(_matrix(model.body_quat[body])) for body in bodies),
        axes=tuple(_rounded(model.joint(name).axis) for name in JOINT_NAMES),
        point_links=tuple(owners), points=tuple(points),
        camera_position=_rounded(camera.pos), camera_rotation=_rounded(_matrix(camera.quat)),
        camera_fovy_rad=round(math.radians(float(camera.fovy[0])), 6))


def _surface(model: mujoco.MjModel, body: int) -> NDArray[np.float64]:
    """Return the vertices of a body's colliding meshes in its own frame, (V, 3), m."""
    parts = []
    for geom in np.flatnonzero(model.geom_bodyid == body):
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH and model.geom_contype[geom]:
            mesh = model.geom_dataid[geom]
            first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            vertices = model.mesh_vert[first:first + count]
            parts.append(vertices @ _matrix(model.geom_quat[geom]).reshape(3, 3).T
                         + model.geom_pos[geom])
    return np.concatenate(parts)


def _spread(vertices: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return points that lie far apart (farthest-point sampling, Gonzalez 1985)."""
    chosen = [int(np.linalg.norm(vertices - vertices.mean(0), axis=1).argmax())]
    while len(chosen) < count:
        gaps = np.linalg.norm(vertices[:, None] - vertices[chosen], axis=2).min(1)
        chosen.append(int(gaps.argmax()))
    return vertices[chosen]


def _matrix(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 6) for value in np.ravel(values))
