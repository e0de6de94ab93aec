# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A U-Net whose residual blocks are told a condition by scaling and shifting normalised groups.

Letters: B batch, C channels, h w feature map, E condition.

Source: Ronneberger et al. 2015 (arXiv 1505.04597); Dhariwal and Nichol 2021 (arXiv 2105.05233).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

_GROUP = 32


class UNet(nn.Module):
    """
    Down and up again, with every feature map of the way down handed to the way up.

    :param in_channels: of the picture that goes in.
    :param out_channels: of the one that comes out.
    :param channels: of each level; every level after the first has half the resolution.
    :param num_blocks: residual blocks of a level on the way down; one more on the way up.
    :param cond_dim: E.
    :param attention: levels whose blocks attend over the feature map; the middle always does.
    :param head_dim: channels of an attention head.
    """

    def __init__(self, in_channels: int, out_channels: int, *, channels: Sequence[int],
                 num_blocks: int, cond_dim: int, attention: frozenset[int] = frozenset(),
                 head_dim: int = 8) -> None:
        super().__init__()
        self.enter = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.shrink, self.grow = nn.ModuleList(), nn.ModuleList()
        before = channels[0]
        for level, width in enumerate(channels):
            heads = width // head_dim if level in attention else 0
            self.shrink.append(nn.Conv2d(before, before, 3, stride=2, padding=1) if level
                               else nn.Identity())
            self.down.append(nn.ModuleList(
                _Block(before if index == 0 else width, width, cond_dim, heads)
                for index in range(num_blocks)))
            # The last block on the way up leads to the width of the level above.
            self.up.append(nn.ModuleList(
                [_Block(2 * width, width, cond_dim, heads) for _ in range(num_blocks)]
                + [_Block(width + before, before, cond_dim, before // head_dim if heads else 0)]))
            self.grow.append(nn.Conv2d(before, before, 3, padding=1) if level
                             else nn.Identity())
            before = width
        self.middle = nn.ModuleList(
            _Block(before, before, cond_dim, before // head_dim) for _ in range(2))
        self.leave = nn.Sequential(_norm(channels[0]), nn.SiLU(),
                                   nn.Conv2d(channels[0], out_channels, 3, padding=1))

    def forward(self, picture: Tensor, condition: Tensor) -> Tensor:
        """
        Return a picture of the same size.

        :param picture: float32 (B, C, h, w); h and w divisible by 2 for each level but the first.
        :param condition: float32 (B, E).
        """
        at, kept = self.enter(picture), []
        for shrink, blocks in zip(self.shrink, self.down, strict=True):
            at = shrink(at)
            level = [at]
            for block in blocks:
                at = block(at, condition)
                level.append(at)
            kept.append(level)
        for block in self.middle:
            at = block(at, condition)
        for grow, blocks, level in reversed(list(zip(self.grow, self.up, kept, strict=True))):
            for block in blocks:
                at = block(torch.cat([at, level.pop()], 1), condition)
            if not isinstance(grow, nn.Identity):
                at = grow(interpolate(at, scale_factor=2.0, mode='nearest'))
        return self.leave(at)


class _Block(nn.Module):
    """Two convolutions beside a shortcut, and attention if it has heads."""

    def __init__(self, before: int, after: int, cond_dim: int, num_heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(_norm(width, affine=False) for width in (before, after))
        self.tell = nn.ModuleList(nn.Linear(cond_dim, 2 * width) for width in (before, after))
        self.convs = nn.ModuleList(
            nn.Conv2d(width, after, 3, padding=1) for width in (before, after))
        self.short = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.attend = _Attention(after, num_heads) if num_heads else nn.Identity()

    def forward(self, at: Tensor, condition: Tensor) -> Tensor:
        made = at
        for norm, tell, conv in zip(self.norms, self.tell, self.convs, strict=True):
            scale, shift = tell(condition)[:, :, None, None].chunk(2, 1)
            made = conv(nn.functional.silu(norm(made) * (1 + scale) + shift))
        return self.attend(self.short(at) + made)


class _Attention(nn.Module):
    """Every place of a feature map looks at every other."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = _norm(channels)
        self.ask = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, at: Tensor) -> Tensor:
        batch, channels, rows, columns = at.shape
        query, key, value = self.ask(self.norm(at)).reshape(
            batch, 3, self.num_heads, channels // self.num_heads, rows * columns
        ).transpose(3, 4).unbind(1)
        seen = scaled_dot_product_attention(query, key, value)
        return at + self.out(seen.transpose(2, 3).reshape(batch, channels, rows, columns))


def _norm(channels: int, *, affine: bool = True) -> nn.GroupNorm:
    return nn.GroupNorm(max(1, channels // _GROUP), channels, affine=affine)
