# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The three graphs that a model is exported as, pixels in and pixels out.

The encoder runs once for one observation, the prediction once for each candidate chunk, the
decoder only when somebody looks. Byte images go in and come out, so that every engine scales
pixels in the same way.
"""

import torch
from torch import Tensor, nn

from wm_ros.world_model.model import Context, WorldModel


class EncodeGraph(nn.Module):
    """Frames to context."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """
        Encode frames.

        :param images: RGB uint8 (B, T, h, w, 3), oldest first.
        :returns: tokens, detail, last frame and obstacles, see ``world_model.model.Context``.
        """
        return tuple(self.model.encode(images.permute(0, 1, 4, 2, 3).float() / 255))


class PredictGraph(nn.Module):
    """Context and chunk to consequence."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor, obstacles: Tensor, positions: Tensor, velocities: Tensor,
                actions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return hazard logits, joints, latents and maps, see ``model.Consequence``."""
        return tuple(self.model.predict(
            tokens, obstacles, positions, velocities, actions)[:4])


class DecodeGraph(nn.Module):
    """Latents to a frame."""

    def __init__(self, model: WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor, maps: Tensor, detail: Tensor, last: Tensor) -> Tensor:
        """
        Decode frames.

        :param latents: float32 (B, N, D).
        :param maps: float32 (B, C, rows, columns).
        :returns: RGB uint8 (B, h, w, 3).
        """
        frame = self.model.decode(latents, maps, Context(latents, detail, last, maps))
        return (frame.permute(0, 2, 3, 1) * 255).round().clamp(0, 255).to(torch.uint8)
