# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How much of the CPU and of the memory each process takes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from wm_ros.benchmark.statistics import growth_percent, slope_percent_per_h

_MIB = 2**20


class ResourceLog:
    """
    Samples of some processes.

    :param pids: their ids by name.
    :raises ImportError: if psutil is not installed.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        import psutil
        self._gone = psutil.Error
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._begin: dict[str, tuple[float, float]] = {}
        self._end: dict[str, tuple[float, float]] = {}
        self._rss_bytes: dict[str, list[int]] = {name: [] for name in pids}
        self._times_s: dict[str, list[float]] = {name: [] for name in pids}

    def sample(self) -> None:
        """Take one sample of each process that is still there."""
        for name, process in self._processes.items():
            try:
                times, rss = process.cpu_times(), process.memory_info().rss
            except self._gone:
                continue
            self._end[name] = time.monotonic(), times.user + times.system
            self._begin.setdefault(name, self._end[name])
            self._rss_bytes[name].append(rss)
            self._times_s[name].append(self._end[name][0])

    def to_dict(self) -> dict[str, Any]:
        """
        Return for each process the mean load in % of one core since the first sample, the last
        and the highest resident memory in MiB, by how much it grew in %, its slope in %/h, and a
        value of each minute.
        """
        return {name: self._figures(name) for name, rss in self._rss_bytes.items() if rss}

    def _figures(self, name: str) -> dict[str, Any]:
        rss = self._rss_bytes[name]
        (since, used_before), (until, used) = self._begin[name], self._end[name]
        load = 100 * (used - used_before) / (until - since) if until > since else None
        return {'cpu_percent': None if load is None else round(load, 1),
                'rss_mib': round(rss[-1] / _MIB, 1), 'rss_max_mib': round(max(rss) / _MIB, 1),
                'rss_growth_percent': growth_percent(rss),
                'rss_slope_percent_per_h': slope_percent_per_h(self._times_s[name], rss),
                'rss_mib_by_minute': _by_minute(self._times_s[name], rss), 'samples': len(rss)}


def _by_minute(times_s: Sequence[float], rss: Sequence[int]) -> list[float]:
    firsts = {int((at - times_s[0]) // 60): index
              for index, at in reversed(list(enumerate(times_s)))}
    return [round(rss[index] / _MIB, 2) for _, index in sorted(firsts.items())]
