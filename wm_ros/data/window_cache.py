# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Keep the windows of many episodes in a file, decoded, and map it into memory.

Decoding takes minutes and its frames may be larger than the memory: with the file the next piece
of a run starts at once, the system keeps in memory what fits, and processes share it. An entry's
name says what is in it: the episode files (name, size, time of change), what of the model's config
decides how they are cut, and the code that cuts them. Nothing in it is the only copy of anything.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wm_ros.data import camera_views, episode, pictures, windows
from wm_ros.data.windows import Windows, iterate_windows, join_windows, move_indices
from wm_ros.errors import DatasetError
from wm_ros.world_model.config import ModelConfig

_FRAMES_FILE = 'frames.u8'
_WINDOWS_FILE = 'windows.safetensors'
# Sizes of the network say nothing about how episodes are cut.
IRRELEVANT = frozenset({
    'joint_mean', 'joint_std', 'velocity_std', 'dim', 'edge_dim', 'detail_dim', 'middle_dim',
    'patch_px', 'token_stride', 'num_blocks', 'num_heads', 'num_hazard_heads', 'residual_dim',
    'flow_blocks', 'substeps', 'action_injection', 'action_mode'})


def cached_windows(paths: list[Path], config: ModelConfig, cache: Path, *, threads: int = 2,
                   unfilmed: bool = False,
                   on_progress: Callable[[int], None] = lambda done: None) -> Windows:
    """
    Return the windows of episode files, from the cache or into it.

    :param cache: a directory on a local disk; about 83 kB for each frame of 144 x 192 px.
    :param unfilmed: see ``windows.cut_windows``.
    :returns: windows whose frames are mapped from a file, read-only.
    :raises DatasetError: naming the file, if an episode cannot be read or does not fit, or if
        the cache cannot be written.
    """
    entry = cache / entry_name(paths, config, unfilmed=unfilmed)
    found = _read(entry)
    if found is None:
        _build(entry, iterate_windows(paths, config, threads=threads, unfilmed=unfilmed),
               on_progress)
        found = _read(entry)
    if found is None:
        raise DatasetError(f'{entry}: written, but cannot be read back; use another --cache')
    on_progress(len(paths))
    return found


def entry_name(paths: list[Path], config: ModelConfig, *, unfilmed: bool = False) -> str:
    """Return the name of the cache entry of these files as they are now."""
    cut = {key: value for key, value in asdict(config).items() if key not in IRRELEVANT}
    about = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    total = hashlib.sha256(json.dumps([cut, about, unfilmed], sort_keys=True).encode())
    for module in (camera_views, episode, pictures, windows):
        total.update(Path(str(module.__file__)).read_bytes())
    return f'windows-{total.hexdigest()[:20]}'


def prune(cache: Path, keep: set[str]) -> None:
    """Remove all other entries of a cache."""
    for entry in cache.glob('windows-*'):
        if entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)


def _build(entry: Path, parts: Iterable[Windows], on_progress: Callable[[int], None]) -> None:
    scratch = entry.with_name(f'.{entry.name}.{os.getpid()}.tmp')
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        joined, shape = _write_frames(scratch / _FRAMES_FILE, parts, on_progress)
        rest = {item.name: np.ascontiguousarray(getattr(joined, item.name))
                for item in fields(joined) if item.name != 'frames'}
        save_file(rest, scratch / _WINDOWS_FILE, metadata={'frames_shape': json.dumps(shape)})
        shutil.rmtree(entry, ignore_errors=True)
        scratch.replace(entry)
    except OSError as error:
        raise DatasetError(f'cannot keep decoded frames in {entry.parent}: {error}; give --cache '
                           'a directory on a disk with more room') from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_frames(path: Path, parts: Iterable[Windows], on_progress: Callable[[int], None]
                  ) -> tuple[Windows, tuple[int, ...]]:
    """Write frames one episode after the other; return the joined rest and the pool's shape."""
    kept, total, shape = [], 0, ()
    with path.open('wb') as handle:
        for done, part in enumerate(parts, 1):
            shape = part.frames.shape[1:]
            handle.write(np.ascontiguousarray(part.frames).data)
            kept.append(replace(part, frames=part.frames[:0], context=part.context + total,
                                future=move_indices(part.future, total)))
            total += len(part.frames)
            on_progress(done)
    return join_windows(kept), (total, *shape)


def _read(entry: Path) -> Windows | None:
    """Return the windows of an entry, None if it is not there or not whole."""
    try:
        with safe_open(entry / _WINDOWS_FILE, framework='numpy') as handle:
            shape = tuple(json.loads((handle.metadata() or {})['frames_shape']))
            rest = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        if (entry / _FRAMES_FILE).stat().st_size != int(np.prod(shape)):
            return None
        # A plain array over the map: indexing a memmap itself costs more than it reads.
        frames: NDArray[np.uint8] = np.asarray(
            np.memmap(entry / _FRAMES_FILE, np.uint8, 'r', shape=shape))
        return Windows(frames=frames, **rest)
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError):
        return None
