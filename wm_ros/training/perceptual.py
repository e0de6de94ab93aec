# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
LPIPS, the perceptual distance of frames, where its network's weights are on this machine.

They are never downloaded: evaluation must not depend on a network. Put torchvision's AlexNet
weights where torch.hub keeps them to have the figure.
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WEIGHTS_NAME = 'alexnet-owt-7be5be79.pth'
# From two stacks of frames, float32 (H, h, w, 3) in [0, 1], to a distance each, float64 (H,).
Lpips = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]


def load_lpips(num_threads: int = 1) -> tuple[Lpips | None, str]:
    """
    Return the distance, or None and what is missing.

    Source: Zhang et al. 2018, arXiv 1801.03924, with AlexNet, as torchmetrics computes it.
    """
    missing = [name for name in ('torch', 'torchmetrics', 'torchvision')
               if importlib.util.find_spec(name) is None]
    if 'torch' in missing or not weights_file().is_file():
        return None, 'weights not present'
    if missing:
        return None, f'{" and ".join(missing)} not installed'
    import torch
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
    torch.set_num_threads(num_threads)
    net = LearnedPerceptualImagePatchSimilarity(net_type='alex', reduction='none', normalize=True)
    net.eval()

    def distance(first: NDArray[np.float32], second: NDArray[np.float32]
                 ) -> NDArray[np.float64]:
        one, two = (torch.from_numpy(np.clip(frames.transpose(0, 3, 1, 2), 0, 1))
                    for frames in (first, second))
        with torch.no_grad():
            found = net(one, two)
        net.reset()
        return np.asarray(found.reshape(-1).double().numpy())

    return distance, ''


def weights_file() -> Path:
    """Return where torch.hub keeps AlexNet's weights."""
    import torch
    return Path(torch.hub.get_dir()) / 'checkpoints' / WEIGHTS_NAME
