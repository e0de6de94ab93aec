# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Maps of where the arm will be, one per step, on the grid of the model's detailed features.

Letters: B batch, H steps, J joints, P points on the arm, R rows and K columns of the grid.

Source: action maps drawn into the image as conditions, after EnerVerse-AC (arXiv 2505.09723).
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.geometry import Geometry

# Heights of what may stand on the table, m; the distances that matter to it, m.
HEIGHTS_M = (0.03, 0.06, 0.1, 0.14, 0.2)
SCALES_M = (0.02, 0.06)
# Widths of the arm's outline in the picture, in cells.
OUTLINE_CELLS = (0.7, 1.6)
NUM_CHANNELS = len(HEIGHTS_M) * len(SCALES_M) + len(OUTLINE_CELLS)


class GeometricPoseMap(nn.Module):
    """
    Joint positions to maps through known kinematics and a known camera.

    For each cell the table is seen at a known place. A channel says how near the arm has come,
    up to each step, to an upright of a given height that would stand there; two more outline the
    arm in the picture at the step itself.
    """

    def __init__(self, geometry: Geometry, grid: tuple[int, int]) -> None:
        super().__init__()
        self.parents, self.joints = geometry.parents, geometry.joints
        links = len(geometry.parents)
        places, directions = _rays(geometry, grid)
        eye = torch.tensor(geometry.camera_position)
        constants = {
            'positions': torch.tensor(geometry.positions),
            'rotations': torch.tensor(geometry.rotations).view(links, 3, 3),
            'cross': torch.stack([_cross_matrix(axis) for axis in geometry.axes]),
            'points': torch.tensor(geometry.points), 'eye': eye,
            'camera': torch.tensor(geometry.camera_rotation).view(3, 3),
            'point_links': torch.tensor(geometry.point_links),
            'table': _on_table(eye, directions), 'cells': places,
            'heights': torch.tensor(HEIGHTS_M)}
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.grid = grid
        self.focal = 0.5 * grid[0] / math.tan(geometry.camera_fovy_rad / 2)

    @torch.no_grad()
    def forward(self, joints: Tensor) -> Tensor:
        """
        Draw the maps.

        :param joints: positions at the end of each step, float32 (B, H, J), rad.
        :returns: float32 (B, H, NUM_CHANNELS, R, K) in [0, 1].
        """
        points = self.arm_points(joints)
        near = torch.stack([torch.exp(-self._distance(points) / scale) for scale in SCALES_M], 3)
        outline = self._outline(points)
        maps = torch.cat([near.flatten(2, 3), outline], dim=2)
        return maps.view(*maps.shape[:3], *self.grid)

    @torch.no_grad()
    def obstacle_map(self, obstacles: Tensor) -> Tensor:
        """
        Draw what stands where.

        :param obstacles: uprights as (x, y, radius, top), float32 (B, K, 4), m.
        :returns: float32 (B, heights, R, K) in [0, 1], falling off over 2 cm around each.
        """
        apart = (obstacles[:, :, None, :2] - self.table).square().sum(-1).sqrt()
        near = torch.exp(-(apart - obstacles[:, :, 2:3]).clamp(min=0) / SCALES_M[0])
        high = (obstacles[:, :, 3:] > self.heights) & (obstacles[:, :, 2:3] > 0)
        each = near[:, :, None] * high[..., None]
        return each.amax(1).view(len(obstacles), -1, *self.grid)

    def arm_points(self, joints: Tensor) -> Tensor:
        """Return the points of the arm in the base frame, float32 (B, H, P, 3), m."""
        rotations: list[Tensor] = []
        origins: list[Tensor] = []
        for link, (parent, joint) in enumerate(zip(self.parents, self.joints, strict=True)):
            angle = joints[..., joint, None, None]
            cross = self.cross[link]
            # Rodrigues' formula.
            turn = (torch.eye(3, device=joints.device) + angle.sin() * cross
                    + (1 - angle.cos()) * (cross @ cross))
            if parent < 0:
                rotations.append(self.rotations[link] @ turn)
                origins.append(self.positions[link].expand(*joints.shape[:-1], 3))
            else:
                rotations.append(rotations[parent] @ (self.rotations[link] @ turn))
                origins.append(origins[parent] + rotations[parent] @ self.positions[link])
        turned = torch.stack(rotations, -3)[..., self.point_links, :, :]
        moved = (turned @ self.points[:, :, None]).squeeze(-1)
        return moved + torch.stack(origins, -2)[..., self.point_links, :]

    def _distance(self, points: Tensor) -> Tensor:
        """Return the least distance so far to an upright in each cell, (B, H, heights, R K)."""
        across = (points[..., None, :2] - self.table).square().sum(-1)
        above = (points[..., 2, None] - self.heights).clamp(min=0).square()
        each = (across[..., None, :] + above[..., None]).amin(2)
        # The least so far, written as a growing minimum that every exporter knows.
        steps = [each[:, 0]]
        for step in range(1, each.shape[1]):
            steps.append(torch.minimum(steps[-1], each[:, step]))
        return torch.stack(steps, 1).clamp(min=1e-8).sqrt()

    def _outline(self, points: Tensor) -> Tensor:
        """Return how near each cell is to the arm's picture, (B, H, widths, R K)."""
        seen = (points - self.eye) @ self.camera
        depth = (-seen[..., 2]).clamp(min=0.05)
        column = self.focal * seen[..., 0] / depth
        row = -self.focal * seen[..., 1] / depth
        apart = (torch.stack([row, column], -1)[..., None, :] - self.cells).square().sum(-1)
        least = apart.amin(2)
        return torch.stack([torch.exp(-least / (2 * w * w)) for w in OUTLINE_CELLS], 2)


class LearnedPoseMap(nn.Module):
    """Conditions to maps, where kinematics or camera are not known and must be learned."""

    def __init__(self, dim: int, grid: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.coarse = grid[0] // stride, grid[1] // stride
        self.draw = nn.Sequential(
            nn.Linear(dim, dim), nn.SiLU(),
            nn.Linear(dim, NUM_CHANNELS * self.coarse[0] * self.coarse[1]))

    def forward(self, condition: Tensor) -> Tensor:
        """Return maps float32 (B, H, NUM_CHANNELS, R, K) from conditions float32 (B, H, D)."""
        batch, steps, _ = condition.shape
        maps = self.draw(condition).view(batch * steps, NUM_CHANNELS, *self.coarse).sigmoid()
        maps = F.interpolate(maps, scale_factor=self.stride, mode='nearest')
        return maps.view(batch, steps, *maps.shape[1:])


def _cross_matrix(axis: tuple[float, ...]) -> Tensor:
    x, y, z = axis
    return torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _rays(geometry: Geometry, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return cell centres (row, column) from the middle, and their rays in the base frame."""
    rows, columns = grid
    focal = 0.5 * rows / math.tan(geometry.camera_fovy_rad / 2)
    row = torch.arange(rows) + 0.5 - rows / 2
    column = torch.arange(columns) + 0.5 - columns / 2
    cells = torch.cartesian_prod(row, column)
    local = torch.stack([cells[:, 1], -cells[:, 0], torch.full((len(cells),), -focal)], 1)
    return cells, local @ torch.tensor(geometry.camera_rotation).view(3, 3).T


def _on_table(eye: Tensor, directions: Tensor) -> Tensor:
    """Return where rays meet the table, (R K, 2), m; far away where they never do."""
    down = (-directions[:, 2]).clamp(min=1e-3)
    return (eye[:2] + directions[:, :2] * (eye[2] / down)[:, None]).clamp(-5, 5)
