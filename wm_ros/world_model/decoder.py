# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Latents to a frame, and a frame to its residual latent.

Letters: B batch, N tokens, D channels, R channels of a residual, C h w feature maps.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.encoder import Context
from wm_ros.world_model.layers import ResidualConv
from wm_ros.world_model.splat import NUM_CHANNELS
from wm_ros.world_model.surface import MAP_NAMES, NUM_MAPS

_UP_DIM = 16
# Channels and edge (px) of the cells in which pixels are put together.
_PIXEL_DIM, _PIXEL_CELL = 32, 2
# Channels of the features that come into a cell.
_FINE_DIM = 16
# How much of what a 3 x 3 mean takes away a sampled frame's moved pixels get back at first.
_UNSHARP = 1.0
# Channels of what a point of the arm's surface looks like.
_LOOK_DIM = 8
# Drawn of each pixel: its colour, three masks (new, moved with the arm, lighter or darker).
_NUM_DRAWN = 6


class SurfaceInput(NamedTuple):
    """
    The arm drawn for a picture, as tensors.

    :param point: see ``surface.SurfaceMaps``, and so ``maps``.
    :param moved: the newest frame with the arm's pixels carried along, float32 (B, 3, h, w).
    """

    point: Tensor
    maps: Tensor
    moved: Tensor


