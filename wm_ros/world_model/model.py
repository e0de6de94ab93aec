# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The action-conditioned world model: context frames and joint targets to what follows.

Every step of the chunk is predicted in one pass from the context: step k sees the actions 1..k
and nothing of later ones, so that changing action k leaves the steps before it as they were.
Hazards are read from latents; frames are decoded only on demand, as a mean or as samples.

Letters: B batch, T context frames, H steps, J joints, N tokens, D channels, R channels of a
residual latent, M ensemble, C h w feature maps.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor, nn

from wm_ros.world_model.actions import ActionEncoder
from wm_ros.world_model.arm import Arm
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.decoder import Decoder, ResidualEncoder, SurfaceInput
from wm_ros.world_model.dynamics import Dynamics
from wm_ros.world_model.encoder import Context, Encoder
from wm_ros.world_model.flow import Flow
from wm_ros.world_model.hazard import LatentHead, Questions, ReachHead, Tables, happened_by
from wm_ros.world_model.splat import GeometricSplat, LearnedSplat
from wm_ros.world_model.surface import Newest, in_threads, make_surface

# Width of a point of the arm on the grid of tokens, in cells.
_POINT_WIDTH = 0.5
_MATCH_DIM = 32
# The mean error of joints begins at this, and is learned this much faster than weights are.
_JOINT_UNIT_RAD, _ERROR_PACE = 0.01, 10.0
# Of hazards' logits, between which that error is interpolated: beyond them it stays. What it is at
# each, and what joints share of it, is learned faster still, as few windows have most of them.
_RISK_RANGE, _NUM_RISK_KNOTS, _RISK_PACE = 6.0, 5, 50.0


class Consequence(NamedTuple):
    """
    What follows an action chunk.

    :param hazard_logits: that a hazard has happened by each step, float32 (B, H, M).
    :param joints: predicted joint positions, float32 (B, H, J), rad.
    :param latents: float32 (B, H, N, D), for the decoder and the sampler.
    :param condition: of each step, float32 (B, H, D), for the decoder.
    :param joint_error: how far off joints are, lower triangular, float32 (B, H, J, J), rad, see
        ``WorldModel.joint_error``.
    :param questions: what the arm's points found on their way; None without geometry.
    """

    hazard_logits: Tensor
    joints: Tensor
    latents: Tensor
    condition: Tensor
    joint_error: Tensor
    questions: Questions | None = None


