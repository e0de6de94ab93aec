# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The peers by name, with what they cost and where their sizes are from."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wm_ros.benchmark.peers.diamond import DiamondSize, diamond_inputs
from wm_ros.benchmark.peers.dino_wm import DinoWmSize, dino_wm_inputs
from wm_ros.benchmark.peers.one_step import OneStepSize, one_step_inputs


@dataclass(frozen=True, slots=True)
class Peer:
    """
    One architecture.

    :param make: builds it; what it returns for ``inputs()`` is one predicted frame.
    :param inputs: random inputs by name, in the order of ``forward``.
    :param frame: what a predicted frame is.
    :param source: where the sizes are from.
    """

    make: Callable[[], nn.Module]
    inputs: Callable[[], dict[str, Tensor]]
    frame: str
    source: str


PEERS = {
    'diamond': Peer(DiamondSize, diamond_inputs, '64x64 pixels, 3 denoising steps',
                    'Alonso et al. 2024, arXiv 2405.12399'),
    'one_step_unet': Peer(OneStepSize, one_step_inputs, '128x128 pixels, 1 step of the decoder',
                          'Wang et al. 2026, arXiv 2603.08546'),
    'dino_wm': Peer(DinoWmSize, dino_wm_inputs, '196 patch features, no decoder and no pixels',
                    'Zhou et al. 2024, arXiv 2411.04983')}


def build(peer: Peer) -> nn.Module:
    """Return a peer with random weights, ready to run."""
    torch.manual_seed(0)
    return peer.make().eval().requires_grad_(False)


def num_parameters(module: nn.Module) -> int:
    """Count the weights of a module."""
    return sum(parameter.numel() for parameter in module.parameters())
