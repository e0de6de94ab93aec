# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From an observation and a chunk to a verdict: the engine's risk against calibrated thresholds.

A Judge is owned by one thread. It knows no ROS: times are arguments.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.drift_reference import DriftReference, read_reference
from wm_ros.calibration.thresholds import Calibration
from wm_ros.datatypes import ActionChunk, Decision, Observation, Prediction, Reason, Verdict
from wm_ros.errors import CheckpointError, EngineError
from wm_ros.inference.actions import joint_columns, model_actions
from wm_ros.inference.checkpoint import (
    DRIFT_FILE,
    GOLDEN_FILE,
    SELF_TEST_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
)
from wm_ros.inference.engine import CheckInput, CheckOutput, Engine, make_engine
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.inference.golden import compare_with_golden, read_golden
from wm_ros.inference.graph_engine import blank_input
from wm_ros.inference.self_test import Sensitivity, measure_sensitivity, read_self_test
from wm_ros.inference.verdicts import VerdictWriter

VERDICT_TTL_S = 0.3


class Judgement(NamedTuple):
    """A verdict, what it rests on, and what the decoder needs to show it."""

    verdict: Verdict
    prediction: Prediction | None
    output: CheckOutput | None


class Judge:
    """Judges chunks with one checkpoint on one engine."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, *, ttl_s: float = VERDICT_TTL_S,
                 guidance: float = 1.0) -> None:
        self.checkpoint, self.engine = checkpoint, engine
        self.config, self.model_id = checkpoint.config, checkpoint.model_id
        self._guidance = guidance
        self._writer = VerdictWriter(model_id=checkpoint.model_id,
                                     step_s=checkpoint.config.step_s, ttl_ns=round(ttl_s * 1e9))
        self._shorter: dict[int, Calibration] = {}

    @classmethod
    def load(cls, checkpoint_path: Path, *, engine: str = 'onnxruntime', device: str = 'cpu',
             num_threads: int = 1, ttl_s: float = VERDICT_TTL_S,
             settings: EngineSettings | None = None, guidance: float = 1.0) -> 'Judge':
        """
        Open and verify a checkpoint and put it on an engine.

        :param settings: which TensorRT engine; others take none.
        :param guidance: of sampled futures, see ``Engine.sample``.
        :raises CheckpointError: if a file is missing, altered, unreadable or of another version.
        :raises EngineError: if the engine is absent or refuses the model.
        """
        checkpoint = load_checkpoint(checkpoint_path)
        return cls(checkpoint, make_engine(
            engine, checkpoint, device=device, num_threads=num_threads, settings=settings),
            ttl_s=ttl_s, guidance=guidance)

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

    def check_golden(self, convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
                     ) -> tuple[str, ...] | None:
        """
        Run the golden frames, see ``golden.compare_with_golden``; None where there are none.

        :param convert: what a camera's pictures go through.
        :raises CheckpointError: if they cannot be read or do not fit the model.
        :raises EngineError: if the engine broke.
        """
        path = self.checkpoint.optional(GOLDEN_FILE)
        if path is None:
            return None
        return compare_with_golden(read_golden(path, self.config), self.engine, convert=convert)

    def warm_up(self) -> None:
        """Run the engine once, so that the first real check is not the slow one."""
        self.engine.warm_up()

    def judge(self, chunk: ActionChunk, observation: Observation, *, stamp_ns: int,
              num_steps: int | None = None) -> Judgement:
        """
        Judge a chunk that would start now, see ``judge_candidates``.

        :returns: a judgement; a command that cannot be judged gets INVALID, not an exception.
        """
        return self.judge_candidates(
            [chunk], observation, stamp_ns=stamp_ns, num_steps=num_steps)[0]

    def judge_candidates(self, chunks: Sequence[ActionChunk], observation: Observation, *,
                         stamp_ns: int, num_steps: int | None = None) -> list[Judgement]:
        """
        Judge chunks of which one would start now; the observation is encoded once.

        :param stamp_ns: now, ns of the ROS clock.
        :param num_steps: how many of the model's steps to look at; all if None.
        :returns: one judgement for each chunk; what cannot be judged gets INVALID.
        :raises ValueError: if there is no chunk, or the model does not look so far.
        :raises CalibrationError: if there are no thresholds for so few steps.
        :raises EngineError: if the engine broke.
        """
        if not chunks:
            raise ValueError('no chunks to judge: give at least 1 candidate')
        begun = time.perf_counter()
        steps = self.config.horizon if num_steps is None else num_steps
        calibration = self._thresholds(steps)
        lead_s = (stamp_ns - observation.image_stamps_ns[-1]) / 1e9
        made: list[Judgement | None] = []
        inputs: list[CheckInput] = []
        for chunk in chunks:
            try:
                inputs.append(self._input(chunk, observation, lead_s, steps))
                made.append(None)
            except ValueError as error:
                made.append(Judgement(self._writer.invalid(
                    chunk, observation, Reason.BAD_COMMAND, stamp_ns=stamp_ns, text=str(error)),
                    None, None))
        prepared = time.perf_counter()
        outputs = iter(self.engine.check_batch(inputs) if inputs else ())
        stages = (prepared - begun) * 1e3, (time.perf_counter() - prepared) * 1e3
        for place, chunk in enumerate(chunks):
            if made[place] is None:
                output = next(outputs)
                verdict = self._writer.decide(chunk, observation, output, calibration,
                                              stamp_ns=stamp_ns, lead_s=lead_s, stage_ms=stages)
                is_usable = verdict.decision is not Decision.INVALID
                made[place] = Judgement(
                    verdict, self._prediction(output, lead_s) if is_usable else None,
                    output if is_usable else None)
        return [judgement for judgement in made if judgement is not None]

    def check_steps(self, num_steps: int) -> None:
        """
        Refuse a number of steps that no verdict can rest on.

        :raises ValueError: if the model does not look so far.
        :raises CalibrationError: if there are no thresholds for so few.
        """
        self._thresholds(num_steps)

    def time_checks(self, num_steps: int, count: int) -> list[float]:
        """
        Run checks of grey frames one after the other.

        :returns: wall time of each, ms.
        :raises EngineError: if the engine broke.
        """
        blank, found = blank_input(self.config), []
        for _ in range(count):
            begun = time.perf_counter()
            # An array of its own each time: of one that it knows the engine encodes nothing.
            self.engine.check(replace(
                blank, images=blank.images.copy(), actions=blank.actions[:num_steps]))
            found.append((time.perf_counter() - begun) * 1e3)
        return found

    def frames(self, judgement: Judgement) -> NDArray[np.uint8]:
        """
        Decode what the camera would see at each step, RGB uint8 (H, h, w, 3).

        :raises EngineError: if the judgement has no prediction.
        """
        return self.engine.decode(_drawable(judgement))

    def begin_frames(self, judgement: Judgement) -> bool:
        """
        Do what the frames of a judgement share, see ``Engine.begin_frames``.

        :raises EngineError: if the judgement has no prediction.
        """
        return self.engine.begin_frames(_drawable(judgement))

    def frame(self, judgement: Judgement, step: int, future: Any = None) -> NDArray[np.uint8]:
        """
        Decode what the camera would see at one step, counted from 0, RGB uint8 (h, w, 3).

        :param future: from ``begin_future``; the mean one if None.
        :raises EngineError: if the judgement has no prediction.
        """
        return self.engine.decode_step(_drawable(judgement), step, future)

    def begin_future(self, judgement: Judgement, rng: np.random.Generator) -> Any:
        """
        Draw what one sampled future leaves to chance, by the sampler steps of the verdict.

        :raises EngineError: if the judgement has no prediction or the checkpoint no sampler.
        """
        if judgement.output is None:
            raise EngineError('an invalid judgement has no futures')
        return self.engine.begin_future(
            judgement.output, rng, num_steps=max(1, judgement.verdict.sampler_steps),
            guidance=self._guidance)

    def close(self) -> None:
        """Free the engine."""
        self.engine.close()

    def _thresholds(self, num_steps: int) -> Calibration | None:
        """Return the thresholds for a number of steps; None if there are none at all."""
        horizon, calibration = self.config.horizon, self.checkpoint.calibration
        if not 1 <= num_steps <= horizon:
            raise ValueError(f'num_steps is {num_steps}; the model looks 1 to {horizon} steps '
                             'ahead')
        if calibration is None or num_steps == horizon:
            return calibration
        if num_steps not in self._shorter:
            self._shorter[num_steps] = calibration.of_steps(num_steps)
        return self._shorter[num_steps]

    def _input(self, chunk: ActionChunk, observation: Observation, lead_s: float, num_steps: int
               ) -> CheckInput:
        config, joints = self.config, observation.joints
        columns = joint_columns(joints.names, config.joint_names)
        actions = model_actions(chunk.trajectory, chunk.start, config, lead_s=lead_s)
        return CheckInput(
            images=observation.images,
            joint_positions=joints.positions[columns].astype(np.float32),
            joint_velocities=joints.velocities[columns].astype(np.float32),
            actions=actions[:num_steps])

    def _prediction(self, output: CheckOutput, lead_s: float) -> Prediction:
        config = self.config
        return Prediction(
            offsets_s=np.arange(1.0, len(output.risk) + 1) * np.float64(config.step_s) - lead_s,
            risk=output.risk, uncertainty=output.uncertainty,
            joint_positions=output.joint_positions, joint_names=config.joint_names,
            model_id=self.model_id)


def _drawable(judgement: Judgement) -> CheckOutput:
    if judgement.output is None:
        raise EngineError('an invalid judgement has no frames')
    return judgement.output
