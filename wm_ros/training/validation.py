# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Look at held-out episodes during training: hazard AUROC, losses and a few frames."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wm_ros.data.windows import Windows
from wm_ros.training.batches import BatchSampler
from wm_ros.training.config import TrainConfig
from wm_ros.training.losses import world_model_loss
from wm_ros.training.metrics import auroc
from wm_ros.world_model.model import WorldModel

MAX_WINDOWS = 1024
_BATCH = 64
_LOSS_BATCHES = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Validation:
    """
    What a model does on held-out episodes.

    :param auroc: of any hazard within the horizon, windows that start without contact; NaN if
        there is only one class.
    :param losses: name to mean over a few batches, the same ones each time; empty if the
        held-out windows cannot fill a batch.
    :param frames: truth above prediction of the last step, one column a window, uint8
        (2 h, n w, 3); None if not asked for or if nothing was filmed.
    """

    auroc: float
    losses: dict[str, float] = field(default_factory=dict)
    frames: NDArray[np.uint8] | None = None


@torch.no_grad()
def validate(model: WorldModel, windows: Windows, config: TrainConfig,
             device: torch.device) -> Validation:
    """Measure a model in evaluation mode on held-out windows."""
    free = np.flatnonzero(~windows.in_contact)
    chosen = free[:: max(1, -(-len(free) // MAX_WINDOWS))]
    hazard = windows.hazard_by_step(model.config.step_s)[:, -1]
    scores = [_scores(model, windows, part, device) for part in np.array_split(
        chosen, max(1, len(chosen) // _BATCH))]
    value = auroc(np.concatenate(scores), hazard[chosen])
    losses = {} if hazard[free].all() else _losses(model, windows, config, device)
    frames = None
    filmed = free[windows.is_filmed[free]]
    if config.sample_frames and filmed.size:
        picked = filmed[np.linspace(0, filmed.size - 1, config.sample_frames).astype(int)]
        frames = _frames(model, windows, picked, device)
    return Validation(auroc=value, losses=losses, frames=frames)


def _scores(model: WorldModel, windows: Windows, index: NDArray[np.int64],
            device: torch.device) -> NDArray[np.float32]:
    context = model.encode(_images(windows, index, device))
    made = model.predict(context, *_joints(windows, index, device))
    return np.asarray(made.hazard_logits.sigmoid().mean(-1).amax(1).float().cpu().numpy())


def _losses(model: WorldModel, windows: Windows, config: TrainConfig,
            device: torch.device) -> dict[str, float]:
    sampler = BatchSampler(windows, config, model.config)
    sums: dict[str, float] = {}
    for step in range(_LOSS_BATCHES):
        torch.manual_seed(step)
        batch = sampler.draw(step)
        losses = world_model_loss(model, type(batch)(*(part.to(device) for part in batch)), config)
        for name, part in losses._asdict().items():
            sums[name] = sums.get(name, 0.0) + float(part) / _LOSS_BATCHES
    return sums


def _frames(model: WorldModel, windows: Windows, index: NDArray[np.int64],
            device: torch.device) -> NDArray[np.uint8]:
    context = model.encode(_images(windows, index, device))
    positions, velocities, actions = _joints(windows, index, device)
    made = model.predict(context, positions, velocities, actions)
    drawn = model.decode(made.latents[:, -1], made.condition[:, -1], made.joints[:, -1],
                         positions, context)
    predicted = (drawn.permute(0, 2, 3, 1).cpu().numpy() * 255).round().astype(np.uint8)
    truth = windows.frames[windows.future[index, -1]]
    return np.concatenate([np.concatenate(list(part), axis=1) for part in (truth, predicted)])


def _images(windows: Windows, index: NDArray[np.int64], device: torch.device) -> Tensor:
    images = torch.from_numpy(windows.frames[windows.context[index]]).to(device)
    return images.permute(0, 1, 4, 2, 3).float() / 255


def _joints(windows: Windows, index: NDArray[np.int64], device: torch.device
            ) -> tuple[Tensor, Tensor, Tensor]:
    return (torch.from_numpy(windows.positions[index]).to(device),
            torch.from_numpy(windows.velocities[index]).to(device),
            torch.from_numpy(windows.actions[index]).to(device))
