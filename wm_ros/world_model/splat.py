# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Feature maps of where the arm is, for the dynamics, and for the decoder of an unknown arm.

Letters: B batch, J joints, P points, C channels, R rows and K columns of a grid, D channels of a
condition.

Source: the arm drawn into the picture as a condition, after EnerVerse-AC (arXiv 2505.09723);
points with learned features blended by distance and depth, after soft rasterising (arXiv
1904.01786) and neural point graphics (arXiv 1906.08240).
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.arm import Arm

LOOK_DIM = 16
SHADOW_DIM = 6
NUM_CHANNELS = LOOK_DIM + 1 + SHADOW_DIM
# How far a point in front hides those behind it, m.
_HIDING_M = 0.03


class GeometricSplat(nn.Module):
    """
    Joint positions to maps: what of the arm is seen where, and what of it is above which place.

    Each point of the arm has a learned look that turns with its link. The second part is drawn
    where the table is seen below a point: shadows and what stands in the way are found there.
    """

    def __init__(self, arm: Arm) -> None:
        super().__init__()
        self.arm = arm
        self.look = nn.Parameter(torch.randn(arm.num_points, LOOK_DIM) * 0.5)
        self.turn = nn.Linear(6, LOOK_DIM)
        self.height = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Linear(16, SHADOW_DIM))

    def forward(self, joints: Tensor, camera: Tensor, grid: tuple[int, int], *, width: float
                ) -> Tensor:
        """
        Draw the maps.

        :param joints: float32 (B, J), rad.
        :param camera: how far it is from its place, float32 (B, 6), see ``Arm.project``.
        :param grid: R, K.
        :param width: of a point, in cells.
        :returns: float32 (B, NUM_CHANNELS, R, K).
        """
        poses = self.arm.poses_of(joints)
        points = self.arm.locate(poses, self.arm.layout)
        turn, shift = self.arm.view(camera)
        place, depth = self.arm.in_picture(turn @ points + shift)
        down, across = _distances(place, grid, width)
        # Who is seen in a cell: the nearest point, and of those as near the one in front. A
        # softmax, because the points at the back of the scene must be as sure of themselves.
        logits = (down[:, :, None] + across[:, None] - (depth / _HIDING_M)[:, None, None]
                  ).flatten(1, 2)
        front = logits.softmax(-1)
        # Once for each link, not for each of its points.
        turned = self.turn(poses[..., :3, :2].flatten(-2))[:, self.arm.point_links]
        look = torch.tanh(self.look + turned)
        there = 1 - torch.exp(-down.exp() @ across.exp().transpose(1, 2))
        seen = (front @ look).transpose(1, 2).reshape(-1, LOOK_DIM, *grid)
        return torch.cat([seen * there[:, None], there[:, None],
                          self._shadow(points, turn, shift, grid, width)], 1)

    def _shadow(self, points: Tensor, turn: Tensor, shift: Tensor, grid: tuple[int, int],
                width: float) -> Tensor:
        """Draw what of the arm is above which place on the table, (B, SHADOW_DIM, R, K)."""
        foot, _ = self.arm.in_picture(turn[..., :2] @ points[:, :2] + shift)
        down, across = _distances(foot, grid, 1.5 * width)
        z = points[:, 2, :, None]
        height = self.height(torch.cat([10 * z, (-z / 0.05).exp(), (-z / 0.15).exp()], -1))
        # For each channel a product of two small tables, instead of one large one.
        cast = (down.exp()[:, None] * height.transpose(1, 2)[:, :, None]) @ (
            across.exp().transpose(1, 2)[:, None])
        return torch.tanh(cast)


def _distances(place: Tensor, grid: tuple[int, int], width: float) -> tuple[Tensor, Tensor]:
    """
    Return minus half the squared distance of points to rows and to columns, in widths.

    :param place: float32 (B, 2, P), see ``Arm.in_picture``.
    :param width: of a point, in cells.
    :returns: float32 (B, R, P) and (B, K, P).
    """
    rows, columns = grid
    device = place.device
    row = (torch.arange(rows, device=device) + 0.5) * (2 / rows) - 1
    column = (torch.arange(columns, device=device) + 0.5) * (2 / columns) - 1
    down = (row[:, None] - place[:, None, 1]) * (rows / 2 / width)
    across = (column[:, None] - place[:, None, 0]) * (columns / 2 / width)
    return -0.5 * down.square(), -0.5 * across.square()


class LearnedSplat(nn.Module):
    """Conditions to maps, where kinematics or camera are not known and must be learned."""

    def __init__(self, dim: int, coarse: tuple[int, int]) -> None:
        super().__init__()
        self.coarse = coarse
        self.draw = nn.Sequential(
            nn.Linear(dim, dim), nn.SiLU(), nn.Linear(dim, NUM_CHANNELS * coarse[0] * coarse[1]))

    def forward(self, condition: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return maps float32 (B, NUM_CHANNELS, R, K) from conditions float32 (B, D)."""
        # -1 and not the length, which fixes the batch size of exported graphs.
        maps = self.draw(condition).reshape(-1, NUM_CHANNELS, *self.coarse).tanh()
        if grid == self.coarse:
            return maps
        scale = grid[0] // self.coarse[0], grid[1] // self.coarse[1]
        return F.interpolate(maps, scale_factor=scale, mode='nearest')
