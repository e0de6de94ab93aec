# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Settings of all tests: a private ROS domain on this host only, and a process for each node file.

No test may ever talk to a robot, so what the shell says about domain and range does not count.
"""

import importlib.util
import os
import random
import socket
import tempfile
from pathlib import Path

import hypothesis
import isolation
import pytest

ROOT = Path(__file__).resolve().parents[1]
# The ports by which ROS's own domain_coordinator reserves domains, so that both keep apart.
DOMAIN_PORT_BASE = 32768
NUM_DOMAINS = 100

# On a busy machine the wall clock of one example says nothing; pytest's timeout stays.
hypothesis.settings.register_profile('wm_ros', deadline=None, print_blob=True)
hypothesis.settings.load_profile('wm_ros')


def reserve_domain() -> tuple[int, socket.socket]:
    """
    Find a ROS domain that no other test process of this host uses.

    :returns: a domain from 1 to 100, and the socket that reserves it while it is open.
    :raises RuntimeError: if all are taken.
    """
    for domain in random.sample(range(1, NUM_DOMAINS + 1), NUM_DOMAINS):
        lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            lock.bind(('', DOMAIN_PORT_BASE + domain))
        except OSError:
            lock.close()
            continue
        return domain, lock
    raise RuntimeError(f'all {NUM_DOMAINS} ROS domains are taken by other test processes')


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of test/isolation.py."""
    parser.addoption('--in-process', action='store_true',
                     help='run test/node and test/system in this process, for debugging')
    parser.addoption('--isolated-reports', type=int, metavar='FD',
                     help='set by the parent: where a child sends its reports')
    parser.addini('isolation_grace', default='30',
                  help='s of silence after the timeout of a test, then its process is killed')


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before any test module imports rclpy or torch."""
    # On a busy machine torch's idle threads spin against each other: tests of tiny models took
    # a hundred times longer with two threads than with one.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    domain, lock = reserve_domain()
    config.add_cleanup(lock.close)
    os.environ['ROS_DOMAIN_ID'] = str(domain)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.pop('ROS_STATIC_PEERS', None)
    os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(ROOT / 'config' / 'fastdds.xml'))
    os.environ.setdefault('ROS_LOG_DIR', str(Path(tempfile.gettempdir(), 'wm_ros_test_log')))
    isolation.register(config)


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """Say what to do where the messages are not built, instead of one import error a file."""
    if module_path.parent.name not in isolation.ISOLATED_FOLDERS:
        return
    if importlib.util.find_spec('wm_ros.msg') is None:
        raise pytest.UsageError(
            f'{module_path.name} needs the built messages (wm_ros.msg): run `make build`, then '
            '`source env.sh`, then pytest again. test/unit and test/property need neither.')
