# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Layers that the world model is made of.

Letters: B batch, N tokens, D channels, C h w feature maps.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class ResidualConv(nn.Module):
    """Two 3x3 convolutions around a shortcut, (B, C, h, w) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x_bchw: Tensor) -> Tensor:
        """Return the input plus what the convolutions add."""
        hidden = F.silu(self.first(self.norm(x_bchw)))
        return x_bchw + self.second(hidden)


class SelfAttention(nn.Module):
    """Multi-head attention over tokens, (B, N, D) to the same, causal on demand."""

    def __init__(self, dim: int, num_heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.num_heads, self.causal = num_heads, causal
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_bnd: Tensor) -> Tensor:
        """Let every token read the others (only earlier ones if causal)."""
        batch, num, dim = x_bnd.shape
        qkv = self.qkv(x_bnd).view(batch, num, 3, self.num_heads, dim // self.num_heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.out(mixed.transpose(1, 2).reshape(batch, num, dim))


class Block(nn.Module):
    """A pre-norm transformer block, (B, N, D) to the same."""

    def __init__(self, dim: int, num_heads: int, *, causal: bool = False) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, num_heads, causal=causal)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(approximate='tanh'), nn.Linear(4 * dim, dim))

    def forward(self, x_bnd: Tensor) -> Tensor:
        """Attend, then transform each token."""
        x_bnd = x_bnd + self.attention(self.norm_attention(x_bnd))
        return x_bnd + self.mlp(self.norm_mlp(x_bnd))


class ConditionedBlock(nn.Module):
    """
    A transformer block whose scales, shifts and gates come from a condition (adaLN-Zero).

    It begins as the identity, so that an untrained model copies its context.

    Source: Peebles and Xie 2023, arXiv 2212.09748, section 3.2.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(dim, elementwise_affine=False)
        self.norm_mlp = nn.LayerNorm(dim, elementwise_affine=False)
        self.attention = SelfAttention(dim, num_heads)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(approximate='tanh'), nn.Linear(4 * dim, dim))
        self.modulation = nn.Linear(dim, 6 * dim)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x_bnd: Tensor, condition_bd: Tensor) -> Tensor:
        """Attend and transform under the condition, float32 (B, D)."""
        parts = self.modulation(F.silu(condition_bd))[:, None].chunk(6, dim=-1)
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = parts
        attended = self.attention(self.norm_attention(x_bnd) * (1 + scale_a) + shift_a)
        x_bnd = x_bnd + gate_a * attended
        return x_bnd + gate_m * self.mlp(self.norm_mlp(x_bnd) * (1 + scale_m) + shift_m)


def sinusoidal_grid(rows: int, columns: int, dim: int) -> Tensor:
    """
    Return fixed position codes of a grid, float32 (rows * columns, dim).

    Half of the channels code the row, half the column (Vaswani et al. 2017, section 3.5).
    """
    def axis(count: int) -> Tensor:
        rates = torch.exp(-torch.arange(dim // 4) * (4.0 / (dim // 4)))
        angles = torch.arange(count)[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], dim=1)

    down, across = axis(rows), axis(columns)
    return torch.cat([
        down[:, None].expand(rows, columns, -1), across[None].expand(rows, columns, -1),
    ], dim=-1).reshape(rows * columns, -1)
