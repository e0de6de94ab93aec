# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Joint state and targets to one condition per step, causal in the actions.

Letters: B batch, H steps, J joints, D channels.
"""

import torch
from torch import Tensor, nn

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.layers import Block

# Targets move by about a fifth of the joints' spread in one step.
_PER_STEP = 5.0


class ActionEncoder(nn.Module):
    """Encodes a chunk; one condition more stands for no action, for guidance."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        num = config.num_joints
        self.is_absolute = config.action_mode == 'absolute'
        for name in ('joint_mean', 'joint_std', 'velocity_std'):
            value = torch.tensor(getattr(config, name))
            self.register_buffer(name, value, persistent=False)
        self.joint_mean: Tensor
        self.joint_std: Tensor
        self.velocity_std: Tensor
        self.state = nn.Linear(2 * num, config.dim)
        self.action = nn.Linear((3 if self.is_absolute else 2) * num, config.dim)
        self.time = nn.Parameter(torch.randn(config.horizon + 1, config.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(config.dim, config.num_heads) for _ in range(2))
        self.norm = nn.LayerNorm(config.dim)
        self.joints = nn.Linear(config.dim, num)
        nn.init.zeros_(self.joints.weight)
        nn.init.zeros_(self.joints.bias)
        self.nothing = nn.Parameter(torch.randn(config.dim) * 0.02)
        mask = torch.ones(config.horizon + 1, config.horizon + 1, dtype=torch.bool).tril()
        self.register_buffer('causal', mask, persistent=False)
        self.causal: Tensor

    def forward(self, positions: Tensor, velocities: Tensor, actions: Tensor
                ) -> tuple[Tensor, Tensor]:
        """
        Encode an action chunk.

        :param positions: measured, float32 (B, J), rad.
        :param velocities: measured, float32 (B, J), rad/s.
        :param actions: joint targets at the end of each step, float32 (B, H, J), rad.
        :returns: conditions before the chunk and after each step, float32 (B, H + 1, D), and
            joint positions, float32 (B, H, J), rad.
        """
        before = torch.cat([positions[:, None], actions[:, :-1]], dim=1)
        features = [(actions - positions[:, None]) / self.joint_std,
                    (actions - before) * (_PER_STEP / self.joint_std)]
        if self.is_absolute:
            features.append((actions - self.joint_mean) / self.joint_std)
        state = torch.cat([(positions - self.joint_mean) / self.joint_std,
                           velocities / self.velocity_std], dim=-1)
        sequence = torch.cat([
            self.state(state)[:, None], self.action(torch.cat(features, -1))], dim=1)
        length = sequence.shape[1]
        sequence = sequence + self.time[:length]
        for block in self.blocks:
            sequence = block(sequence, self.causal[:length, :length])
        condition = self.norm(sequence)
        # Servos follow their targets closely: what has to be learned is how far they lag.
        return condition, actions + self.joints(condition[:, 1:]) * self.joint_std
