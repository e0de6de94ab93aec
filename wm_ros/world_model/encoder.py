# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Context frames to latent tokens and detailed features.

Letters: B batch, T context frames, N tokens, D channels, C h w feature maps.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.layers import Block, ResidualConv, sinusoidal_grid

# Latents are read at half of the patch resolution by further convolutions.
_MIDDLE = 2
# Pixels from one place to the next where edges are looked for; places overlap by half.
_EDGE_STRIDE = 2
# What an output of one means for the camera's turn and shift.
_TURN_SCALE_RAD, _SHIFT_SCALE_M = 0.05, 0.02
_SHADE_DIM = 32


class Context(NamedTuple):
    """
    What the encoder makes of the context frames.

    :param tokens: float32 (B, N, D).
    :param detail: features at patch resolution, float32 (B, C, h / patch, w / patch).
    :param last: the newest frame, float32 (B, 3, h, w) in [0, 1].
    :param camera: how far the camera is seen to be from its known place, float32 (B, 6), rad and
        m, see ``Arm.project``.
    :param shade: where the arm's shadow is seen in the newest frame, as logits, float32
        (B, 2 h / patch, 2 w / patch); zeros where the arm is not known.
    """

    tokens: Tensor
    detail: Tensor
    last: Tensor
    camera: Tensor
    shade: Tensor


class Encoder(nn.Module):
    """
    Context frames to ``Context``: a small U-Net with a transformer at its bottom.

    Patches are read by a linear layer, those of the newest frame by convolutions as well.

    Source: convolutions before patches, Xiao et al. 2021, arXiv 2106.14881.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle, dim = config.detail_dim, config.middle_dim, config.dim
        stride = config.token_stride // _MIDDLE
        channels = 3 * config.context_len * config.patch_px ** 2
        self.stem = nn.Conv2d(channels, fine, 1)
        # What is linear in a patch's pixels says badly where in it an edge lies.
        self.edges: nn.Module | None = None
        if config.edge_dim:
            rest = config.patch_px // _EDGE_STRIDE
            self.edges = nn.Sequential(
                nn.Conv2d(3, config.edge_dim, 2 * _EDGE_STRIDE, stride=_EDGE_STRIDE, padding=1),
                nn.SiLU(), nn.Conv2d(config.edge_dim, fine, rest, stride=rest))
        self.to_middle = nn.Conv2d(fine, middle, 3, padding=1, stride=_MIDDLE)
        self.middle = ResidualConv(middle)
        self.norm_middle = nn.GroupNorm(8, middle)
        self.to_tokens = nn.Conv2d(middle, dim, stride, stride=stride)
        # What is seen and where it is meet at equal strength: with codes of places several times
        # larger than features, nothing but kinematics was learned.
        self.norm_tokens = nn.LayerNorm(dim)
        self.mix = nn.ModuleList(Block(dim, config.num_heads) for _ in range(2))
        self.stride, self.up_dim = stride, 24
        self.up_tokens = nn.Linear(dim, self.up_dim * stride ** 2)
        self.join_middle = nn.Conv2d(middle + self.up_dim, fine, 3, padding=1)
        self.join_fine = nn.Conv2d(2 * fine, fine, 1)
        self.refine = ResidualConv(fine)
        self.camera = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 24), nn.GELU())
        num_tokens = config.grid[0] * config.grid[1]
        self.camera_out = nn.Linear(24 * num_tokens, 6)
        nn.init.zeros_(self.camera_out.weight)
        nn.init.zeros_(self.camera_out.bias)
        scale = torch.tensor([_TURN_SCALE_RAD] * 3 + [_SHIFT_SCALE_M] * 3)
        self.register_buffer('camera_scale', scale, persistent=False)
        self.camera_scale: Tensor
        self.shade: nn.Module | None = None
        if config.geometry is not None:
            self.shade = nn.Sequential(
                nn.Conv2d(fine + 3, _SHADE_DIM, 3, padding=1), nn.SiLU(),
                nn.Conv2d(_SHADE_DIM, 4, 3, padding=1), nn.PixelShuffle(2))
        self.register_buffer('places', sinusoidal_grid(*config.grid, dim), persistent=False)
        self.places: Tensor

    def forward(self, images: Tensor) -> Context:
        """
        Encode frames.

        :param images: float32 (B, T, 3, h, w) in [0, 1], oldest first.
        """
        tokens, detail, last, camera = self.see(images)
        return Context(tokens, detail, last, camera, self.see_shade(detail, last))

    def see(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Encode all but the shade, which only pictures need: see ``Context``."""
        batch, patch = images.shape[0], self.config.patch_px
        stacked = images.flatten(1, 2) * 2 - 1
        # The layer reads patches whole; its weights are stored as if pixels were channels.
        weight = self.stem.weight.view(self.stem.out_channels, -1, patch, patch)
        fine = F.conv2d(stacked, weight, self.stem.bias, stride=patch)
        if self.edges is not None:
            fine = fine + self.edges(stacked[:, -3:])
        fine = F.silu(fine)
        middle = self.middle(self.to_middle(fine))
        normal = F.silu(self.norm_middle(middle))
        tokens = self.norm_tokens(self.to_tokens(normal).flatten(2).transpose(1, 2)) + self.places
        for block in self.mix:
            tokens = block(tokens)
        spread = self.up_tokens(tokens).transpose(1, 2).reshape(batch, -1, *self.config.grid)
        spread = F.pixel_shuffle(spread, self.stride)
        joined = F.silu(self.join_middle(torch.cat([normal, spread], 1)))
        joined = F.interpolate(joined, scale_factor=_MIDDLE, mode='nearest')
        detail = self.refine(self.join_fine(torch.cat([fine, joined], 1)))
        camera = self.camera_out(self.camera(tokens).flatten(1)) * self.camera_scale
        return tokens, detail, images[:, -1], camera

    def see_shade(self, detail: Tensor, last: Tensor) -> Tensor:
        """See where the arm's shadow is, see ``Context``."""
        small = F.avg_pool2d(last, self.config.patch_px)
        if self.shade is None:
            return F.interpolate(small[:, :1] * 0, scale_factor=2)[:, 0]
        shade: Tensor = self.shade(torch.cat([detail, small * 2 - 1], 1))[:, 0]
        return shade
