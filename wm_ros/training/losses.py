# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a world model is trained to get right: frames, hazards, joints, distances and the sampler.

Everything random in here is drawn from the batch's own seed, so that a run resumes to the bit.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from wm_ros.training.batches import Batch, decoding_stride
from wm_ros.training.config import TrainConfig
from wm_ros.training.frame_metrics import MOVING_THRESHOLD
from wm_ros.training.obstacles import draw_points, obstacle_distance
from wm_ros.world_model.encoder import Context
from wm_ros.world_model.flow import flow_pair
from wm_ros.world_model.hazard import DISTANCE_RANGE_M, DISTANCE_UNIT_M, Questions
from wm_ros.world_model.model import Consequence, WorldModel
from wm_ros.world_model.surface import Newest

_JOINT_UNIT_RAD = 0.02
# Turns (rad) and shifts (m) of the camera that count alike.
_CAMERA_UNITS = (0.02,) * 3 + (0.01,) * 3
# Edges of a predicted frame count this much beside its pixels.
_EDGE_WEIGHT = 1.0
# Edge of a neighbourhood (px), and what the whole picture's strength counts beside them.
_ENERGY_CELL, _WHOLE_WEIGHT = 6, 4.0


class Losses(NamedTuple):
    """The parts of the loss, each a scalar tensor."""

    total: Tensor
    frame: Tensor
    hazard: Tensor
    joint: Tensor
    distance: Tensor
    camera: Tensor
    shade: Tensor
    spread: Tensor
    residual: Tensor
    kl: Tensor
    flow: Tensor
    match: Tensor


def world_model_loss(model: WorldModel, batch: Batch, config: TrainConfig) -> Losses:
    """Return the losses of a batch; those of parts that are not trained are zero."""
    generator = torch.Generator().manual_seed(int(batch.seed))
    if config.only == 'obstacles':
        return _sum(config, _sight_losses(model, batch, config, generator))
    context = model.encode(batch.images)
    joints = batch.positions, batch.velocities, batch.actions
    if config.trains_judges:
        made = model.predict(context, *joints)
    else:
        with torch.no_grad():
            made = model.predict(context, *joints)
        made = made._replace(joint_error=model.joint_error(made.hazard_logits))
    spread = _spread_loss(made, batch)
    if config.only == 'spread':
        return _sum(config, {'spread': spread})
    # Of the next window, as one alone may have its frames decoded.
    change = (batch.actions - batch.positions[:, None]).roll(-1, 0)[
        ::decoding_stride(config.frame_share)]
    parts = {'spread': spread, **_picture_losses(
        model, *_some(batch, context, made, config.frame_share), change, config, generator)}
    if config.trains_judges:
        parts |= {
            'hazard': hazard_loss(made.hazard_logits, batch.hazard, batch.weight),
            'joint': F.smooth_l1_loss(
                made.joints / _JOINT_UNIT_RAD, batch.joints / _JOINT_UNIT_RAD)}
    if config.only == 'all':
        parts |= {
            'distance': distance_loss(
                model, batch, context, made, config.distance_points, generator),
            'camera': _camera_loss(model, context.camera, batch)}
    return _sum(config, parts)


def _sum(config: TrainConfig, parts: dict[str, Tensor]) -> Losses:
    """Return the losses of what is trained and their weighted sum; the others are zero."""
    weights = {'frame': config.frame_weight, 'hazard': 1.0, 'joint': config.joint_weight,
               'distance': config.distance_weight, 'camera': config.camera_weight,
               'shade': config.shade_weight, 'spread': config.spread_weight,
               'residual': config.residual_weight,
               'kl': config.kl_weight, 'flow': config.flow_weight, 'match': config.match_weight}
    total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
    nothing = total.new_zeros(())
    return Losses(total=total, **{name: parts.get(name, nothing) for name in weights})


def _some(batch: Batch, context: Context, made: Consequence, share: float
          ) -> tuple[Batch, Context, Consequence]:
    """Return every n-th window, with what was made of it: those whose frames are decoded."""
    # Slices are views: with all windows nothing is copied. Frames need no questions.
    some = slice(None, None, decoding_stride(share))
    return (Batch(*(item[some] if item.dim() else item for item in batch)),
            Context(*(item[some] for item in context)),
            Consequence(*(item if item is None or isinstance(item, Questions) else item[some]
                          for item in made)))


