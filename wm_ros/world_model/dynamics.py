# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Context tokens under an action chunk to the latent tokens of every step, in one pass.

Letters: B batch, H steps, N tokens, D channels.

Source: prefix-parallel prediction after Fast-LeWM (arXiv 2606.26217); a condition for each step
after Ctrl-World.
"""

import torch
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.layers import SpaceTimeBlock
from wm_ros.world_model.splat import NUM_CHANNELS


class Dynamics(nn.Module):
    """A block-causal space-time transformer over the context and all steps of a chunk."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.place = nn.Linear(NUM_CHANNELS, config.dim)
        self.blocks = nn.ModuleList(
            SpaceTimeBlock(config.dim, config.num_heads, config.action_injection)
            for _ in range(config.num_blocks))
        self.time = nn.Parameter(torch.randn(config.horizon + 1, 1, config.dim) * 0.02)
        mask = torch.ones(config.horizon + 1, config.horizon + 1, dtype=torch.bool).tril()
        self.register_buffer('causal', mask, persistent=False)
        self.causal: Tensor

    def forward(self, tokens: Tensor, condition: Tensor, maps: Tensor) -> Tensor:
        """
        Predict latents.

        :param tokens: of the context, float32 (B, N, D).
        :param condition: before the chunk and after each step, float32 (B, H + 1, D).
        :param maps: where the arm will be, float32 (B, H, N, NUM_CHANNELS).
        :returns: float32 (B, H, N, D).
        """
        steps = tokens[:, None] + self.place(maps)
        sequence = torch.cat([tokens[:, None], steps], dim=1)
        length = sequence.shape[1]
        sequence = sequence + self.time[:length]
        for block in self.blocks:
            sequence = block(sequence, condition, self.causal[:length, :length])
        return sequence[:, 1:]
