# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A frame by one evaluation of a U-Net: the size of Interactive World Simulator's decoder."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from wm_ros.benchmark.peers.unet import UNet

IMAGE_PX, LATENT_PX, LATENT_DIM, ACTION_DIM = 128, 32, 4, 6
_COND_DIM = 256


class OneStepSize(nn.Module):
    """
    One frame of 128x128 from a latent of 32x32 by one evaluation.

    Levels of 64, 128 and 192 channels, two blocks each, attention heads of 64 channels at a
    quarter of the resolution. Left out: the latent dynamics that come before it, the second and
    third step that the published configuration lets the decoder take, and its attention at half
    the resolution.

    Source: sizes of Wang et al. 2026 (arXiv 2603.08546) and of the configuration published with
    it (enc_dim 64, channel_mult 1 2 3, num_res_blocks 2, num_head_channels 64, two halvings to
    a latent of 4 channels).
    """

    def __init__(self) -> None:
        super().__init__()
        self.net = UNet(3 + LATENT_DIM, 3, channels=(64, 128, 192), num_blocks=2,
                        cond_dim=_COND_DIM, attention=frozenset({2}), head_dim=64)
        self.tell = nn.Sequential(nn.Linear(ACTION_DIM, _COND_DIM), nn.SiLU(),
                                  nn.Linear(_COND_DIM, _COND_DIM))

    def forward(self, latent: Tensor, action: Tensor, noise: Tensor) -> Tensor:
        """
        Return the frame, float32 (B, 3, 128, 128).

        :param latent: float32 (B, 4, 32, 32).
        :param action: float32 (B, A).
        :param noise: standard normal, float32 (B, 3, 128, 128).
        """
        wide = interpolate(latent, scale_factor=float(IMAGE_PX // LATENT_PX), mode='nearest')
        return self.net(torch.cat([noise, wide], 1), self.tell(action))


def one_step_inputs() -> dict[str, Tensor]:
    """Return random inputs for one frame."""
    return {'latent': torch.randn(1, LATENT_DIM, LATENT_PX, LATENT_PX),
            'action': torch.randn(1, ACTION_DIM), 'noise': torch.randn(1, 3, IMAGE_PX, IMAGE_PX)}
