# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure a checkpoint on held-out episodes, beside its baselines.

Hazard figures are over windows that start without contact and ask for any hazard in the next
0.8 s. Frames are compared at the model's size, errors averaged before the logarithm.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from wm_ros.data.windows import Windows, load_windows
from wm_ros.inference.checkpoint import BASELINE_FILE, Checkpoint, load_checkpoint
from wm_ros.inference.engine import Engine, make_engine
from wm_ros.training.baseline import baseline_risk
from wm_ros.training.metrics import auroc, false_veto_at_recall, psnr
from wm_ros.training.scoring import command_windows, score_windows, window_input

HAZARD_HORIZON_S = 0.8
MOVING_THRESHOLD = 0.06
_MAX_FRAME_WINDOWS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """
    Figures of one checkpoint on one set of episodes; lists are per step.

    :param auroc: of the hazard within 0.8 s.
    :param auroc_kinematic: the same of a classifier that sees joints and command, no camera.
    :param auroc_command: the same over commands that start from rest, what the gate asks.
    :param false_veto_at_95_recall: share of safe windows over the threshold that catches 95 %.
    :param false_veto_at_95_recall_kinematic: the same of the kinematic classifier.
    :param psnr: dB, predicted frames.
    :param psnr_copy: dB, the newest frame repeated.
    :param psnr_moving: dB, predicted frames on pixels that change.
    :param psnr_moving_copy: dB, the newest frame on the same pixels.
    :param joint_error_deg: mean absolute error of predicted joints, degrees.
    :param warning_median_s: median time from the first window over the threshold to the hazard.
    :param hazard_share: share of windows with a hazard.
    :param windows: number of windows.
    :param episodes: number of episodes.
    :param model_id: what was measured.
    """

    auroc: float
    auroc_kinematic: float
    auroc_command: float
    false_veto_at_95_recall: float
    false_veto_at_95_recall_kinematic: float
    psnr: list[float]
    psnr_copy: list[float]
    psnr_moving: list[float]
    psnr_moving_copy: list[float]
    joint_error_deg: list[float]
    warning_median_s: float
    hazard_share: float
    windows: int
    episodes: int
    model_id: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def evaluate(checkpoint_path: Path, paths: list[Path], *, engine: str = 'onnxruntime',
             num_threads: int = 2,
             on_progress: Callable[[str, int, int], None] = lambda *args: None) -> Evaluation:
    """
    Measure a checkpoint on episode files.

    :param on_progress: called with the stage, how much is done and of how much.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    config = checkpoint.config
    windows = load_windows(paths, config, threads=num_threads,
                           on_progress=lambda done: on_progress('read', done, len(paths)))
    runner = make_engine(engine, checkpoint, num_threads=num_threads)
    free = np.flatnonzero(~windows.in_contact)
    risk, _, joints = score_windows(
        runner, windows, free, on_progress=lambda done: on_progress('score', done, len(free)))
    step = min(round(HAZARD_HORIZON_S / config.step_s), config.horizon) - 1
    hazard = windows.hazard_by_step(config.step_s)[free, step]
    score = risk[:, step]
    kinematic = baseline_risk(
        load_file(checkpoint.directory / BASELINE_FILE), windows, config)[free, step]
    at_rest = np.isin(free, command_windows(windows))
    frames = frame_errors(runner, windows, free, on_progress)
    runner.close()
    error = np.abs(joints - windows.joints[free]).mean(axis=(0, 2))
    return Evaluation(
        auroc=auroc(score, hazard), auroc_kinematic=auroc(kinematic, hazard),
        auroc_command=auroc(score[at_rest], hazard[at_rest]),
        false_veto_at_95_recall=false_veto_at_recall(score, hazard, 0.95),
        false_veto_at_95_recall_kinematic=false_veto_at_recall(kinematic, hazard, 0.95),
        **{name: [psnr(value) for value in values] for name, values in frames.items()},
        joint_error_deg=[float(value) for value in np.degrees(error)],
        warning_median_s=_warning(checkpoint, windows, free, risk, score, hazard),
        hazard_share=float(hazard.mean()), windows=len(free), episodes=len(paths),
        model_id=checkpoint.model_id)


def frame_errors(engine: Engine, windows: Windows, index: NDArray[np.int64],
                 on_progress: Callable[[str, int, int], None] = lambda *args: None
                 ) -> dict[str, NDArray[np.float64]]:
    """
    Return mean squared errors of frames per step, pixels in [0, 1], over an even sample.

    :returns: psnr, psnr_copy, psnr_moving and psnr_moving_copy to errors (H,).
    """
    chosen = index[:: max(1, len(index) // _MAX_FRAME_WINDOWS)]
    horizon = windows.future.shape[1]
    sums = {name: np.zeros(horizon) for name in
            ('psnr', 'psnr_copy', 'psnr_moving', 'psnr_moving_copy')}
    moving_pixels = np.zeros(horizon)
    for done, i in enumerate(chosen, 1):
        made = engine.decode(engine.check(window_input(windows, int(i))))
        truth = windows.frames[windows.future[i]] / 255.0
        last = windows.frames[windows.context[i, -1]] / 255.0
        moving = np.abs(truth - last).max(-1) > MOVING_THRESHOLD
        moving_pixels += moving.sum((1, 2))
        for name, frames in (('psnr', made / 255.0), ('psnr_copy', last[None])):
            error = np.square(frames - truth).mean(-1)
            sums[name] += error.mean((1, 2))
            sums[name.replace('psnr', 'psnr_moving')] += (error * moving).sum((1, 2))
        on_progress('frames', done, len(chosen))
    for name in sums:
        sums[name] /= moving_pixels if 'moving' in name else len(chosen)
    return sums


def _warning(checkpoint: Checkpoint, windows: Windows, free: NDArray[np.int64],
             risk: NDArray[np.float32], score: NDArray[np.float32],
             hazard: NDArray[np.bool_]) -> float:
    """Return the median time between the first warning and its hazard, s."""
    if not hazard.any():
        return float('nan')
    if checkpoint.calibration is not None:
        threshold = checkpoint.calibration.lower
    else:
        threshold = float(np.quantile(score[hazard], 0.05))
    ahead = np.isfinite(windows.hazard_time_s[free])
    times = []
    for episode in np.unique(windows.episode[free][ahead]):
        mine = ahead & (windows.episode[free] == episode)
        warned = mine & (risk.max(1) >= threshold)
        times.append(float(windows.hazard_time_s[free][warned].max()) if warned.any() else 0.0)
    return float(np.median(times))
