# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Processes that die, stop, hang or come back; models that fail; a machine that is overloaded."""

import os
import subprocess
import sys
import time

from rclpy.qos import DurabilityPolicy, QoSProfile
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Decision, Reason
from wm_ros.faults.judging import Findings
from wm_ros.msg import GateState
from wm_ros.ros.faults_calls import CLEANUP, CONFIGURE, DEACTIVATE
from wm_ros.ros.faults_rig import TICK_S, Rig

LIMIT_S = 0.25
_OVERLOAD_S = 20.0


def predictor_killed(rig: Rig, found: Findings) -> None:
    """Kill -9 of the predictor, then start another."""
    _expect_stop(rig, found, rig.kill('wm_predictor'), 'kill -9')
    rig.start('wm_predictor')
    rig.arm()
    found.check(True, 'released again with a new one')


def predictor_stopped(rig: Rig, found: Findings) -> None:
    """SIGSTOP of the predictor; then a model that never returns."""
    since_ns = rig.pause('wm_predictor', is_on=True)
    try:
        _expect_stop(rig, found, since_ns, 'SIGSTOP')
    finally:
        rig.pause('wm_predictor', is_on=False)
    found.check(rig.releases(20.0), 'released again after SIGCONT')
    rig.behave('hang')
    time.sleep(0.2)
    since_ns = rig.send_harmless()
    _expect_stop(rig, found, since_ns, 'a model that hangs')
    rig.behave('ok')
    found.check(rig.releases(20.0), 'released again when it returns')


def _expect_stop(rig: Rig, found: Findings, since_ns: int, what: str) -> None:
    found.within(rig.stop_after(since_ns)[0], LIMIT_S, f'stop on {what}', spare_s=0.0)
    # A model that hangs misses a deadline first.
    rig.wait(lambda: rig.observer.reasons_since(since_ns) & int(Reason.PREDICTOR_LOST), 2.0)
    found.reason(rig.observer.reasons_since(since_ns), Reason.PREDICTOR_LOST)


def gate_killed(rig: Rig, found: Findings) -> None:
    """Kill -9 of the gate while a chunk runs."""
    horizon_s = 0.8
    if not found.check(rig.was_released(rig.send_harmless(horizon_s)), 'a chunk was released'):
        return
    time.sleep(0.2)
    found.check(not rig.robot.is_at_rest, 'the arm moved when the gate was killed')
    killed_ns = rig.kill('wm_gate')
    rig.wait(lambda: rig.robot.is_at_rest, 5.0)
    took_s = (time.time_ns() - killed_ns) / 1e9
    found.within(took_s, horizon_s, 'rest')
    late: list[JointTrajectory] = []
    subscription = rig.node.create_subscription(
        JointTrajectory, 'arm_controller/joint_trajectory', late.append,
        QoSProfile(depth=10, durability=DurabilityPolicy.VOLATILE))
    rig.start('wm_gate')
    rig.calls.bring_to(rig.gate_name, 'inactive')
    found.check(not late, 'nothing came to a late joiner, nor from a gate that restarts')
    rig.node.destroy_subscription(subscription)
    rig.arm()


def restarts(rig: Rig, found: Findings) -> None:
    """Restart the predictor, then the gate, and repeat verdicts from before."""
    cycles_s = TICK_S * rig.calls.integer(rig.gate_name, 'arm_cycles')
    old = rig.observer.verdict
    publisher = rig.node.create_publisher(type(old), 'wm_predictor/verdict', 1)
    try:
        for name in ('wm_predictor', 'wm_gate'):
            rig.kill(name)
            since_ns = time.time_ns()
            rig.start(name)
            for node_name in (rig.predictor_name, rig.gate_name):
                rig.calls.bring_to(node_name, 'active')
            publisher.publish(old)
            found.check(rig.releases(40.0), f'released again after a restart of {name}')
            arming = [at_ns for at_ns, state in list(rig.observer.states)
                      if at_ns >= since_ns and state.state == GateState.WAITING]
            if name == 'wm_gate':
                first_ns = next(at_ns for at_ns, message in list(rig.observer.outputs)
                                if at_ns >= since_ns)
                took_s = (first_ns - arming[0]) / 1e9 if arming else 0.0
                found.check(took_s >= cycles_s, f'armed for {1e3 * took_s:.0f} ms, at least '
                                                f'{1e3 * cycles_s:.0f} ms')
            before = len(rig.observer.outputs)
            publisher.publish(old)
            time.sleep(0.3)
            found.check(len(rig.observer.outputs) == before, 'an old verdict releases nothing')
    finally:
        rig.node.destroy_publisher(publisher)


