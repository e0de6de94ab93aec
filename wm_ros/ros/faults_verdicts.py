# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Verdicts that are late, wrong or about something else; listeners, e-stop and bypass."""

import time
from collections.abc import Callable
from functools import partial

from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Reason
from wm_ros.faults.judging import Findings
from wm_ros.gate.values import NS_PER_S
from wm_ros.msg import ActionChunk, GateState, Verdict
from wm_ros.ros import qos
from wm_ros.ros.diagnostics import ERROR
from wm_ros.ros.faults_protocol import ProtocolPredictor
from wm_ros.ros.faults_rig import TICK_S, Rig
from wm_ros.ros.gate_messages import ns_to_time, time_to_ns

_FOREIGN_DIGEST = list(range(16))


def predictor_of(rig: Rig) -> ProtocolPredictor:
    """Return the rig's own predictor; a row of the other graph has none."""
    assert rig.predictor is not None
    return rig.predictor


def verdict_forged(rig: Rig, found: Findings) -> None:
    """Answer with verdicts that are about something else, and repeat good ones."""
    predictor = predictor_of(rig)
    kinds: list[tuple[str, Callable[[ActionChunk], Verdict]]] = [
        ('for another chunk', lambda c: predictor.verdict(c, chunk_id=c.chunk_id + 1)),
        ('for an older chunk', lambda c: predictor.verdict(c, chunk_id=c.chunk_id - 1)),
        ('with a wrong digest', lambda c: predictor.verdict(c, digest=_FOREIGN_DIGEST)),
        ('expired', lambda c: predictor.verdict(c, valid_s=-0.1)),
        ('of a future frame', lambda c: predictor.verdict(
            c, observation_stamp=ns_to_time(time.time_ns() + NS_PER_S))),
        ('of an unknown decision', lambda c: _with_decision(predictor.verdict(c), 77)),
        ('zeroed', lambda c: Verdict(chunk_id=c.chunk_id, digest=c.digest)),
    ]
    for words, make in kinds:
        if not found.need(rig.releases(), f'running before a verdict {words}'):
            return
        predictor.answer = partial(_answer_once, make)
        found.check(not rig.was_released(rig.send_harmless(), 0.4), f'{words}: nothing released')
        predictor.heal()
    _repeat(rig, found, predictor)


def _with_decision(verdict: Verdict, decision: int) -> Verdict:
    verdict.decision = decision
    return verdict


def _answer_once(make: Callable[[ActionChunk], Verdict], chunk: ActionChunk
                 ) -> list[tuple[float, Verdict]]:
    return [(0.0, make(chunk))]


def _repeat(rig: Rig, found: Findings, predictor: ProtocolPredictor) -> None:
    """Answer twice, and once more when the next command is under judgement."""
    seen: list[Verdict] = []

    def twice(chunk: ActionChunk) -> list[tuple[float, Verdict]]:
        verdict = predictor.verdict(chunk, valid_s=5.0)
        seen.append(verdict)
        return [(0.0, verdict), (0.0, verdict)]

    predictor.answer = twice
    sent_ns = rig.send_harmless()
    found.check(rig.was_released(sent_ns), 'a verdict that comes twice releases')
    time.sleep(0.3)
    releases = [m for at_ns, m in list(rig.observer.outputs)
                if at_ns >= sent_ns and len(m.points) > 1]
    found.check(len(releases) == 1, f'{len(releases)} release for it')
    predictor.answer = lambda chunk: [(0.0, seen[0])]
    found.check(not rig.was_released(rig.send_harmless(), 0.4),
                'the verdict of the command before: nothing released')


def verdict_late(rig: Rig, found: Findings) -> None:
    """Answer after decide_by."""
    predictor = predictor_of(rig)
    for late_s in (0.001, 1.0):
        if not found.need(rig.releases(), f'running before {1e3 * late_s:g} ms'):
            return
        asked: list[float] = []

        def answer(chunk: ActionChunk, late_s: float = late_s, asked: list[float] = asked
                   ) -> list[tuple[float, Verdict]]:
            left_s = (time_to_ns(chunk.decide_by) - time.time_ns()) / NS_PER_S
            asked.append(left_s)
            return [(max(0.0, left_s) + late_s, predictor.verdict(chunk, valid_s=5.0))]

        predictor.answer = answer
        sent_ns = rig.send_harmless()
        is_released = rig.was_released(sent_ns, 1.0 + late_s)
        found.check(bool(asked) and not is_released, f'{1e3 * late_s:g} ms late: not released')
        found.reason(rig.observer.reasons_since(sent_ns), Reason.DEADLINE)
        predictor.heal()


