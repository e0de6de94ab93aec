# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Run faults one after the other, as many as possible on one graph, and judge each.

The main rule: a row starts only when a harmless command was released, so that a fault that finds
the graph already broken cannot pass, and a graph that a row has broken is started again.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from rclpy.context import Context

from wm_ros.errors import WorldModelError
from wm_ros.faults.fault import Fault, Graph, NotMeasured, Outcome
from wm_ros.faults.judging import Findings
from wm_ros.ros.faults_graph import Starter
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_rows import RigRow, find_own_row, find_row

# Whatever was said on the wire has come in after this.
_SETTLE_S = 0.5
# Of the joints, which come every 20 ms; the gate holds after 150 ms without.
_STARVED_S = 0.08
_MOST_TRIES = 3


class FaultRunner:
    """
    Start graphs and run faults in them.

    :param starter: starts the processes under test.
    :param commands: command line of 'wm_gate' and 'wm_predictor', without the program.
    :param context: of the nodes of this process, initialised.
    """

    def __init__(self, starter: Starter, commands: dict[str, list[str]], *,
                 context: Context) -> None:
        self._starter, self._commands, self._context = starter, commands, context
        self._rig: Rig | None = None
        self._graph = Graph.NONE

    def run(self, faults: Iterable[Fault], *, repeat: int = 1
            ) -> Iterator[tuple[Fault, Outcome]]:
        """Yield each repetition of each fault; those of one graph come together."""
        graphs = list(Graph)
        for fault in sorted(faults, key=lambda fault: (graphs.index(fault.graph), fault.number)):
            for _ in range(repeat):
                begin = time.monotonic()
                outcome = self.run_one(fault)
                yield fault, replace(outcome, duration_s=time.monotonic() - begin)

    def run_one(self, fault: Fault) -> Outcome:
        """
        Run one fault on the graph that is there if it is the right one, else on a new one.

        A promise that looks broken while the robot of this very graph was starved is measured
        again: a gate is right to hold then. An unsafe release is never measured away.
        """
        if fault.graph is Graph.OWN and not fault.missing:
            return self._run_own(fault)
        row = find_row(fault)
        if row is None:
            return Outcome(held=None, measured=fault.missing)
        for attempt in range(1, _MOST_TRIES + 1):
            outcome, gap_s = self._measure(fault, row)
            is_starved = gap_s > _STARVED_S and outcome.held is False
            if not is_starved or outcome.unsafe_releases or attempt == _MOST_TRIES:
                break
        words = f'; measured {attempt} times, the robot was starved' if attempt > 1 else ''
        return replace(outcome, measured=outcome.measured + words)

    def _run_own(self, fault: Fault) -> Outcome:
        """Run a row that starts a graph of its own; what another row left runs no longer."""
        self.close()
        found = Findings()
        try:
            unsafe = find_own_row(fault)(self._starter, self._commands, found)
        except NotMeasured as error:
            return Outcome(held=None, measured=str(error))
        except WorldModelError as error:
            found.check(False, str(error))
            unsafe = []
        return found.outcome(unsafe)

    def _measure(self, fault: Fault, row: RigRow) -> tuple[Outcome, float]:
        """Run a row; returns its outcome and the longest gap of the robot's joints, s."""
        found, gap_s = Findings(), 0.0
        try:
            rig = self._armed(fault.graph)
            rig.clear()
            rig.robot.take_longest_gap_s()
            try:
                row(rig, found)
            finally:
                rig.heal()
                gap_s = rig.robot.take_longest_gap_s()
            time.sleep(_SETTLE_S)
            outcome = found.outcome(rig.unverified())
            # Its length costs the observer time at each message.
            rig.clear()
            return outcome, gap_s
        except NotMeasured as error:
            return Outcome(held=None, measured=str(error)), 0.0
        except WorldModelError as error:
            found.check(False, str(error))
            outcome = found.outcome(self._unverified())
            self.close()
            return outcome, gap_s

    def _unverified(self) -> list[str]:
        """Judge what a graph that has failed has released so far, if its observer still can."""
        if self._rig is None:
            return []
        try:
            return self._rig.unverified()
        except WorldModelError:
            return []

    def close(self) -> None:
        """End the graph; its processes too."""
        if self._rig is not None:
            self._rig.close()
        self._rig, self._graph = None, Graph.NONE

    def _armed(self, graph: Graph) -> Rig:
        """
        Return a rig whose gate has just released a command.

        :raises WorldModelError: if not even a new graph does that.
        """
        if self._rig is not None and self._graph is graph:
            try:
                self._rig.arm()
                return self._rig
            except WorldModelError:
                pass
        self.close()
        self._rig = Rig(self._starter, self._commands, context=self._context,
                        has_predictor=graph is not Graph.GATE, is_stand_in=graph is not
                        Graph.MODEL)
        self._graph = graph
        self._rig.start_all()
        if graph is not Graph.MODEL:
            self._rig.arm()
        return self._rig
