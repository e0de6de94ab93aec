# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the stretches of a log that have no gap, and cut episodes to them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import CameraFrames, Episode


def stretches(stamps_ns: NDArray[np.int64], max_gap_ns: float) -> list[tuple[int, int]]:
    """
    Find the runs of stamps that follow each other without a gap.

    :param stamps_ns: int64 (N,), increasing.
    :param max_gap_ns: a longer pause is a gap, ns.
    :returns: first and last index of each run.
    """
    if not len(stamps_ns):
        return []
    breaks = np.flatnonzero(np.diff(stamps_ns) > max_gap_ns)
    firsts = [0, *(int(row) + 1 for row in breaks)]
    return list(zip(firsts, [*(int(row) for row in breaks), len(stamps_ns) - 1], strict=True))


def cut(episode: Episode, start_ns: int, end_ns: int) -> Episode:
    """
    Keep the frames of all cameras and the joint samples between two moments, both included.

    The joint sample before ``start_ns`` is kept too, so that every frame has a state.

    :returns: a new episode, whose stamps are those of the old one.
    """
    main = _between(episode.frames, episode.frame_stamps_ns, start_ns, end_ns)
    first = max(0, int(np.searchsorted(episode.joint_stamps_ns, start_ns, side='right')) - 1)
    rows = slice(first, int(np.searchsorted(episode.joint_stamps_ns, end_ns, side='right')))
    return replace(
        episode, frames=main.frames, frame_stamps_ns=main.stamps_ns,
        extra_cameras={name: _between(camera.frames, camera.stamps_ns, start_ns, end_ns)
                       for name, camera in episode.extra_cameras.items()},
        clearance=None if episode.clearance is None else episode.clearance[rows],
        **{name: getattr(episode, name)[rows] for name in (
            'joint_stamps_ns', 'positions', 'velocities', 'efforts', 'setpoints', 'hazards')})


def _between(frames: tuple[bytes, ...], stamps_ns: NDArray[np.int64], start_ns: int, end_ns: int
             ) -> CameraFrames:
    rows = np.flatnonzero((stamps_ns >= start_ns) & (stamps_ns <= end_ns))
    return CameraFrames(frames=tuple(frames[row] for row in rows), stamps_ns=stamps_ns[rows])
