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

from wm_ros.world_model.canvas import cells_about, inside, to_cells
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

_LAMPS_AT_ONCE = 25


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
        points = np.array(geometry.surface_points, np.float32).reshape(-1, 3)
        self._rows = [np.flatnonzero(self._owner == link) for link in range(links)]
        self._local = [np.ascontiguousarray(points[rows].T) for rows in self._rows]
        self._normals = np.array(geometry.surface_normals, np.float32).reshape(-1, 3)
        self._eye = np.array(geometry.camera_position, np.float32)
        self._camera = np.array(geometry.camera_rotation, np.float32).reshape(3, 3)
        self._focal_px = 0.5 * height / math.tan(geometry.camera_fovy_rad / 2)
        # Where each pixel of all pictures is itself, in px and as ``grid_sample`` counts.
        rows, columns = np.mgrid[:height * num_cameras, :width].astype(np.float32) + 0.5
        pixels = np.stack([columns, rows], -1)
        self._scale = np.array([2 / width, 2 / (height * num_cameras)], np.float32)
        self._still = pixels * self._scale - 1
        self._pixels = pixels.reshape(-1, 2)

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
        framed = np.pad(seen, 1)
        best = start = np.array(OVERHEAD, np.float32)
        for slants, heights, every in _LAMP_SEARCH:
            lamps = best + np.array([
                (x, y, height) for x in slants for y in slants for height in heights], np.float32)
            # Not all at once: what is computed for them would not fit into the caches.
            score = np.concatenate([
                self._overlap(points[::every], camera, lamps[begin:begin + _LAMPS_AT_ONCE], framed)
                for begin in range(0, len(lamps), _LAMPS_AT_ONCE)])
            score -= 0.5 * np.square((lamps - start) / _LAMP_SPREAD).sum(-1)
            best = lamps[score.argmax()]
        return best

    def _overlap(self, points: NDArray[np.float32], camera: NDArray[np.float32],
                 lamps: NDArray[np.float32], framed: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Return how well shadows under many lamps lie on the one that is seen, float32 (lamps,).

        :param framed: what each cell counts, in a margin of zeros that takes what falls outside.
        """
        rows, columns = framed.shape
        seen, share = self._feet(points, camera, lamps)
        # One cell for each point: more would make every shadow fatter than it is.
        cells_per_px = (columns - 2) / self.width
        scale = np.float32(cells_per_px * self._focal_px) / np.maximum(
            -seen[:, 2], np.float32(_LEAST_DEPTH_M) * share)
        column = scale * seen[:, 0] + np.float32(cells_per_px * self.width / 2)
        row = np.float32(cells_per_px * self.height / 2) - scale * seen[:, 1]
        cells = to_cells(row, -1, rows - 2) * columns + to_cells(column, -1, columns - 2)
        cells += (np.arange(len(lamps)) * framed.size + columns + 1)[:, None]
        marks = np.zeros((len(lamps), framed.size), np.float32)
        marks.ravel()[cells.ravel()] = 1
        found: NDArray[np.float32] = marks @ framed.ravel()
        return found

    def _feet(self, points: NDArray[np.float32], camera: NDArray[np.float32],
              lamps: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Return where shadows under many lamps are, as the camera sees it.

        :returns: float32 (lamps, 3, S), m, times the share that comes with it, (lamps, S).
        """
        across, start = self._view(camera[None])
        share = np.maximum(1 - lamps[:, 2:] * points[:, 2], np.float32(_LEAST_SHARE))
        # On the table, so that two coordinates of a foot tell all: (point - height lamp) / share.
        slope = -across[0, :, :2] @ lamps[:, :2, None]
        flat = np.broadcast_to(across[0, :, :2], (len(lamps), 3, 2))
        seen = np.concatenate([flat, slope], 2) @ points.T
        seen += start[0][:, None] * share[:, None]
        return seen, share

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
        points, turns = self._place(joints)
        place, depth = self._project(points, newest.camera)
        index = self._nearest(place, depth)
        batch, pixel = np.nonzero(index.reshape(len(joints), -1))
        point = index.reshape(len(joints), -1)[batch, pixel] - 1
        normals = np.einsum('nij,nj->ni', turns[batch, self._owner[point]], self._normals[point])
        maps = np.empty((len(joints), NUM_MAPS, self.height * self.width), np.float32)
        maps[:, 1:5] = 0
        for axis in range(3):
            maps[batch, 1 + axis, pixel] = normals[:, axis]
        maps[batch, 4, pixel] = newest.shown[batch, point]
        shadow = self._shadow(points, newest.camera, newest.lamp)
        for number, map_ in ((0, self._coverage(place)), (5, shadow), (6, newest.coverage),
                             (7, newest.shadow)):
            maps[:, number] = map_.reshape(len(joints), -1)
        back = np.repeat(self._still[None], len(joints), 0)
        moved = self._pixels[pixel] + (newest.place - place)[batch, point]
        back.reshape(len(joints), -1, 2)[batch, pixel] = moved * self._scale - 1
        return self._padded(index, maps.reshape(len(joints), -1, self.height, self.width), back)

    def _padded(self, index: NDArray[np.int32], maps: NDArray[np.float32],
                back: NDArray[np.float32]) -> SurfaceMaps:
        """Return the maps of all pictures above each other: nothing is drawn into further ones."""
        below = (self.num_cameras - 1) * self.height
        if below:
            index = np.pad(index, ((0, 0), (0, below), (0, 0)))
            maps = np.pad(maps, ((0, 0), (0, 0), (0, below), (0, 0)))
        return SurfaceMaps(index, maps, back)

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
        points = np.empty((len(joints), 3, len(self._owner)), np.float32)
        for link, (rows, local) in enumerate(zip(self._rows, self._local, strict=True)):
            points[:, :, rows] = rotations[link] @ local + origins[link][..., None]
        return points.swapaxes(1, 2), np.stack(rotations, 1)

    def _project(self, points: NDArray[np.float32], camera: NDArray[np.float32]
                 ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return places (x, y) in the first picture, float32 (B, S, 2), px, and depths, m."""
        across, start = self._view(camera)
        seen = across @ points.swapaxes(1, 2) + start[..., None]
        depth = np.maximum(-seen[:, 2], np.float32(_LEAST_DEPTH_M))
        scale = np.float32(self._focal_px) / depth
        place = np.empty((len(points), 2, points.shape[1]), np.float32)
        place[:, 0] = scale * seen[:, 0] + np.float32(self.width / 2)
        place[:, 1] = np.float32(self.height / 2) - scale * seen[:, 1]
        return place.swapaxes(1, 2), depth

    def _view(self, camera: NDArray[np.float32]
              ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return turn (B, 3, 3) and shift (B, 3): what is seen is turn @ point + shift."""
        # The cross product of a small turn and each point, as one product of matrices.
        turn = np.stack([_cross_matrix(vector) for vector in camera[:, :3]])
        turn += np.eye(3, dtype=np.float32)
        shift = -(self._eye @ self._camera) - camera[:, 3:]
        return turn @ self._camera.T, (turn @ shift[..., None])[..., 0]

    def _nearest(self, place: NDArray[np.float32], depth: NDArray[np.float32]
                 ) -> NDArray[np.int32]:
        """Return one more than the point in front in each pixel, 0 for none."""
        # Far to near and then by number: a number above zero sorts like its own bits, and one sort
        # of whole numbers is several times faster than a stable one of what they belong to.
        keys = (~depth.view(np.int32)).astype(np.int64) << 32
        keys |= np.arange(depth.shape[1])
        keys.sort(1)
        order = keys & 0xffffffff
        batch = np.arange(len(place))[:, None]
        canvas, cells = cells_about(place[batch, order], self.height, self.width, np.int32)
        # Of several values for one cell the last stays, which is the nearest.
        canvas.ravel()[cells.ravel()] = np.repeat((order + 1).astype(np.int32), 4)
        return np.ascontiguousarray(inside(canvas))

    def _coverage(self, place: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return which share of each pixel the arm covers, by quarters."""
        canvas, cells = cells_about(2 * place, 2 * self.height, 2 * self.width, np.uint8)
        canvas.ravel()[cells.ravel()] = 1
        fine = inside(canvas)
        # A sum of slices is many times faster than a mean over two axes.
        rows = fine[:, ::2] + fine[:, 1::2]
        return (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)

    def _shown(self, place: NDArray[np.float32], depth: NDArray[np.float32]
               ) -> NDArray[np.bool_]:
        """Return whether each point is seen where it is, bool (B, S)."""
        front = self._nearest(place, depth)
        batch = np.arange(len(place))[:, None]
        x, y = place[..., 0], place[..., 1]
        is_inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        column, row = to_cells(x, 0, self.width - 1), to_cells(y, 0, self.height - 1)
        there = front[batch, row, column]
        nearest = depth[batch, np.maximum(there, 1) - 1]
        return is_inside & (there > 0) & (depth < nearest + _BEHIND_M)

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
    canvas, cells = cells_about(place[None], picture.shape[0], picture.shape[1], np.uint8)
    canvas.ravel()[cells.ravel()] = 1
    picture |= inside(canvas)[0]


def _cross_matrix(axis: Sequence[float] | NDArray[np.float32]) -> NDArray[np.float32]:
    x, y, z = axis
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]], np.float32)
