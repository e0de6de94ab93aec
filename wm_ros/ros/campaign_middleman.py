# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A man in the middle, who passes the verdicts and heartbeats of the predictor on, or not."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from rclpy.node import Node
from rclpy.qos import QoSProfile

from wm_ros.msg import ActionChunk, PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.campaign_tampering import TAMPERS

FROM_PREDICTOR = 'campaign'
# What the predictor of a campaign is started with: it speaks to the man in the middle.
REMAPS = ('-r', f'wm_predictor/verdict:={FROM_PREDICTOR}/verdict',
          '-r', f'wm_predictor/heartbeat:={FROM_PREDICTOR}/heartbeat')
_PASS_ON_AFTER_S = 0.3
_NUM_REMEMBERED = 16
# Of a heartbeat, with what a busy machine adds to it.
_LEASE_IS_OUT_S = qos.HEARTBEAT_LEASE_S + 0.05

ChangeBeat = Callable[[PredictorStatus], list[PredictorStatus]]


class Plan(NamedTuple):
    """What is done to the next verdict on a command, and who wants to know that it was."""

    variant: str
    value: float
    done: Callable[[], None]


class Middleman(Node):
    """
    Pass verdicts and heartbeats on as told.

    A probe of the gate is no command: verdicts on probes pass untouched, or a gate that has just
    restarted would never be asked.

    **Subscribes** ``campaign/verdict``, ``campaign/heartbeat``, ``wm_gate/action_chunk``.
    **Publishes** ``wm_predictor/verdict``, ``wm_predictor/heartbeat``.

    **Threads** the executor's; delayed verdicts come from a timer thread each; everything public
    is for one thread more.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('campaign_middleman', **node_arguments)
        self._lock = threading.Lock()
        self._plans: deque[Plan] = deque()
        self._delayed: list[threading.Timer] = []
        self._probes: deque[int] = deque(maxlen=100)
        self._past: deque[Verdict] = deque(maxlen=_NUM_REMEMBERED)
        self._held_back: list[Verdict] = []
        self.change_beat: ChangeBeat = pass_on
        self.last_progress = 0
        self._verdicts = self.create_publisher(Verdict, 'wm_predictor/verdict', qos.VERDICT)
        self._beats = self.create_publisher(
            PredictorStatus, 'wm_predictor/heartbeat', qos.HEARTBEAT)
        many = QoSProfile(depth=100)
        self.create_subscription(ActionChunk, 'wm_gate/action_chunk', self._on_chunk, many)
        self.create_subscription(
            Verdict, f'{FROM_PREDICTOR}/verdict', self._on_verdict, many)
        self.create_subscription(
            PredictorStatus, f'{FROM_PREDICTOR}/heartbeat', self._on_beat, many)

    def heal(self) -> None:
        """Forget every plan and everything that was held back; takes the lock."""
        with self._lock:
            timers, self._delayed = self._delayed, []
            self._plans.clear()
            self._past.clear()
            self._held_back.clear()
        for timer in timers:
            timer.cancel()
        self.change_beat = pass_on

    def plan(self, plan: Plan) -> None:
        """Do that to the next verdict on a command; takes the lock."""
        with self._lock:
            self._plans.append(plan)

    def hold_back(self, verdict: Verdict) -> None:
        """Keep a verdict until the next one has passed, or for 0.3 s; the lock is taken."""
        self._held_back.append(verdict)
        self._send_later(_PASS_ON_AFTER_S, self._release_held_back)

    def past(self, count: int) -> Verdict | None:
        """Return the verdict so many commands ago; None if there were not so many."""
        return self._past[-count] if count <= len(self._past) else None

    def _on_chunk(self, chunk: ActionChunk) -> None:
        if chunk.source == 'probe':
            self._probes.append(chunk.chunk_id)

    def _on_verdict(self, verdict: Verdict) -> None:
        """Pass a verdict on, changed by the next plan; takes the lock."""
        if verdict.chunk_id in self._probes:
            self._verdicts.publish(verdict)
            return
        with self._lock:
            plan = self._plans.popleft() if self._plans else None
            held_back, self._held_back = self._held_back, []
            sends = [(0.0, verdict)] if plan is None else TAMPERS[plan.variant](
                self, verdict, plan.value)
            self._past.append(verdict)
            for delay_s, message in sends:
                self._send_later(delay_s, partial(self._verdicts.publish, message))
        for message in held_back:
            self._verdicts.publish(message)
        if plan is not None:
            plan.done()

    def _release_held_back(self) -> None:
        """Send what is still held back; takes the lock, runs on a timer's thread."""
        with self._lock:
            held_back, self._held_back = self._held_back, []
        for message in held_back:
            self._verdicts.publish(message)

    def _send_later(self, delay_s: float, send: Callable[[], object]) -> None:
        if delay_s <= 0.0:
            send()
            return
        timer = threading.Timer(delay_s, send)
        timer.daemon = True
        self._delayed = [other for other in self._delayed if other.is_alive()] + [timer]
        timer.start()

    def _on_beat(self, beat: PredictorStatus) -> None:
        for message in self.change_beat(beat):
            self.last_progress = message.progress
            self._beats.publish(message)


def pass_on(beat: PredictorStatus) -> list[PredictorStatus]:
    """Leave a heartbeat as it is."""
    return [beat]


def beat_change(variant: str, last_progress: int) -> ChangeBeat:
    """
    Make what is done to heartbeats; a variant of kind 'beat'.

    :param last_progress: that has passed.
    """
    frozen: list[int] = []
    begin_s = time.monotonic()

    def change(beat: PredictorStatus) -> list[PredictorStatus]:
        frozen.append(beat.progress)
        if variant == 'silent' or (
                variant == 'stuck' and time.monotonic() < begin_s + _LEASE_IS_OUT_S):
            return []
        if variant == 'stuck':
            beat.progress = last_progress
            return [beat]
        if variant == 'double':
            return [beat, beat]
        if variant == 'frozen':
            beat.progress = frozen[0]
        elif variant == 'uncalibrated':
            beat.calibrated = False
        else:
            beat.image_age = {'age_none': -1.0, 'age_nan': float('nan'), 'age_old': 99.0}[variant]
        return [beat]

    return change