class Decoder(nn.Module):
    """
    Latents to frames, composed over the newest frame.

    What is still stays the camera's own picture, lighter or darker where a shadow comes or goes;
    what moves with the arm is taken from where it was, if it was seen there; new pixels are drawn
    where neither will do. Three masks say where each goes. Of an arm whose surface is known each
    point has a learned look. Without a residual it draws the mean of what may be seen, with one a
    frame that may be.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle = config.detail_dim, config.middle_dim
        self.up = nn.Linear(config.dim + config.residual_dim, _UP_DIM * config.token_stride ** 2)
        self.look: nn.Embedding | None = None
        drawn, place = 3, NUM_CHANNELS
        if config.geometry is not None:
            self.look = nn.Embedding(
                len(config.geometry.surface_points) + 1, _LOOK_DIM, padding_idx=0)
            # Quiet at first: each point's own noise would have to be unlearned.
            nn.init.normal_(self.look.weight[1:], std=0.1)
            place = _LOOK_DIM + NUM_MAPS
            drawn += 3 + place
            self.shade, self.sharp_shade = (nn.Conv2d(place, _NUM_DRAWN, 1) for _ in range(2))
            for layer in (self.shade, self.sharp_shade):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
            # Reading between pixels blurs, so what was read is sharpened: one way for mean frames,
            # which hedge, and another for sampled ones.
            self.sharpen = nn.Conv2d(1, 2, 3, padding=1, padding_mode='replicate', bias=False)
            nn.init.zeros_(self.sharpen.weight)
            with torch.no_grad():
                self.sharpen.weight[:, :, 1, 1] = 1.0
                self.sharpen.weight[1] -= _UNSHARP / 9
                self.sharpen.weight[1, :, 1, 1] += _UNSHARP
        self.join = nn.Conv2d(fine + place + _UP_DIM, fine, 1)
        self.to_middle = nn.Conv2d(fine, middle, 3, padding=1, stride=2)
        self.middle = ResidualConv(middle)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.refine = ResidualConv(fine)
        self.norm = nn.GroupNorm(8, fine)
        self.shuffle = config.patch_px // _PIXEL_CELL
        # What a sampled frame draws otherwise than the mean frame: it need not hedge.
        self.sharp_fine = nn.Parameter(torch.zeros(fine, 1, 1))
        self.sharp_pixels = nn.Parameter(torch.zeros(_PIXEL_DIM, 1, 1))
        self.up_fine = nn.Conv2d(fine, _FINE_DIM * self.shuffle ** 2, 3, padding=1)
        # What is known of each pixel: channels beside those of the features.
        self.drawn = drawn
        self.gather = nn.Conv2d(_FINE_DIM + drawn * _PIXEL_CELL ** 2, _PIXEL_DIM, 1)
        self.pixels = nn.Conv2d(_PIXEL_DIM, _PIXEL_DIM, 3, padding=1)
        self.out = nn.Conv2d(_PIXEL_DIM, _NUM_DRAWN * _PIXEL_CELL ** 2, 3, padding=1)

    def forward(self, latents: Tensor, residual: Tensor, place: Tensor | None,
                surface: SurfaceInput | None, context: Context) -> Tensor:
        """
        Decode frames.

        :param latents: float32 (B, N, D).
        :param residual: float32 (B, N, R); zeros for the mean frame.
        :param place: learned maps of where the arm will be, float32 (B, C, h / patch, w / patch),
            if its surface is not known.
        :param surface: the arm's surface drawn, if it is known.
        :returns: RGB float32 (B, 3, h, w) in [0, 1].
        """
        spread = self.up(torch.cat([latents, residual], -1)).transpose(1, 2)
        spread = F.pixel_shuffle(spread.reshape(latents.shape[0], -1, *self.config.grid),
                                 self.config.token_stride)
        sharp = residual.new_zeros(latents.shape[0], 1, 1, 1)
        if self.config.residual_dim:
            sharp = residual.abs().amax((1, 2)).sign()[:, None, None, None]
        known, moved = None, None
        if self.look is not None:
            assert surface is not None
            look = self.look(surface.point).permute(0, 3, 1, 2)
            known = torch.cat([look, surface.maps], 1)
            place = F.avg_pool2d(known, self.config.patch_px)
            moved = self._sharpened(surface.moved, sharp)
        assert place is not None
        fine = self.join(torch.cat([context.detail, place, spread], 1))
        fine = F.silu(fine + sharp * self.sharp_fine)
        middle = self.middle(self.to_middle(fine))
        back = F.interpolate(self.from_middle(F.silu(middle)), scale_factor=2, mode='nearest')
        drawn = self._draw(self.refine(fine + back), sharp, known, moved, context)
        kept = context.last * (2 * drawn[:, 5:].sigmoid())
        if known is not None and moved is not None:
            shown = known[:, _LOOK_DIM + MAP_NAMES.index('shown_before')][:, None]
            kept = kept + shown * drawn[:, 4:5].sigmoid() * (moved - kept)
        mask = (drawn[:, 3:4] - 1.0).sigmoid()
        return mask * drawn[:, :3].sigmoid() + (1 - mask) * kept

    def _sharpened(self, moved: Tensor, sharp: Tensor) -> Tensor:
        """
        Return what moves with the arm, (B, 3, h, w), with what reading between pixels took away.

        Source: filters for interpolation, Unser 1999, IEEE Signal Processing Magazine 16(6).
        """
        batch, colours, height, width = moved.shape
        both = self.sharpen(moved.reshape(batch * colours, 1, height, width))
        both = both.reshape(batch, colours, 2, height, width)
        return both[:, :, 0] + sharp * (both[:, :, 1] - both[:, :, 0])

    def _draw(self, fine: Tensor, sharp: Tensor, known: Tensor | None, moved: Tensor | None,
              context: Context) -> Tensor:
        """Return colours and masks before their sigmoids, float32 (B, _NUM_DRAWN, h, w)."""
        hidden = F.pixel_shuffle(self.up_fine(F.silu(self.norm(fine))), self.shuffle)
        # The layer reads cells whole; its weights are stored as if pixels were channels.
        weight = self.gather.weight
        near = weight[:, _FINE_DIM:].reshape(_PIXEL_DIM, self.drawn, _PIXEL_CELL, _PIXEL_CELL)
        given = context.last * 2 - 1
        if moved is not None:
            given = torch.cat([given, moved * 2 - 1], 1)
        num = 3 if moved is None else 6
        hidden = F.conv2d(F.silu(hidden), weight[:, :_FINE_DIM], self.gather.bias)
        hidden = hidden + F.conv2d(given, near[:, :num], stride=_PIXEL_CELL)
        if known is not None:
            # Apart, because a number of channels that is no multiple of 16 has no fast kernel.
            hidden = hidden + F.conv2d(known, near[:, num:], stride=_PIXEL_CELL)
        hidden = F.silu(hidden + sharp * self.sharp_pixels)
        hidden = F.silu(self.pixels(hidden))
        drawn = F.pixel_shuffle(self.out(hidden), _PIXEL_CELL)
        # A way past the cells, so that each pixel has the look of its own point.
        if known is None:
            return drawn
        plain, sharper = F.conv2d(
            known, torch.cat([self.shade.weight, self.sharp_shade.weight]),
            torch.cat([self.shade.bias, self.sharp_shade.bias])).chunk(2, 1)
        return drawn + plain + sharp * sharper


class ResidualEncoder(nn.Module):
    """
    What a real frame has that its mean prediction lacks, as a residual latent.

    It sees the future, so only training has it; the sampler learns what it says.

    Source: the posterior of a conditional variational autoencoder, Sohn et al. 2015.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.patch_px, stride = config.patch_px, config.token_stride // 2
        self.stem = nn.Conv2d(6 * config.patch_px ** 2, 32, 1)
        self.down = nn.Conv2d(32, 48, 3, padding=1, stride=2)
        self.middle = ResidualConv(48)
        self.tokens = nn.Conv2d(48, 96, stride, stride=stride)
        self.out = nn.Linear(96, 2 * config.residual_dim)

    def forward(self, frame: Tensor, mean_frame: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """
        Encode frames.

        :param frame: the real one, float32 (B, 3, h, w) in [0, 1].
        :param mean_frame: its prediction, the same.
        :returns: mean and log variance of the residual, float32 (B, N, R), and pooled features
            float32 (B, 96).
        """
        both = torch.cat([4 * (frame - mean_frame), frame * 2 - 1], 1)
        hidden = F.silu(self.stem(F.pixel_unshuffle(both, self.patch_px)))
        hidden = F.silu(self.tokens(self.middle(self.down(hidden))))
        hidden = hidden.flatten(2).transpose(1, 2)
        mean, spread = self.out(hidden).chunk(2, -1)
        return mean, spread.clamp(-8, 4), hidden.mean(1)
