# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Feature maps of where the arm is, for the dynamics (coarse) and the decoder (fine).

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

    def forward(self, joints: Tensor, camera: Tensor, grid: tuple[int, int], *, width: float,
                coarser: int = 1) -> Tensor:
        """
        Draw the maps, see ``draw``.

        :returns: float32 (B, NUM_CHANNELS, R, K).
        """
        return self.draw(joints, None, camera, grid, width=width, coarser=coarser)[0]

    def draw(self, joints: Tensor, before: Tensor | None, camera: Tensor, grid: tuple[int, int],
             *, width: float, coarser: int = 1) -> tuple[Tensor, Tensor]:
        """
        Draw the maps, and where in an earlier picture each cell of the arm was.

        :param joints: float32 (B, J), rad.
        :param before: the same at the earlier picture; no motion if None.
        :param camera: turn of the camera, float32 (B, 3), rad.
        :param grid: R, K.
        :param width: of a point, in cells.
        :param coarser: how many cells share what is drawn below the arm, which is smooth.
        :returns: maps float32 (B, NUM_CHANNELS, R, K), and the way from each cell back to its
            earlier place, (x, y) as ``grid_sample`` counts, float32 (B, 2, R, K).
        """
        points, turns = self.arm.points(joints)
        place, depth = self.arm.project(points, camera)
        down, across = _distances(place, grid, width)
        # Who is seen in a cell: the nearest point, and of those as near the one in front. A
        # softmax, because the points at the back of the scene must be as sure of themselves.
        logits = (down[:, :, None] + across[:, None] - (depth / _HIDING_M)[:, None, None]
                  ).flatten(1, 2)
        front = logits.softmax(-1)
        look = torch.tanh(self.look + self.turn(turns))
        there = 1 - torch.exp(-down.exp() @ across.exp().transpose(1, 2))
        seen = (front @ look).transpose(1, 2).reshape(-1, LOOK_DIM, *grid)
        maps = torch.cat([seen * there[:, None], there[:, None],
                          self._shadow(points, camera, grid, width, coarser)], 1)
        if before is None:
            return maps, torch.zeros_like(maps[:, :2])
        came_from, _ = self.arm.project(self.arm.points(before)[0], camera)
        back = front @ (came_from - place)
        return maps, back.transpose(1, 2).reshape(-1, 2, *grid)

    def _shadow(self, points: Tensor, camera: Tensor, grid: tuple[int, int], width: float,
                coarser: int) -> Tensor:
        """Draw what of the arm is above which place on the table, (B, SHADOW_DIM, R, K)."""
        below = points * points.new_tensor([1.0, 1.0, 0.0])
        foot, _ = self.arm.project(below, camera)
        rows, columns = grid[0] // coarser, grid[1] // coarser
        down, across = _distances(foot, (rows, columns), 1.5 * width / coarser)
        z = points[..., 2:]
        height = self.height(torch.cat([10 * z, (-z / 0.05).exp(), (-z / 0.15).exp()], -1))
        # For each channel a product of two small tables, instead of one large one.
        cast = (down.exp()[:, None] * height.transpose(1, 2)[:, :, None]) @ (
            across.exp().transpose(1, 2)[:, None])
        cast = torch.tanh(cast)
        if coarser > 1:
            cast = F.interpolate(cast, scale_factor=coarser, mode='nearest')
        return cast


def _distances(place: Tensor, grid: tuple[int, int], width: float) -> tuple[Tensor, Tensor]:
    """
    Return minus half the squared distance of points to rows and to columns, in widths.

    :param place: float32 (B, P, 2), see ``Arm.project``.
    :param width: of a point, in cells.
    :returns: float32 (B, R, P) and (B, K, P).
    """
    rows, columns = grid
    device = place.device
    row = (torch.arange(rows, device=device) + 0.5) * (2 / rows) - 1
    column = (torch.arange(columns, device=device) + 0.5) * (2 / columns) - 1
    down = (row[:, None] - place[:, None, :, 1]) * (rows / 2 / width)
    across = (column[:, None] - place[:, None, :, 0]) * (columns / 2 / width)
    return -0.5 * down.square(), -0.5 * across.square()


def warp(picture: Tensor, back: Tensor, scale: int) -> Tensor:
    """
    Return a picture whose pixels are taken from where they came from.

    :param picture: float32 (B, C, h, w).
    :param back: way to the earlier place, float32 (B, 2, R, K), made smooth between cells.
    :param scale: edge of a cell, px.
    """
    height, width = picture.shape[-2:]
    fine = F.interpolate(back, scale_factor=scale, mode='bilinear', align_corners=False)
    device = picture.device
    row = (torch.arange(height, device=device) + 0.5) * (2 / height) - 1
    column = (torch.arange(width, device=device) + 0.5) * (2 / width) - 1
    x = fine[:, 0] + column
    y = fine[:, 1] + row[:, None]
    return F.grid_sample(picture, torch.stack([x, y], -1), mode='bilinear',
                         padding_mode='border', align_corners=False)


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
