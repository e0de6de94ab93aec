# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How far predictions drift when they are fed back beyond the horizon that was trained.

Letters: W windows, L steps of the rollout.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wm_ros.data.windows import Windows, load_windows
from wm_ros.inference.checkpoint import WEIGHTS_FILE, load_checkpoint
from wm_ros.inference.weights import load_model
from wm_ros.training.metrics import psnr
from wm_ros.training.scoring import even_sample
from wm_ros.world_model.model import WorldModel, rollout

_BATCH = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutDrift:
    """
    Errors of a rollout at each step, by stride; copying the newest frame beside them.

    :param steps: L.
    :param horizon: how many of them one pass was trained for.
    :param step_s: time of a step, s.
    :param windows: how many were rolled out.
    :param psnr: stride to PSNR of frames, dB, L each.
    :param psnr_copy: of the newest real frame repeated, dB, L.
    :param joint_error_deg: stride to mean absolute error of joints, degrees, L each.
    """

    steps: int
    horizon: int
    step_s: float
    windows: int
    psnr: dict[str, list[float]]
    psnr_copy: list[float]
    joint_error_deg: dict[str, list[float]]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def measure_drift(checkpoint_path: Path, paths: list[Path], *, steps: int, max_windows: int = 64,
                  strides: tuple[int, ...] = (), num_threads: int = 2,
                  on_progress: Callable[[int, int], None] = lambda done, total: None
                  ) -> RolloutDrift:
    """
    Roll a checkpoint out on episodes and compare with what happened.

    :param steps: L, may exceed the model's horizon.
    :param strides: steps taken from one pass before its frames are the next context; 1 and the
        horizon if empty.
    :raises DatasetError: if no episode is long enough.
    :raises ValueError: if a stride is not within 1 and the horizon.
    """
    torch.set_num_threads(num_threads)
    checkpoint = load_checkpoint(checkpoint_path)
    config = checkpoint.config
    chosen = strides or (1, config.horizon)
    windows = load_windows(paths, replace(config, horizon=steps), threads=num_threads)
    model = load_model(checkpoint.directory / WEIGHTS_FILE, config)
    index = even_sample(np.flatnonzero(~windows.in_contact), max_windows)
    parts = np.array_split(index, max(1, len(index) // _BATCH))
    found = {stride: [] for stride in chosen}  # type: dict[int, list[NDArray[np.float64]]]
    for done, (stride, part) in enumerate(
            ((stride, part) for stride in chosen for part in parts), 1):
        found[stride].append(_errors(model, windows, part, stride))
        on_progress(done, len(chosen) * len(parts))
    means = {stride: np.concatenate(errors, axis=1).mean(1) for stride, errors in found.items()}
    copied = np.concatenate([_copy_errors(windows, part) for part in parts]).mean(0)
    return RolloutDrift(
        steps=steps, horizon=config.horizon, step_s=config.step_s, windows=len(index),
        psnr={str(stride): [psnr(value) for value in mean[0]] for stride, mean in means.items()},
        psnr_copy=[psnr(value) for value in copied],
        joint_error_deg={str(stride): [float(value) for value in np.degrees(mean[1])]
                         for stride, mean in means.items()})


@torch.no_grad()
def _errors(model: WorldModel, windows: Windows, index: NDArray[np.int64], stride: int
            ) -> NDArray[np.float64]:
    """Return squared errors of frames and absolute errors of joints (rad), (2, W, L)."""
    frames, joints = rollout(
        model, _pictures(windows, windows.context[index]),
        torch.from_numpy(windows.positions[index]), torch.from_numpy(windows.velocities[index]),
        torch.from_numpy(windows.actions[index]), stride=stride)
    truth = _pictures(windows, windows.future[index])
    squared = (frames - truth).square().mean((2, 3, 4))
    off = (joints - torch.from_numpy(windows.joints[index])).abs().mean(-1)
    return torch.stack([squared, off]).double().numpy()


def _copy_errors(windows: Windows, index: NDArray[np.int64]) -> NDArray[np.float64]:
    last = _pictures(windows, windows.context[index, -1:])
    truth = _pictures(windows, windows.future[index])
    return (last - truth).square().mean((2, 3, 4)).double().numpy()


def _pictures(windows: Windows, index: NDArray[np.int64]) -> Tensor:
    """Return frames of the pool, float32 (W, N, 3, h, w) in [0, 1]."""
    pictures = torch.from_numpy(np.asarray(windows.frames[index]))
    return pictures.permute(0, 1, 4, 2, 3).float() / 255
