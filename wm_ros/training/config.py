# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a world model is trained."""

from dataclasses import dataclass

from wm_ros.config import check_settings


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """
    Settings of one training run.

    :param steps: optimiser steps of the whole run; the learning rate falls to zero at the end.
    :param batch_size: windows of a step.
    :param learning_rate: peak.
    :param warmup_steps: linear rise of the learning rate.
    :param weight_decay: of matrices.
    :param ema_decay: of the averaged weights that are exported.
    :param clip_norm: of the gradient.
    :param steps_per_window: prediction steps that are trained of each window, drawn at random.
    :param frames_per_window: how many of those are decoded.
    :param frame_weight: of the frame loss.
    :param joint_weight: of the joint loss.
    :param clearance_weight: of the clearance loss, where episodes know it.
    :param obstacle_weight: of the obstacle loss, where episodes know what stands where.
    :param moving_weight: extra weight of pixels that move.
    :param hazard_share: share of windows with a hazard in a batch.
    :param holdout: every n-th episode is kept for validation.
    :param checkpoint_every_s: how much work a kill may lose at most.
    :param threads: CPU threads.
    :param seed: of weights and batches.
    """

    steps: int = 4000
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_steps: int = 150
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    clip_norm: float = 1.0
    steps_per_window: int = 3
    frames_per_window: int = 1
    frame_weight: float = 5.0
    joint_weight: float = 1.0
    clearance_weight: float = 1.0
    obstacle_weight: float = 1.0
    moving_weight: float = 4.0
    hazard_share: float = 0.4
    holdout: int = 25
    checkpoint_every_s: float = 120.0
    threads: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        check_settings(self)
        for name in ('steps', 'batch_size', 'steps_per_window', 'frames_per_window', 'threads'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} = {getattr(self, name)} must be at least 1')
        if self.frames_per_window > self.steps_per_window:
            raise ValueError(f'frames_per_window = {self.frames_per_window} is more than '
                             f'steps_per_window = {self.steps_per_window}')
        if not 0 < self.hazard_share < 1:
            raise ValueError(f'hazard_share = {self.hazard_share} must be between 0 and 1')
        if not self.learning_rate > 0:
            raise ValueError(f'learning_rate = {self.learning_rate} must be above 0')
        if self.holdout < 2:
            raise ValueError(f'holdout = {self.holdout} must be at least 2')
