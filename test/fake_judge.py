# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A judge without a model: it says what the test tells it to, and notes what it was asked."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from wm_ros.datatypes import Decision, Prediction, Reason, Verdict
from wm_ros.errors import CalibrationError
from wm_ros.inference.judge import Judgement
from wm_ros.inference.self_test import Sensitivity

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex')


@dataclass
class FakeJudge:
    """
    Stands in for ``wm_ros.inference.judge.Judge``.

    Distinct prime sizes, so that a swapped axis fails. Frame k of the future is filled with the
    value k + 1. With ``joints``, they are there at every step.
    """

    decision: Decision = Decision.OK
    risk: float = 0.25
    error: Exception | None = None
    decode_error: Exception | None = None
    is_calibrated: bool = True
    found_sensitivity: Any = field(default_factory=lambda: Sensitivity(1.0, 1.0, 1.0))
    found_reference: Any = None
    joints: Any = None
    golden_problems: Any = ()
    without_thresholds: tuple[int, ...] = ()
    check_ms: float = 1.0
    # From a chunk to the risk of each step; decision and risk follow from it.
    foresee: Any = None
    events: list[str] = field(default_factory=list)
    observations: list[Any] = field(default_factory=list)
    chunks: list[Any] = field(default_factory=list)
    model_id: str = 'fake-0'
    config: Any = field(default_factory=lambda: SimpleNamespace(
        joint_names=JOINTS, context_len=2, horizon=5, step_s=0.1, image_height=7,
        image_width=11, camera_name='front', cameras=('front',)))
    engine: Any = field(default_factory=lambda: SimpleNamespace(name='fake', device='none'))

    def warm_up(self):
        """Note the call."""
        self.events.append('warm_up')

    def close(self):
        """Note the call."""
        self.events.append('close')

    def sensitivity(self):
        """Give what the test set."""
        return self.found_sensitivity

    def check_golden(self, convert):
        """Give what the test set."""
        return self.golden_problems

    def check_steps(self, num_steps):
        """Refuse what the test said has no thresholds."""
        if num_steps in self.without_thresholds:
            raise CalibrationError(f'no thresholds for {num_steps} steps')

    def time_checks(self, num_steps, count):
        """Take a millisecond for each step, or what the test set."""
        self.events.append(f'time {num_steps}')
        return [self.check_ms * num_steps] * count

    def drift_reference(self):
        """Give what the test set."""
        return self.found_reference

    def judge(self, chunk, observation, *, stamp_ns, num_steps=None):
        """Answer with ``decision`` and ``risk``, or raise ``error``."""
        self.events.append('judge')
        self.chunks.append(chunk)
        self.observations.append(observation)
        if self.error is not None:
            raise self.error
        steps, joints = num_steps or self.config.horizon, len(JOINTS)
        prediction = Prediction(
            offsets_s=0.1 * np.arange(1, steps + 1), joint_names=JOINTS, model_id=self.model_id,
            risk=np.linspace(0, self.risk, steps).astype(np.float32),
            uncertainty=np.full(steps, 0.125, np.float32),
            joint_positions=np.arange(steps * joints, dtype=np.float32).reshape(steps, joints)
            if self.joints is None else np.tile(np.float32(self.joints), (steps, 1)))
        decision, highest = self.decision, self.risk
        if self.foresee is not None:
            prediction = replace(
                prediction, risk=np.asarray(self.foresee(chunk), np.float32)[:steps])
            highest = float(prediction.risk.max())
            decision = Decision.VETO if highest >= 0.5 else Decision.OK
        is_veto = decision == Decision.VETO
        verdict = Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=decision,
            reasons=Reason.RISK if is_veto else Reason.NONE, stamp_ns=stamp_ns,
            observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns + 300_000_000, horizon_s=0.1 * steps, risk=highest,
            risk_threshold=0.5, uncertainty=0.125, first_unsafe_step=2 if is_veto else -1,
            model_id=self.model_id, stage_ms=(1.5, 2.5), message='as told', num_steps=steps)
        return Judgement(verdict, prediction, None)

    def judge_candidates(self, chunks, observation, *, stamp_ns, num_steps=None):
        """Answer each as ``judge`` does."""
        self.events.append(f'candidates {len(chunks)}')
        return [self.judge(chunk, observation, stamp_ns=stamp_ns, num_steps=num_steps)
                for chunk in chunks]

    def frames(self, judgement):
        """Give (H, h, w, 3), frame k filled with k + 1; or raise ``decode_error``."""
        self.events.append('frames')
        if self.decode_error is not None:
            raise self.decode_error
        c = self.config
        values = np.arange(1, c.horizon + 1, dtype=np.uint8)[:, None, None, None]
        height = c.image_height * len(c.cameras)
        return np.broadcast_to(values, (c.horizon, height, c.image_width, 3)).copy()

    def begin_frames(self, judgement):
        """Say that frames share nothing."""
        return False

    def begin_future(self, judgement, rng):
        """Give how much brighter a future is than the mean: 50."""
        self.events.append(f'future {judgement.verdict.sampler_steps}')
        return 50

    def frame(self, judgement, step, future=None):
        """Give frame ``step`` of ``frames``, of a future brighter."""
        return self.frames(judgement)[step] + np.uint8(future or 0)


@contextmanager
def stuck(judge, name):
    """Let a call of the judge hang until the end of the block; gives an event: it hangs."""
    call, entered, release = getattr(judge, name), threading.Event(), threading.Event()

    def wait(*args, **kwargs):
        entered.set()
        release.wait(60.0)
        return call(*args, **kwargs)

    setattr(judge, name, wait)
    try:
        yield entered
    finally:
        setattr(judge, name, call)
        release.set()
