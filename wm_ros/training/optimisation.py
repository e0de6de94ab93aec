# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pieces of one optimiser step: groups of parameters, learning rate, average, spikes."""

import math

import numpy as np
import torch
from torch import nn

from wm_ros.training.config import TrainConfig

_LEVEL_DECAY = 0.98
_LEVEL_STEPS = 50


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW of what is trained, that decays matrices and leaves scales and biases alone."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.ndim >= 2]
    others = [p for p in trained if p.ndim < 2]
    return torch.optim.AdamW(
        [{'params': matrices, 'weight_decay': config.weight_decay},
         {'params': others, 'weight_decay': 0.0}], lr=config.learning_rate, betas=(0.9, 0.98))


def learning_rate_at(step: int, config: TrainConfig) -> float:
    """
    Return the learning rate of a step: a linear rise, then half a cosine down to zero.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, without restarts.
    """
    if step < config.warmup_steps:
        return config.learning_rate * ((step + 1) / config.warmup_steps)
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def seed_noise(seed: int, step: int, part: int) -> None:
    """
    Make what a pass draws a function of its step, so that no generator has to outlive a kill.

    :param part: which of the batches of the step it is.
    """
    torch.manual_seed(int(np.random.SeedSequence([seed, 13, step, part]).generate_state(1)[0]))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """
    Move the averaged weights towards the newest ones.

    :param step: steps done, this one included; a young average would remember the random start
        for too long, so the decay begins small.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, weight)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(new)


def next_level(level: float | None, total: float) -> float:
    """Return the running level of the loss after one more step."""
    return total if level is None else _LEVEL_DECAY * level + (1 - _LEVEL_DECAY) * total


def is_spike(level: float | None, total: float, step: int, factor: float) -> bool:
    """Tell whether a loss is far above its running level, once there is a level to speak of."""
    return level is not None and step >= _LEVEL_STEPS and total > factor * level > 0
