# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The action-conditioned world model: context frames and joint targets to what follows.

Every step of the chunk is predicted in one pass from the context (prefix-parallel): step k sees
the actions 1..k through a causal encoder and nothing of later ones, so that changing action k
leaves the steps before it as they were. Hazards are read from latent tokens; frames are decoded
only on demand.

Letters: B batch, T context frames, H steps, S steps that are computed, J joints, N tokens,
D channels, M ensemble, C h w feature maps.

Source: prefix-parallel prediction after Fast-LeWM (arXiv 2606.26217); per-step action conditions
after Ctrl-World; adaLN-Zero after Peebles and Xie (arXiv 2212.09748).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.layers import Block, ConditionedBlock, ResidualConv, sinusoidal_grid
from wm_ros.world_model.pose_map import (
    HEIGHTS_M,
    NUM_CHANNELS,
    OUTLINE_CELLS,
    GeometricPoseMap,
    LearnedPoseMap,
)

CLEARANCE_UNIT_M = 0.05
_STEM_DIM = 32


class Context(NamedTuple):
    """
    What the encoder makes of the context frames.

    :param tokens: float32 (B, N, D).
    :param detail: features at patch resolution, float32 (B, C, h / patch, w / patch).
    :param last: the newest frame, float32 (B, 3, h, w) in [0, 1].
    :param obstacles: logits that something as high as each of HEIGHTS_M stands where a cell sees
        the table, float32 (B, heights, h / patch, w / patch).
    """

    tokens: Tensor
    detail: Tensor
    last: Tensor
    obstacles: Tensor


class Consequence(NamedTuple):
    """
    What follows an action chunk.

    :param hazard_logits: that a hazard has happened by each step, float32 (B, S, M).
    :param joints: predicted joint positions, float32 (B, S, J), rad.
    :param latents: float32 (B, S, N, D), for the decoder.
    :param maps: where the arm will be, float32 (B, S, C, rows, columns), for the decoder.
    :param clearance: predicted clearance, float32 (B, S, M), in units of CLEARANCE_UNIT_M.
    """

    hazard_logits: Tensor
    joints: Tensor
    latents: Tensor
    maps: Tensor
    clearance: Tensor


