# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process whose wall clock steps while its steady clock does not."""

import shutil
import subprocess
import sys
import time

import pytest

from wm_ros.faults.fault import NotMeasured
from wm_ros.ros import faults_wall_clock
from wm_ros.ros.faults_wall_clock import SteppedClock

CHILD = '''
import sys, time
for _ in sys.stdin:
    print(time.time_ns(), time.monotonic_ns(), flush=True)
'''
# Waits until 0.2 s from now by the wall clock, in each way that the C library has, and once by the
# steady clock; tells how long each took, in ns.
WAITING_CHILD = '''
import ctypes, sys, threading, time
c = ctypes.CDLL(None)

class Time(ctypes.Structure):
    _fields_ = [('s', ctypes.c_long), ('ns', ctypes.c_long)]

def wait(function, *arguments):
    begin_ns, until_ns = time.monotonic_ns(), time.time_ns() + 200_000_000
    function(*arguments, ctypes.byref(Time(*divmod(until_ns, 1_000_000_000))))
    return time.monotonic_ns() - begin_ns

condition, mutex, semaphore = (ctypes.create_string_buffer(128) for _ in range(3))
c.pthread_mutex_lock(mutex)
for _ in sys.stdin:
    took = [wait(c.pthread_cond_timedwait, condition, mutex),
            wait(c.pthread_mutex_timedlock, mutex), wait(c.sem_timedwait, semaphore)]
    begin_ns = time.monotonic_ns()
    threading.Event().wait(0.2)
    print(*took, time.monotonic_ns() - begin_ns, flush=True)
'''
S = 1_000_000_000


@pytest.fixture(params=[CHILD])
def child(tmp_path, request):
    """Start a process that answers in numbers whenever it is asked, and the clock that it has."""
    if not (shutil.which('cc') or shutil.which('gcc')):
        pytest.skip('needs a C compiler')
    (tmp_path / 'tell_time.py').write_text(request.param)
    clock = SteppedClock(tmp_path)
    process = subprocess.Popen(
        [sys.executable, faults_wall_clock.__file__, str(clock.library), str(clock.file),
         'tell_time'], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask():
        process.stdin.write('\n')
        process.stdin.flush()
        return [int(word) for word in process.stdout.readline().split()]

    yield clock, ask
    process.stdin.close()
    process.wait(10.0)
    process.stdout.close()


@pytest.mark.parametrize('seconds', [3600.0, -3600.0, 0.75, -0.75])
def test_only_the_wall_clock_steps(child, seconds):
    clock, ask = child
    wall_ns, steady_ns = ask()
    assert abs(wall_ns - time.time_ns()) < 30 * S
    clock.step(seconds)
    later_ns, later_steady_ns = ask()
    passed_ns = later_steady_ns - steady_ns
    assert 0 <= passed_ns < 30 * S
    assert abs(later_ns - wall_ns - passed_ns - seconds * S) < 0.3 * S
    assert abs(later_ns - clock.now_ns()) < 30 * S


@pytest.mark.parametrize('child', [WAITING_CHILD], indirect=True)
@pytest.mark.parametrize('seconds', [0.0, 60.0, -60.0])
def test_a_deadline_of_the_wall_clock_is_as_far_away_as_on_a_host_whose_clock_stepped(
        child, seconds):
    clock, ask = child
    clock.step(seconds)
    took_ns = ask()
    assert len(took_ns) == 4
    # At once without the offset, or after a minute, if it were handed on as it is.
    assert all(0.19 * S < each < 20 * S for each in took_ns), took_ns


def test_without_a_compiler_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(NotMeasured, match='apt install gcc'):
        SteppedClock(tmp_path)
