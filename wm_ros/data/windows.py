# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Cut episodes into windows: context frames, the commands that ran, and what followed.

A window is anchored at a camera frame. Its step k ends k * step_s after that frame; its action k
is the set-point that the controller was given for that moment, so that a command is paired only
with frames it could have influenced.

Letters: F frames, W windows, T context frames, H steps, J joints.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.camera_views import all_views, check_cameras, nearest_frames, pair_cameras
from wm_ros.data.episode import Episode, read_episode
from wm_ros.errors import DatasetError
from wm_ros.world_model.config import ModelConfig

MAX_OBSTACLES = 3
# Episodes that are decoded before the reader asks, so that memory stays bounded.
_AHEAD = 32
# Centre on the table (m), turn about z (rad), half extents (m; both the radius of round things),
# half height (m), and the kind as an index into OBSTACLE_KINDS.
OBSTACLE_COLUMNS = ('x', 'y', 'yaw', 'half_x', 'half_y', 'half_height', 'kind')
OBSTACLE_KINDS = ('', 'box', 'cylinder', 'capsule')


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Windows:
    """
    Windows over a pool of frames.

    :param frames: the pool, RGB uint8 (F, h, w, 3); several cameras stand above each other.
    :param context: indices into the pool, oldest first, int64 (W, T).
    :param future: indices into the pool, int64 (W, H); a row of -1 is a future that was not
        filmed, see ``cut_windows``.
    :param positions: measured joints at the anchor, float32 (W, J), rad.
    :param velocities: the same, float32 (W, J), rad/s.
    :param actions: joint targets, float32 (W, H, J), rad.
    :param joints: measured joints at each step, float32 (W, H, J), rad.
    :param hazard_time_s: first hazard after the anchor, float32 (W,), s; inf if none within the
        horizon.
    :param hazard_kind: bit mask of the first hazard's kinds, uint8 (W,).
    :param clearance: least clearance within each step, float32 (W, H), m; NaN if not known.
    :param obstacles: what stands on the table, as OBSTACLE_COLUMNS say, float32 (W, K, 7); a
        kind of zero is none, NaN is not known.
    :param camera: how far the main camera stands from its known place, float32 (W, 6), rad and m,
        see ``world_model.arm.Arm.project``; zeros where the recording says nothing of it.
    :param lamp: where the lamp is, see ``world_model.surface.Newest``, float32 (W, 3); NaN where
        the recording says nothing of it.
    :param in_contact: a hazard within one step before the anchor, bool (W,).
    :param episode: which episode a window is of, int64 (W,).
    """

    frames: NDArray[np.uint8]
    context: NDArray[np.int64]
    future: NDArray[np.int64]
    positions: NDArray[np.float32]
    velocities: NDArray[np.float32]
    actions: NDArray[np.float32]
    joints: NDArray[np.float32]
    hazard_time_s: NDArray[np.float32]
    hazard_kind: NDArray[np.uint8]
    clearance: NDArray[np.float32]
    obstacles: NDArray[np.float32]
    camera: NDArray[np.float32]
    lamp: NDArray[np.float32]
    in_contact: NDArray[np.bool_]
    episode: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.context)

    @property
    def is_filmed(self) -> NDArray[np.bool_]:
        """Which windows have frames of what followed, bool (W,)."""
        return np.asarray((self.future >= 0).all(1))

    def hazard_by_step(self, step_s: float) -> NDArray[np.bool_]:
        """Say whether a hazard has happened by the end of each step, bool (W, H)."""
        ends = np.arange(1, self.future.shape[1] + 1) * step_s
        return self.hazard_time_s[:, None] <= ends + 1e-6


