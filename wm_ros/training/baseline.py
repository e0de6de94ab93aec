# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The kinematics-only classifier: joints and commands, no camera.

It knows where play tends to run into things and nothing of where they stand this time. What the
world model is worth is what it does better than this. Trained with torch, run with numpy.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from wm_ros.data.windows import Windows
from wm_ros.errors import CheckpointError
from wm_ros.world_model.config import ModelConfig

HIDDEN = 128


def features(windows: Windows, config: ModelConfig) -> NDArray[np.float32]:
    """Return normalised joints, velocities and actions of each window, float32 (W, K)."""
    mean, std = np.array(config.joint_mean), np.array(config.joint_std)
    parts = [(windows.positions - mean) / std, windows.velocities / np.array(config.velocity_std),
             ((windows.actions - windows.positions[:, None]) / std).reshape(len(windows), -1),
             ((windows.actions - mean) / std).reshape(len(windows), -1)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def train_baseline(windows: Windows, config: ModelConfig, *, seed: int, epochs: int = 12,
                   ) -> dict[str, NDArray[np.float32]]:
    """
    Fit a two-layer perceptron on windows that start without contact.

    :returns: its weights by name.
    """
    import torch
    from torch import nn
    torch.manual_seed(seed)
    free = ~windows.in_contact
    inputs = torch.from_numpy(features(windows, config)[free])
    labels = torch.from_numpy(windows.hazard_by_step(config.step_s)[free].astype(np.float32))
    net = nn.Sequential(nn.Linear(inputs.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN),
                        nn.ReLU(), nn.Linear(HIDDEN, labels.shape[1]))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    steps = epochs * max(1, len(inputs) // 256)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        index = torch.from_numpy(rng.integers(0, len(inputs), 256))
        loss = nn.functional.binary_cross_entropy_with_logits(net(inputs[index]), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return {name: value.detach().numpy() for name, value in net.state_dict().items()}


def read_baseline(path: Path) -> dict[str, NDArray[np.float32]]:
    """
    Read the weights of a checkpoint's classifier.

    :raises CheckpointError: if the file is not whole.
    """
    try:
        weights: dict[str, NDArray[np.float32]] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path} cannot be read: {error}; restore it, or export the '
                              "checkpoint again with 'wm-ros export'") from error
    return weights


def baseline_risk(weights: dict[str, NDArray[np.float32]], windows: Windows, config: ModelConfig
                  ) -> NDArray[np.float32]:
    """Return the probability of a hazard by each step, float32 (W, H), not falling."""
    hidden = features(windows, config)
    for layer in ('0', '2'):
        hidden = np.maximum(hidden @ weights[f'{layer}.weight'].T + weights[f'{layer}.bias'], 0)
    logits = hidden @ weights['4.weight'].T + weights['4.bias']
    risk = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return np.maximum.accumulate(risk, axis=1).astype(np.float32)