def _picture_losses(model: WorldModel, batch: Batch, context: Context, made: Consequence,
                    change: Tensor, config: TrainConfig, generator: torch.Generator
                    ) -> dict[str, Tensor]:
    """
    Return the losses of what makes frames, over windows whose frames are all decoded.

    :param change: another one's targets for each, as change of its joints, float32 (B, H, J), rad.
    """
    newest = model.look(batch.positions, context)
    truth = _true_light(model, context, batch, newest)
    decoded = _decode(model, batch, context, made, newest)
    targets = batch.targets.flatten(0, 1)
    last = context.last.repeat_interleave(batch.steps.shape[1], 0)
    return {
        'frame': frame_loss(decoded, targets, last, config.moving_weight),
        'shade': _shade_loss(model, context, batch, truth),
        **sampler_losses(model, batch, context, made, truth, decoded.detach(), change, config,
                         generator)}


def frame_loss(frames: Tensor, targets: Tensor, last: Tensor, moving_weight: float) -> Tensor:
    """
    Return a mean of absolute and squared error, heavier where the picture moves.

    The absolute part keeps edges sharp, the squared part is what PSNR counts.

    :param frames: float32 (B, 3, h, w), and so ``targets`` and ``last``.
    """
    error = frames - targets
    weight = 1 + moving_weight * _moving(targets, last)
    return (weight * (0.5 * error.abs() + 5.0 * error.square())).mean()


def _moving(targets: Tensor, last: Tensor) -> Tensor:
    return ((targets - last).abs().amax(1, keepdim=True) > MOVING_THRESHOLD).float()


def edge_loss(frames: Tensor, targets: Tensor) -> Tensor:
    """Return the mean absolute error of the differences of neighbouring pixels."""
    across = (frames.diff(dim=-1) - targets.diff(dim=-1)).abs().mean()
    return across + (frames.diff(dim=-2) - targets.diff(dim=-2)).abs().mean()


