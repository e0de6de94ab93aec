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
# What is seen of the links is drawn as so many points; a pixel of the model's picture is 4 mm.
NUM_SURFACE_POINTS = 5000
_VISUAL_GROUP = 2
_EMPTY = Scene(objects=(), table_rgb=(0.5,) * 3, light=1.0, light_position=(0.2, 0.0, 1.0))


def so101_geometry() -> Geometry:
    """Return links, points spread over their surfaces, and the front camera."""
    model = So101Simulation(_EMPTY).model
    bodies = [int(model.joint(name).bodyid[0]) for name in JOINT_NAMES]
    points, owners = [], []
    surface = _surfaces(model, bodies)
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
        surface_links=tuple(link for link, (part, _) in enumerate(surface) for _ in part),
        surface_points=tuple(_rounded(p, 4) for part, _ in surface for p in part),
        surface_normals=tuple(_rounded(n, 2) for _, part in surface for n in part),
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
    return np.concatenate([triangles.reshape(-1, 3), _on_triangles(triangles[chosen], rng)])


def _on_triangles(triangles: NDArray[np.float64], rng: np.random.Generator
                  ) -> NDArray[np.float64]:
    """Return a random point on each triangle, (N, 3)."""
    edges = triangles[:, 1:] - triangles[:, :1]
    shares = rng.uniform(size=(len(triangles), 2, 1))
    shares = np.where(shares.sum(1, keepdims=True) > 1, 1 - shares, shares)
    return np.asarray(triangles[:, 0] + (edges * shares).sum(1))


def _surfaces(model: mujoco.MjModel, bodies: list[int]
              ) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return points all over what is seen of each body, and their normals, in its own frame."""
    found = [_drawn(model, body) for body in bodies]
    total = sum(len(points) * area for points, _, area in found)
    spread = []
    for points, normals, area in found:
        chosen = _spread_rows(points, round(NUM_SURFACE_POINTS * len(points) * area / total))
        spread.append((points[chosen], normals[chosen]))
    return spread


def _drawn(model: mujoco.MjModel, body: int
           ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return samples of what is seen of a body from outside, normals, and the area of each, m²."""
    corners = []
    for geom in np.flatnonzero((model.geom_bodyid == body) & (model.geom_group == _VISUAL_GROUP)):
        mesh = model.geom_dataid[geom]
        begin, vertex = model.mesh_faceadr[mesh], model.mesh_vertadr[mesh]
        faces = model.mesh_face[begin:begin + model.mesh_facenum[mesh]]
        turn = _matrix(model.geom_quat[geom]).reshape(3, 3)
        corners.append(model.mesh_vert[vertex + faces] @ turn.T + model.geom_pos[geom])
    triangles = np.concatenate(corners)
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(across, axis=1) / 2
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(triangles), 2 * _SAMPLES_PER_LINK, p=area / area.sum())
    points = _on_triangles(triangles[chosen], rng)
    normals = across[chosen] / (2 * area[chosen, None])
    outside = _is_outside(model, body, points, normals)
    return points[outside], normals[outside], float(area.sum() / len(points))


def _is_outside(model: mujoco.MjModel, body: int, points: NDArray[np.float64],
                normals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points on a body some eye can see: not those inside of a motor."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    turn, place = data.xmat[body].reshape(3, 3), data.xpos[body]
    group = np.arange(mujoco.mjNGROUP) == _VISUAL_GROUP
    ways = np.array([way for way in np.ndindex(3, 3, 3) if way != (1, 1, 1)]) - 1.0
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    seen = np.zeros(len(points), bool)
    for row, (point, normal) in enumerate(zip(points, normals, strict=True)):
        facing = ways[ways @ normal > 0.3] @ turn.T
        hit, far = np.zeros(len(facing), np.int32), np.zeros(len(facing))
        mujoco.mj_multiRay(
            model, data, place + turn @ (point + 1e-4 * normal), facing.ravel(),
            group.astype(np.uint8), 1, -1, hit, far, None, len(facing), 10.0)
        seen[row] = any(geom < 0 or model.geom_bodyid[geom] != body for geom in hit)
    return seen


def _hull(model: mujoco.MjModel, mesh: int) -> NDArray[np.float64]:
    """Return the triangles of a mesh's convex hull, (F, 3, 3), m."""
    graph = model.mesh_graph[model.mesh_graphadr[mesh]:]
    num_vertices, num_faces = int(graph[0]), int(graph[1])
    begin = 2 + 3 * num_vertices + 3 * num_faces
    faces = graph[begin:begin + 3 * num_faces].reshape(-1, 3)
    return model.mesh_vert[model.mesh_vertadr[mesh] + faces].astype(np.float64)


def _spread(vertices: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return points that lie far apart (farthest-point sampling, Gonzalez 1985)."""
    return vertices[_spread_rows(vertices, count)]


def _spread_rows(vertices: NDArray[np.float64], count: int) -> list[int]:
    chosen = [int(np.linalg.norm(vertices - vertices.mean(0), axis=1).argmax())]
    gaps = np.full(len(vertices), np.inf)
    while len(chosen) < count:
        gaps = np.minimum(gaps, np.linalg.norm(vertices - vertices[chosen[-1]], axis=1))
        chosen.append(int(gaps.argmax()))
    return chosen


def _matrix(quat: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix


def _rounded(values: NDArray[np.float64], digits: int = 6) -> tuple[float, ...]:
    return tuple(round(float(value), digits) for value in np.ravel(values))
