# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Draw the arm's surface into the picture: which of its points is seen in which pixel.

Without torch, for every engine: what is drawn here goes into the decoder's graph as pictures.

Letters: B batch, J joints, L links, S points on the surface, h w image.

Source: points with a depth buffer, after neural point-based graphics (arXiv 1906.08240); shadows
of a lamp on a plane, Blinn 1988, Me and my (fake) shadow.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.geometry import Geometry

MAP_NAMES = ('coverage', 'normal_x', 'normal_y', 'normal_z', 'shown_before', 'shadow',
             'coverage_before', 'shadow_before')
NUM_MAPS = len(MAP_NAMES)
# A point was seen before if nothing stood this much in front of it, m.
_BEHIND_M = 0.015
# Only what is well below the lamp has its shadow on the table, and only what is before the camera
# is in its picture.
_LEAST_SHARE, _LEAST_DEPTH_M = 0.2, 0.05
# Where lamps are thought to be before anything is seen of a shadow, and how far from there;
# slants and 1 / height in 1 / m.
OVERHEAD = (0.0, 0.0, 0.7)
_LAMP_SPREAD = (0.4, 0.4, 0.4)
# A cell that the shadow covers in part counts as well: arms are as thin as cells.
IN_PART = 1.5
# Slants and inverse heights to try about the best so far, and which share of the points to draw.
_LAMP_SEARCH = (
    (np.linspace(-0.6, 0.6, 9), (-0.3, 0.3), 5),
    (np.linspace(-0.12, 0.12, 5), (-0.4, -0.2, 0.0, 0.2, 0.4), 4),
    (np.linspace(-0.04, 0.04, 5), (-0.1, 0.0, 0.1), 2))


class Newest(NamedTuple):
    """
    Where the arm was at the newest frame: drawn once for all steps that follow.

    :param place: of each point in the picture, float32 (B, S, 2), px.
    :param shown: whether the newest frame shows the point, bool (B, S).
    :param coverage: which share of each pixel the arm covered, float32 (B, h, w).
    :param shadow: which share its shadow covered, float32 (B, h, w).
    :param camera: see ``Arm.project``, float32 (B, 6).
    :param lamp: where the light comes from: for a lamp at (x, y, z) in the base frame
        (x / z, y / z, 1 / z), float32 (B, 3), the last in 1 / m.
    """

    place: NDArray[np.float32]
    shown: NDArray[np.bool_]
    coverage: NDArray[np.float32]
    shadow: NDArray[np.float32]
    camera: NDArray[np.float32]
    lamp: NDArray[np.float32]

    def repeat(self, count: int) -> 'Newest':
        """Return each of B this many times, one after the other."""
        return Newest(*(np.repeat(cast(NDArray[Any], part), count, 0) for part in self))


class SurfaceMaps(NamedTuple):
    """
    What is drawn for one picture.

    :param point: one more than the point that is seen, 0 for none, int32 (B, h, w).
    :param maps: MAP_NAMES, float32 (B, NUM_MAPS, h, w); those of before are of the newest frame.
    :param back: where what is seen was in the newest frame, (x, y) as ``grid_sample`` counts,
        float32 (B, h, w, 2); where no arm is seen, the pixel itself.
    """

    point: NDArray[np.int32]
    maps: NDArray[np.float32]
    back: NDArray[np.float32]