def late_joiner(rig: Rig, found: Findings) -> None:
    """Join after a command, with and without asking for what was said before."""
    found.check(rig.was_released(rig.send_harmless()), 'a command was released')
    node = rig.node
    states: list[GateState] = []
    commands: list[JointTrajectory] = []
    subscriptions = [node.create_subscription(
        GateState, 'wm_gate/state', states.append, qos.GATE_STATE_IN)]
    for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
        subscriptions.append(node.create_subscription(
            JointTrajectory, 'arm_controller/joint_trajectory', commands.append,
            QoSProfile(depth=10, durability=durability)))
    found.check(rig.wait(lambda: states, 5.0), 'the state came')
    time.sleep(1.0)
    found.check(not commands, f'{len(commands)} commands came')
    for subscription in subscriptions:
        node.destroy_subscription(subscription)


def bypass_dies(rig: Rig, found: Findings) -> None:
    """Press the dead-man and let go of it without a word."""
    timeout_s = rig.calls.parameter(rig.gate_name, 'bypass_timeout')
    found.check(rig.calls.set_together(rig.gate_name, allow_bypass=True).successful,
                'bypass is allowed for this')
    thumb = rig.node.create_publisher(Bool, 'wm_gate/bypass', qos.BYPASS)
    pressed_ns = 0

    def press() -> bool:
        nonlocal pressed_ns
        pressed_ns = time.time_ns()
        thumb.publish(Bool(data=True))
        time.sleep(0.02)
        return rig.observer.state is not None and rig.observer.state.state == GateState.BYPASS

    try:
        found.check(rig.wait(press, 10.0), 'bypassed')
        took_s, _ = rig.stop_after(pressed_ns)
        found.within(took_s, timeout_s + TICK_S, 'stop')
    finally:
        rig.node.destroy_publisher(thumb)
        rig.calls.set_together(rig.gate_name, allow_bypass=False)


def clear_refused(rig: Rig, found: Findings) -> None:
    """Clear the e-stop while the button is pressed, and after it was released."""
    button = rig.node.create_publisher(Bool, 'emergency_stop', qos.EMERGENCY_STOP)
    service = f'{rig.gate_name}/clear_emergency_stop'
    try:
        rig.need(lambda: button.get_subscription_count() > 0, 10.0, lambda: 'no one listens')
        pressed_ns = time.time_ns()
        button.publish(Bool(data=True))
        _, state = rig.stop_after(pressed_ns)
        found.check(state is not None and state.state == GateState.ESTOP, 'ESTOP')
        answer = rig.calls.call(Trigger, service, Trigger.Request())
        found.check(not answer.success, 'refused while the button is pressed')
        found.says(answer.message, 'still true')
        found.check(not rig.was_released(rig.send_harmless(), 0.5), 'nothing released')
    finally:
        button.publish(Bool(data=False))
        is_clear = rig.wait(lambda: rig.calls.call(
            Trigger, service, Trigger.Request()).success, 5.0)
        found.check(is_clear, 'granted when it is released')
        rig.node.destroy_publisher(button)


def two_gates(rig: Rig, found: Findings) -> None:
    """Let somebody else offer to write the controller's topic."""
    rival = rig.node.create_publisher(
        JointTrajectory, 'arm_controller/joint_trajectory', qos.COMMAND_OUT)
    since_ns = time.time_ns()

    def errors() -> list[str]:
        return [report.message for report in rig.observer.reports_since(since_ns, 'wm_gate: gate')
                if report.level == ERROR]

    try:
        found.check(rig.wait(errors, 5.0), 'diagnostics ERROR')
        found.says(' '.join(errors()[:1]), 'other publisher')
    finally:
        rig.node.destroy_publisher(rival)


ROWS = (verdict_forged, verdict_late, late_joiner, bypass_dies, clear_refused, two_gates)
