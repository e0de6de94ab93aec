# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Label whole episodes with the labellers that a user chose."""

from dataclasses import dataclass
from pathlib import Path

from wm_ros.data.episode import Episode
from wm_ros.data.hazard_labels import effort_spikes, in_intervals, label, last_seconds
from wm_ros.data.intervals import Interval, read_intervals
from wm_ros.data.problems import Problems
from wm_ros.errors import DatasetError

EFFORT_KIND, FAILURE_KIND = 'effort', 'failure'
ALL = 'all'


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelOptions:
    """
    Which labellers to use.

    :param effort_nm: an effort this far from those around it is a spike, N m; 0: none is.
    :param intervals: file of intervals; None for none.
    :param is_ros_clock: intervals are seconds of the stamps' clock, not of the episode's start.
    :param failed_s: how much of the end of a failed episode is hazardous, s; 0: nothing.
    :param failed: names or numbers of the episodes that failed, besides those that say so; or
        'all'.
    """

    effort_nm: float = 0.0
    intervals: Path | None = None
    is_ros_clock: bool = False
    failed_s: float = 0.0
    failed: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no labeller is chosen."""
        return not self.effort_nm and self.intervals is None and not self.failed_s


class Labeller:
    """
    Applies the labellers to one episode after the other.

    :param problems: is told which labels cannot be applied; the others are.
    :raises DatasetError: if the interval file cannot be read.
    """

    def __init__(self, options: LabelOptions, problems: Problems) -> None:
        self._options, self._problems = options, problems
        self._intervals = (read_intervals(options.intervals, problems)
                           if options.intervals else [])
        self._waiting = set(range(len(self._intervals)))
        self._failed = set(options.failed) - {ALL}

    def apply(self, episode: Episode, *, name: str, number: int) -> Episode:
        """
        Return the episode with its labels.

        :param name: what the interval file and ``failed`` may call it.
        :param number: what else they may call it.
        """
        names = {name, str(number)}
        stamps = episode.joint_stamps_ns
        if self._options.effort_nm:
            try:
                episode = label(episode, EFFORT_KIND, effort_spikes(
                    stamps, episode.efforts, self._options.effort_nm))
            except DatasetError as error:
                self._problems.add('effort', f'{name}: {error}')
        if self._options.failed_s and (names & set(self._options.failed) or ALL in
                                       self._options.failed or _says_failed(episode)):
            episode = label(episode, FAILURE_KIND, last_seconds(stamps, self._options.failed_s))
        self._failed -= names
        for index, interval in enumerate(self._intervals):
            if not interval.episode or interval.episode in names:
                episode = self._apply_interval(episode, index, interval, name)
        return episode

    def finish(self) -> None:
        """Tell which labels were for no episode."""
        for index in sorted(self._waiting):
            item = self._intervals[index]
            what = f'episode {item.episode}' if item.episode else 'its time'
            self._problems.add(f'interval {index}', f'{self._options.intervals} row {item.row}: '
                               f'{what} is in none of the episodes')
        for name in sorted(self._failed):
            self._problems.add(f'failed {name}', f'--failed {name}: there is no such episode')

    def _apply_interval(self, episode: Episode, index: int, interval: Interval,
                        name: str) -> Episode:
        stamps = episode.joint_stamps_ns
        offset = 0 if self._options.is_ros_clock else int(stamps[0])
        start, end = (offset + round(value * 1e9) for value in (interval.start_s, interval.end_s))
        if self._options.is_ros_clock and not interval.episode:
            # A recording that was split: the interval is for the episodes that it touches.
            if end < stamps[0] or start > stamps[-1]:
                return episode
            start, end = max(start, int(stamps[0])), min(end, int(stamps[-1]))
        self._waiting.discard(index)
        try:
            return label(episode, interval.kind, in_intervals(stamps, [(start, end)]))
        except (DatasetError, ValueError) as error:
            self._problems.add(f'interval {index} {name}', f'{self._options.intervals} row '
                               f'{interval.row}: {name}: {error}; left out')
            return episode


def _says_failed(episode: Episode) -> bool:
    return episode.info.get('success') is False or episode.info.get('failed') is True