def energy_loss(frames: Tensor, targets: Tensor, last: Tensor, moving_weight: float) -> Tensor:
    """
    Return how far the strength of edges is from the real one, nearby and in the whole picture.

    Where an edge lies to the pixel is not asked: that would make it soft again. Nearby alone is
    not enough, because where strength is uncertain too the usual one is below the mean one.
    """
    def strength(pictures: Tensor) -> tuple[Tensor, Tensor]:
        across = pictures.diff(dim=-1)[..., :-1, :].square()
        down = pictures.diff(dim=-2)[..., :-1].square()
        energy = F.avg_pool2d(across + down, _ENERGY_CELL)
        return (energy + 1e-6).sqrt(), (energy.mean((1, 2, 3)) + 1e-9).sqrt()

    weight = 1 + moving_weight * F.avg_pool2d(_moving(targets, last), _ENERGY_CELL)[
        ..., :(targets.shape[-2] - 1) // _ENERGY_CELL, :(targets.shape[-1] - 1) // _ENERGY_CELL]
    (near, whole), (true_near, true_whole) = strength(frames), strength(targets)
    return (weight * (near - true_near).abs()).mean() + _WHOLE_WEIGHT * (
        whole - true_whole).abs().mean()


def hazard_loss(logits: Tensor, hazard: Tensor, weight: Tensor) -> Tensor:
    """
    Return the weighted binary cross-entropy of an ensemble.

    :param logits: float32 (B, H, M).
    :param hazard: 0 or 1, float32 (B, H).
    :param weight: float32 (B, M).
    """
    target = hazard[..., None].expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
    weight = weight[:, None].expand_as(loss)
    return (loss * weight).sum() / torch.clamp(weight.sum(), min=1.0)


def distance_loss(model: WorldModel, batch: Batch, context: Context, made: Consequence,
                  count: int, generator: torch.Generator) -> Tensor:
    """
    Return the Huber loss of distances to obstacles, zero where none are known.

    The points of the arm on its way are asked about, and others that are drawn.
    """
    if model.reach is None or made.questions is None:
        return made.joints.sum() * 0
    points = draw_points(_known_obstacles(batch), count, generator)
    _, drawn = model.reach.field(context, points)
    return 0.5 * _distance_error(batch, points, drawn) + 0.5 * _distance_error(
        batch, made.questions.points, made.questions.distance)


def _sight_losses(model: WorldModel, batch: Batch, config: TrainConfig,
                  generator: torch.Generator) -> dict[str, Tensor]:
    """
    Return the losses of seeing where things stand, for which nothing need be predicted.

    As many points are asked about on the arm's way as are drawn.
    """
    assert model.reach is not None
    tokens, detail, last, camera = model.encoder.see(batch.images)
    context = Context(tokens, detail, last, camera, shade=detail[:, 0] * 0)
    with torch.no_grad():
        way = model.reach.way(batch.positions, batch.joints)
        some = torch.randint(way.shape[1], (config.distance_points,), generator=generator)
        drawn = draw_points(_known_obstacles(batch), config.distance_points, generator)
        points = torch.cat([drawn, way[:, some.to(way.device)]], 1)
    _, distance = model.reach.field(context, points)
    return {'distance': _distance_error(batch, points, distance),
            'camera': _camera_loss(model, camera, batch)}


def _known_obstacles(batch: Batch) -> Tensor:
    """Return where obstacles stand; none where it is not known, so that shapes are the same."""
    return torch.where(batch.obstacles.isfinite(), batch.obstacles, 0.0)


def _distance_error(batch: Batch, points: Tensor, predicted: Tensor) -> Tensor:
    """
    Return the Huber loss of predicted distances, heavier where something is near.

    :param points: float32 (B, Q, 3), m.
    :param predicted: float32 (B, Q), in DISTANCE_UNIT_M.
    """
    # Where it is not known counts for nothing, but is asked about: processes that train together
    # must use the same weights in each step.
    known = batch.obstacles.isfinite().flatten(1).all(1)
    truth = obstacle_distance(points, _known_obstacles(batch)).clamp(*DISTANCE_RANGE_M)
    loss = F.smooth_l1_loss(predicted, truth / DISTANCE_UNIT_M, reduction='none', beta=0.1)
    # Where it is near it matters: most points are far from everything.
    weight = known[:, None] * (1 + 6 * (-truth.clamp(min=0) / 0.02).exp())
    return (loss * weight).sum() / torch.clamp(weight.sum(), min=1.0)


def sampler_losses(model: WorldModel, batch: Batch, context: Context, made: Consequence,
                   truth: Newest | None, mean_frames: Tensor, change: Tensor,
                   config: TrainConfig, generator: torch.Generator) -> dict[str, Tensor]:
    """
    Return the losses of the residual latent, the flow and the match of actions and frames.

    :param truth: where the arm is at the newest frame, with its true shadow.
    :param mean_frames: decoded without a residual, float32 (B K, 3, h, w).
    :param change: see ``_picture_losses``.
    """
    nothing = made.joints.sum() * 0
    if not model.config.residual_dim:
        return dict.fromkeys(('residual', 'kl', 'flow', 'match'), nothing)
    size, per_window = len(batch.positions), batch.steps.shape[1]
    stride = max(1, round(config.frame_share / config.sample_share))
    rows = torch.arange(0, size, stride, device=batch.positions.device)
    part = Context(*(item[rows] for item in context))
    steps, targets = batch.steps[rows, 0], batch.targets[rows, 0]
    latents = made.latents[rows, steps]
    mean, spread, pooled = model.residual(targets, mean_frames[rows * per_window])
    noise = torch.randn(2, *mean.shape, generator=generator).to(mean.device)
    residual = mean + noise[0] * (0.5 * spread).exp()
    # Drawn where the arm really will be, with its true shadow: what a sample shows it shows
    # sharply. That joints may be off is sampled as well.
    at = None if truth is None else Newest(*(item[rows.cpu().numpy()] for item in truth))
    surface = model.draw_surface(batch.joints[rows, steps], at, part)
    frames = model.compose(latents, made.condition[rows, steps], surface, part, residual)
    sharp = frame_loss(frames, targets, part.last, config.moving_weight)
    kl = 0.5 * (mean.square() + spread.exp() - 1 - spread).mean()
    # Some learn without the action.
    num = math.ceil(config.guidance_dropout * len(rows))
    few = Context(*(item[:num] for item in part))
    without = model.without_action(few)[torch.arange(num, device=mean.device), steps[:num]]
    given = torch.cat([without, latents[num:]])
    time = torch.rand(len(rows), generator=generator).to(mean.device)
    noisy, velocity = flow_pair(residual.detach(), noise[1], time)
    flow = (model.flow(noisy, time, given) - velocity).square().mean()
    match = nothing
    if config.trains_judges:
        match = _match_loss(model, batch, part, rows, latents, pooled, change)
    sharp = sharp + _EDGE_WEIGHT * edge_loss(frames, targets) + (
        config.energy_weight * energy_loss(frames, targets, part.last, config.moving_weight))
    return {'residual': sharp, 'kl': kl,
            'flow': flow, 'match': match}


def _match_loss(model: WorldModel, batch: Batch, part: Context, rows: Tensor, latents: Tensor,
                pooled: Tensor, change: Tensor) -> Tensor:
    """
    Return the loss of telling the true action from another window's by the frame that followed.

    Source: contrastive estimation, van den Oord et al. 2018, arXiv 1807.03748.
    """
    half = (len(rows) + 1) // 2
    part = Context(*(item[:half] for item in part))
    rows, latents, pooled = rows[:half], latents[:half], pooled[:half]
    moved = batch.positions[rows, None] + change[rows]
    wrong, _, _ = model.foresee(part, batch.positions[rows], batch.velocities[rows], moved)
    steps = batch.steps[rows, 0]
    seen = F.normalize(model.match_frame(pooled), dim=-1)
    both = torch.stack([latents, wrong[torch.arange(half, device=wrong.device), steps]])
    scores = 8 * (F.normalize(model.match_latent(both.mean(2)), dim=-1) * seen).sum(-1)
    return F.softplus(scores[1] - scores[0]).mean()


def _decode(model: WorldModel, batch: Batch, context: Context, made: Consequence,
            newest: Newest | None) -> Tensor:
    """Return the mean frames of the steps that each window decodes, float32 (B K, 3, h, w)."""
    count = batch.steps.shape[1]
    rows = torch.arange(len(batch.steps), device=batch.steps.device)[:, None]
    repeated = Context(*(part.repeat_interleave(count, 0) for part in context))
    surface = model.draw_surface(made.joints[rows, batch.steps].flatten(0, 1),
                                 None if newest is None else newest.repeat(count), repeated)
    return model.compose(
        made.latents[rows, batch.steps].flatten(0, 1),
        made.condition[rows, batch.steps].flatten(0, 1), surface, repeated)


def _camera_loss(model: WorldModel, camera: Tensor, batch: Batch) -> Tensor:
    if model.config.geometry is None:
        return camera.sum() * 0
    error = (camera - batch.camera) / camera.new_tensor(_CAMERA_UNITS)
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.1)


