# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From an observation and a chunk to a verdict: the engine's risk against calibrated thresholds.

A Judge is owned by one thread. It knows no ROS: times are arguments.
"""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.drift_reference import DriftReference, read_reference
from wm_ros.datatypes import ActionChunk, Decision, Observation, Prediction, Reason, Verdict
from wm_ros.errors import CheckpointError, EngineError
from wm_ros.inference.actions import joint_columns, model_actions
from wm_ros.inference.checkpoint import (
    DRIFT_FILE,
    SELF_TEST_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
)
from wm_ros.inference.engine import CheckInput, CheckOutput, Engine, make_engine
from wm_ros.inference.self_test import Sensitivity, measure_sensitivity, read_self_test

VERDICT_TTL_S = 0.3


class Judgement(NamedTuple):
    """A verdict, what it rests on, and what the decoder needs to show it."""

    verdict: Verdict
    prediction: Prediction | None
    output: CheckOutput | None


class Judge:
    """Judges chunks with one checkpoint on one engine."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, *, ttl_s: float = VERDICT_TTL_S
                 ) -> None:
        self.checkpoint, self.engine = checkpoint, engine
        self.config, self.model_id = checkpoint.config, checkpoint.model_id
        self._ttl_ns = round(ttl_s * 1e9)

    @classmethod
    def load(cls, checkpoint_path: Path, *, engine: str = 'onnxruntime', device: str = 'cpu',
             num_threads: int = 1, ttl_s: float = VERDICT_TTL_S) -> 'Judge':
        """
        Open and verify a checkpoint and put it on an engine.

        :raises CheckpointError: if a file is missing, altered or of another version.
        :raises CalibrationError: if its thresholds cannot be read.
        :raises EngineError: if the engine is absent or refuses the model.
        """
        checkpoint = load_checkpoint(checkpoint_path)
        return cls(checkpoint, make_engine(engine, checkpoint, device=device,
                                           num_threads=num_threads), ttl_s=ttl_s)

    @property
    def is_calibrated(self) -> bool:
        """Say whether the checkpoint has thresholds; without them it may run in shadow only."""
        return self.checkpoint.calibration is not None

    def drift_reference(self) -> DriftReference | None:
        """
        Return what a drift test compares with, or None where the checkpoint has nothing.

        :raises CalibrationError: if it cannot be read.
        :raises CheckpointError: if it belongs to other weights.
        """
        path = self.checkpoint.optional(DRIFT_FILE)
        if path is None:
            return None
        reference = read_reference(path)
        if reference.weights_sha256 != self.checkpoint.sha256[WEIGHTS_FILE]:
            raise CheckpointError(f'{path} belongs to other weights; calibrate this checkpoint '
                                  "again with 'wm-ros calibrate'")
        return reference

    def sensitivity(self) -> Sensitivity | None:
        """
        Run the stored observations, or return None where the checkpoint has none.

        :raises CheckpointError: if they cannot be read or do not fit the model.
        :raises EngineError: if the engine broke.
        """
        path = self.checkpoint.optional(SELF_TEST_FILE)
        if path is None:
            return None
        return measure_sensitivity(read_self_test(path, self.config), self.engine)

    def warm_up(self) -> None:
        """Run the engine once, so that the first real check is not the slow one."""
        self.engine.warm_up()

    def judge(self, chunk: ActionChunk, observation: Observation, *, stamp_ns: int) -> Judgement:
        """
        Judge a chunk that would start now.

        :param stamp_ns: now, ns of the ROS clock.
        :returns: a judgement; a command that cannot be judged gets INVALID, not an exception.
        :raises EngineError: if the engine broke.
        """
        begun = time.perf_counter()
        lead_s = (stamp_ns - observation.image_stamps_ns[-1]) / 1e9
        try:
            inputs = self._inputs(chunk, observation, lead_s)
        except ValueError as error:
            return Judgement(self._invalid(
                chunk, observation, stamp_ns, Reason.BAD_COMMAND, str(error)), None, None)
        prepared = time.perf_counter()
        output = self.engine.check(inputs)
        predicted = time.perf_counter()
        if not all(np.isfinite(values).all() for values in (
                output.risk, output.uncertainty, output.joint_positions)):
            return Judgement(self._invalid(
                chunk, observation, stamp_ns, Reason.MODEL_ERROR,
                'the model returned values that are not finite'), None, None)
        verdict = self._decide(chunk, observation, stamp_ns, output, lead_s, stage_ms=(
            (prepared - begun) * 1e3, (predicted - prepared) * 1e3))
        return Judgement(verdict, self._prediction(output, lead_s), output)

    def frames(self, judgement: Judgement) -> NDArray[np.uint8]:
        """
        Decode what the camera would see at each step, RGB uint8 (H, h, w, 3).

        :raises EngineError: if the judgement has no prediction.
        """
        if judgement.output is None:
            raise EngineError('an invalid judgement has no frames')
        return self.engine.decode(judgement.output)

    def frame(self, judgement: Judgement, step: int) -> NDArray[np.uint8]:
        """
        Decode what the camera would see at one step, counted from 0, RGB uint8 (h, w, 3).

        :raises EngineError: if the judgement has no prediction.
        """
        if judgement.output is None:
            raise EngineError('an invalid judgement has no frames')
        return self.engine.decode_step(judgement.output, step)

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def _inputs(self, chunk: ActionChunk, observation: Observation, lead_s: float) -> CheckInput:
        config, joints = self.config, observation.joints
        columns = joint_columns(joints.names, config.joint_names)
        return CheckInput(
            images=observation.images,
            joint_positions=joints.positions[columns].astype(np.float32),
            joint_velocities=joints.velocities[columns].astype(np.float32),
            actions=model_actions(chunk.trajectory, chunk.start, config, lead_s=lead_s))

    def _decide(self, chunk: ActionChunk, observation: Observation, stamp_ns: int,
                output: CheckOutput, lead_s: float, *, stage_ms: tuple[float, ...]) -> Verdict:
        calibration = self.checkpoint.calibration
        risk = float(output.risk.max())
        worst = int(output.risk.argmax())
        uncertainty = float(output.uncertainty[worst])
        if calibration is None:
            decision, reasons, threshold = Decision.ABSTAIN, Reason.UNCALIBRATED, 1.0
            message = (f'risk {risk:.3f}, but {self.model_id} has no calibration; '
                       "run 'wm-ros calibrate'")
        else:
            decision, threshold = calibration.decide(risk, uncertainty), calibration.lower
            reasons = {Decision.OK: Reason.NONE, Decision.VETO: Reason.RISK,
                       Decision.ABSTAIN: Reason.UNCERTAIN}[decision]
            message = f'risk {risk:.3f}, thresholds {calibration.lower:.3f} to ' \
                      f'{calibration.upper:.3f}'
            if decision == Decision.ABSTAIN and risk < threshold:
                message += (f'; but the ensemble disagrees: {uncertainty:.3f}, limit '
                            f'{calibration.uncertainty_limit:.3f}')
        over = np.flatnonzero(output.risk >= threshold)
        return Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=decision, reasons=reasons,
            stamp_ns=stamp_ns, observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns + self._ttl_ns, horizon_s=self.config.horizon_s - lead_s,
            risk=risk, risk_threshold=threshold, uncertainty=uncertainty,
            first_unsafe_step=int(over[0]) if len(over) else -1, model_id=self.model_id,
            stage_ms=stage_ms, message=message)

    def _invalid(self, chunk: ActionChunk, observation: Observation, stamp_ns: int,
                 reason: Reason, message: str) -> Verdict:
        return Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=Decision.INVALID,
            reasons=reason, stamp_ns=stamp_ns,
            observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns, horizon_s=0.0, risk=1.0, risk_threshold=0.0,
            model_id=self.model_id, message=message)

    def _prediction(self, output: CheckOutput, lead_s: float) -> Prediction:
        config = self.config
        return Prediction(
            offsets_s=np.arange(1.0, config.horizon + 1) * np.float64(config.step_s) - lead_s,
            risk=output.risk, uncertainty=output.uncertainty,
            joint_positions=output.joint_positions, joint_names=config.joint_names,
            model_id=self.model_id)
