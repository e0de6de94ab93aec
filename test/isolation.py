# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Run every file of test/node and test/system in a process of its own, under one summary.

DDS participants, native threads and a crash stay inside the file that made them. The parent
collects, starts one child pytest a file, and replays the child's reports as its own; a child that
dies or hangs fails the tests it still owed. ``--in-process`` switches all this off.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

ISOLATED_FOLDERS = ('node', 'system')
OUTPUT_TAIL_CHARS = 8000
EXIT_TIMEOUT_S = 20.0


class ReportSender:
    """
    Child side: pass every report to the parent as soon as it is made.

    :param file_descriptor: the pipe to the parent.
    """

    def __init__(self, config: pytest.Config, file_descriptor: int) -> None:
        self._config = config
        self._pipe = os.fdopen(file_descriptor, 'w', encoding='utf-8')

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send one report."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._pipe.write(json.dumps(data) + '\n')
        self._pipe.flush()


def _restore(data: dict[str, Any]) -> dict[str, Any]:
    """Give a report the tuples back that JSON has no word for; pytest asks for them by type."""
    for key in ('location', 'longrepr'):
        if isinstance(data.get(key), list):
            data[key] = tuple(data[key])
    return data


class Child:
    """
    One child pytest and the reports that it sends.

    :param config: the parent's configuration.
    :param node_ids: the tests to run, in this order.
    :param environment: of the process; None: as this one's.
    """

    def __init__(self, config: pytest.Config, node_ids: list[str],
                 environment: dict[str, str] | None = None) -> None:
        self._config = config
        self._queue: queue.Queue = queue.Queue()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        read_end, write_end = os.pipe()
        command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider',
                   f'--tb={config.option.tbstyle}', f'--isolated-reports={write_end}', *node_ids]
        self._process = subprocess.Popen(
            command, cwd=config.rootpath, pass_fds=[write_end], stdin=subprocess.DEVNULL,
            stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment)
        os.close(write_end)
        threading.Thread(target=self._receive, args=(read_end,), daemon=True).start()

    def _receive(self, read_end: int) -> None:
        """Move reports from the pipe to the queue, and None at its end; runs on its own thread."""
        with os.fdopen(read_end, encoding='utf-8') as pipe:
            for line in pipe:
                # A child that dies while it writes leaves half a line.
                if line.endswith('\n'):
                    self._queue.put(_restore(json.loads(line)))
        self._queue.put(None)

    def reports(self, item: pytest.Item, timeout_s: float) -> list[pytest.TestReport]:
        """
        Wait for all reports of one test.

        :param item: the test.
        :param timeout_s: the longest silence before the child counts as hung, s.
        :returns: its reports; with a failure of our own at the end if the child broke.
        """
        reports: list[pytest.TestReport] = []
        while not reports or reports[-1].when != 'teardown':
            try:
                data = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                self.kill()
                return [*reports, self._failure(item, f'hung for {timeout_s:.0f} s, was killed')]
            if data is None:
                self._queue.put(None)
                status = self._process.wait()
                return [*reports, self._failure(item, f'ended with status {status}')]
            reports.append(self._config.hook.pytest_report_from_serializable(
                config=self._config, data=data))
        return reports

    def _failure(self, item: pytest.Item, reason: str) -> pytest.TestReport:
        """Make the report of a test that its process did not finish."""
        self._output.seek(0)
        tail = self._output.read().decode('utf-8', 'replace')[-OUTPUT_TAIL_CHARS:]
        return pytest.TestReport(
            nodeid=item.nodeid, location=item.location, keywords={}, outcome='failed',
            longrepr=f'the test process {reason} before this test was over\n{tail}', when='call')

    def kill(self) -> None:
        """End the child and whatever it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, 9)
        self._process.wait()

    def close(self, *, is_finished: bool) -> None:
        """
        End the child and give its output file back.

        :param is_finished: all its tests are over. Then it may leave by itself: participants that
            are killed leave their shared memory behind.
        """
        if is_finished:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_TIMEOUT_S)
        self.kill()
        self._output.close()


class Isolation:
    """
    Parent side: hand isolated tests to children and replay what these report.

    :param config: pytest's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._child: Child | None = None
        self._child_path: Path | None = None
        self._num_owed = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Replay one isolated test; leave all others to pytest."""
        if item.path.parent.name not in ISOLATED_FOLDERS:
            return None
        if self._child_path != item.path:
            self._start(item)
        hook = item.ihook
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._child.reports(item, self._timeout_s(item)):
            hook.pytest_runtest_logreport(report=report)
        self._num_owed -= 1
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item) -> bool | None:
        """Leave an isolated test's timeout to its child: here it would end the whole run."""
        return True if item.path.parent.name in ISOLATED_FOLDERS else None

    def pytest_sessionfinish(self) -> None:
        """Leave no child behind, also after -x or Ctrl-C."""
        if self._child is not None:
            self._child.close(is_finished=self._num_owed == 0)
            self._child = self._child_path = None

    def _start(self, item: pytest.Item) -> None:
        """Start the child of this test's file, for all its selected tests."""
        self.pytest_sessionfinish()
        node_ids = [other.nodeid for other in item.session.items if other.path == item.path]
        self._num_owed = len(node_ids)
        environment = None
        if item.get_closest_marker('control_msgs') is not None:
            # Libraries are found by the environment that a process starts with.
            from control_msgs_overlay import environment as build_environment
            environment = build_environment()
        self._child = Child(self._config, node_ids, environment)
        self._child_path = item.path

    def _timeout_s(self, item: pytest.Item) -> float:
        """Give the longest time that the child may be silent in this test, s."""
        marker = item.get_closest_marker('timeout')
        limit: Any = marker.args[0] if marker and marker.args else self._config.getini('timeout')
        return float(limit) + float(self._config.getini('isolation_grace'))


def register(config: pytest.Config) -> None:
    """Register the side of the plugin that this process is on."""
    file_descriptor = config.getoption('--isolated-reports')
    if file_descriptor is not None:
        config.pluginmanager.register(ReportSender(config, file_descriptor), 'report-sender')
    elif not config.getoption('--in-process') and not config.option.usepdb:
        config.pluginmanager.register(Isolation(config), 'isolation')
