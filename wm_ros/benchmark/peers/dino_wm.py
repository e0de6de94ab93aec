# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The next frame's patch features by a transformer: DINO-WM's predictor."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

NUM_PATCHES, HISTORY, FEATURE_DIM, ACTION_DIM = 196, 3, 384, 10
_DEPTH, _NUM_HEADS, _HEAD_DIM, _MLP_DIM = 6, 16, 64, 2048


class DinoWmSize(nn.Module):
    """
    The features of one next frame from those of three past ones.

    Six blocks of 16 heads of 64 channels and a hidden layer of 2048, over 3 x 196 patch features
    of 384 channels with 10 channels of action beside each; a patch sees its own frame and those
    before it. Left out: the ViT-S/14 that makes the features of camera frames, and the decoder
    that would make pixels of what is predicted.

    Source: sizes of Zhou et al. 2024 (arXiv 2411.04983), section on architecture and appendix on
    hyperparameters.
    """

    def __init__(self) -> None:
        super().__init__()
        dim = FEATURE_DIM + ACTION_DIM
        self.places = nn.Parameter(torch.randn(HISTORY * NUM_PATCHES, dim) * 0.02)
        self.blocks = nn.ModuleList(_Block(dim) for _ in range(_DEPTH))
        self.norm = nn.LayerNorm(dim)
        frame = torch.arange(HISTORY).repeat_interleave(NUM_PATCHES)
        self.register_buffer('may_see', frame[:, None] >= frame[None])

    def forward(self, features: Tensor, actions: Tensor) -> Tensor:
        """
        Return the features of the next frame, float32 (B, 196, 394).

        :param features: of three frames, float32 (B, 3, 196, 384).
        :param actions: embedded, float32 (B, 3, 10).
        """
        beside = actions[:, :, None].expand(-1, -1, NUM_PATCHES, -1)
        at = torch.cat([features, beside], -1).flatten(1, 2) + self.places
        for block in self.blocks:
            at = block(at, self.may_see)
        return self.norm(at)[:, -NUM_PATCHES:]


class _Block(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        inner = _NUM_HEADS * _HEAD_DIM
        self.norm = nn.LayerNorm(dim)
        self.ask = nn.Linear(dim, 3 * inner, bias=False)
        self.out = nn.Linear(inner, dim)
        self.think = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, _MLP_DIM), nn.GELU(),
                                   nn.Linear(_MLP_DIM, dim))

    def forward(self, at: Tensor, may_see: Tensor) -> Tensor:
        query, key, value = (part.unflatten(-1, (_NUM_HEADS, _HEAD_DIM)).transpose(1, 2)
                             for part in self.ask(self.norm(at)).chunk(3, -1))
        seen = scaled_dot_product_attention(query, key, value, attn_mask=may_see)
        at = at + self.out(seen.transpose(1, 2).flatten(2))
        return at + self.think(at)


def dino_wm_inputs() -> dict[str, Tensor]:
    """Return random inputs for one frame."""
    return {'features': torch.randn(1, HISTORY, NUM_PATCHES, FEATURE_DIM),
            'actions': torch.randn(1, HISTORY, ACTION_DIM)}
