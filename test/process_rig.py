# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes of tests: who runs, who started whom, and waiting for something with a deadline."""

import os
import time
from collections.abc import Callable
from pathlib import Path

TICK_S = 0.02


def is_alive(pid: int) -> bool:
    """Say whether a process of this id runs; one that only waits for its parent does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's main thread started."""
    return [int(child) for child in Path(
        f'/proc/{pid}/task/{pid}/children').read_text().split()]


def cpu_s(pid: int) -> float:
    """Return how long a process has computed, s."""
    ticks = int(Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[11])
    return ticks / os.sysconf('SC_CLK_TCK')


def wait_until(condition: Callable[[], bool], timeout_s: float,
               failure: str | Callable[[], str]) -> None:
    """
    Wait until a condition holds; it may itself assert what would make waiting useless.

    :raises AssertionError: with the text when the deadline passes.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, failure if isinstance(failure, str) else failure()
        time.sleep(TICK_S)
