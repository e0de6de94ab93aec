# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a world model is trained to get right: frames, hazards and joints."""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from wm_ros.training.batches import Batch
from wm_ros.training.config import TrainConfig
from wm_ros.world_model.model import CLEARANCE_UNIT_M, Context, WorldModel
from wm_ros.world_model.pose_map import GeometricPoseMap

MOVING_THRESHOLD = 0.06


class Losses(NamedTuple):
    """The parts of the loss, each a scalar tensor."""

    total: Tensor
    frame: Tensor
    hazard: Tensor
    joint: Tensor
    clearance: Tensor
    obstacle: Tensor


def world_model_loss(model: WorldModel, batch: Batch, config: TrainConfig) -> Losses:
    """Return the losses of a batch."""
    context = model.encode(batch.images)
    made = model.predict(
        context.tokens, context.obstacles, batch.positions, batch.velocities, batch.actions,
        batch.steps)
    count = batch.targets.shape[1]
    repeated = Context(*(part.repeat_interleave(count, 0) for part in context))
    frames = model.decode(
        made.latents[:, :count].flatten(0, 1), made.maps[:, :count].flatten(0, 1), repeated)
    frame = frame_loss(frames, batch.targets.flatten(0, 1), repeated.last, config.moving_weight)
    hazard = hazard_loss(made.hazard_logits, batch.hazard, batch.weight)
    joint = ((made.joints - batch.joints) / model.actions.std).square().mean()
    clearance = clearance_loss(made.clearance, batch.clearance, batch.weight)
    obstacle = obstacle_loss(model, context.obstacles, batch.obstacles)
    total = (config.frame_weight * frame + hazard + config.joint_weight * joint
             + config.clearance_weight * clearance + config.obstacle_weight * obstacle)
    return Losses(total, frame, hazard, joint, clearance, obstacle)


def frame_loss(frames: Tensor, targets: Tensor, last: Tensor, moving_weight: float) -> Tensor:
    """
    Return a mean of absolute and squared error, heavier where the picture moves.

    The absolute part keeps edges sharp, the squared part is what PSNR counts.

    :param frames: float32 (B, 3, h, w), and so ``targets`` and ``last``.
    """
    moving = ((targets - last).abs().amax(1, keepdim=True) > MOVING_THRESHOLD).float()
    error = frames - targets
    weight = 1 + moving_weight * moving
    return (weight * (0.5 * error.abs() + 5.0 * error.square())).mean()


def obstacle_loss(model: WorldModel, logits: Tensor, obstacles: Tensor) -> Tensor:
    """
    Return the cross-entropy of what stands where, zero where it is not known.

    :param logits: float32 (B, heights, rows, columns).
    :param obstacles: uprights as (x, y, radius, top), float32 (B, K, 4), m; a radius of zero is
        none, NaN is not known.
    """
    if not isinstance(model.pose_map, GeometricPoseMap):
        return logits.sum() * 0
    known = obstacles.isfinite().flatten(1).all(1)
    if not bool(known.any()):
        return logits.sum() * 0
    target = model.pose_map.obstacle_map(obstacles[known])
    # What stands somewhere is a few cells of hundreds: a mean over all would drown it.
    loss = F.binary_cross_entropy_with_logits(logits[known], target, reduction='none')
    return (loss * (1 + 9 * target)).mean()


def clearance_loss(predicted: Tensor, clearance: Tensor, weight: Tensor) -> Tensor:
    """
    Return the weighted Huber loss of the clearance, zero where none is known.

    :param predicted: float32 (B, S, M), in units of CLEARANCE_UNIT_M.
    :param clearance: float32 (B, S), m, NaN where it is not known.
    :param weight: float32 (B, M).
    """
    known = clearance.isfinite()
    target = torch.where(known, clearance, 0.0)[..., None].expand_as(predicted)
    loss = F.smooth_l1_loss(predicted, target / CLEARANCE_UNIT_M, reduction='none', beta=0.2)
    weight = weight[:, None] * known[..., None]
    return (loss * weight).sum() / torch.clamp(weight.sum(), min=1.0)


def hazard_loss(logits: Tensor, hazard: Tensor, weight: Tensor) -> Tensor:
    """
    Return the weighted binary cross-entropy of an ensemble.

    :param logits: float32 (B, S, M).
    :param hazard: 0 or 1, float32 (B, S).
    :param weight: float32 (B, M).
    """
    target = hazard[..., None].expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    weight = weight[:, None].expand_as(loss)
    return (loss * weight).sum() / torch.clamp(weight.sum(), min=1.0)