class Encoder(nn.Module):
    """Context frames to tokens."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.grid = rows, columns = config.grid
        # Half of the way by folding pixels, half by a strided convolution: edges keep their
        # place to a fraction of a patch at a fraction of the cost of full resolution.
        self.fold_px = config.patch_px // 2
        channels = 3 * config.context_len * self.fold_px ** 2
        self.stem = nn.Sequential(
            nn.Conv2d(channels, _STEM_DIM, 3, padding=1), nn.SiLU(),
            nn.Conv2d(_STEM_DIM, config.stem_dim, 3, padding=1, stride=2))
        self.blocks = nn.Sequential(ResidualConv(config.stem_dim), ResidualConv(config.stem_dim))
        self.down = nn.Conv2d(config.stem_dim, config.dim, config.token_stride,
                              stride=config.token_stride)
        # What is seen, where it is and where the arm will be meet at equal strength: with codes
        # of places several times larger than features, nothing but kinematics was learned.
        self.norm_detail = nn.GroupNorm(8, config.stem_dim)
        self.norm = nn.LayerNorm(config.dim)
        self.mix = nn.Sequential(
            Block(config.dim, config.num_heads), Block(config.dim, config.num_heads))
        self.stride = config.token_stride
        self.up = nn.Linear(config.dim, config.stem_dim * config.token_stride ** 2)
        self.obstacles = nn.Sequential(
            nn.Conv2d(2 * config.stem_dim, config.stem_dim, 3, padding=1), nn.SiLU(),
            nn.Conv2d(config.stem_dim, len(HEIGHTS_M), 1))
        self.register_buffer('positions', sinusoidal_grid(rows, columns, config.dim),
                             persistent=False)
        self.positions: Tensor

    def forward(self, images: Tensor) -> Context:
        """
        Encode frames.

        :param images: float32 (B, T, 3, h, w) in [0, 1], oldest first.
        """
        stacked = images.flatten(1, 2) * 2 - 1
        detail = self.blocks(self.stem(F.pixel_unshuffle(stacked, self.fold_px)))
        seen = self.down(F.silu(self.norm_detail(detail))).flatten(2).transpose(1, 2)
        tokens = self.norm(seen) + self.positions
        tokens = self.mix(tokens)
        grid = self.up(tokens).transpose(1, 2).reshape(
            tokens.shape[0], -1, *self.grid)
        features = torch.cat([F.pixel_shuffle(grid, self.stride), detail], dim=1)
        return Context(tokens, detail, images[:, -1], self.obstacles(features))


class ActionEncoder(nn.Module):
    """Joint state and targets to one condition per step, causal in the actions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        num = config.num_joints
        self.register_buffer('mean', torch.tensor(config.joint_mean), persistent=False)
        self.register_buffer('std', torch.tensor(config.joint_std), persistent=False)
        self.register_buffer('velocity_std', torch.tensor(config.velocity_std), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self.velocity_std: Tensor
        self.state = nn.Linear(2 * num, config.dim)
        self.action = nn.Linear(3 * num, config.dim)
        self.time = nn.Parameter(torch.randn(config.horizon + 1, config.dim) * 0.02)
        self.blocks = nn.Sequential(*(
            Block(config.dim, config.num_heads, causal=True) for _ in range(2)))
        self.norm = nn.LayerNorm(config.dim)
        self.joints = nn.Linear(config.dim, num)
        nn.init.zeros_(self.joints.weight)
        nn.init.zeros_(self.joints.bias)

    def forward(self, positions: Tensor, velocities: Tensor, actions: Tensor
                ) -> tuple[Tensor, Tensor]:
        """
        Encode an action chunk.

        :param positions: measured, float32 (B, J), rad.
        :param velocities: measured, float32 (B, J), rad/s.
        :param actions: joint targets at the end of each step, float32 (B, H, J), rad.
        :returns: conditions float32 (B, H, D) and joint positions float32 (B, H, J), rad.
        """
        before = torch.cat([positions[:, None], actions[:, :-1]], dim=1)
        features = torch.cat([
            (actions - self.mean) / self.std,
            (actions - positions[:, None]) / self.std,
            (actions - before) * (5.0 / self.std)], dim=-1)
        state = torch.cat([
            (positions - self.mean) / self.std, velocities / self.velocity_std], dim=-1)
        sequence = torch.cat([self.state(state)[:, None], self.action(features)], dim=1)
        condition = self.norm(self.blocks(sequence + self.time))[:, 1:]
        # Servos follow their targets closely: what has to be learned is how far they lag.
        return condition, actions + self.joints(condition) * self.std


class Dynamics(nn.Module):
    """Context tokens under a step's condition and map to the latent tokens of that step."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        channels = 2 * NUM_CHANNELS - len(OUTLINE_CELLS) + len(HEIGHTS_M)
        self.place = nn.Conv2d(
            channels, config.dim, 3, padding=1, stride=config.token_stride)
        self.norm = nn.LayerNorm(config.dim)
        self.blocks = nn.ModuleList(
            ConditionedBlock(config.dim, config.num_heads) for _ in range(config.num_blocks))

    def forward(self, tokens: Tensor, obstacles: Tensor, condition: Tensor, maps: Tensor
                ) -> Tensor:
        """
        Predict latents.

        :param tokens: of the context, float32 (B, N, D).
        :param obstacles: logits of the context, float32 (B, heights, rows, columns).
        :param condition: float32 (B, S, D).
        :param maps: where the arm will be, float32 (B, S, C, rows, columns).
        :returns: float32 (B, S, N, D).
        """
        batch, steps, dim = condition.shape
        flat = condition.reshape(batch * steps, dim)
        # Where the arm comes near and where something stands: their product is a collision, and
        # a product is what sums of features are slow to learn.
        stands = obstacles.sigmoid().repeat_interleave(steps, 0)
        arm = maps.flatten(0, 1)
        near = arm[:, :-len(OUTLINE_CELLS)]
        both = near * stands.repeat(1, near.shape[1] // stands.shape[1], 1, 1)
        where = self.place(torch.cat([arm, stands, both], 1)).flatten(2).transpose(1, 2)
        num = where.shape[1]
        latents = (tokens[:, None] + self.norm(where).view(batch, steps, num, dim)).flatten(0, 1)
        for block in self.blocks:
            latents = block(latents, flat)
        return latents.view(batch, steps, num, dim)


class HazardHead(nn.Module):
    """
    An ensemble of attention-pooled classifiers over latent tokens.

    Each also says how far the arm stays from what it could hit. Where recordings know that, a
    near miss teaches as much as a collision.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num = config.num_hazard_heads
        self.norm = nn.LayerNorm(config.dim)
        self.hidden = nn.ModuleList(nn.Linear(config.dim, 48) for _ in range(self.num))
        self.out = nn.ModuleList(nn.Linear(48, 4) for _ in range(self.num))

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and clearance, float32 (B, S, M), from latents float32 (B, S, N, D)."""
        latents = self.norm(latents)
        pooled = []
        for hidden, out in zip(self.hidden, self.out, strict=True):
            made = out(F.gelu(hidden(latents), approximate='tanh'))
            values, weights = made.chunk(2, dim=-1)
            pooled.append((values * weights.softmax(-2)).sum(-2))
        both = torch.stack(pooled, dim=-2)
        return both[..., 0], both[..., 1]


class Decoder(nn.Module):
    """
    Latents to frames, composed over the newest frame.

    The decoder draws new pixels and a mask that says where they go, so that a still background
    is the camera's own picture.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.grid, self.patch_px = config.grid, config.patch_px
        self.stride, width = config.token_stride, 64
        self.up = nn.Linear(config.dim, config.stem_dim * config.token_stride ** 2)
        self.join = nn.Conv2d(2 * config.stem_dim + NUM_CHANNELS, width, 3, padding=1)
        self.refine = ResidualConv(width)
        self.out = nn.Conv2d(width, 4 * config.patch_px ** 2, 3, padding=1)

    def forward(self, latents: Tensor, maps: Tensor, detail: Tensor, last: Tensor) -> Tensor:
        """
        Decode frames.

        :param latents: float32 (B, N, D).
        :param maps: where the arm will be, float32 (B, C, rows, columns).
        :param detail: of the context, float32 (B, C, h / patch, w / patch).
        :param last: the newest frame, float32 (B, 3, h, w) in [0, 1].
        :returns: RGB float32 (B, 3, h, w) in [0, 1].
        """
        batch, num, _ = latents.shape
        grid = self.up(latents).transpose(1, 2).reshape(batch, -1, *self.grid)
        coarse = F.pixel_shuffle(grid, self.stride)
        hidden = F.silu(self.join(torch.cat([coarse, detail, maps], dim=1)))
        drawn = F.pixel_shuffle(self.out(F.silu(self.refine(hidden))), self.patch_px)
        colour, mask = drawn[:, :3].sigmoid(), (drawn[:, 3:] - 1.0).sigmoid()
        return mask * colour + (1 - mask) * last


class WorldModel(nn.Module):
    """Encoder, action encoder, dynamics, hazard heads and decoder together."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.actions = ActionEncoder(config)
        self.pose_map: nn.Module
        if config.geometry is not None:
            self.pose_map = GeometricPoseMap(config.geometry, config.detail_grid)
        else:
            self.pose_map = LearnedPoseMap(config.dim, config.detail_grid, config.token_stride)
        self.dynamics = Dynamics(config)
        self.hazard = HazardHead(config)
        self.decoder = Decoder(config)

    def encode(self, images: Tensor) -> Context:
        """Encode context frames, float32 (B, T, 3, h, w) in [0, 1]."""
        return self.encoder(images)

    def predict(self, tokens: Tensor, obstacles: Tensor, positions: Tensor,
                velocities: Tensor, actions: Tensor, steps: Tensor | None = None) -> Consequence:
        """
        Predict what follows an action chunk.

        :param tokens: of the context, float32 (B, N, D).
        :param obstacles: of the context, float32 (B, heights, rows, columns).
        :param positions: measured joints, float32 (B, J), rad.
        :param velocities: measured joints, float32 (B, J), rad/s.
        :param actions: joint targets, float32 (B, H, J), rad.
        :param steps: which steps to compute, int64 (S,); all if None. Training draws a few.
        """
        condition, joints = self.actions(positions, velocities, actions)
        maps = self.pose_map(condition if self.config.geometry is None else joints)
        if steps is not None:
            condition, maps = condition[:, steps], maps[:, steps]
        latents = self.dynamics(tokens, obstacles, condition, maps)
        logits, clearance = self.hazard(latents)
        return Consequence(logits, joints, latents, maps, clearance)

    def decode(self, latents: Tensor, maps: Tensor, context: Context) -> Tensor:
        """Decode one step for each context, float32 (B, N, D) and maps to (B, 3, h, w)."""
        return self.decoder(latents, maps, context.detail, context.last)
