# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The network between gate and predictor is cut, and comes back.

A process in one network namespace has the robot, the observer and the gate; the predictor is in
another. Only a cable joins the two, so that nothing of it reaches the network of this host.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from wm_ros.datatypes import Reason
from wm_ros.demo.processes import Processes
from wm_ros.errors import WorldModelError
from wm_ros.faults.fault import Timing
from wm_ros.faults.judging import Findings
from wm_ros.faults.network import Cable, plug
from wm_ros.ros.faults_graph import Starter
from wm_ros.ros.faults_processes import LIMIT_S
from wm_ros.ros.faults_rig import Rig

_NAME, _THROUGH, _HERE = 'partition', 'wm_ros.ros.faults_through', 'wm_ros.ros.faults_partition'
# Longer than the lease in config/fastdds_udp.xml: both sides have forgotten each other then.
_OUTAGE_S = 8.0
_TIMEOUT_S, _GOODBYE_S = 180.0, 20.0


def partition(starter: Starter, commands: dict[str, list[str]], found: Findings) -> list[str]:
    """Cut the network between gate and predictor; returns the unsafe releases."""
    with Cable() as cable:
        plan = {'there': cable.there, 'commands': commands}
        process = starter.start(_NAME, _THROUGH, [cable.here, _HERE, json.dumps(plan)],
                                reads_output=True)
        try:
            text, _ = process.communicate(timeout=_TIMEOUT_S)
        except TimeoutExpired:
            raise WorldModelError(starter.explain(
                f'{_NAME} has not ended in {_TIMEOUT_S:g} s')) from None
        finally:
            _end(starter, process)
    try:
        told = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        raise WorldModelError(f'{_NAME} ended without a result: {text[-400:]!r}') from None
    found.parts += [(kept, words) for kept, words in told['parts']]
    found.times += [Timing(**timing) for timing in told['times']]
    return list(told['unsafe'])


def _end(starter: Starter, process: Any) -> None:
    """Let it end what it has started, before it is killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(TimeoutExpired):
            process.wait(_GOODBYE_S)
    starter.kill(_NAME)


class _Apart(Rig):
    """
    A rig whose predictor is in another network namespace.

    :param there: the name of that namespace.
    """

    def __init__(self, there: str, **arguments: Any) -> None:
        super().__init__(**arguments, has_predictor=True)
        self._there = there

    def start(self, name: str, *, through: Sequence[str] = ()) -> None:
        """Start the gate here and the predictor there."""
        is_apart = name == 'wm_predictor'
        super().start(name, through=(_THROUGH, self._there, *through) if is_apart else through)


def cut_and_mend(rig: Rig, there: str, found: Findings) -> None:
    """Cut the network for longer than the lease, and wait for a release when it is back."""
    since_ns = time.time_ns()
    plug(there, is_in=False)
    found.within(rig.stop_after(since_ns)[0], LIMIT_S, 'stop on a cut', spare_s=0.0)
    rig.wait(lambda: rig.observer.reasons_since(since_ns) & int(Reason.PREDICTOR_LOST), 2.0)
    found.reason(rig.observer.reasons_since(since_ns), Reason.PREDICTOR_LOST)
    time.sleep(_OUTAGE_S)
    cut_ns = time.time_ns()
    found.check(not rig.was_released(rig.send_harmless(), 1.0), 'nothing is released while cut')
    begin = time.monotonic()
    plug(there, is_in=True)
    if found.check(rig.releases(40.0), 'released again'):
        found.check(rig.observer.last_output_ns() > cut_ns,
                    f'{time.monotonic() - begin:.1f} s after the network was back')


def main(args: list[str] | None = None) -> int:
    """Run the plan that is given as JSON in the first argument; prints what was found."""
    # Whoever started this may have been started to ignore them; its own processes must end too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    plan = json.loads((sys.argv[1:] if args is None else args)[0])
    found, unsafe = Findings(), []
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    with tempfile.TemporaryDirectory() as logs, Processes(Path(logs), dict(os.environ)) as family:
        rig = _Apart(plan['there'], starter=family, commands=plan['commands'], context=context)
        try:
            rig.start_all()
            rig.arm()
            rig.clear()
            cut_and_mend(rig, plan['there'], found)
            time.sleep(0.5)
            unsafe = rig.unverified()
        except WorldModelError as error:
            found.check(False, str(error))
        finally:
            rig.close()
    context.try_shutdown()
    sys.stdout.write(json.dumps({
        'parts': found.parts, 'times': [asdict(timing) for timing in found.times],
        'unsafe': unsafe}) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
