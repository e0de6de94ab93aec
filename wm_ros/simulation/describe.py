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

# From the base outwards; the shoulder turns in place just above the table and touches nothing. The
# hand comes first to what it hits.
POINTS_PER_LINK = (0, 20, 28, 36, 56, 52)
_SAMPLES_PER_LINK = 3000
_EMPTY = Scene(objects=(), table_rgb=(0.5,) * 3, light=1.0, light_position=(0.2, 0.0, 1.0))


def so101_geometry() -> Geometry:
    """Return links, points spread over their surfaces, and the front camera."""
    model = So101Simulation(_EMPTY).model
    bodies = [int(model.joint(name).bodyid[0]) for name in JOINT_NAMES]
    points, owners = [], []
    for link, body in enumerate(bodies):
        if POINTS_PER_LINK[link]:
            spread = _spread(_surface(model, body), POINTS_PER_LINK[link])
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
    """
    Return points all over what of a body collides, in its own frame, (N, 3), m.

    MuJoCo collides the convex hulls of meshes, so it is their faces that are sampled, by area.
    """
    corners = []
    for geom in np.flatnonzero(model.geom_bodyid == body):
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH and model.geom_contype[geom]:
            turn = _matrix(model.geom_quat[geom]).reshape(3, 3)
            corners.append(_hull(model, model.geom_dataid[geom]) @ turn.T + model.geom_pos[geom])
    triangles = np.concatenate(corners)
    edges = triangles[:, 1:] - triangles[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(triangles), _SAMPLES_PER_LINK, p=area / area.sum())
    shares = rng.uniform(size=(_SAMPLES_PER_LINK, 2, 1))
    shares = np.where(shares.sum(1, keepdims=True) > 1, 1 - shares, shares)
    spread = triangles[chosen, 0] + (edges[chosen] * shares).sum(1)
    return np.concatenate([triangles.reshape(-1, 3), spread])


def _hull(model: mujoco.MjModel, mesh: int) -> NDArray[np.float64]:
    """Return the triangles of a mesh's convex hull, (F, 3, 3), m."""
    graph = model.mesh_graph[model.mesh_graphadr[mesh]:]
    num_vertices, num_faces = int(graph[0]), int(graph[1])
    begin = 2 + 3 * num_vertices + 3 * num_faces
    faces = graph[begin:begin + 3 * num_faces].reshape(-1, 3)
    return model.mesh_vert[model.mesh_vertadr[mesh] + faces].astype(np.float64)


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