def _true_light(model: WorldModel, context: Context, batch: Batch, newest: Newest | None
                ) -> Newest | None:
    """Return the newest frame's arm with its true shadow, where the lamp is known."""
    if newest is None:
        return None
    found = torch.from_numpy(newest.lamp).to(batch.lamp.device)
    return model.look(batch.positions, context, torch.where(
        batch.lamp.isfinite(), batch.lamp, found))


def _shade_loss(model: WorldModel, context: Context, batch: Batch, truth: Newest | None
                ) -> Tensor:
    """Return the cross-entropy of the arm's shadow, where the lamp is known and the arm is not."""
    known = batch.lamp.isfinite().all(1)
    if truth is None:
        return context.shade.sum() * 0
    cell = model.config.patch_px // 2
    shadow, arm = (F.avg_pool2d(torch.from_numpy(part)[:, None], cell)[:, 0].to(
        context.shade.device) for part in (truth.shadow, truth.coverage))
    # Only the first of several cameras has a known place.
    seen = context.shade[:, :shadow.shape[1]]
    loss = F.binary_cross_entropy_with_logits(seen, shadow, reduction='none')
    weight = (1 - arm) * known[:, None, None]
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def _spread_loss(made: Consequence, batch: Batch) -> Tensor:
    """
    Return the negative log-likelihood of where joints are, less a constant.

    Laplace's distribution: most are near, and the few that something stopped are far off.
    """
    off = batch.joints - made.joints.detach()
    deviates = torch.linalg.solve_triangular(made.joint_error, off[..., None], upper=False)
    scale = made.joint_error.diagonal(dim1=-2, dim2=-1)
    return (deviates[..., 0].abs() + scale.log()).mean()
