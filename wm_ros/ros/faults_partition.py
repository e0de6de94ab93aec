# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The network between gate and predictor is cut, and comes back.

Robot, observer and gate are in one network namespace, the predictor is in another. Only a cable
joins the two, so that nothing of it reaches the network of this host.
"""

import json
import sys
import time
from dataclasses import asdict
from subprocess import TimeoutExpired
from typing import cast

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions

from wm_ros.datatypes import Reason
from wm_ros.errors import WorldModelError
from wm_ros.faults.fault import Timing
from wm_ros.faults.judging import Findings
from wm_ros.faults.network import Cable, plug
from wm_ros.ros.faults_graph import GraphProcesses, Starter
from wm_ros.ros.faults_processes import LIMIT_S
from wm_ros.ros.faults_rig import Rig

_NAME, _THROUGH, _HERE = 'partition', 'wm_ros.ros.faults_through', 'wm_ros.ros.faults_partition'
# Longer than the lease in config/fastdds_udp.xml: both sides have forgotten each other then.
_OUTAGE_S = 8.0
_TIMEOUT_S, _SETTLE_S = 180.0, 0.5


def partition(starter: Starter, commands: dict[str, list[str]], found: Findings) -> list[str]:
    """Cut the network between gate and predictor; returns the unsafe releases."""
    with Cable() as cable:
        graph = GraphProcesses(starter, commands, namespace='', has_predictor=True,
                               is_stand_in=True)
        process = None
        try:
            graph.start('wm_gate', through=(_THROUGH, cable.here))
            graph.start('wm_predictor', through=(_THROUGH, cable.there))
            process = starter.start(_NAME, _THROUGH, [cable.here, _HERE, cable.there],
                                    reads_output=True)
            text, _ = process.communicate(timeout=_TIMEOUT_S)
        except TimeoutExpired:
            raise WorldModelError(starter.explain(
                f'{_NAME} has not ended in {_TIMEOUT_S:g} s')) from None
        finally:
            if process is not None:
                starter.kill(_NAME)
            graph.kill_all()
    try:
        told = json.loads(text.splitlines()[-1])
    except (IndexError, ValueError):
        raise WorldModelError(f'{_NAME} ended without a result: {text[-400:]!r}') from None
    found.parts += [(kept, words) for kept, words in told['parts']]
    found.times += [Timing(**timing) for timing in told['times']]
    return list(told['unsafe'])


class _Outside:
    """Stand for who has started the processes, outside of this namespace."""

    def explain(self, text: str) -> str:
        """Add nothing: the logs are outside."""
        return text


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
    """Measure beside a gate; the first argument is the namespace of the predictor."""
    there = (sys.argv[1:] if args is None else args)[0]
    found, unsafe = Findings(), []
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    rig = Rig(cast(Starter, _Outside()), {}, context=context, has_predictor=True)
    try:
        rig.arm()
        rig.clear()
        cut_and_mend(rig, there, found)
        time.sleep(_SETTLE_S)
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