def cut_windows(episode: Episode, config: ModelConfig, *, number: int = 0,
                joint_lag: int = 0, unfilmed: bool = False) -> Windows:
    """
    Cut one episode into all of its whole windows.

    :param number: stored as each window's ``episode``.
    :param joint_lag: how many samples older than the frame the joint state is, as on a robot
        whose drivers are not synchronised.
    :param unfilmed: cut windows as well of whose future there are joints and hazards but not all
        frames, as in episodes that were drawn at a few moments.
    :raises DatasetError: if the joints are not the model's, or a camera of it is not there.
    """
    check_cameras(episode, config.cameras)
    order = joint_order(episode, config.joint_names)
    step_ns = round(config.step_s * 1e9)
    stamps = episode.frame_stamps_ns
    context, context_good = nearest_frames(stamps, stamps[:, None] - step_ns * np.arange(
        config.context_len - 1, -1, -1), step_ns)
    ends = stamps[:, None] + step_ns * np.arange(1, config.horizon + 1)
    future, future_good = nearest_frames(stamps, ends, step_ns)
    joint_ns = episode.joint_stamps_ns
    inside = (stamps >= joint_ns[0]) & (ends[:, -1] <= joint_ns[-1] + step_ns // 2)
    pairs, paired = pair_cameras(episode, config.extra_cameras, step_ns)
    filmed = future_good & paired[future].all(1)
    keep = np.flatnonzero(context_good & paired[context].all(1) & inside & (filmed | unfilmed))
    now = np.searchsorted(joint_ns, stamps[keep], side='right') - 1
    then = np.clip(np.searchsorted(joint_ns, ends[keep], side='right') - 1, 0, None)
    hazard_time, hazard_kind = _first_hazard(episode, stamps[keep], ends[keep, -1])
    lagged = np.clip(now - joint_lag, 0, None)
    return Windows(
        frames=all_views(episode, config, pairs), context=context[keep],
        future=np.where(filmed[keep, None], future[keep], -1),
        positions=episode.positions[lagged][:, order],
        velocities=episode.velocities[lagged][:, order],
        actions=episode.setpoints[then][:, :, order], joints=episode.positions[then][:, :, order],
        hazard_time_s=hazard_time, hazard_kind=hazard_kind,
        clearance=_least_clearance(episode, now, then),
        obstacles=_obstacles(episode, stamps[keep]),
        camera=np.tile(camera_move(episode, config), (len(keep), 1)),
        lamp=np.tile(_lamp(episode), (len(keep), 1)),
        in_contact=_in_contact(episode, stamps[keep], step_ns),
        episode=np.full(len(keep), number, np.int64))


def load_windows(paths: Iterable[Path], config: ModelConfig, *, threads: int = 2,
                 unfilmed: bool = False,
                 on_progress: Callable[[int], None] = lambda done: None) -> Windows:
    """
    Cut many episode files into one pool of windows, in memory.

    :param unfilmed: see ``cut_windows``.
    :raises DatasetError: naming the file, if one cannot be read or does not fit.
    """
    parts = []
    for done, part in enumerate(
            iterate_windows(paths, config, threads=threads, unfilmed=unfilmed), 1):
        parts.append(part)
        on_progress(done)
    return join_windows(parts)


def iterate_windows(paths: Iterable[Path], config: ModelConfig, *, threads: int = 2,
                    unfilmed: bool = False) -> Iterator[Windows]:
    """
    Cut episode files one after the other, a few of them ahead of the reader.

    :param unfilmed: see ``cut_windows``.
    :raises DatasetError: naming the file, if one cannot be read or does not fit.
    """
    def one(item: tuple[int, Path]) -> Windows:
        number, path = item
        try:
            return cut_windows(read_episode(path), config, number=number, joint_lag=number % 2,
                               unfilmed=unfilmed)
        except DatasetError as error:
            text = str(error)
            raise DatasetError(text if str(path) in text else f'{path}: {text}') from error

    items = list(enumerate(paths))
    with ThreadPoolExecutor(threads) as pool:
        for begin in range(0, len(items), _AHEAD):
            yield from pool.map(one, items[begin:begin + _AHEAD])


def join_windows(parts: list[Windows]) -> Windows:
    """
    Join windows of several episodes into one pool.

    :raises DatasetError: if there is no window at all.
    """
    if not sum(len(part) for part in parts):
        raise DatasetError('no episode is long enough, and filmed for long enough, for one window '
                           'of context and horizon')
    offsets = np.cumsum([0, *(len(part.frames) for part in parts[:-1])])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ('frames', 'positions', 'velocities', 'actions', 'joints', 'hazard_time_s',
                     'hazard_kind', 'clearance', 'obstacles', 'camera', 'lamp', 'in_contact',
                     'episode')}
    for name in ('context', 'future'):
        joined[name] = np.concatenate([
            move_indices(getattr(part, name), offset)
            for part, offset in zip(parts, offsets, strict=True)])
    return Windows(**joined)


