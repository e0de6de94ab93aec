# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frame by denoising: a U-Net of DIAMOND's size."""

import torch
from torch import Tensor, nn

from wm_ros.benchmark.peers.unet import UNet

CONTEXT, IMAGE_PX, ACTION_DIM = 4, 64, 6
DENOISING_STEPS = 3
_COND_DIM = 256
_SIGMA_DATA, _SIGMA_MIN, _SIGMA_MAX, _RHO = 0.5, 2e-3, 5.0, 7.0


class DiamondSize(nn.Module):
    """
    One next frame of 64x64 by three denoising steps, all of them inside ``forward``.

    Four levels of 64 channels, two blocks each, a condition of 256 channels told by adaptive
    group normalisation, attention in the middle, four past frames stacked with the noisy one.

    Source: sizes of Alonso et al. 2024 (arXiv 2405.12399), appendix on architectures and
    hyperparameters; preconditioning and Euler steps of Karras et al. 2022 (arXiv 2206.00364),
    equation 7 and algorithm 1. Game actions are replaced by joint targets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = UNet(3 * (CONTEXT + 1), 3, channels=(64, 64, 64, 64), num_blocks=2,
                        cond_dim=_COND_DIM)
        self.act = nn.Linear(ACTION_DIM, _COND_DIM // CONTEXT)
        self.tell = nn.Sequential(nn.Linear(_COND_DIM, _COND_DIM), nn.SiLU(),
                                  nn.Linear(_COND_DIM, _COND_DIM))
        self.register_buffer('waves', torch.randn(_COND_DIM // 2))
        share = torch.arange(DENOISING_STEPS) / max(1, DENOISING_STEPS - 1)
        low, high = _SIGMA_MIN ** (1 / _RHO), _SIGMA_MAX ** (1 / _RHO)
        self.sigmas = [*((high + share * (low - high)) ** _RHO).tolist(), 0.0]

    def forward(self, frames: Tensor, actions: Tensor, noise: Tensor) -> Tensor:
        """
        Return the next frame, float32 (B, 3, 64, 64).

        :param frames: past frames, float32 (B, 4, 3, 64, 64).
        :param actions: of the past frames and the present one, float32 (B, 4, A).
        :param noise: standard normal, float32 (B, 3, 64, 64).
        """
        past, told = frames.flatten(1, 2), self.act(actions).flatten(1)
        at = noise * self.sigmas[0]
        for sigma, after in zip(self.sigmas, self.sigmas[1:], strict=False):
            clean = self._denoise(at, sigma, past, told)
            at = at + (after - sigma) * (at - clean) / sigma
        return at

    def _denoise(self, at: Tensor, sigma: float, past: Tensor, told: Tensor) -> Tensor:
        total = (sigma ** 2 + _SIGMA_DATA ** 2) ** 0.5
        level = torch.full_like(told[:, :1], sigma).log() / 4
        angle = 2 * torch.pi * level * self.waves
        condition = self.tell(torch.cat([angle.cos(), angle.sin()], 1) + told)
        made = self.net(torch.cat([at / total, past], 1), condition)
        return at * (_SIGMA_DATA / total) ** 2 + made * sigma * _SIGMA_DATA / total


def diamond_inputs() -> dict[str, Tensor]:
    """Return random inputs for one frame."""
    return {'frames': torch.rand(1, CONTEXT, 3, IMAGE_PX, IMAGE_PX),
            'actions': torch.randn(1, CONTEXT, ACTION_DIM),
            'noise': torch.randn(1, 3, IMAGE_PX, IMAGE_PX)}
