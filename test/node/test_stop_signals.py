# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A second Ctrl-C while a node ends changes nothing: the last hold is out and the exit code 0."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STOPPING_PROCESS = Path(__file__).with_name('stopping_process.py')


@pytest.mark.parametrize('main', ['run', 'run_plain'])
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_cut_the_end_short(main, number):
    """
    Two SIGINTs ended a node with -2 instead of 0.

    Python gives caught signals back to the system while it tears modules down, and a second
    signal then meets the default. Missed, because the tests sent one signal only.
    """
    process = subprocess.Popen(
        [sys.executable, str(STOPPING_PROCESS), main], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, bufsize=1)
    try:
        for word in ('ready', 'stopping', 'closing'):
            assert process.stdout.readline().strip() == word
            process.send_signal(number)
        _out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert errors == ''
