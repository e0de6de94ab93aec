# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A predictor that knows the protocol and no model, so that each verdict can be chosen."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from wm_ros.datatypes import Decision, Reason
from wm_ros.msg import ActionChunk, PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.gate_messages import ns_to_time

HORIZON_S = 0.8
_S = 1_000_000_000

# From a chunk to verdicts, each with the delay in s after which it is sent.
Answer = Callable[[ActionChunk], Iterable[tuple[float, Verdict]]]


class ProtocolPredictor(Node):
    """
    Answer chunks as told, and beat.

    **Subscribes** ``wm_gate/action_chunk``. **Publishes** ``wm_predictor/verdict``,
    ``wm_predictor/heartbeat`` (20 Hz).

    **Threads** the executor's; delayed verdicts come from a timer thread each.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('wm_predictor', **node_arguments)
        self._progress = 0
        self._verdicts = self.create_publisher(Verdict, 'wm_predictor/verdict', qos.VERDICT)
        self._beats = self.create_publisher(
            PredictorStatus, 'wm_predictor/heartbeat', qos.HEARTBEAT)
        self.create_subscription(
            ActionChunk, 'wm_gate/action_chunk', self._on_chunk, qos.ACTION_CHUNK)
        self.create_timer(qos.HEARTBEAT_PERIOD_S, self._beat,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.heal()

    def heal(self) -> None:
        """Say OK to everything again."""
        self.now_ns: Callable[[], int] = time.time_ns
        self.answer: Answer = lambda chunk: [(0.0, self.verdict(chunk))]

    def verdict(self, chunk: ActionChunk, decision: Decision = Decision.OK, *,
                valid_s: float = 0.3, **fields: Any) -> Verdict:
        """
        Make a verdict.

        :param valid_s: until when it may release, s from now.
        :param fields: of the message, to be different from a right one.
        """
        now_ns = self.now_ns()
        verdict = Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=int(decision),
            horizon=HORIZON_S, risk=0.1, risk_threshold=0.5, speed_factor=1.0,
            first_unsafe_step=-1, model_id='protocol-only', message='as told',
            observation_stamp=ns_to_time(now_ns), valid_until=ns_to_time(
                now_ns + round(valid_s * _S)))
        verdict.header.stamp = ns_to_time(now_ns)
        if decision is Decision.VETO:
            verdict.reasons, verdict.risk = int(Reason.RISK), 0.9
        for name, value in fields.items():
            setattr(verdict, name, value)
        return verdict

    def send(self, verdict: Verdict) -> None:
        """Publish a verdict that nobody asked for."""
        self._verdicts.publish(verdict)

    def _on_chunk(self, chunk: ActionChunk) -> None:
        # Probes arm the gate; no row is about them.
        is_probe = chunk.source == 'probe'
        answers = [(0.0, self.verdict(chunk))] if is_probe else self.answer(chunk)
        for delay_s, verdict in answers:
            if delay_s <= 0.0:
                self._verdicts.publish(verdict)
                continue
            timer = threading.Timer(delay_s, self._verdicts.publish, [verdict])
            timer.daemon = True
            timer.start()

    def _beat(self) -> None:
        self._progress += 1
        self._beats.publish(PredictorStatus(
            progress=self._progress, engine='none', model_id='protocol-only', calibrated=True,
            image_age=0.03, joint_age=0.01))