class Surface:
    """The arm's surface as points; nothing in it is learned."""

    def __init__(self, geometry: Geometry, *, height: int, width: int, num_cameras: int = 1
                 ) -> None:
        """
        Take the constants of a geometry.

        :param height: of one camera's picture, px.
        :param num_cameras: pictures above each other, of which the geometry's is the first.
        """
        self.height, self.width, self.num_cameras = height, width, num_cameras
        self._geometry = geometry
        links = len(geometry.parents)
        self._rotations = np.array(geometry.rotations, np.float32).reshape(links, 3, 3)
        self._positions = np.array(geometry.positions, np.float32)
        self._cross = np.stack([_cross_matrix(axis) for axis in geometry.axes])
        self._owner = np.array(geometry.surface_links, np.int64)
        self._rows = [np.flatnonzero(self._owner == link) for link in range(links)]
        self._points = np.array(geometry.surface_points, np.float32).reshape(-1, 3)
        self._normals = np.array(geometry.surface_normals, np.float32).reshape(-1, 3)
        self._eye = np.array(geometry.camera_position, np.float32)
        self._camera = np.array(geometry.camera_rotation, np.float32).reshape(3, 3)
        self._focal_px = 0.5 * height / math.tan(geometry.camera_fovy_rad / 2)

    def find_lamp(self, joints: NDArray[np.float32], camera: NDArray[np.float32],
                  shade: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Return the lamp under which the arm's shadow lies best on the one that is seen.

        By analysis through synthesis: shadows are drawn for many lamps, first far apart, then
        close together about the best, and judged by the likelihood of what is seen.

        :param joints: at the newest frame, float32 (B, J), rad.
        :param shade: see ``encoder.Context``, float32 (B, rows, columns).
        :returns: see ``Newest``, float32 (B, 3).
        """
        points, _ = self._place(joints)
        return np.stack([self._find_lamp(*row) for row in zip(points, camera, shade, strict=True)])

    def _find_lamp(self, points: NDArray[np.float32], camera: NDArray[np.float32],
                   shade: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = shade[:shade.shape[0] // self.num_cameras] + IN_PART
        place, _ = self._project(points[None], camera[None])
        arm = np.zeros(seen.shape, np.uint8)
        _mark(arm, place[0] * (seen.shape[1] / self.width))
        seen[arm > 0] = 0
        best = start = np.array(OVERHEAD, np.float32)
        for slants, heights, every in _LAMP_SEARCH:
            lamps = best + np.array([
                (x, y, height) for x in slants for y in slants for height in heights], np.float32)
            x, y = self._feet(points[::every], camera, lamps)
            # One cell for each point: more would make every shadow fatter than it is.
            column, row = (np.floor(part * (seen.shape[1] / self.width)).astype(np.int32)
                           for part in (x, y))
            inside = (column >= 0) & (column < seen.shape[1]) & (row >= 0) & (row < len(seen))
            marks = np.zeros((len(lamps), *seen.shape), np.float32)
            which = np.broadcast_to(np.arange(len(lamps))[:, None], row.shape)
            marks[which[inside], row[inside], column[inside]] = 1
            score = marks.reshape(len(lamps), -1) @ seen.ravel()
            score -= 0.5 * np.square((lamps - start) / _LAMP_SPREAD).sum(-1)
            best = lamps[score.argmax()]
        return best

    def _feet(self, points: NDArray[np.float32], camera: NDArray[np.float32],
              lamps: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return where shadows under many lamps are in the picture, x and y (lamps, S), px."""
        turn = np.eye(3, dtype=np.float32) + _cross_matrix(camera[:3])
        across = turn @ self._camera.T
        start = turn @ (-self._camera.T @ self._eye - camera[3:])
        share = np.maximum(1 - points[:, 2] * lamps[:, 2:], _LEAST_SHARE)
        x = (points[:, 0] - points[:, 2] * lamps[:, :1]) / share
        y = (points[:, 1] - points[:, 2] * lamps[:, 1:2]) / share
        # On the table, so that two coordinates tell all.
        right, up, back = (across[i, 0] * x + across[i, 1] * y + start[i] for i in range(3))
        scale = self._focal_px / np.maximum(-back, _LEAST_DEPTH_M)
        return scale * right + self.width / 2, self.height / 2 - scale * up

    def newest(self, joints: NDArray[np.float32], camera: NDArray[np.float32],
               lamp: NDArray[np.float32]) -> Newest:
        """
        Draw the arm at the newest frame.

        :param joints: measured there, float32 (B, J), rad.
        """
        points, _ = self._place(joints)
        place, depth = self._project(points, camera)
        return Newest(place, self._shown(place, depth), self._coverage(place),
                      self._shadow(points, camera, lamp), camera, lamp)

    def draw(self, joints: NDArray[np.float32], newest: Newest) -> SurfaceMaps:
        """
        Draw the arm at a later moment, and what of it the newest frame showed.

        :param joints: float32 (B, J), rad.
        :param newest: of the same B.
        """
        camera, lamp = newest.camera, newest.lamp
        points, turns = self._place(joints)
        place, depth = self._project(points, camera)
        index = self._nearest(place, depth)
        batch, row, column = np.nonzero(index)
        chosen = index[batch, row, column] - 1
        maps = np.zeros((len(joints), NUM_MAPS, self.height, self.width), np.float32)
        maps[:, 0] = self._coverage(place)
        maps[batch, 1:4, row, column] = np.einsum(
            'nij,nj->ni', turns[batch, self._owner[chosen]], self._normals[chosen])
        maps[batch, 4, row, column] = newest.shown[batch, chosen]
        maps[:, 5] = self._shadow(points, camera, lamp)
        maps[:, 6], maps[:, 7] = newest.coverage, newest.shadow
        rows, columns = np.mgrid[:self.height, :self.width].astype(np.float32) + 0.5
        back = np.tile(np.stack([columns, rows], -1), (len(joints), 1, 1, 1))
        back[batch, row, column] += (newest.place - place)[batch, chosen]
        return self._padded(index, maps, back)

    def _padded(self, index: NDArray[np.int32], maps: NDArray[np.float32],
                back: NDArray[np.float32]) -> SurfaceMaps:
        """Return the maps of all pictures above each other: nothing is drawn into further ones."""
        below = (self.num_cameras - 1) * self.height
        total = self.num_cameras * self.height
        if below:
            index = np.pad(index, ((0, 0), (0, below), (0, 0)))
            maps = np.pad(maps, ((0, 0), (0, 0), (0, below), (0, 0)))
            row, column = np.mgrid[self.height:total, :self.width].astype(np.float32) + 0.5
            further = np.stack([column, row], -1)
            back = np.concatenate([back, np.tile(further, (len(back), 1, 1, 1))], 1)
        scale = np.array([2 / self.width, 2 / total], np.float32)
        return SurfaceMaps(index, maps, (back * scale - 1).astype(np.float32))

    def _place(self, joints: NDArray[np.float32]
               ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return points in the base frame, float32 (B, S, 3), and turns of links (B, L, 3, 3)."""
        rotations: list[NDArray[np.float32]] = []
        origins: list[NDArray[np.float32]] = []
        for link, (parent, joint) in enumerate(zip(
                self._geometry.parents, self._geometry.joints, strict=True)):
            angle = joints[:, joint, None, None]
            cross = self._cross[link]
            # Rodrigues' formula.
            turn = np.eye(3, dtype=np.float32) + np.sin(angle) * cross + (
                1 - np.cos(angle)) * (cross @ cross)
            turn = self._rotations[link] @ turn
            offset = np.broadcast_to(self._positions[link], (len(joints), 3))
            if parent >= 0:
                turn = rotations[parent] @ turn
                offset = origins[parent] + rotations[parent] @ self._positions[link]
            rotations.append(turn.astype(np.float32))
            origins.append(offset.astype(np.float32))
        points = np.empty((len(joints), len(self._points), 3), np.float32)
        for link, rows in enumerate(self._rows):
            points[:, rows] = self._points[rows] @ rotations[link].transpose(0, 2, 1) + (
                origins[link][:, None])
        return points, np.stack(rotations, 1)

    def _project(self, points: NDArray[np.float32], camera: NDArray[np.float32]
                 ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return places (x, y) in the first picture, float32 (B, S, 2), px, and depths, m."""
        seen = (points - self._eye) @ self._camera - camera[:, None, 3:]
        # The cross product of a small turn and each point, as one product of matrices.
        turn = np.stack([_cross_matrix(vector) for vector in camera[:, :3]])
        seen = seen + seen @ turn.transpose(0, 2, 1)
        depth = np.maximum(-seen[..., 2], _LEAST_DEPTH_M)
        x = self._focal_px * seen[..., 0] / depth + self.width / 2
        y = -self._focal_px * seen[..., 1] / depth + self.height / 2
        return np.stack([x, y], -1).astype(np.float32), depth.astype(np.float32)

    def _nearest(self, place: NDArray[np.float32], depth: NDArray[np.float32]
                 ) -> NDArray[np.int32]:
        """Return one more than the point in front in each pixel, 0 for none."""
        order = np.argsort(-depth, axis=1, kind='stable')
        cells, inside = _cells(np.take_along_axis(place, order[..., None], 1), self.height,
                               self.width)
        picture = np.zeros(len(place) * self.height * self.width, np.int32)
        label = np.broadcast_to((order + 1)[..., None], cells.shape)
        # Of several values for one cell the last stays, which is the nearest.
        picture[cells[inside]] = label[inside]
        return picture.reshape(len(place), self.height, self.width)

    def _coverage(self, place: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return which share of each pixel the arm covers, by quarters."""
        cells, inside = _cells(2 * place, 2 * self.height, 2 * self.width)
        picture = np.zeros(len(place) * 4 * self.height * self.width, np.float32)
        picture[cells[inside]] = 0.25
        fine = picture.reshape(len(place), self.height, 2, self.width, 2)
        # A sum of slices is many times faster than a mean over two axes.
        return fine[:, :, 0, :, 0] + fine[:, :, 0, :, 1] + fine[:, :, 1, :, 0] + (
            fine[:, :, 1, :, 1])

    def _shown(self, place: NDArray[np.float32], depth: NDArray[np.float32]
               ) -> NDArray[np.bool_]:
        """Return whether each point is seen where it is, bool (B, S)."""
        front = self._nearest(place, depth)
        batch = np.arange(len(place))[:, None]
        column, row = (np.floor(place[..., axis]).astype(np.int64) for axis in (0, 1))
        inside = (column >= 0) & (column < self.width) & (row >= 0) & (row < self.height)
        there = front[batch, row.clip(0, self.height - 1), column.clip(0, self.width - 1)]
        nearest = depth[batch, np.maximum(there, 1) - 1]
        return inside & (there > 0) & (depth < nearest + _BEHIND_M)

    def _shadow(self, points: NDArray[np.float32], camera: NDArray[np.float32],
                lamp: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return where the arm takes the lamp's light from the table, in [0, 1]."""
        foot, _ = self._project(shadow_of(points, lamp), camera)
        return self._coverage(foot)


def make_surface(config: ModelConfig) -> Surface | None:
    """Return the surface that a model draws; None if the arm's geometry is not known."""
    if config.geometry is None:
        return None
    return Surface(config.geometry, height=config.image_height, width=config.image_width,
                   num_cameras=len(config.cameras))


def in_threads(function: Callable[..., Any], *arguments: Any, threads: int) -> Any:
    """
    Call a function on parts of its arguments, and join what it returns.

    :param arguments: arrays (B, ...) or named tuples of such.
    """
    def part_of(argument: Any, rows: NDArray[np.intp]) -> Any:
        if isinstance(argument, tuple):
            return type(argument)(*(item[rows] for item in argument))
        return argument[rows]

    def call(rows: NDArray[np.intp]) -> Any:
        return function(*(part_of(argument, rows) for argument in arguments))

    count = len(arguments[0])
    parts = np.array_split(np.arange(count), min(threads, count))
    if len(parts) == 1:
        return call(parts[0])
    with ThreadPoolExecutor(threads) as pool:
        made = list(pool.map(call, parts))
    if isinstance(made[0], tuple):
        return type(made[0])(*(np.concatenate(arrays) for arrays in zip(*made, strict=True)))
    return np.concatenate(made)


def shadow_of(points: NDArray[np.float32], lamp: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Return where the shadows of points fall on the table, z = 0.

    :param points: float32 (B, S, 3), m.
    :param lamp: see ``Newest``, float32 (B, 3).
    """
    height = points[..., 2:]
    share = np.maximum(1 - height * lamp[:, None, 2:], _LEAST_SHARE)
    foot = (points[..., :2] - height * lamp[:, None, :2]) / share
    return np.concatenate([foot, np.zeros_like(height)], -1)


def _mark(picture: NDArray[np.uint8], place: NDArray[np.float32]) -> None:
    """Set the cells about places, float32 (S, 2), to 1."""
    cells, inside = _cells(place[None], *picture.shape)
    picture.ravel()[cells[inside]] = 1


def _cells(place: NDArray[np.float32], height: int, width: int
           ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """
    Return the four cells about each place, and which of them are in the picture.

    :param place: float32 (B, S, 2), px.
    :returns: flat indices into (B, height, width), int64 (B, S, 4), and bool of that shape.
    """
    column = np.floor(place[..., :1] - 0.5).astype(np.int64) + np.array([0, 1, 0, 1])
    row = np.floor(place[..., 1:] - 0.5).astype(np.int64) + np.array([0, 0, 1, 1])
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    batch = np.arange(len(place))[:, None, None]
    return (batch * height + row) * width + column, inside


def _cross_matrix(axis: Sequence[float] | NDArray[np.float32]) -> NDArray[np.float32]:
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]], np.float32)
