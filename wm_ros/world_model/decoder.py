# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Latents to a frame, and a frame to its residual latent.

Letters: B batch, N tokens, D channels, R channels of a residual, C h w feature maps.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.encoder import Context
from wm_ros.world_model.layers import ResidualConv
from wm_ros.world_model.splat import NUM_CHANNELS

_UP_DIM = 16
# Channels and edge (px) of the cells in which pixels are put together.
_PIXEL_DIM, _PIXEL_CELL = 20, 2


class Decoder(nn.Module):
    """
    Latents to frames, composed over the newest frame.

    What moves with the arm is taken from where it was, what is still stays the camera's own
    picture, and new pixels are drawn where neither will do; two masks say where each goes.
    Without a residual it draws the mean of what may be seen.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        fine, middle = config.detail_dim, config.middle_dim
        self.up = nn.Linear(config.dim + config.residual_dim, _UP_DIM * config.token_stride ** 2)
        moved = 3 * config.patch_px ** 2 if config.geometry is not None else 0
        self.join = nn.Conv2d(fine + NUM_CHANNELS + _UP_DIM + moved, fine, 1)
        self.to_middle = nn.Conv2d(fine, middle, 3, padding=1, stride=2)
        self.middle = ResidualConv(middle)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.refine = ResidualConv(fine)
        self.norm = nn.GroupNorm(8, fine)
        self.shuffle = config.patch_px // _PIXEL_CELL
        self.up_fine = nn.Conv2d(fine, 16 * self.shuffle ** 2, 3, padding=1)
        given = 3 * _PIXEL_CELL ** 2 * (2 if moved else 1)
        self.pixels = nn.Conv2d(16 + given, _PIXEL_DIM, 3, padding=1)
        self.out = nn.Conv2d(_PIXEL_DIM, 5 * _PIXEL_CELL ** 2, 3, padding=1)

    def forward(self, latents: Tensor, residual: Tensor, maps: Tensor, moved: Tensor | None,
                context: Context) -> Tensor:
        """
        Decode frames.

        :param latents: float32 (B, N, D).
        :param residual: float32 (B, N, R); zeros for the mean frame.
        :param maps: where the arm will be, float32 (B, C, h / patch, w / patch).
        :param moved: the newest frame moved along with the arm, float32 (B, 3, h, w); None where
            the arm's geometry is not known.
        :returns: RGB float32 (B, 3, h, w) in [0, 1].
        """
        spread = self.up(torch.cat([latents, residual], -1)).transpose(1, 2)
        spread = F.pixel_shuffle(spread.reshape(latents.shape[0], -1, *self.config.grid),
                                 self.config.token_stride)
        known = [context.detail, maps, spread]
        if moved is not None:
            known.append(F.pixel_unshuffle(moved * 2 - 1, self.config.patch_px))
        fine = F.silu(self.join(torch.cat(known, 1)))
        middle = self.middle(self.to_middle(fine))
        back = F.interpolate(self.from_middle(F.silu(middle)), scale_factor=2, mode='nearest')
        fine = self.refine(fine + back)
        drawn = self._draw(fine, moved, context)
        colour, mask = drawn[:, :3].sigmoid(), (drawn[:, 3:4] - 1.0).sigmoid()
        kept = context.last
        if moved is not None:
            kept = kept + (drawn[:, 4:] - 1.0).sigmoid() * (moved - kept)
        return mask * colour + (1 - mask) * kept

    def _draw(self, fine: Tensor, moved: Tensor | None, context: Context) -> Tensor:
        """Return colours and masks before their sigmoids, float32 (B, 5, h, w)."""
        hidden = F.pixel_shuffle(self.up_fine(F.silu(self.norm(fine))), self.shuffle)
        given = [context.last] if moved is None else [context.last, moved]
        near = [F.pixel_unshuffle(picture * 2 - 1, _PIXEL_CELL) for picture in given]
        hidden = F.silu(self.pixels(torch.cat([F.silu(hidden), *near], 1)))
        return F.pixel_shuffle(self.out(hidden), _PIXEL_CELL)


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
