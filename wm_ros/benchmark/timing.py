# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time cases in turns, so that all of them meet the same machine."""

import gc
import time
from collections.abc import Callable, Mapping


def interleave(cases: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: int = 2
               ) -> dict[str, list[float]]:
    """
    Run every case once in each round, in a sequence that turns by one each round.

    :param cases: what to run, by name.
    :param rounds: how often.
    :param warm_up: rounds that are not counted.
    :returns: wall time of each run by name, ms, in the order of the rounds.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(-warm_up, rounds):
            shift = turn % len(names)
            for name in names[shift:] + names[:shift]:
                begin = time.perf_counter()
                cases[name]()
                if turn >= 0:
                    times[name].append(1e3 * (time.perf_counter() - begin))
            gc.collect()
    finally:
        if was_enabled:
            gc.enable()
    return times
