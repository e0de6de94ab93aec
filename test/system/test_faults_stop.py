# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fault injection that is told to end: no process and no shared memory of it stays."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wm_ros.demo.shared_memory import own_segments


def children_of(pid: int) -> list[int]:
    """Return the processes that a process's main thread started."""
    return [int(child) for child in Path(
        f'/proc/{pid}/task/{pid}/children').read_text().split()]


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_terminated_run_leaves_nothing_behind():
    process = subprocess.Popen(
        [sys.executable, '-m', 'wm_ros.cli', 'faults', 'run', '14'],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    children, segments = [], set()
    try:
        deadline = time.monotonic() + 90
        while len(children) < 2 or not all(own_segments(child) for child in children):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, 'gate and predictor did not start'
            children = children_of(process.pid)
            time.sleep(0.1)
        segments = {file for child in (process.pid, *children) for file in own_segments(child)}
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=45)
    finally:
        process.kill()
        process.communicate()
        left = [child for child in children if Path(f'/proc/{child}').exists()]
        for child in left:
            os.kill(child, signal.SIGKILL)
    assert process.returncode == 130
    assert errors == 'wm-ros faults: stopped; what was finished is kept\n'
    assert left == []
    assert segments
    assert not [file for file in segments if file.exists()]