def engine_raises(rig: Rig, found: Findings) -> None:
    """Let the engine raise what a GPU raises."""
    for text in ('CUDA out of memory', 'CUDA error: an illegal memory access was encountered',
                 'CUDA error: device reset'):
        if not found.need(rig.releases(), f'running before {text}'):
            return
        rig.behave(f'raise {text}')
        time.sleep(0.2)
        _expect_invalid(rig, found, text)
        rig.behave('ok')
    found.check(rig.releases(), 'released again')


def model_nonsense(rig: Rig, found: Findings) -> None:
    """Return NaN; then be a model that ignores its actions."""
    rig.behave('nan')
    time.sleep(0.2)
    _expect_invalid(rig, found, 'not finite')
    rig.behave('deaf')
    for transition in (DEACTIVATE, CLEANUP):
        rig.calls.change_state(rig.predictor_name, transition)
    since_ns = time.time_ns()
    is_configured = rig.calls.change_state(rig.predictor_name, CONFIGURE)
    found.check(not is_configured, 'a model that ignores its actions is not configured')
    found.check(rig.wait(lambda: rig.observer.logs_since(since_ns, 'ignores its actions'), 2.0),
                'the log says why')
    rig.behave('ok')
    time.sleep(0.2)
    rig.calls.bring_to(rig.predictor_name, 'active')


def _expect_invalid(rig: Rig, found: Findings, text: str) -> None:
    sent_ns = rig.send_harmless()

    def verdicts() -> list:
        return [verdict for at_ns, verdict in list(rig.observer.verdicts) if at_ns >= sent_ns]

    if not found.check(rig.wait(verdicts, 2.0), f'a verdict came for {text!r}'):
        return
    verdict = verdicts()[0]
    found.check(verdict.decision == Decision.INVALID, 'it is INVALID')
    found.reason(verdict.reasons, Reason.MODEL_ERROR)
    found.says(verdict.message, text)
    found.check(rig.stop_after(sent_ns)[0] is not None, 'the gate holds')


def overload(rig: Rig, found: Findings) -> None:
    """Keep every core busy while commands come ten times a second."""
    names = ('wm_gate', 'wm_predictor')
    before, memory = rig.observer.state, [rig.memory_mib(name) for name in names]
    num_sent = 0
    busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass'])
            for _ in range(2 * (os.cpu_count() or 1))]
    try:
        deadline = time.monotonic() + _OVERLOAD_S
        while time.monotonic() < deadline:
            rig.send_harmless()
            num_sent += 1
            time.sleep(0.1)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    time.sleep(1.0)
    after = rig.observer.state
    found.check(after is not None and before is not None, 'the gate speaks')
    if after is not None and before is not None:
        missed = after.deadline_missed - before.deadline_missed
        found.check(True, f'{num_sent} commands, {after.forwarded - before.forwarded} released, '
                          f'{missed} deadlines missed ({100.0 * missed / num_sent:.1f} %)')
    for name, then in zip(names, memory, strict=True):
        grown = rig.memory_mib(name) - then
        found.check(grown < 20.0, f'{name} grew by {grown:.1f} MiB')
    found.check(rig.releases(30.0), 'released again')


ROWS = (predictor_killed, predictor_stopped, gate_killed, restarts, engine_raises,
        model_nonsense, overload)
