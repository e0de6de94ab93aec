# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Layers that the world model is made of.

Letters: B batch, K steps in time, N tokens of a picture, D channels, C h w feature maps.
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


class Attention(nn.Module):
    """Multi-head attention of queries (B, N, D) over a memory (B, M, D)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x_bnd: Tensor, memory_bmd: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Let each token read the memory.

        :param mask: which memory a query may read, bool (N, M); all if None.
        """
        batch, num, dim = x_bnd.shape
        weight, bias = self.key_value.weight, self.key_value.bias
        # Two products, because taking one apart would copy it.
        query, key, value = (self._apart(made) for made in (
            self.query(x_bnd), F.linear(memory_bmd, weight[:dim], bias[:dim]),
            F.linear(memory_bmd, weight[dim:], bias[dim:])))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        if self.num_heads == 1:
            return self.out(mixed.squeeze(1))
        return self.out(mixed.transpose(1, 2).reshape(batch, num, dim))

    def _apart(self, rows_bnd: Tensor) -> Tensor:
        """Return the heads apart, (B, heads, N, D / heads); one alone need not be moved."""
        if self.num_heads == 1:
            return rows_bnd[:, None]
        return rows_bnd.view(*rows_bnd.shape[:2], self.num_heads, -1).transpose(1, 2)


def mlp(dim: int, ratio: int = 2) -> nn.Sequential:
    """Return a perceptron with one hidden layer over the last axis."""
    return nn.Sequential(nn.Linear(dim, ratio * dim), nn.GELU(approximate='tanh'),
                         nn.Linear(ratio * dim, dim))


class Block(nn.Module):
    """A pre-norm transformer block, (B, N, D) to the same."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, num_heads)
        self.mlp = mlp(dim)

    def forward(self, x_bnd: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend, then transform each token."""
        normal = self.norm_attention(x_bnd)
        x_bnd = x_bnd + self.attention(normal, normal, mask)
        return x_bnd + self.mlp(self.norm_mlp(x_bnd))


class Modulation(nn.Module):
    """
    Scale, shift and gate from a condition; zero at first, so that its layer begins as identity.

    Source: adaLN-Zero, Peebles and Xie 2023, arXiv 2212.09748, section 3.2.
    """

    def __init__(self, dim: int, condition_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.make = nn.Linear(condition_dim, 3 * dim)
        nn.init.zeros_(self.make.weight)
        nn.init.zeros_(self.make.bias)

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the modulated input and the gate; the condition has x's shape or broadcasts."""
        scale, shift, gate = self.make(F.silu(condition)).chunk(3, dim=-1)
        return self.norm(x) * (1 + scale) + shift, gate


class ConditionedBlock(nn.Module):
    """A transformer block under one condition, (B, N, D) and (B, D) to (B, N, D)."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.attention = Attention(dim, num_heads)
        self.mlp = mlp(dim)
        self.modulate_attention, self.modulate_mlp = Modulation(dim, dim), Modulation(dim, dim)

    def forward(self, x_bnd: Tensor, condition_bd: Tensor) -> Tensor:
        """Attend and transform under the condition."""
        condition = condition_bd[:, None]
        normal, gate = self.modulate_attention(x_bnd, condition)
        x_bnd = x_bnd + gate * self.attention(normal, normal)
        normal, gate = self.modulate_mlp(x_bnd, condition)
        return x_bnd + gate * self.mlp(normal)


class SpaceTimeBlock(nn.Module):
    """
    Attention within each step, then over time to the same place in earlier steps, then an MLP.

    Step k reads steps up to k only, so that what is predicted for it cannot depend on a later
    action. The action comes in by one of three ways, see ``ModelConfig.action_injection``.

    Source: factorised space-time attention, Bertasius et al. 2021, arXiv 2102.05095.
    """

    def __init__(self, dim: int, num_heads: int, injection: str) -> None:
        super().__init__()
        self.injection = injection
        # Few steps, many places: fewer heads over time cost fewer calls.
        self.space = Attention(dim, num_heads)
        self.time = Attention(dim, max(1, num_heads // 4))
        self.mlp = mlp(dim)
        if injection == 'adaln':
            self.modulate = nn.ModuleList(Modulation(dim, dim) for _ in range(3))
        else:
            self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        if injection == 'cross_attention':
            self.norm_cross = nn.LayerNorm(dim)
            self.cross = Attention(dim, num_heads)

    def forward(self, x_bknd: Tensor, condition_bkd: Tensor, causal_kk: Tensor) -> Tensor:
        """
        Transform all steps at once.

        :param condition_bkd: what is known of the action up to each step.
        :param causal_kk: which steps a step may read, bool.
        """
        x_bknd = self._residual(0, x_bknd, condition_bkd, lambda x: self._in_space(
            x, condition_bkd))
        if self.injection == 'cross_attention':
            x_bknd = x_bknd + self._read_actions(x_bknd, condition_bkd, causal_kk)
        x_bknd = self._residual(1, x_bknd, condition_bkd, lambda x: self._in_time(x, causal_kk))
        return self._residual(2, x_bknd, condition_bkd, self.mlp)

    def _residual(self, which: int, x_bknd: Tensor, condition_bkd: Tensor,
                  layer: 'object') -> Tensor:
        if self.injection == 'adaln':
            normal, gate = self.modulate[which](x_bknd, condition_bkd[:, :, None])
            return x_bknd + gate * layer(normal)  # type: ignore[operator]
        return x_bknd + layer(self.norms[which](x_bknd))  # type: ignore[operator]

    def _in_space(self, x_bknd: Tensor, condition_bkd: Tensor) -> Tensor:
        batch, steps, num, dim = x_bknd.shape
        tokens = x_bknd.reshape(batch * steps, num, dim)
        memory = tokens
        if self.injection == 'concat':
            action = condition_bkd.reshape(batch * steps, 1, dim)
            memory = torch.cat([tokens, action], dim=1)
        return self.space(tokens, memory).view(batch, steps, num, dim)

    def _in_time(self, x_bknd: Tensor, causal_kk: Tensor) -> Tensor:
        batch, steps, num, dim = x_bknd.shape
        rows = x_bknd.transpose(1, 2).reshape(batch * num, steps, dim)
        mixed = self.time(rows, rows, causal_kk)
        return mixed.view(batch, num, steps, dim).transpose(1, 2)

    def _read_actions(self, x_bknd: Tensor, condition_bkd: Tensor, causal_kk: Tensor) -> Tensor:
        batch, steps, num, dim = x_bknd.shape
        tokens = self.norm_cross(x_bknd).reshape(batch, steps * num, dim)
        mask = causal_kk.repeat_interleave(num, 0)
        return self.cross(tokens, condition_bkd, mask).view(batch, steps, num, dim)


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


def sinusoidal_time(time_b: Tensor, dim: int) -> Tensor:
    """Return codes of times in [0, 1], float32 (B,) to (B, dim)."""
    rates = torch.exp(torch.arange(dim // 2, device=time_b.device) * (6.0 / (dim // 2)))
    angles = time_b[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
