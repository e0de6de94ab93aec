# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The runner of test/node must fail when a test process dies or hangs, and go on with the rest."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TEST_FOLDER = Path(__file__).resolve().parents[1]
INI = '[pytest]\npythonpath = test\naddopts = -ra --import-mode=importlib\ntimeout = 60\n'


@pytest.fixture
def project(tmp_path):
    """Make a project with our conftest and a stand-in for the built messages."""
    (tmp_path / 'pytest.ini').write_text(INI)
    (tmp_path / 'test' / 'node').mkdir(parents=True)
    (tmp_path / 'test' / 'wm_ros' / 'msg').mkdir(parents=True)
    for package in ('wm_ros', 'wm_ros/msg'):
        (tmp_path / 'test' / package / '__init__.py').touch()
    for name in ('conftest.py', 'isolation.py'):
        (tmp_path / 'test' / name).write_text((TEST_FOLDER / name).read_text())
    return tmp_path


def run_pytest(project, *arguments, **files):
    """Write test files by name, run pytest in the project, return its status and output."""
    for name, text in files.items():
        (project / 'test' / 'node' / f'{name}.py').write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != 'PYTEST_ADDOPTS'}
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', *arguments], cwd=project,
        env=environment, capture_output=True, text=True, timeout=100, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_outcome_is_replayed_in_one_summary(project):
    status, output = run_pytest(project, test_one=(
        'import pytest\n'
        'def test_good(): pass\n'
        'def test_bad(): assert 1 + 1 == 3\n'
        '@pytest.mark.skip(reason="no such robot")\n'
        'def test_skipped(): pass\n'
        '@pytest.fixture\n'
        'def broken(): raise OSError("broken fixture")\n'
        'def test_error(broken): pass\n'))
    assert status == 1
    assert '1 failed, 1 passed, 1 skipped, 1 error' in output
    assert 'assert (1 + 1) == 3' in output
    assert 'no such robot' in output
    assert 'broken fixture' in output


def test_files_run_in_processes_of_their_own(project):
    text = ('import os\n'
            'def test_show():\n'
            '    raise AssertionError(f"pid={os.getpid()} range="\n'
            '                         + os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"])\n')
    _, output = run_pytest(project, test_one=text, test_two=text)
    assert len(set(re.findall(r'^E .*pid=(\d+) range=LOCALHOST', output, re.MULTILINE))) == 2
    _, output = run_pytest(project, '--in-process')
    assert len(set(re.findall(r'^E .*pid=(\d+)', output, re.MULTILINE))) == 1


def test_a_crash_fails_what_was_left_and_spares_other_files(project):
    status, output = run_pytest(
        project,
        test_one=('import os\n'
                  'def test_before(): pass\n'
                  'def test_crash(): os._exit(41)\n'
                  'def test_after(): pass\n'),
        test_two='def test_other(): pass\n')
    assert status == 1
    assert '2 failed, 2 passed' in output
    assert 'ended with status 41 before this test was over' in output


def test_a_hang_that_ignores_the_timeout_is_killed(project):
    """A native wait keeps pytest-timeout's signal handler from running."""
    status, output = run_pytest(
        project, '-o', 'isolation_grace=2',
        test_one=('import signal, pytest\n'
                  '@pytest.mark.timeout(0.5)\n'
                  'def test_hang():\n'
                  '    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n'
                  '    signal.pause()\n'))
    assert status == 1
    assert 'was killed' in output


def test_missing_messages_are_one_clear_message(project):
    (project / 'test' / 'wm_ros' / 'msg' / '__init__.py').unlink()
    (project / 'test' / 'wm_ros' / 'msg').rmdir()
    status, output = run_pytest(project, test_one='def test_good(): pass\n')
    assert status == pytest.ExitCode.INTERRUPTED
    assert 'source env.sh' in output
