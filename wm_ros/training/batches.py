# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw training batches: a pure function of seed and step, so that a run resumes to the bit."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wm_ros.data.windows import Windows
from wm_ros.training.config import TrainConfig


class Batch(NamedTuple):
    """
    One batch of windows.

    :param images: context, float32 (B, T, 3, h, w) in [0, 1].
    :param positions: float32 (B, J), rad.
    :param velocities: float32 (B, J), rad/s.
    :param actions: float32 (B, H, J), rad.
    :param joints: float32 (B, H, J), rad.
    :param steps: which steps are trained, int64 (S,).
    :param targets: frames of the first few of them, float32 (B, K, 3, h, w).
    :param hazard: happened by each trained step, float32 (B, S).
    :param clearance: within each trained step, float32 (B, S), m; NaN if not known.
    :param obstacles: uprights as (x, y, radius, top), float32 (B, K, 4), m; NaN if not known.
    :param weight: of the hazard loss for each ensemble member, float32 (B, M).
    """

    images: Tensor
    positions: Tensor
    velocities: Tensor
    actions: Tensor
    joints: Tensor
    steps: Tensor
    targets: Tensor
    hazard: Tensor
    clearance: Tensor
    obstacles: Tensor
    weight: Tensor


class BatchSampler:
    """Draws batches with a set share of windows that end in a hazard."""

    def __init__(self, windows: Windows, config: TrainConfig, *, step_s: float,
                 num_members: int) -> None:
        self._windows, self._config, self._step_s = windows, config, step_s
        self._hazard = windows.hazard_by_step(step_s)
        free = ~windows.in_contact
        self._risky = np.flatnonzero(free & self._hazard[:, -1])
        self._safe = np.flatnonzero(free & ~self._hazard[:, -1])
        self._contact = np.flatnonzero(windows.in_contact)
        # Each member of the ensemble trusts other episodes more (online bootstrap,
        # Oza and Russell 2001): what the data does not settle, they settle differently.
        self._trust = np.random.default_rng([config.seed, 7]).poisson(
            1.0, (int(windows.episode.max()) + 1, num_members)).astype(np.float32)

    def draw(self, step: int) -> Batch:
        """Return the batch of one step."""
        rng = np.random.default_rng([self._config.seed, 11, step])
        index = self._choose(rng)
        size, horizon = self._config.batch_size, self._windows.actions.shape[1]
        num_steps = self._config.steps_per_window
        # One step of each stretch of the horizon, in random order.
        edges = np.linspace(0, horizon, num_steps + 1).round().astype(int)
        steps = rng.permutation([rng.integers(a, b) for a, b in zip(
            edges[:-1], edges[1:], strict=True)])
        decoded = self._windows.future[index][:, steps[:self._config.frames_per_window]]
        gain = rng.uniform(0.85, 1.15, (size, 1, 1, 1, 1)).astype(np.float32)
        windows = self._windows
        trust = self._trust[windows.episode[index]] * ~windows.in_contact[index, None]
        noise = rng.normal(0, 0.004, windows.positions[index].shape).astype(np.float32)
        return Batch(
            images=self._images(windows.context[index], gain),
            positions=torch.from_numpy(windows.positions[index] + noise),
            velocities=torch.from_numpy(windows.velocities[index]),
            actions=torch.from_numpy(windows.actions[index]),
            joints=torch.from_numpy(windows.joints[index]),
            steps=torch.from_numpy(steps), targets=self._images(decoded, gain),
            hazard=torch.from_numpy(self._hazard[index][:, steps].astype(np.float32)),
            clearance=torch.from_numpy(windows.clearance[index][:, steps]),
            obstacles=torch.from_numpy(windows.obstacles[index]),
            weight=torch.from_numpy(trust.astype(np.float32)))

    def _choose(self, rng: np.random.Generator) -> NDArray[np.int64]:
        size = self._config.batch_size
        risky = round(size * self._config.hazard_share) if self._risky.size else 0
        contact = size // 16 if self._contact.size else 0
        return np.concatenate([
            rng.choice(self._risky, risky), rng.choice(self._contact, contact),
            rng.choice(self._safe, size - risky - contact)])

    def _images(self, index: NDArray[np.int64], gain: NDArray[np.float32]) -> Tensor:
        images = self._windows.frames[index].astype(np.float32) * (gain / 255)
        return torch.from_numpy(images.clip(0, 1)).permute(0, 1, 4, 2, 3).contiguous()
