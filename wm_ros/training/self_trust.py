# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a running predictor needs to distrust itself, made from the calibration's episodes.

Two files of the checkpoint: nominal scores for the drift test, and a few observations for the
test whether the model listens to its actions.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.drift_reference import DriftReference, write_reference
from wm_ros.calibration.surprise import (
    BLOCK,
    NoveltyModel,
    fit_novelty,
    frame_error,
    picture_features,
)
from wm_ros.data.windows import Windows, iterate_windows
from wm_ros.errors import CalibrationError
from wm_ros.inference.checkpoint import (
    DRIFT_FILE,
    SELF_TEST_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
    write_manifest,
)
from wm_ros.inference.engine import Engine, make_engine
from wm_ros.inference.self_test import MAX_WINDOWS, SelfTest, write_self_test
from wm_ros.training.scoring import command_windows, even_sample, window_input
from wm_ros.world_model.config import ModelConfig

_SEED = 29
# Time between two pictures of an episode, as the drift monitor takes them, s.
_PICTURE_PERIOD_S = 0.5
# Predictions of an episode, and episodes with any: decoding is the dear part.
_PREDICTIONS = 2
_MAX_PREDICTED = 300
_LEAST_TOLERANCE_RAD = 0.05


def write_self_trust(path: Path, paths: list[Path], *, data_sha256: str,
                     engine: str = 'onnxruntime', num_threads: int = 2,
                     on_progress: Callable[[int], None] = lambda done: None) -> DriftReference:
    """
    Write the drift test's reference and the self-test's observations into a checkpoint.

    :param path: the checkpoint's directory; its manifest is written again.
    :param paths: held-out episodes, those of the calibration.
    :param data_sha256: over their names and bytes.
    :param on_progress: called with the number of episodes done.
    :returns: the reference.
    :raises CalibrationError: if there are too few episodes for a drift test; then the checkpoint
        has none, but the observations of the self-test are written.
    """
    checkpoint = load_checkpoint(path)
    (path / DRIFT_FILE).unlink(missing_ok=True)
    runner = make_engine(engine, checkpoint, num_threads=num_threads)
    collector = _Collector(checkpoint, runner, len(paths))
    try:
        for number, windows in enumerate(iterate_windows(
                paths, checkpoint.config, threads=num_threads)):
            collector.add(number, windows)
            on_progress(number + 1)
    finally:
        runner.close()
    try:
        if collector.self_test is not None:
            write_self_test(path / SELF_TEST_FILE, collector.self_test)
        reference = collector.reference(data_sha256)
        write_reference(path / DRIFT_FILE, reference)
    finally:
        write_manifest(path)
    return reference


def compared_step(config: ModelConfig) -> int:
    """Return the index of the predicted step that is compared: late, for the arm has moved."""
    return max(0, round(0.8 * config.horizon) - 1)


class _Collector:
    """Nominal scores and stored observations, an episode at a time."""

    def __init__(self, checkpoint: Checkpoint, engine: Engine, num_episodes: int) -> None:
        self._checkpoint, self._engine = checkpoint, engine
        self._step = compared_step(checkpoint.config)
        self._predicted = set(even_sample(np.arange(num_episodes), _MAX_PREDICTED).tolist())
        # Of other episodes than the scores: what was fitted to a picture finds it too normal.
        self._fitted: list[NDArray[np.float64]] = []
        self._scored: list[list[NDArray[np.float64]]] = []
        self._errors: list[float] = []
        self._joint_errors: list[float] = [0.0]
        self._observations: dict[bool, list[tuple[NDArray[np.generic], ...]]] = {
            True: [], False: []}

    def add(self, number: int, windows: Windows) -> None:
        """Take the windows of one episode."""
        config = self._checkpoint.config
        stride = max(1, round(_PICTURE_PERIOD_S / config.step_s))
        pictures = [picture_features(windows.frames[i]) for i in windows.context[::stride, -1]]
        if number % 2:
            self._scored += [pictures] if len(pictures) >= BLOCK else []
        else:
            self._fitted += pictures
        commands = command_windows(windows)
        hazard = windows.hazard_by_step(config.step_s)[:, -1]
        for label, found in self._observations.items():
            chosen = commands[hazard[commands] == label]
            if chosen.size and len(found) < MAX_WINDOWS:
                item = window_input(windows, int(chosen[0]))
                found.append((item.images.copy(), item.joint_positions, item.joint_velocities,
                              item.actions))
        if number in self._predicted:
            rng = np.random.default_rng([_SEED, number])
            safe = commands[~hazard[commands]]
            errors = list(self._score(windows, rng.permutation(safe)[:_PREDICTIONS]))
            self._errors += [max(errors)] if errors else []

    def _score(self, windows: Windows, index: NDArray[np.int64]) -> Iterator[float]:
        for i in index.tolist():
            output = self._engine.check(window_input(windows, i))
            error = frame_error(self._engine.decode(output)[self._step],
                                windows.frames[windows.future[i, self._step]],
                                windows.frames[windows.context[i, -1]])
            gap = np.abs(output.joint_positions[self._step] - windows.joints[i, self._step])
            self._joint_errors.append(float(gap.max()))
            if error is not None:
                yield error

    @property
    def self_test(self) -> SelfTest | None:
        """Observations, half of them before a hazard if there are enough; None if too few."""
        risky, safe = self._observations[True], self._observations[False]
        count = min(len(risky), max(MAX_WINDOWS // 2, MAX_WINDOWS - len(safe)))
        chosen = (risky[:count] + safe)[:MAX_WINDOWS]
        if len(chosen) < 2:
            return None
        images, positions, velocities, actions = (
            np.stack(part) for part in zip(*chosen, strict=True))
        return SelfTest(images, positions, velocities, actions)

    def reference(self, data_sha256: str) -> DriftReference:
        """
        Return the reference.

        :raises CalibrationError: if there are too few episodes.
        """
        if len(self._fitted) < 2:
            raise CalibrationError(f'{len(self._fitted)} pictures cannot support a drift test; '
                                   'calibrate on more episodes')
        novelty = fit_novelty(np.stack(self._fitted))
        return DriftReference(
            novelty=novelty, novelty_scores=_highest(novelty, self._scored),
            error_scores=np.array(self._errors, np.float32), step=self._step,
            joint_tolerance_rad=max(2 * max(self._joint_errors), _LEAST_TOLERANCE_RAD),
            weights_sha256=self._checkpoint.sha256[WEIGHTS_FILE], data_sha256=data_sha256)


def _highest(novelty: NoveltyModel, episodes: list[list[NDArray[np.float64]]]
             ) -> NDArray[np.float32]:
    """Return the highest score of a block of pictures in each episode."""
    highest = []
    for pictures in episodes:
        scores = [novelty.score(picture) for picture in pictures]
        highest.append(max(np.median(scores[begin:begin + BLOCK])
                           for begin in range(0, len(scores) - BLOCK + 1, BLOCK)))
    return np.array(highest, np.float32)
