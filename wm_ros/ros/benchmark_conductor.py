# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Lead one condition of the benchmark's loop: bring the nodes up, let commands flow, watch the wire.

A process of its own. It writes one JSON object a line to its standard output, which the
benchmark's main process reads; logs go to standard error.
"""

import json
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any

import rclpy
from rclpy.node import Node
from std_srvs.srv import SetBool

from wm_ros.errors import WorldModelError
from wm_ros.msg import GateState
from wm_ros.ros.benchmark_observer import BenchmarkObserver
from wm_ros.ros.demo_conductor import emit
from wm_ros.ros.demo_wire import ACTIVATE, CONFIGURE, Wire

GATE, PREDICTOR, ROBOT = '/wm_gate', '/wm_predictor', '/benchmark_robot'
_START_TIMEOUT_S, _ARM_TIMEOUT_S, _SILENCE_S = 60.0, 60.0, 30.0
_READY = (GateState.RUNNING, GateState.SLOW, GateState.HOLD)
# By then whatever was said about a command has come in.
_AGE_NS = 1_500_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopPlan:
    """
    What to do.

    :param commands: how many to wait for.
    :param has_predictor: the real one, which is a lifecycle node.
    :param decision_timeout_s: of the gate.
    """

    commands: int
    has_predictor: bool
    decision_timeout_s: float


class LoopConductor:
    """
    Runs one condition and reports what became of each command.

    :param plan: what to do.
    :param wire: asks the nodes; spins the observer as well.
    :param observer: listens.
    """

    def __init__(self, plan: LoopPlan, wire: Wire, observer: BenchmarkObserver) -> None:
        self._plan, self._wire, self._observer = plan, wire, observer
        self._num_stops = 0

    def run(self) -> None:
        """
        Run the condition.

        :raises WorldModelError: if a node does not answer, refuses or falls silent.
        """
        observer = self._observer
        self._wire.wait(lambda: observer.num_joints > 0, _START_TIMEOUT_S,
                        lambda: 'no joint states from benchmark_robot')
        names = [PREDICTOR, GATE] if self._plan.has_predictor else [GATE]
        for name in names:
            self._wire.change_state(name, CONFIGURE, 120.0)
            self._wire.change_state(name, ACTIVATE)
        self._wire.wait(self._is_ready, _ARM_TIMEOUT_S, self._complaint)
        observer.clear()
        before = observer.state
        emit('start')
        self._send(is_sending=True)
        self._watch(before)
        self._send(is_sending=False)
        self._wire.spin_for(_AGE_NS / 1e9 + 0.2)
        # First judge what came out, while the commands that it came from are still known.
        observer.settle(is_final=True)
        self._report(age_ns=0)
        self._count('end', before)

    def _watch(self, before: GateState | None) -> None:
        """Wait for all commands, reporting those that are over each second."""
        observer, heard, count = self._observer, time.monotonic(), 0
        while observer.num_commands < self._plan.commands:
            # Short enough that the last second does not send too many.
            self._wire.spin_while(
                lambda: observer.num_commands < self._plan.commands, 1.0)
            self._report(age_ns=_AGE_NS)
            self._count('counts', before)
            self._clear_stop()
            if observer.num_commands > count:
                heard, count = time.monotonic(), observer.num_commands
            if time.monotonic() - heard > _SILENCE_S:
                raise WorldModelError(f'benchmark_robot has sent no command for {_SILENCE_S:g} s')

    def _report(self, *, age_ns: int) -> None:
        for record in self._observer.finished(time.time_ns(), age_ns=age_ns):
            emit('command', **record)

    def _count(self, event: str, before: GateState | None) -> None:
        state, ledger = self._observer.state, self._observer.ledger
        emit(event, unverified=ledger.unverified, num_holds=ledger.num_holds,
             emergency_stops=self._num_stops, **{
                 name: getattr(state, name) - getattr(before, name) for name in (
                     'forwarded', 'vetoed', 'deadline_missed', 'dropped', 'rejected')})

    def _send(self, *, is_sending: bool) -> None:
        self._wire.call(SetBool, f'{ROBOT}/send', SetBool.Request(data=is_sending))

    def _is_ready(self) -> bool:
        state = self._observer.state
        return state is not None and state.state in _READY

    def _clear_stop(self) -> None:
        """Go on after an emergency stop; it is counted."""
        state = self._observer.state
        if state is not None and state.state == GateState.ESTOP:
            self._num_stops += 1
            self._wire.trigger(f'{GATE}/clear_emergency_stop')
            self._wire.wait(self._is_ready, _ARM_TIMEOUT_S, self._complaint)

    def _complaint(self) -> str:
        state, verdict = self._observer.state, self._observer.verdict
        words = (state.message or f'state {state.state}') if state else 'it is silent'
        last = f'; the last verdict says: {verdict.message}' if verdict else ''
        return f'wm_gate does not arm: {words}{last}; is the machine busy with other work?'


def main(args: list[str] | None = None) -> int:
    """Run the plan that is given as JSON in the first argument; returns the exit code."""
    plan = LoopPlan(**json.loads((sys.argv[1:] if args is None else args)[0]))
    rclpy.init(args=[])
    node: Any = Node('benchmark_conductor')
    observer = BenchmarkObserver(decision_timeout_s=plan.decision_timeout_s)
    wire = Wire(node, observer)
    try:
        LoopConductor(plan, wire, observer).run()
        return 0
    except KeyboardInterrupt:
        return 1
    except Exception as error:  # noqa: B902  named guard: main
        if not isinstance(error, WorldModelError):
            traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        emit('error', text=str(error) or repr(error))
        return 1
    finally:
        # The main process interrupts everybody as soon as it has read the last event.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        wire.close()
        observer.destroy_node()
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
