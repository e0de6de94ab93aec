# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The one thread that owns the model.

The main rule: every chunk gets exactly one verdict, before any frame is decoded, and whatever
goes wrong that verdict is INVALID or a veto, never silence. The heartbeat is sent from this thread
and no other, so that a model that hangs is seen as dead by the gate.
"""

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import wm_ros.msg as msg
from wm_ros.datatypes import ActionChunk, Decision, Observation, Reason, Verdict
from wm_ros.errors import EngineError
from wm_ros.gate.digest import digest_trajectory
from wm_ros.inference.history import UnusableObservation
from wm_ros.inference.plans import Plan, PlanChooser
from wm_ros.inference.second_look import Moment, SecondLook
from wm_ros.ros.predictor_candidates import CandidateQueue
from wm_ros.ros.predictor_drawing import Drawing, DrawingOutputs
from wm_ros.ros.predictor_intake import Intake
from wm_ros.ros.predictor_mailbox import Mail, Mailbox
from wm_ros.ros.predictor_messages import (
    distrust,
    message_to_chunk,
    refusal,
    verdict_to_message,
)
from wm_ros.ros.predictor_trust import SelfTrust
from wm_ros.ros.qos import HEARTBEAT_PERIOD_S

_TURN_S, _LEAST_TURN_S = 0.02, 0.001
_NO_DIGEST = bytes(16)


class Outputs(DrawingOutputs, Protocol):
    """Where the worker sends what it finds; called on the worker thread."""

    def publish_verdict(self, message: msg.Verdict) -> None: ...

    def publish_heartbeat(self, worker: 'PredictorWorker') -> None: ...


class PredictorWorker:
    """
    A thread that loads the model, judges chunks and beats.

    :param load_judge: builds the judge; called on the thread.
    :param make_intake: builds the intake from the judge's config; called on the thread.
    :param outputs: where results go.
    :param now_ns: the clock of the stamps.
    :param logger: a ROS logger.
    :param make_trust: examines the judge, or raises; called on the thread.
    :param make_plans: times the judge, or raises; called on the thread.
    :param make_second_look: of that judge by those plans; called on the thread.
    :param margin_s: how long before its time a verdict should be on its way, s.
    """

    def __init__(self, *, load_judge: Callable[[], Any], make_intake: Callable[[Any], Intake],
                 outputs: Outputs, now_ns: Callable[[], int], logger: Any,
                 make_trust: Callable[[Any], SelfTrust],
                 make_plans: Callable[[Any], PlanChooser],
                 make_second_look: Callable[[Any, PlanChooser], SecondLook],
                 margin_s: float) -> None:
        self._load_judge = load_judge
        self._make_intake = make_intake
        self._make_trust = make_trust
        self._make_plans = make_plans
        self._make_second_look = make_second_look
        self._margin_s = margin_s
        self._outputs = outputs
        self._now_ns = now_ns
        self._logger = logger
        self.mailbox = Mailbox()
        self.candidates = CandidateQueue()
        self.judge: Any = None
        self.intake: Intake
        self.trust: SelfTrust
        self.plans: PlanChooser
        self.second_look: SecondLook
        self.progress = 0
        self.num_errors = 0
        self.problem = ''
        self.observation_problem = ''
        self.latencies_ms: deque[float] = deque(maxlen=200)
        self._pending: msg.ActionChunk | None = None
        # What is being drawn, and what will be after it: the newest judgement.
        self._drawing: Drawing | None = None
        self._to_draw: Drawing | None = None
        self._beat_at = 0.0
        self._is_active = False
        self._is_fresh = False
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._load_error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name='inference', daemon=True)

    def start(self) -> None:
        """
        Start the thread and wait until the model is loaded and warm.

        :raises WorldModelError: if it cannot be loaded.
        """
        self._thread.start()
        self._ready.wait()
        if self._load_error is not None:
            raise self._load_error

    def set_active(self, is_active: bool) -> None:
        """Judge chunks and beat, or only follow the camera and the joints."""
        # Activation is how an operator acknowledges a drift alarm.
        self._is_fresh = is_active
        self._is_active = is_active

    def stop(self, timeout_s: float) -> None:
        """
        End the thread, which closes the model; safe to call twice.

        :raises EngineError: if the thread does not end in time.
        """
        self._is_active = False
        self._stop.set()
        self.mailbox.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EngineError(f'the inference thread did not stop within {timeout_s} s; '
                              'the model hangs, end the process')

    @property
    def is_alive(self) -> bool:
        """Tell whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._open()
            self._ready.set()
            while not self._stop.is_set():
                self._turn_guarded()
        except BaseException as error:  # start() raises it; after that, no beat is the alarm
            self._load_error = error
            if self._ready.is_set():
                self._logger.fatal(f'the inference thread ended: {error!r}')
        finally:
            self.candidates.drop_all('the predictor was cleaned up')
            if self.judge is not None:
                self.judge.close()
            self.judge = None
            self._ready.set()

    def _open(self) -> None:
        self.judge = self._load_judge()
        self.judge.warm_up()
        self.trust = self._make_trust(self.judge)
        self.plans = self._make_plans(self.judge)
        self.second_look = self._make_second_look(self.judge, self.plans)
        self.intake = self._make_intake(self.judge.config)

    def _turn_guarded(self) -> None:
        try:
            due_s = self._beat_at + HEARTBEAT_PERIOD_S - time.monotonic()
            wait_s = min(_TURN_S, max(_LEAST_TURN_S, due_s))
            is_busy = self._drawing is not None or len(self.candidates) > 0
            self._turn(self.mailbox.take(0.0 if is_busy else wait_s))
        except Exception as error:  # named guard: worker loop
            self._recover(error)

    def _turn(self, mail: Mail) -> None:
        self.progress += 1
        if self._is_fresh:
            self._is_fresh = False
            self.trust.reset()
        for camera, message in mail.images:
            self.intake.take_image(message, camera)
        for message in mail.joints:
            self.intake.take_joints(message)
        if mail.chunk is not None and self._is_active:
            self._beat(early_s=HEARTBEAT_PERIOD_S / 2)
            self._check(mail)
        elif self._is_active:
            self._doubt(has_news=len(mail.images) > 0)
        else:
            self._drawing = self._to_draw = None
            self.candidates.drop_all('the predictor is not active')
        self._beat()

    def _doubt(self, *, has_news: bool) -> None:
        """While nobody waits: compare what was foreseen with what the camera shows."""
        if has_news:
            try:
                self.trust.see(self.intake.observe(self._now_ns()))
            except UnusableObservation:
                self.trust.see(None)
        if self.mailbox.queue:
            return
        self._beat(early_s=HEARTBEAT_PERIOD_S / 2)
        if len(self.candidates):
            self.candidates.step(self.judge, observe=self.intake.observe, now_ns=self._now_ns(),
                                 void=self.trust.void)
        elif self.trust.has_due:
            self.trust.score_due(self.judge)
        elif self._drawing is not None:
            self._draw(self._drawing)

    def _draw(self, drawing: Drawing) -> None:
        """Draw one more frame, and go on with the newest judgement when all are there."""
        if not drawing.is_done:
            drawing.step(self.judge)
        if drawing.is_done:
            self._drawing, self._to_draw = self._to_draw, None

    def _check(self, mail: Mail) -> None:
        """Answer one chunk, and have its consequence drawn afterwards if anybody looks."""
        self._pending = mail.chunk
        verdict, judgement, observation = self._decide(mail)
        self._answer(verdict)
        self.latencies_ms.append(1e3 * (time.monotonic() - mail.received_s))
        if judgement is not None and observation is not None:
            drawing = Drawing(
                judgement, self.intake.headers(observation), self._outputs,
                is_refused=verdict.decision not in (Decision.OK, Decision.SLOW))
            if not drawing.is_done and self._drawing is None:
                self._drawing = drawing
            elif not drawing.is_done:
                self._to_draw = drawing

    def _decide(self, mail: Mail) -> tuple[Verdict, Any, Observation | None]:
        message, begin = mail.chunk, time.monotonic()
        chunk = self._read(message)
        if isinstance(chunk, Verdict):
            return chunk, None, None
        now_ns = self._now_ns()
        try:
            observation = self.intake.observe(now_ns)
        except UnusableObservation as error:
            return self._refuse(message, chunk.digest, error.reason, str(error)), None, None
        observed = time.monotonic()
        plan = self.plans.choose(self._left_ms(chunk, now_ns))
        judgement = self.judge.judge(chunk, observation, stamp_ns=now_ns,
                                     num_steps=plan.num_steps)
        self.problem = ''
        times = 1e3 * np.diff([mail.received_s, begin, observed, time.monotonic()])
        self.plans.note(plan, float(times[1:].sum()))
        judgement = self._look_again(chunk, judgement, observation, plan, now_ns)
        judgement = judgement._replace(verdict=replace(
            judgement.verdict, num_futures=plan.num_futures, sampler_steps=plan.sampler_steps))
        verdict = self._in_time(self._finish(judgement, chunk, times), chunk, plan)
        has_future = verdict.decision != Decision.INVALID and judgement.prediction is not None
        if has_future:
            self.trust.expect(judgement, observation)
        return verdict, judgement if has_future else None, observation

    def _look_again(self, chunk: ActionChunk, judgement: Any, observation: Observation,
                    plan: Plan, stamp_ns: int) -> Any:
        """Give a command another chance at another speed, if there is time for that."""
        if not self.second_look.is_wanted(chunk, judgement):
            return judgement
        self._beat(early_s=HEARTBEAT_PERIOD_S / 2)
        left_ms = self._left_ms(chunk, self._now_ns())
        return self.second_look.look(
            chunk, judgement, Moment(observation, stamp_ns, plan, left_ms))

    def _left_ms(self, chunk: ActionChunk, now_ns: int) -> float:
        return (chunk.decide_by_ns - now_ns) / 1e6 - 1e3 * self._margin_s

    def _in_time(self, verdict: Verdict, chunk: ActionChunk, plan: Plan) -> Verdict:
        """Take a release back that comes after its time: the gate would not obey it either."""
        late_s = (self._now_ns() - chunk.decide_by_ns) / 1e9
        if late_s <= 0 or verdict.decision not in (Decision.OK, Decision.SLOW):
            return verdict
        return replace(
            verdict, decision=Decision.VETO, reasons=verdict.reasons | Reason.DEADLINE,
            speed_factor=1.0, message=f'looked at {plan}, but was done {late_s:.3f} s after '
                                      f'decide_by; {verdict.message}')

    def _finish(self, judgement: Any, chunk: ActionChunk, times: NDArray[np.float64]) -> Verdict:
        """Check the judge's numbers and add what only this thread knows."""
        verdict = judgement.verdict
        if judgement.prediction is not None:
            verdict = distrust(verdict, judgement.prediction)
        verdict = self.trust.void(verdict)
        stages = verdict.stage_ms if len(verdict.stage_ms) == 2 else (float(times[2]), 0.0)
        return replace(verdict, digest=chunk.digest,
                       stage_ms=(float(times[0]), float(times[1]), *stages))

    def _read(self, message: msg.ActionChunk) -> ActionChunk | Verdict:
        """Give the chunk, or the verdict on one that no model need look at."""
        try:
            chunk = message_to_chunk(message)
            digest = digest_trajectory(chunk.trajectory, chunk.interface)
        except ValueError as error:
            return self._refuse(message, _NO_DIGEST, Reason.BAD_COMMAND, str(error))
        if digest != chunk.digest:
            return self._refuse(
                message, digest, Reason.BAD_COMMAND,
                f'digest is {chunk.digest.hex()}, but the trajectory that came has {digest.hex()}')
        late_s = (self._now_ns() - chunk.decide_by_ns) / 1e9
        if late_s > 0:
            return self._refuse(message, digest, Reason.DEADLINE,
                                f'came to its turn {late_s:.3f} s after decide_by',
                                decision=Decision.VETO)
        return chunk

    def _refuse(self, message: msg.ActionChunk, digest: bytes, reasons: Reason, text: str, *,
                decision: Decision = Decision.INVALID) -> Verdict:
        return refusal(message, digest=digest, decision=decision, reasons=reasons, text=text,
                       now_ns=self._now_ns(), model_id=self.judge.model_id)

    def _answer(self, verdict: Verdict) -> None:
        self._outputs.publish_verdict(verdict_to_message(verdict))
        self._pending = None

    def _recover(self, error: Exception) -> None:
        """Answer the chunk in hand and go on: the next good input gets a verdict again."""
        self.num_errors += 1
        text = str(error) or repr(error)
        if text != self.problem:
            trace = ''.join(traceback.format_exception(error))
            self._logger.error(f'inference failed: {text}\n{trace}')
        self.problem = text
        self._drawing = self._to_draw = None
        self.candidates.drop_first(text)
        if self._pending is not None:
            message, self._pending = self._pending, None
            digest = bytes(message.digest)
            self._answer(self._refuse(message, digest, Reason.MODEL_ERROR, text))
        self._beat()

    def _beat(self, *, early_s: float = 0.0) -> None:
        """Beat when it is time, or up to ``early_s`` before, ahead of something long."""
        now_s = time.monotonic()
        if self._is_active and now_s - self._beat_at >= HEARTBEAT_PERIOD_S - early_s:
            self._beat_at = now_s
            self.observation_problem = self.intake.problem(self._now_ns())
            self._outputs.publish_heartbeat(self)
