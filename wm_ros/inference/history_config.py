# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits of the observation history; none of its checks can be switched off."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryConfig:
    """
    Limits of an ``ObservationHistory``.

    :param joint_names: J joints of the model, in its order.
    :param cameras: names of the model's cameras, the main one first; they tell refusals apart.
    :param context_len: T frames that the model looks at.
    :param step_s: time between these frames, s.
    :param image_timeout_s: longest age of the newest frame, s.
    :param joint_timeout_s: longest age of the newest joint state, s.
    :param slop_s: how far a context frame may lie from its time, s; half a step at most.
    :param max_future_s: how far a stamp may lie ahead of the clock, s.
    :param frozen_frames: so many equal pictures with fresh stamps are a frozen camera.
    :param frozen_motion_rad: ... once a joint has moved this far meanwhile, rad. 0 for a real
        camera, whose noise never repeats; above 0 for a simulated one, which has none.
    """

    joint_names: tuple[str, ...]
    cameras: tuple[str, ...] = ('front',)
    context_len: int = 2
    step_s: float = 0.1
    image_timeout_s: float = 0.3
    joint_timeout_s: float = 0.2
    slop_s: float = 0.05
    max_future_s: float = 0.02
    frozen_frames: int = 10
    frozen_motion_rad: float = 0.0

    def __post_init__(self) -> None:
        """Refuse limits that would switch a check off."""
        for name in ('step_s', 'image_timeout_s', 'joint_timeout_s', 'slop_s'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} is {getattr(self, name)}; must be above 0')
        if not self.slop_s <= self.step_s / 2:
            raise ValueError(f'slop_s is {self.slop_s}; must be at most half of step_s '
                             f'{self.step_s}, or one frame could serve two times')
        if not (self.max_future_s >= 0 and self.frozen_motion_rad >= 0):
            raise ValueError('max_future_s and frozen_motion_rad must not be negative')
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ValueError(f'cameras are {list(self.cameras)}; name at least one, each once')
        if self.context_len < 1 or self.frozen_frames < 2 or not self.joint_names:
            raise ValueError(f'context_len is {self.context_len} (at least 1), frozen_frames is '
                             f'{self.frozen_frames} (at least 2), '
                             f'{len(self.joint_names)} joint names (at least 1)')
