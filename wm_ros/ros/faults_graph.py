# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes under test of one robot: started, killed, stopped, weighed."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Starter(Protocol):
    """Who starts and ends the processes under test; wm_ros.demo.processes.Processes."""

    def start(self, name: str, module: str, arguments: Sequence[str] = (), *,
              reads_output: bool = False) -> 'subprocess.Popen[str]': ...

    def pid(self, name: str) -> int: ...

    def send_signal(self, name: str, number: int) -> None: ...

    def kill(self, name: str) -> None: ...

    def check(self) -> None: ...

    def explain(self, text: str) -> str: ...


class GraphProcesses:
    """
    'wm_gate' and 'wm_predictor' of one namespace.

    :param starter: starts the processes.
    :param commands: command line of each, without the program.
    :param namespace: of their nodes.
    :param has_predictor: there is a wm_predictor.
    :param is_stand_in: of its model; else it is the one of its checkpoint.
    """

    def __init__(self, starter: Starter, commands: dict[str, list[str]], *, namespace: str,
                 has_predictor: bool, is_stand_in: bool) -> None:
        self.starter, self.namespace = starter, namespace
        self._commands, self.has_predictor = commands, has_predictor
        self._predictor_module = ('wm_ros.ros.faults_predictor' if is_stand_in else
                                  'wm_ros.ros.predictor_node')
        self._running: list[str] = []

    def start_all(self) -> None:
        """Start every process of the graph."""
        for name in ('wm_gate', *(['wm_predictor'] if self.has_predictor else [])):
            self.start(name)

    def start(self, name: str, *, through: Sequence[str] = ()) -> None:
        """
        Start 'wm_gate' or 'wm_predictor'; it is not configured.

        :param through: a module, with its arguments, that becomes the process.
        """
        module = self._predictor_module if name == 'wm_predictor' else 'wm_ros.ros.gate_node'
        scope = ['-r', f'__ns:={self.namespace}'] if self.namespace else []
        first, *before = [*through, module]
        self.starter.start(
            self._process(name), first, [*before, *self._commands[name], *scope])
        self._running.append(name)

    def is_started(self, name: str) -> bool:
        """Say whether 'wm_gate' or 'wm_predictor' was started and not killed since."""
        return name in self._running

    def pid(self, name: str) -> int:
        """Return the process id of 'wm_gate' or 'wm_predictor'."""
        return self.starter.pid(self._process(name))

    def memory_mib(self, name: str) -> float:
        """Return the resident memory of 'wm_gate' or 'wm_predictor', MiB."""
        statm = Path(f'/proc/{self.pid(name)}/statm').read_text(encoding='ascii')
        return int(statm.split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20

    def kill(self, name: str) -> int:
        """Kill -9; returns when, ns."""
        at_ns = time.time_ns()
        self.starter.kill(self._process(name))
        self._running.remove(name)
        return at_ns

    def pause(self, name: str, *, is_on: bool) -> int:
        """Send SIGSTOP or SIGCONT; returns when, ns."""
        at_ns = time.time_ns()
        self.starter.send_signal(
            self._process(name), signal.SIGSTOP if is_on else signal.SIGCONT)
        return at_ns

    def kill_all(self) -> None:
        """Kill what runs."""
        for name in list(self._running):
            self.kill(name)

    def _process(self, name: str) -> str:
        return name + self.namespace.replace('/', '_')
