# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Find what is wrong with recorded episodes before a model learns it.

Letters: F frames, S joint samples, J joints.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.clock_skew import MIN_CORRELATION, Skew, find_skew
from wm_ros.data.episode import Episode, read_episode
from wm_ros.data.picture_headers import check_picture
from wm_ros.errors import DatasetError, ObservationError

ERROR, WARNING = 'error', 'warning'
# Motion below this is noise of the encoders, rad.
_STILL_RAD = 0.02


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong.

    :param level: error or warning.
    :param what: unreadable, gap, skew, frozen, size, joints, nan, commands, labels, camera.
    :param file: name of the episode file.
    :param row: frame or joint sample; -1 for all of it.
    :param text: the value that is wrong and what was expected.
    """

    level: str
    what: str
    file: str
    row: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckLimits:
    """
    What is still right.

    :param gap_periods: a pause of more periods than this is a gap.
    :param skew_s: how far pictures and joints may be from each other, s.
    :param frozen_frames: so many equal pictures while the arm moves are a frozen camera.
    """

    gap_periods: float = 2.5
    skew_s: float = 0.15
    frozen_frames: int = 3


@dataclass(frozen=True, slots=True)
class Summary:
    """
    What is known of an episode that could be read.

    :param joints: its joint names.
    :param camera: its main camera.
    :param size: height and width of its first picture, px; None if there is none.
    :param skew: how its pictures fit its joints in time; None if too little moves.
    """

    joints: tuple[str, ...]
    camera: str
    size: tuple[int, int] | None
    skew: Skew | None = None


def check_files(paths: Iterable[Path], limits: CheckLimits | None = None, *,
                on_progress: Callable[[int], None] = lambda done: None) -> list[Finding]:
    """
    Check episode files, each by itself and against the others.

    :param on_progress: called with the number of files that are done.
    :returns: what is wrong, by file.
    """
    limits = limits or CheckLimits()
    findings: list[Finding] = []
    summaries: dict[str, Summary] = {}
    for done, path in enumerate(paths, 1):
        try:
            episode = read_episode(path)
        except DatasetError as error:
            findings.append(Finding(ERROR, 'unreadable', path.name, -1, str(error)))
        else:
            findings += check_episode(episode, path.name, limits)
            summaries[path.name] = Summary(
                episode.joint_names, episode.camera_name,
                _size(episode, 0) if episode.frames else None, find_skew(episode))
        on_progress(done)
    return findings + list(_compare(summaries, limits))


def check_episode(episode: Episode, name: str, limits: CheckLimits) -> list[Finding]:
    """Check one episode by itself."""
    if len(episode.frames) < 2 or len(episode.joint_stamps_ns) < 2:
        return [Finding(ERROR, 'gap', name, -1, f'{len(episode.frames)} frames and '
                        f'{len(episode.joint_stamps_ns)} joint samples are too few')]
    found: list[Finding] = []
    for check in (_gaps, _overlap, _sizes, _frozen, _not_finite, _commands, _labels):
        found += [Finding(level, what, name, row, text)
                  for level, what, row, text in check(episode, limits)]
    for camera in episode.extra_cameras:
        found += _check_camera(episode.of_camera(camera), name, limits)
    return found


def _check_camera(episode: Episode, name: str, limits: CheckLimits) -> list[Finding]:
    """Check what a further camera saw."""
    label = f'camera {episode.camera_name!r}: '
    if len(episode.frames) < 2:
        return [Finding(ERROR, 'gap', name, -1,
                        f'{label}{len(episode.frames)} frames are too few')]
    return [Finding(level, what, name, row, label + text)
            for check in (_frame_gaps, _overlap, _sizes, _frozen)
            for level, what, row, text in check(episode, limits)]


_Found = Iterator[tuple[str, str, int, str]]


def _gaps(episode: Episode, limits: CheckLimits) -> _Found:
    yield from _frame_gaps(episode, limits)
    yield from _gaps_of('joint sample', episode.joint_stamps_ns, limits)


def _frame_gaps(episode: Episode, limits: CheckLimits) -> _Found:
    # One that was drawn at a few moments on purpose says so.
    if not episode.info.get('glimpses'):
        yield from _gaps_of('frame', episode.frame_stamps_ns, limits)


def _gaps_of(what: str, stamps: NDArray[np.int64], limits: CheckLimits) -> _Found:
    steps = np.diff(stamps)
    period = float(np.median(steps))
    for row in np.flatnonzero(steps > limits.gap_periods * period):
        yield (ERROR, 'gap', int(row) + 1,
               f'{what} {row + 1} comes {steps[row] / 1e9:.3f} s after the one before it; '
               f'the period is {period / 1e9:.3f} s')


def _overlap(episode: Episode, limits: CheckLimits) -> _Found:
    frames, joints = episode.frame_stamps_ns, episode.joint_stamps_ns
    period_s = float(np.median(np.diff(frames))) / 1e9
    for place, difference in (('start', frames[0] - joints[0]), ('end', frames[-1] - joints[-1])):
        seconds = abs(float(difference)) / 1e9
        if seconds > limits.skew_s + period_s:
            # Clocks of their own are far apart at both ends; a late driver at one.
            level = ERROR if _clocks_differ(episode) else WARNING
            if level == WARNING and episode.info.get('glimpses'):
                continue
            yield (level, 'skew', -1, f'at the {place} pictures and joints are {seconds:.3f} s '
                   f'apart; allowed is {limits.skew_s:g} s and a period')


def _clocks_differ(episode: Episode) -> bool:
    frames, joints = episode.frame_stamps_ns, episode.joint_stamps_ns
    inside = (frames >= joints[0]) & (frames <= joints[-1])
    return bool(inside.mean() < 0.9)


def _size(episode: Episode, row: int) -> tuple[int, int] | None:
    try:
        return check_picture(episode.frames[row])
    except ObservationError:
        return None


def _sizes(episode: Episode, limits: CheckLimits) -> _Found:
    before: tuple[int, int] | None = None
    for row in range(len(episode.frames)):
        try:
            size = check_picture(episode.frames[row])
        except ObservationError as error:
            yield ERROR, 'unreadable', row, f'frame {row}: {error}'
            continue
        if before not in (None, size):
            yield (ERROR, 'size', row, f'frame {row} is {size[1]}x{size[0]} pixels, those before '
                   f'it differ')
        before = size


def _frozen(episode: Episode, limits: CheckLimits) -> _Found:
    """Find runs of equal pictures during which the arm moved."""
    first = 0
    for row in range(1, len(episode.frames) + 1):
        if row < len(episode.frames) and episode.frames[row] == episode.frames[first]:
            continue
        if row - first >= limits.frozen_frames:
            start, end = episode.frame_stamps_ns[[first, row - 1]]
            inside = (episode.joint_stamps_ns >= start) & (episode.joint_stamps_ns <= end)
            moved = float(np.ptp(episode.positions[inside], axis=0).max()) if inside.any() else 0
            if moved > _STILL_RAD:
                yield (ERROR, 'frozen', first, f'frames {first} to {row - 1} are the same '
                       f'picture, but a joint moved {moved:.3f} rad meanwhile')
        first = row


def _not_finite(episode: Episode, limits: CheckLimits) -> _Found:
    # Anything else that is not finite is refused when a file is read.
    rows, columns = np.nonzero(~np.isfinite(episode.efforts))
    if rows.size:
        joint = episode.joint_names[columns[0]]
        yield (ERROR, 'nan', int(rows[0]), f'efforts of {joint} is '
               f'{episode.efforts[rows[0], columns[0]]} at joint sample {rows[0]}; '
               f'{rows.size} values are not finite')


def _commands(episode: Episode, limits: CheckLimits) -> _Found:
    moved = np.ptp(episode.positions, axis=0)
    if moved.max() <= 5 * _STILL_RAD:
        return
    if not np.ptp(episode.setpoints, axis=0).any():
        yield (ERROR, 'commands', -1, 'the set-point never changes, but a joint moves '
               f'{moved.max():.3f} rad: commands were not recorded')
    elif np.array_equal(episode.setpoints, episode.positions):
        yield (WARNING, 'commands', -1, 'the set-points are the measured positions: commands '
               'were not recorded')


def _labels(episode: Episode, limits: CheckLimits) -> _Found:
    unknown = episode.hazards >> np.uint8(min(len(episode.hazard_kinds), 7))
    if len(episode.hazard_kinds) < 8 and unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        yield (ERROR, 'labels', row, f'hazard mask {episode.hazards[row]} at joint sample {row} '
               f'has bits beyond the kinds {episode.hazard_kinds}')


def _compare(summaries: dict[str, Summary], limits: CheckLimits) -> Iterator[Finding]:
    """Yield what sets episodes apart from most others."""
    if not summaries:
        return
    usual = Counter(item.joints for item in summaries.values()).most_common(1)[0][0]
    camera = Counter(item.camera for item in summaries.values()).most_common(1)[0][0]
    size = Counter(item.size for item in summaries.values()).most_common(1)[0][0]
    for name, item in summaries.items():
        missing = [joint for joint in usual if joint not in item.joints]
        others = [joint for joint in item.joints if joint not in usual]
        if missing or others:
            yield Finding(ERROR, 'joints', name, -1, 'compared with most episodes it lacks '
                          f'joints {missing} and has besides {others}')
        if item.camera != camera:
            yield Finding(ERROR, 'camera', name, -1, f'its main camera is {item.camera!r}, that '
                          f'of most episodes {camera!r}')
        if item.size != size:
            yield Finding(WARNING, 'size', name, -1, f'its pictures are {item.size} (height, '
                          f'width) pixels, those of most episodes {size}')
    yield from _clock_findings(summaries, limits)


def _clock_findings(summaries: dict[str, Summary], limits: CheckLimits) -> Iterator[Finding]:
    """Yield the episodes whose pictures show the motion of another moment."""
    known = {name: item.skew for name, item in summaries.items()
             if item.skew is not None and item.skew.correlation >= MIN_CORRELATION}
    for name, skew in known.items():
        if abs(skew.lag_s) > limits.skew_s:
            yield Finding(ERROR, 'skew', name, -1, 'what moves in the pictures follows the joints '
                          f'by {skew.lag_s:.2f} s; allowed is {limits.skew_s:g} s')
