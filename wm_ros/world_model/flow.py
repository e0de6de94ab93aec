# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The sampler: noise to residual latents along a learned flow.

Letters: B batch, N tokens, D channels, R channels of a residual.

Source: flow matching with straight paths, Lipman et al. 2023 (arXiv 2210.02747) and Liu et al.
2023 (arXiv 2209.03003); guidance without a classifier, Ho and Salimans 2022 (arXiv 2207.12598).
"""

import torch
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.layers import ConditionedBlock, Modulation, sinusoidal_time


class Flow(nn.Module):
    """Velocity of a residual latent at a time between noise (0) and data (1)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.dim
        num_tokens = config.grid[0] * config.grid[1]
        self.noisy = nn.Linear(config.residual_dim, dim)
        self.given = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim))
        self.places = nn.Parameter(torch.randn(num_tokens, dim) * 0.02)
        self.time = nn.Sequential(nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList(
            ConditionedBlock(dim, config.num_heads) for _ in range(config.flow_blocks))
        self.modulate = Modulation(dim, dim)
        self.out = nn.Linear(dim, config.residual_dim)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.dim = dim

    def forward(self, noisy: Tensor, time: Tensor, latents: Tensor) -> Tensor:
        """
        Return velocities.

        :param noisy: float32 (B, N, R).
        :param time: float32 (B,), 0 to 1.
        :param latents: what the dynamics predict, float32 (B, N, D).
        """
        condition = self.time(sinusoidal_time(time, self.dim))
        hidden = self.noisy(noisy) + self.given(latents) + self.places
        for block in self.blocks:
            hidden = block(hidden, condition)
        normal, _ = self.modulate(hidden, condition[:, None])
        return self.out(normal)


def flow_pair(residual: Tensor, noise: Tensor, time: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the point on the straight path from noise to data and its velocity.

    :param residual: float32 (B, N, R), and so ``noise``.
    :param time: float32 (B,).
    """
    share = time[:, None, None]
    return noise + share * (residual - noise), residual - noise