class WorldModel(nn.Module):
    """Encoder, action encoder, dynamics, hazard heads, decoder and sampler together."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.actions = ActionEncoder(config)
        self.reach: ReachHead | None = None
        self.surface = make_surface(config)
        self.splat: nn.Module
        if config.geometry is not None:
            arm = Arm(config.geometry, aspect=config.image_width / config.image_height,
                      num_cameras=len(config.cameras))
            self.splat = GeometricSplat(arm)
            self.reach = ReachHead(config, arm)
        else:
            self.splat = LearnedSplat(config.dim, config.grid)
        self.dynamics = Dynamics(config)
        self.hazard = LatentHead(config)
        self.decoder = Decoder(config)
        self.log_joint_error = nn.Parameter(torch.zeros(config.horizon, config.num_joints))
        self.joint_error_by_risk = nn.Parameter(torch.zeros(_NUM_RISK_KNOTS, config.num_joints))
        self.joint_error_shared = nn.Parameter(
            torch.zeros(_NUM_RISK_KNOTS, config.num_joints, config.num_joints))
        if config.residual_dim:
            self.residual = ResidualEncoder(config)
            self.flow = Flow(config)
            self.match_latent = nn.Linear(config.dim, _MATCH_DIM)
            self.match_frame = nn.Linear(96, _MATCH_DIM)

    def encode(self, images: Tensor) -> Context:
        """Encode context frames, float32 (B, T, 3, h, w) in [0, 1]."""
        return self.encoder(images)

    def predict(self, context: Context, positions: Tensor, velocities: Tensor, actions: Tensor,
                tables: Tables | None = None) -> Consequence:
        """
        Predict what follows an action chunk.

        :param positions: measured joints, float32 (B, J), rad.
        :param velocities: measured joints, float32 (B, J), rad/s.
        :param actions: joint targets, float32 (B, H, J), rad; any H up to the config's horizon,
            as no step depends on a later one.
        :param tables: what the arm's points look up, where it was read before; see ``Tables``.
        """
        latents, condition, joints = self.foresee(context, positions, velocities, actions)
        scores = [self.hazard(latents, condition)]
        questions = None
        if self.reach is not None:
            # How well a hazard is foreseen must not bend where the joints are thought to be.
            questions = self.reach(context, positions, joints.detach(), tables)
            scores.append(questions.scores)
        logits = happened_by(scores)
        return Consequence(logits, joints, latents, condition, self.joint_error(logits), questions)

    def joint_error(self, hazard_logits: Tensor) -> Tensor:
        """
        Return how far off predicted joints are, lower triangular, float32 (B, H, J, J), rad.

        Times independent deviates of Laplace's distribution of scale 1 it gives joints' errors.
        An arm that meets something stays behind by far more than a free one, and its joints
        together, so that all of it depends on the risk: between knots the logarithm of each row's
        length is linear, and so is what a joint has of those before it.

        :param hazard_logits: that a hazard has happened by each step, float32 (B, H, M).
        """
        knots = torch.linspace(-_RISK_RANGE, _RISK_RANGE, _NUM_RISK_KNOTS,
                               device=hazard_logits.device)
        logit = hazard_logits.detach().mean(-1, keepdim=True).clamp(-_RISK_RANGE, _RISK_RANGE)
        gap = 2 * _RISK_RANGE / (_NUM_RISK_KNOTS - 1)
        near = (1 - (logit - knots).abs() / gap).clamp(min=0)
        spread = _ERROR_PACE * self.log_joint_error[:logit.shape[1]]
        length = _JOINT_UNIT_RAD * (spread + _RISK_PACE * (near @ self.joint_error_by_risk)).exp()
        shared = (near[..., None, None] * (_RISK_PACE * self.joint_error_shared)).sum(2)
        one = torch.eye(shared.shape[-1], device=near.device)
        rows = one + torch.ones_like(one).tril(-1) * shared
        return rows * (length / rows.square().sum(-1).sqrt())[..., None]

    def foresee(self, context: Context, positions: Tensor, velocities: Tensor, actions: Tensor
                ) -> tuple[Tensor, Tensor, Tensor]:
        """Predict latents (B, H, N, D), conditions (B, H, D) and joints (B, H, J) alone."""
        sequence, joints = self.actions(positions, velocities, actions)
        condition = sequence[:, 1:]
        maps = self._coarse_maps(condition, joints, context)
        return self.dynamics(context.tokens, sequence, maps), condition, joints

    def without_action(self, context: Context) -> Tensor:
        """Predict latents (B, H, N, D) where the action is not known, for guidance."""
        batch, horizon = context.tokens.shape[0], self.config.horizon
        nothing = self.actions.nothing.expand(batch, horizon + 1, -1)
        maps = context.tokens.new_zeros(
            batch, horizon, context.tokens.shape[1], self.dynamics.place.in_features)
        return self.dynamics(context.tokens, nothing, maps)

    def decode(self, latents: Tensor, condition: Tensor, joints: Tensor, before: Tensor,
               context: Context, residual: Tensor | None = None) -> Tensor:
        """
        Decode one step for each context.

        :param latents: of the step, float32 (B, N, D).
        :param condition: of the step, float32 (B, D).
        :param joints: predicted for the step, float32 (B, J), rad.
        :param before: measured at the newest frame, float32 (B, J), rad.
        :param residual: sampled, float32 (B, N, R); the mean frame is decoded if None.
        :returns: RGB float32 (B, 3, h, w) in [0, 1].
        """
        surface = self.draw_surface(joints, self.look(before, context), context)
        return self.compose(latents, condition, surface, context, residual)

    def look(self, before: Tensor, context: Context, lamp: Tensor | None = None
             ) -> Newest | None:
        """
        See where the arm is at the newest frame; None if its surface is not known.

        :param before: measured there, float32 (B, J), rad.
        :param lamp: see ``surface.Newest``, float32 (B, 3); found by the shadow if None.
        """
        if self.surface is None:
            return None
        arrays = [_array(part) for part in (before, context.camera)]
        threads = torch.get_num_threads()
        if lamp is None:
            found = in_threads(
                self.surface.find_lamp, *arrays, _array(context.shade), threads=threads)
        else:
            found = _array(lamp)
        seen: Newest = in_threads(self.surface.newest, *arrays, found, threads=threads)
        return seen

    def draw_surface(self, joints: Tensor, newest: Newest | None, context: Context
                     ) -> SurfaceInput | None:
        """
        Draw the arm for ``compose``; None if its surface is not known. Not differentiable.

        :param context: of the same B, of which the newest frame is used.
        """
        if self.surface is None or newest is None:
            return None
        drawn = in_threads(
            self.surface.draw, _array(joints), newest, threads=torch.get_num_threads())
        point, maps, back = (torch.from_numpy(part).to(joints.device) for part in drawn)
        moved = F.grid_sample(context.last, back, mode='bilinear', padding_mode='border',
                              align_corners=False)
        return SurfaceInput(point, maps, moved)

    def compose(self, latents: Tensor, condition: Tensor, surface: SurfaceInput | None,
                context: Context, residual: Tensor | None = None) -> Tensor:
        """Decode one step for each context from the arm as drawn for it, see ``decode``."""
        if residual is None:
            residual = latents.new_zeros(*latents.shape[:2], self.config.residual_dim)
        place = None
        if surface is None:
            place = self.splat(condition, self.config.detail_grid)
        return self.decoder(latents, residual, place, surface, context)

    def _coarse_maps(self, condition: Tensor, joints: Tensor, context: Context) -> Tensor:
        """Return maps of all steps on the grid of tokens, float32 (B, H, N, channels)."""
        batch, horizon, _ = joints.shape
        if isinstance(self.splat, GeometricSplat):
            camera = context.camera[:, None].expand(-1, horizon, -1)
            maps = self.splat(joints.flatten(0, 1), camera.flatten(0, 1), self.config.grid,
                              width=_POINT_WIDTH)
        else:
            maps = self.splat(condition.flatten(0, 1), self.config.grid)
        channels, rows, columns = maps.shape[1:]
        return maps.transpose(1, 3).transpose(1, 2).reshape(
            batch, horizon, rows * columns, channels)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return np.asarray(tensor.detach().float().cpu().numpy(), np.float32)


def rollout(model: WorldModel, images: Tensor, positions: Tensor, velocities: Tensor,
            actions: Tensor, *, stride: int = 1) -> tuple[Tensor, Tensor]:
    """
    Predict step by step, also beyond the horizon: predicted frames become the next context.

    :param images: context, float32 (B, T, 3, h, w) in [0, 1].
    :param positions: measured, float32 (B, J), rad.
    :param velocities: measured, float32 (B, J), rad/s.
    :param actions: joint targets, float32 (B, L, J), rad; any L.
    :param stride: how many steps to take from one pass before the next context.
    :returns: frames float32 (B, L, 3, h, w) and joints float32 (B, L, J), rad.
    :raises ValueError: if the stride is not within 1 and the horizon.
    """
    config = model.config
    if not 1 <= stride <= config.horizon:
        raise ValueError(f'stride = {stride} must be 1 to the horizon, {config.horizon}')
    frames: list[Tensor] = []
    joints: list[Tensor] = []
    while len(frames) < actions.shape[1]:
        begin = len(frames)
        chunk = actions[:, begin:begin + config.horizon]
        missing = config.horizon - chunk.shape[1]
        # Past the last action the arm holds it; those steps are not kept.
        chunk = torch.cat([chunk, chunk[:, -1:].expand(-1, missing, -1)], 1)
        context = model.encode(images)
        made = model.predict(context, positions, velocities, chunk)
        for step in range(min(stride, actions.shape[1] - begin)):
            frames.append(model.decode(
                made.latents[:, step], made.condition[:, step], made.joints[:, step], positions,
                context))
            joints.append(made.joints[:, step])
            images = torch.cat([images[:, 1:], frames[-1][:, None]], 1)
        last = joints[-2] if len(joints) > 1 else positions
        positions, velocities = joints[-1], (joints[-1] - last) / config.step_s
    return torch.stack(frames, 1), torch.stack(joints, 1)
