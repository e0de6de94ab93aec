# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The true distance of points to what stands on the table, where a recording knows it.

Letters: B batch, O obstacles, Q points.

Source: distance functions of primitives, Hart 1996, sphere tracing, appendix A.
"""

import torch
from torch import Tensor

from wm_ros.data.windows import OBSTACLE_COLUMNS, OBSTACLE_KINDS

_FAR_M = 10.0
# Where play takes the arm: x, y, z from and to, m.
_WORKSPACE = ((0.02, -0.42, 0.0), (0.46, 0.42, 0.22))


def obstacle_distance(points: Tensor, obstacles: Tensor) -> Tensor:
    """
    Return the distance to the nearest obstacle, negative inside of one.

    :param points: float32 (B, Q, 3), m.
    :param obstacles: as ``data.windows.OBSTACLE_COLUMNS``, float32 (B, O, 7); NaN is not known.
    :returns: float32 (B, Q), m; far away where nothing stands, NaN where it is not known.
    """
    x, y, yaw, half_x, half_y, half_z, kind = obstacles[:, :, None].unbind(-1)
    along, across = points[:, None, :, 0] - x, points[:, None, :, 1] - y
    up = points[:, None, :, 2] - half_z
    cos, sin = yaw.cos(), yaw.sin()
    local = torch.stack([cos * along + sin * across, cos * across - sin * along], -1)
    radial = local.square().sum(-1).clamp(min=1e-12).sqrt()
    box = _inside_out(torch.stack([
        local[..., 0].abs() - half_x, local[..., 1].abs() - half_y, up.abs() - half_z], -1))
    cylinder = _inside_out(torch.stack([radial - half_x, up.abs() - half_z], -1))
    # A capsule is all that is nearer than its radius to a piece of its axis.
    beyond = (up.abs() - (half_z - half_x)).clamp(min=0)
    capsule = (radial.square() + beyond.square()).clamp(min=1e-12).sqrt() - half_x
    each = torch.where(kind == OBSTACLE_KINDS.index('box'), box, torch.where(
        kind == OBSTACLE_KINDS.index('cylinder'), cylinder, torch.where(
            kind == OBSTACLE_KINDS.index('capsule'), capsule, kind * 0 + _FAR_M)))
    return each.amin(1)


def draw_points(obstacles: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """
    Return points to ask about: half anywhere in the workspace, half about an obstacle.

    :returns: float32 (B, count, 3), m.
    """
    batch, num, columns = obstacles.shape
    assert columns == len(OBSTACLE_COLUMNS)
    low, high = torch.tensor(_WORKSPACE[0]), torch.tensor(_WORKSPACE[1])
    anywhere = low + (high - low) * torch.rand(batch, count, 3, generator=generator)
    which = torch.randint(num, (batch, count, 1), generator=generator)
    chosen = obstacles.cpu().gather(1, which.expand(-1, -1, columns))
    about = torch.randn(batch, count, 2, generator=generator) * 0.04 + chosen[..., :2]
    height = torch.rand(batch, count, generator=generator) * (2 * chosen[..., 5] + 0.06)
    near = torch.cat([about, height[..., None]], -1)
    use_near = (torch.arange(count) % 2 == 0)[:, None] & (chosen[..., 6:] > 0)
    return torch.where(use_near, near, anywhere).to(obstacles.device)


def _inside_out(apart: Tensor) -> Tensor:
    """Return the distance from how far a point is beyond each pair of faces, (..., faces)."""
    return apart.clamp(min=0).square().sum(-1).sqrt() + apart.amax(-1).clamp(max=0)
