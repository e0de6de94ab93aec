# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a killed process leaves in shared memory: a process that holds files as Fast DDS does."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from wm_ros.demo.processes import Processes
from wm_ros.demo.shared_memory import own_segments, remove_segments

SHARED_MEMORY = Path('/dev/shm')
pytestmark = pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason='needs shared memory as files')

HOLD = '''
import signal, sys
held = [open(name) for name in sys.argv[1:]]
print('up', flush=True)
signal.pause()
'''


@pytest.fixture
def names():
    """Two segments of a process, a port and a segment of another one."""
    first, other = secrets.token_hex(8), secrets.token_hex(8)
    files = {'segment': f'fastrtps_{first}', 'lock': f'fastrtps_{first}_el',
             'port': f'fastrtps_port{first}_el', 'other': f'fastrtps_{other}',
             'other_lock': f'fastrtps_{other}_el'}
    paths = {name: SHARED_MEMORY / file for name, file in files.items()}
    for path in paths.values():
        path.touch()
    yield paths
    for path in paths.values():
        path.unlink(missing_ok=True)


def test_a_killed_process_leaves_nothing_of_its_own(tmp_path, names, monkeypatch):
    (tmp_path / 'holder.py').write_text(HOLD)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    with Processes(tmp_path / 'logs', environment) as processes:
        holder = processes.start('holder', 'holder', [
            str(names[name]) for name in ('segment', 'lock', 'port')], reads_output=True)
        assert holder.stdout.readline() == 'up\n'
        assert set(own_segments(holder.pid)) == {names['segment'], names['lock']}
        processes.kill('holder')
        # Others may still have to read it.
        assert all(path.exists() for path in names.values())
        monkeypatch.setattr('wm_ros.demo.processes._READ_S', 0.0)
        processes.start('other', 'holder')
        processes.kill('other')
        assert not names['segment'].exists()
    assert {name for name, path in names.items() if path.exists()} == {
        'port', 'other', 'other_lock'}


def test_the_end_of_all_removes_what_the_last_has_left(tmp_path, names):
    (tmp_path / 'holder.py').write_text(HOLD)
    environment = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    with Processes(tmp_path / 'logs', environment) as processes:
        holder = processes.start('holder', 'holder', [
            str(names[name]) for name in ('segment', 'lock')], reads_output=True)
        assert holder.stdout.readline() == 'up\n'
        processes.kill('holder')
        assert names['segment'].exists()
    assert not names['segment'].exists()


def test_a_process_that_has_ended_owns_nothing():
    process = subprocess.run([sys.executable, '-c', 'import os; print(os.getpid())'],
                             capture_output=True, text=True, check=True)
    assert own_segments(int(process.stdout)) == []


def test_what_is_gone_already_is_no_error(names):
    names['lock'].unlink()
    remove_segments([names['lock'], names['segment']])
    assert not names['segment'].exists()
