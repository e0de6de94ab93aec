# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the demo's processes, see when one dies, and end them all whatever happens."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from wm_ros.demo.shared_memory import own_segments, remove_segments
from wm_ros.errors import WorldModelError

_STOP_TIMEOUT_S = 5.0
_LOCK_PORT_BASE = 32768
_TAIL_LINES = 12
# So long after its death somebody may still read what a process had sent, s.
_READ_S = 10.0
# RTPS: ports of domain d begin here; above domain 100 they meet Linux's ephemeral ports.
_PORT_BASE, _PORT_STEP, _FIRST_UNICAST, _DOMAINS = 7400, 250, 10, range(1, 101)


class Processes:
    """
    A family of processes, each in a group of its own, ended together.

    :param log_directory: each process writes NAME.log there.
    :param environment: of the processes.
    """

    def __init__(self, log_directory: Path, environment: dict[str, str]) -> None:
        self._logs = log_directory
        self._environment = environment
        self._running: dict[str, subprocess.Popen[str]] = {}
        # Of processes that were killed: when, and what they left in shared memory.
        self._left: list[tuple[float, list[Path]]] = []
        log_directory.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, module: str, arguments: Sequence[str] = (), *,
              reads_output: bool = False) -> 'subprocess.Popen[str]':
        """
        Start a Python module.

        :param name: for the log and for messages.
        :param reads_output: standard output goes to the caller instead of the log.
        :returns: the process.
        """
        with (self._logs / f'{name}.log').open('w') as log:
            process = subprocess.Popen(
                [sys.executable, '-m', module, *arguments], env=self._environment, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if reads_output else log,
                stderr=log, start_new_session=True)
        self._running[name] = process
        return process

    def check(self) -> None:
        """
        See that all of them run.

        :raises WorldModelError: naming the one that ended, with the end of its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise WorldModelError(
                    f'{name} ended early with exit code {process.returncode}; the end of its '
                    f'log {self._logs / name}.log:\n{self.tail(name)}')

    def tail(self, name: str) -> str:
        """Return the last lines of a log."""
        text = (self._logs / f'{name}.log').read_text(errors='replace')
        return '\n'.join(text.splitlines()[-_TAIL_LINES:])

    def explain(self, text: str) -> str:
        """Add to a message the end of the log of each process that it names."""
        tails = [f'the end of {self._logs / name}.log:\n{self.tail(name)}'
                 for name in self._running if name in text]
        return '\n'.join((text, *(tails or [f'see the logs in {self._logs}'])))

    def pid(self, name: str) -> int:
        """Return the process id of a running process."""
        return self._running[name].pid

    def send_signal(self, name: str, number: int) -> None:
        """Send a signal to one of them, and to nobody whom it may have started."""
        os.kill(self._running[name].pid, number)

    def kill(self, name: str) -> None:
        """Kill one of them, wait for its end and forget it, so that it may be started again."""
        process = self._running.pop(name)
        self._kill(process)
        self._clean(older_s=_READ_S)
        if process.stdout is not None:
            process.stdout.close()

    def stop(self) -> None:
        """End all of them: SIGINT, and after a while SIGKILL. Safe to call twice."""
        for process in self._running.values():
            _signal(process, signal.SIGINT)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for process in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._kill(process)
            if process.stdout is not None:
                process.stdout.close()
        self._running.clear()
        self._clean(older_s=0.0)

    def _kill(self, process: 'subprocess.Popen[str]') -> None:
        segments = own_segments(process.pid)
        _signal(process, signal.SIGKILL)
        process.wait()
        self._left.append((time.monotonic(), segments))

    def _clean(self, *, older_s: float) -> None:
        """Remove what was left in shared memory by those that died so long ago."""
        before_s = time.monotonic() - older_s
        while self._left and self._left[0][0] <= before_s:
            remove_segments(self._left.pop(0)[1])

    def __enter__(self) -> 'Processes':
        """Return the family itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """End all of them."""
        self.stop()


def _signal(process: 'subprocess.Popen[str]', number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def ros_environment(domain_id: int, dds_profile: Path) -> dict[str, str]:
    """
    Return this process's environment with a ROS graph of its own on this host.

    :param domain_id: from ``reserved_domain_id``.
    :param dds_profile: used unless the user has chosen one; without it pictures are lost.
    """
    return {
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(dds_profile), **os.environ,
        'ROS_DOMAIN_ID': str(domain_id), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONUNBUFFERED': '1', 'OMP_NUM_THREADS': '1'}


@contextlib.contextmanager
def reserved_domain_id() -> Iterator[int]:
    """
    Reserve a ROS domain in which nobody on this host takes part.

    A TCP port says to others who start that it is taken, as ROS's own domain_coordinator does it;
    a UDP port of the domain itself says whether somebody is there who reserved nothing.

    :raises WorldModelError: if there is none.
    """
    for domain in random.sample(_DOMAINS, len(_DOMAINS)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as lock:
            try:
                lock.bind(('', _LOCK_PORT_BASE + domain))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind(('', _PORT_BASE + _PORT_STEP * domain + _FIRST_UNICAST))
            except OSError:
                continue
            yield domain
            return
    raise WorldModelError('every ROS domain from 1 to 100 is in use on this host')
