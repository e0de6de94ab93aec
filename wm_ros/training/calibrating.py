# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate a checkpoint on held-out episodes and write the thresholds beside its weights."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wm_ros.calibration.thresholds import Calibration, calibrate, calibration_to_dict
from wm_ros.data.episode import list_episodes
from wm_ros.data.windows import load_windows
from wm_ros.inference.checkpoint import (
    CALIBRATION_FILE,
    WEIGHTS_FILE,
    file_sha256,
    load_checkpoint,
    write_json,
    write_manifest,
)
from wm_ros.inference.engine import make_engine
from wm_ros.training.scoring import command_windows, one_per_episode, score_windows

_PICK_SEED = 17


def calibrate_checkpoint(checkpoint_path: Path, data: Path, *, alpha_miss: float,
                         alpha_veto: float, engine: str = 'onnxruntime', num_threads: int = 2,
                         on_progress: Callable[[str, int, int], None] = lambda *args: None
                         ) -> Calibration:
    """
    Score one command of each class for each episode, choose thresholds, write them.

    :raises CalibrationError: if the episodes cannot support the promises; nothing is written.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    paths = list_episodes(data)
    windows = load_windows(paths, checkpoint.config, threads=num_threads,
                           on_progress=lambda done: on_progress('read', done, len(paths)))
    commands = command_windows(windows)
    hazard = windows.hazard_by_step(checkpoint.config.step_s)[:, -1]
    picked = [one_per_episode(windows, commands[hazard[commands] == label], seed=_PICK_SEED)
              for label in (True, False)]
    runner = make_engine(engine, checkpoint, num_threads=num_threads)
    index = np.concatenate(picked)
    risk, _, _ = score_windows(runner, windows, index,
                               on_progress=lambda done: on_progress('score', done, len(index)))
    runner.close()
    scores = risk.max(1)
    result = calibrate(
        scores[:len(picked[0])], scores[len(picked[0]):], alpha_miss=alpha_miss,
        alpha_veto=alpha_veto, weights_sha256=file_sha256(checkpoint.directory / WEIGHTS_FILE),
        data_sha256=dataset_sha256(paths))
    write_json(checkpoint.directory / CALIBRATION_FILE, calibration_to_dict(result))
    write_manifest(checkpoint.directory)
    return result


def dataset_sha256(paths: list[Path]) -> str:
    """Return one hash over the names and bytes of episode files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f'{path.name} {file_sha256(path)}\n'.encode())
    return total.hexdigest()
