# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fault injection that is told to end: no process and no shared memory of it stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from process_rig import children_of, wait_until

from wm_ros.demo.shared_memory import own_segments


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_a_terminated_run_leaves_nothing_behind():
    process = subprocess.Popen(
        [sys.executable, '-m', 'wm_ros.cli', 'faults', 'run', '14'],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    children, segments = [], set()

    def are_up():
        assert process.poll() is None, process.stderr.read()
        started = children_of(process.pid)
        return len(started) >= 2 and all(own_segments(child) for child in started)

    try:
        wait_until(are_up, 90, 'gate and predictor did not start')
        children = children_of(process.pid)
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