def move_indices(indices: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    """Return indices into a pool after ``offset`` others came before it; -1 stays none."""
    return np.where(indices < 0, indices, indices + offset)


def joint_order(episode: Episode, names: tuple[str, ...], what: str = 'the episode') -> list[int]:
    """
    Return the columns of joints in an episode.

    :param what: how to call the episode.
    :raises DatasetError: naming those that are not there.
    """
    missing = [name for name in names if name not in episode.joint_names]
    if missing:
        raise DatasetError(f'joints {missing} are not in {what}, which has '
                           f'{list(episode.joint_names)}')
    return [episode.joint_names.index(name) for name in names]


def _first_hazard(episode: Episode, starts: NDArray[np.int64], ends: NDArray[np.int64]
                  ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rows = np.flatnonzero(episode.hazards)
    times = np.full(len(starts), np.inf, np.float32)
    kinds = np.zeros(len(starts), np.uint8)
    if rows.size:
        stamps = episode.joint_stamps_ns[rows]
        first = np.searchsorted(stamps, starts, side='right')
        there = first < len(rows)
        chosen = np.minimum(first, len(rows) - 1)
        there &= stamps[chosen] <= ends
        times[there] = ((stamps[chosen] - starts) / 1e9)[there]
        kinds[there] = episode.hazards[rows][chosen][there]
    return times, kinds


def _least_clearance(episode: Episode, now: NDArray[np.int64], then: NDArray[np.int64]
                     ) -> NDArray[np.float32]:
    if episode.clearance is None:
        return np.full(then.shape, np.nan, np.float32)
    starts = np.concatenate([now[:, None], then[:, :-1]], axis=1)
    least = np.empty(then.shape, np.float32)
    for place in np.ndindex(*then.shape):
        least[place] = episode.clearance[starts[place] + 1:then[place] + 1].min(initial=np.inf)
    return np.where(np.isinf(least), np.nan, least).astype(np.float32)


def _obstacles(episode: Episode, starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the objects of the recorded scene while nothing has touched them."""
    found = np.full((len(starts), MAX_OBSTACLES, len(OBSTACLE_COLUMNS)), np.nan, np.float32)
    items = (episode.info.get('scene') or {}).get('objects')
    if items is None or len(items) > MAX_OBSTACLES:
        return found
    if any(item['shape'] not in OBSTACLE_KINDS for item in items):
        # Only what has an outline that is known here may teach.
        return found
    rows = np.flatnonzero(episode.hazards)
    touched = episode.joint_stamps_ns[rows[0]] if rows.size else starts.max(initial=0) + 1
    there = np.zeros(found.shape[1:], np.float32)
    for index, item in enumerate(items):
        first, second, third = item['size']
        if item['shape'] == 'box':
            sizes = first, second, third
        else:
            # The caps of a capsule come on top of its cylinder.
            sizes = first, first, second + (first if item['shape'] == 'capsule' else 0)
        there[index] = (*item['position'], item['yaw_rad'], *sizes,
                        OBSTACLE_KINDS.index(item['shape']))
    found[starts < touched] = there
    return found


def camera_move(episode: Episode, config: ModelConfig) -> NDArray[np.float32]:
    """Return how far the camera of a recorded scene stood from its place, float32 (6,)."""
    look = (episode.info.get('scene') or {}).get('look') or {}
    move = look.get('camera')
    if move is None or config.geometry is None:
        return np.zeros(6, np.float32)
    rotation = np.array(config.geometry.camera_rotation).reshape(3, 3)
    # What a camera sees turns the other way.
    turn, shift = -np.array(move['turn_rad']), np.array(move['offset_m']) @ rotation
    return np.concatenate([turn, shift]).astype(np.float32)


def _lamp(episode: Episode) -> NDArray[np.float32]:
    """Return where the lamp of a recorded scene hung, float32 (3,); NaN if it does not say."""
    place = (episode.info.get('scene') or {}).get('light_position')
    if place is None:
        return np.full(3, np.nan, np.float32)
    x, y, z = place
    return np.array([x / z, y / z, 1 / z], np.float32)


def _in_contact(episode: Episode, starts: NDArray[np.int64], step_ns: int) -> NDArray[np.bool_]:
    total = np.concatenate([[0], np.cumsum(episode.hazards > 0)])
    last = np.searchsorted(episode.joint_stamps_ns, starts, side='right')
    first = np.searchsorted(episode.joint_stamps_ns, starts - step_ns, side='left')
    return total[last] > total[first]
