# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a world model is trained."""

from dataclasses import dataclass

from wm_ros.config import check_settings

PRECISIONS = ('no', 'bf16', 'fp16')
PARTS = ('all', 'dynamics', 'frames', 'obstacles', 'spread')
# A run may be taken up with other values of these: they say how it is kept and shown, and how it
# is laid out over processes, not what is learned.
FREE_ON_RESUME = ('accumulate', 'checkpoint_every_s', 'keep_best', 'log_every', 'sample_frames',
                  'spike_factor', 'threads', 'validate_every')


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """
    Settings of one training run.

    :param only: all, or frames: of a model to start from train only what makes frames (decoder,
        light, residual latents and sampler), and leave what judges commands as it is; spread: only
        how far off predicted joints are, which takes minutes; obstacles: only seeing where things
        stand, of a new model or another, at a third of the cost of all; dynamics: of a model that
        has learned to see, everything else.
    :param steps: optimiser steps of the whole run; the learning rate falls to zero at the end.
    :param batch_size: windows of one pass forward and back in one process.
    :param accumulate: passes whose mean gradient makes one step; a step sees ``batch_size *
        accumulate`` windows for each process.
    :param mixed_precision: no, bf16 or fp16; fp16 needs a GPU.
    :param learning_rate: peak.
    :param warmup_steps: linear rise of the learning rate.
    :param weight_decay: of matrices.
    :param ema_decay: of the averaged weights that are exported.
    :param clip_norm: of the gradient.
    :param frame_share: share of the windows whose frames are decoded; the others teach what judges
        commands alone, at about half the cost.
    :param frames_per_window: steps that are decoded of each of these, drawn at random.
    :param frame_weight: of the frame loss.
    :param moving_weight: extra weight of pixels that move.
    :param joint_weight: of the joint loss.
    :param shade_weight: of the loss on where the arm's shadow is seen.
    :param spread_weight: of the loss on how far off joints usually are.
    :param distance_weight: of the distance to obstacles, where episodes know what stands where.
    :param distance_points: points of each window that are asked about besides the arm's own.
    :param camera_weight: of the loss on how far the camera is seen to be turned.
    :param camera_turn_rad: largest turn of the pictures about each axis, rad; 0 for none.
    :param camera_turn_share: share of windows whose pictures are turned.
    :param brightness: largest relative change of the pictures' brightness.
    :param tint: largest relative change of each colour.
    :param gamma: largest change of contrast: pictures are raised to a power between its inverse
        and itself; 1 for none.
    :param fading: largest share of its colour that a picture loses; 0 for none.
    :param invert_share: share of windows whose pictures become negatives.
    :param sample_share: share of the windows that train the sampler, at most ``frame_share``.
    :param residual_weight: of the loss of frames with their residual latent.
    :param energy_weight: in it, of the strength of edges.
    :param kl_weight: of the residual latent's distance from a standard normal.
    :param flow_weight: of the sampler's loss.
    :param match_weight: of telling true actions from shuffled ones by the frame that followed.
    :param guidance_dropout: share of the sampler's windows that learn without the action.
    :param hazard_share: share of windows with a hazard in a batch.
    :param holdout: every n-th episode is kept for validation.
    :param checkpoint_every_s: how much work a kill may lose at most.
    :param log_every: steps between two entries of the log.
    :param validate_every: steps between two looks at held-out episodes.
    :param keep_best: keep the weights that did best on held-out episodes beside the newest.
    :param sample_frames: held-out windows whose predicted frames are logged, 0 for none.
    :param spike_factor: warn of a loss this many times its running level.
    :param threads: CPU threads of each process.
    :param seed: of weights and batches.
    """

    only: str = 'all'
    steps: int = 4000
    batch_size: int = 32
    accumulate: int = 1
    mixed_precision: str = 'no'
    learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    clip_norm: float = 1.0
    frame_share: float = 1.0
    frames_per_window: int = 1
    frame_weight: float = 10.0
    moving_weight: float = 4.0
    joint_weight: float = 0.5
    distance_weight: float = 1.0
    distance_points: int = 96
    camera_weight: float = 0.3
    shade_weight: float = 1.0
    spread_weight: float = 0.1
    camera_turn_rad: float = 0.05
    camera_turn_share: float = 0.4
    brightness: float = 0.2
    tint: float = 0.08
    gamma: float = 1.0
    fading: float = 0.0
    invert_share: float = 0.0
    sample_share: float = 0.25
    residual_weight: float = 10.0
    energy_weight: float = 1.0
    kl_weight: float = 0.03
    flow_weight: float = 0.2
    match_weight: float = 0.1
    guidance_dropout: float = 0.15
    hazard_share: float = 0.4
    holdout: int = 25
    checkpoint_every_s: float = 120.0
    log_every: int = 20
    validate_every: int = 500
    keep_best: bool = True
    sample_frames: int = 0
    spike_factor: float = 4.0
    threads: int = 2
    seed: int = 0

    @property
    def trains_judges(self) -> bool:
        """Whether what judges commands is trained: dynamics and hazard heads."""
        return self.only in ('all', 'dynamics')

    def __post_init__(self) -> None:
        """Refuse settings that cannot train."""
        check_settings(self)
        for name in ('steps', 'batch_size', 'accumulate', 'frames_per_window', 'distance_points',
                     'log_every', 'validate_every', 'threads'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} = {getattr(self, name)} must be at least 1')
        if not self.gamma >= 1:
            raise ValueError(f'gamma = {self.gamma} must be at least 1')
        if not self.learning_rate > 0:
            raise ValueError(f'learning_rate = {self.learning_rate} must be above 0')
        if self.holdout < 2:
            raise ValueError(f'holdout = {self.holdout} must be at least 2')
        self._check_shares()
        self._check_run()

    def _check_shares(self) -> None:
        for name in ('fading', 'invert_share'):
            share = getattr(self, name)
            if not 0 <= share <= 1:
                raise ValueError(f'{name} = {share} must be at least 0 and at most 1')
        if not 0 < self.hazard_share < 1:
            raise ValueError(f'hazard_share = {self.hazard_share} must be between 0 and 1')
        if not 0 < self.frame_share <= 1:
            raise ValueError(f'frame_share = {self.frame_share} must be above 0 and at most 1')
        if not 0 < self.sample_share <= self.frame_share:
            raise ValueError(f'sample_share = {self.sample_share} must be above 0 and at most '
                             f'frame_share = {self.frame_share}: what trains the sampler is drawn')

    def _check_run(self) -> None:
        if self.only not in PARTS:
            raise ValueError(f"only = {self.only!r} must be one of {', '.join(PARTS)}")
        if self.mixed_precision not in PRECISIONS:
            raise ValueError(f'mixed_precision = {self.mixed_precision!r} must be one of '
                             f"{', '.join(PRECISIONS)}")
        for name in ('warmup_steps', 'checkpoint_every_s', 'sample_frames'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'{name} = {getattr(self, name)} must not be below 0')
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f'ema_decay = {self.ema_decay} must be at least 0 and below 1')
        if not self.clip_norm > 0:
            raise ValueError(f'clip_norm = {self.clip_norm} must be above 0')
        if not self.spike_factor > 1:
            raise ValueError(f'spike_factor = {self.spike_factor} must be above 1')
