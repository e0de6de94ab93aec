# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How likely a hazard is by each step: from latent tokens, and from what stands where the arm goes.

With known kinematics every point of the arm asks the picture, at the places where the camera sees
it and what is below it: does something stand there that is as high as I am? The answer is a
distance, which recordings with known obstacles teach directly, and from which hazards follow.

Letters: B batch, H steps, S substeps, P points on the arm that ask, Q any points, M ensemble,
N tokens, D channels, V observations, R C rows and columns of the detail map.

Source: features of the picture at a point's projection, after pixelNeRF (arXiv 2012.02190);
distance as a function of place, after DeepSDF (arXiv 1901.05103).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from wm_ros.world_model.arm import Arm
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.encoder import Context

# The unit of predicted distances, and the range in which they are worth knowing, m.
DISTANCE_UNIT_M = 0.05
DISTANCE_RANGE_M = (-0.03, 0.1)
_QUERY_DIM = 48
_MEMBER_DIM = 16
# Places on the upright below a point, as shares of its height.
_COLUMN = (0.0, 0.5, 1.0)
# In so many parts at most the points are looked up.
_PARTS = 4


class Questions(NamedTuple):
    """
    Points of the arm on their way, and what was found there.

    :param points: float32 (B, H S P, 3), m.
    :param distance: to the nearest obstacle, float32 (B, H S P), in units of DISTANCE_UNIT_M.
    :param scores: of a hazard within each step, float32 (B, H, M).
    """

    points: Tensor
    distance: Tensor
    scores: Tensor


class Tables(NamedTuple):
    """
    What the points of several chunks look up of the observations they share.

    :param rows: see ``ObstacleField.tables``, float32 (V, R C columns, F).
    :param which: the observation of each chunk, int64 (B,).
    """

    rows: Tensor
    which: Tensor


def table_shape(config: ModelConfig) -> tuple[int, int]:
    """Return the shape of what the points look up of one observation."""
    rows, columns = config.detail_grid
    return rows * columns * len(_COLUMN), _QUERY_DIM


class ObstacleField(nn.Module):
    """The distance of any point in space to the nearest obstacle, as seen in the picture."""

    def __init__(self, config: ModelConfig, arm: Arm) -> None:
        super().__init__()
        self.arm = arm
        self.grid = config.detail_grid
        self.read = nn.Linear(len(_COLUMN) * config.detail_dim, _QUERY_DIM)
        self.place = nn.Linear(11, _QUERY_DIM, bias=False)
        self.think = nn.Sequential(
            nn.GELU(approximate='tanh'), nn.Linear(_QUERY_DIM, _QUERY_DIM),
            nn.GELU(approximate='tanh'), nn.Linear(_QUERY_DIM, _QUERY_DIM))
        self.out = nn.Linear(_QUERY_DIM, 1)
        self.parts = 1

    def tables(self, detail: Tensor) -> Tensor:
        """
        Read the whole picture once, for all points of all chunks that will ask about it.

        Reading is linear, so that it may come before the blend of neighbouring places.

        :param detail: float32 (V, D, R, C).
        :returns: float32 (V, R C columns, F), the columns of a place beside each other.
        """
        weight = self.read.weight.view(_QUERY_DIM, len(_COLUMN), -1)
        rows = detail.flatten(2).transpose(1, 2) @ weight.permute(2, 1, 0).flatten(1)
        # The bias once for all points: what a point reads of its columns sums to it.
        return rows.reshape(detail.shape[0], -1, _QUERY_DIM) + self.read.bias / len(_COLUMN)

    def forward(self, context: Context, points: Tensor, tables: Tables | None = None
                ) -> tuple[Tensor, Tensor]:
        """
        Ask about points.

        :param points: float32 (B, Q, 3), m.
        :param tables: what was read before; the context's detail is read now if None.
        :returns: features float32 (B, Q, F) and distances float32 (B, Q) in DISTANCE_UNIT_M.
        """
        x, y, z = points.transpose(1, 2).unbind(1)
        turn, shift = self.arm.view(context.camera)
        # All columns in one product: what is seen of (x, y, share z) is linear in x, y, z and 1.
        factors = points.new_tensor([[1.0, 1.0, share, 1.0] for share in _COLUMN])[:, None]
        views = torch.cat([turn, shift], -1)[:, None] * factors
        seen = views.flatten(1, 2) @ torch.stack([x, y, z, torch.ones_like(z)], 1)
        # -1 and not the length, which fixes the batch size of exported graphs.
        where, depth = self.arm.in_picture(seen.view(-1, len(_COLUMN), 3, seen.shape[-1]))
        read = self._read(context.detail, where) if tables is None else self._look_up(
            tables, where)
        z = z.clamp(-0.05, 0.5)
        bands = torch.stack([
            z * 20, (z * 31.4).sin(), (z * 31.4).cos(), (z * 62.8).sin(), (z * 62.8).cos(),
            depth[:, 0] * 3, x * 5, y * 5, where[:, 0, 0], where[:, 0, 1],
            (-z.clamp(min=0) / 0.02).exp()], 1).transpose(1, 2)
        hidden = self.think(read + self.place(bands))
        return hidden, self.out(hidden).squeeze(-1)

    def _read(self, detail: Tensor, where: Tensor) -> Tensor:
        """Read a picture at places (B, columns, 2, Q): features (B, Q, F)."""
        seen = F.grid_sample(detail, where.transpose(2, 3), mode='bilinear',
                             padding_mode='border', align_corners=False)
        return self.read(seen.permute(0, 3, 2, 1).flatten(2))

    def _look_up(self, tables: Tables, where: Tensor) -> Tensor:
        """
        Read at places what ``tables`` made; the same numbers as ``_read`` but for rounding.

        Twelve rows are fetched for each point and blended in one product: on a CPU a tenth of
        the time of sampling all channels of a map that has them outermost.
        """
        rows, columns = self.grid
        num = len(_COLUMN)
        x = (((where[:, :, 0] + 1) * columns - 1) / 2).clamp(0, columns - 1)
        y = (((where[:, :, 1] + 1) * rows - 1) / 2).clamp(0, rows - 1)
        left, top = x.floor().clamp(max=columns - 2), y.floor().clamp(max=rows - 2)
        right, down = x - left, y - top
        share = torch.stack([(1 - right) * (1 - down), right * (1 - down), (1 - right) * down,
                             right * down], 2).flatten(1, 2).transpose(1, 2)
        first = (top * columns + left).long() + tables.which[:, None, None] * (rows * columns)
        corner = torch.tensor([0, 1, columns, columns + 1], device=where.device)
        offset = corner * num + torch.arange(num, device=where.device)[:, None]
        place = ((first * num)[:, :, None] + offset[..., None]).flatten(1, 2).transpose(1, 2)
        return _blend(tables.rows.flatten(0, 1), place, share, self.parts)


def _blend(rows: Tensor, place: Tensor, share: Tensor, parts: int) -> Tensor:
    """
    Return sums of rows, each times its share, in so many parts.

    All rows that are fetched for several chunks together fit into no cache.

    :param rows: float32 (R, F).
    :param place: which, int64 (B, Q, K).
    :param share: float32 (B, Q, K).
    :returns: float32 (B, Q, F).
    """
    size = place.shape[2]
    places, shares = (given.reshape(-1, parts, size) for given in (place, share))
    # Without gaps, or torch takes the products one by one.
    found = [shares[:, number, None].contiguous() @ rows[places[:, number].contiguous()]
             for number in range(parts)]
    return torch.cat(found, 1).reshape(place.shape[0], -1, rows.shape[1])


class ReachHead(nn.Module):
    """An ensemble that judges the arm's way through the obstacle field."""

    def __init__(self, config: ModelConfig, arm: Arm) -> None:
        super().__init__()
        self.arm, self.num = arm, config.num_hazard_heads
        self.substeps = config.substeps
        self.field = ObstacleField(config, arm)
        width = self.num * _MEMBER_DIM
        self.hidden = nn.Linear(_QUERY_DIM, width)
        self.near = nn.Linear(3, width, bias=False)
        # Points differ in what is around them: one may stand for a sharp edge, one for a plane.
        # Each link's points come farthest first, so that half of them still cover it.
        links = arm.point_links
        place = torch.arange(arm.num_points) - torch.searchsorted(links, links)
        asked = torch.where(2 * place < torch.bincount(links)[links])[0]
        self.register_buffer('layout', arm.layout_of(asked), persistent=False)
        self.layout: Tensor
        # Each step asks about as many points.
        self.field.parts = math.gcd(_PARTS, self.substeps * len(asked))
        self.who = nn.Parameter(torch.zeros(len(asked), width))
        self.out = nn.Parameter(torch.randn(self.num, _MEMBER_DIM, 2) * _MEMBER_DIM ** -0.5)

    def forward(self, context: Context, positions: Tensor, joints: Tensor,
                tables: Tables | None = None) -> Questions:
        """
        Judge a way.

        :param positions: joints at the start, float32 (B, J), rad.
        :param joints: at the end of each step, float32 (B, H, J), rad.
        :param tables: see ``ObstacleField.forward``.
        """
        batch, horizon, _ = joints.shape
        points = self.way(positions, joints)
        features, distance = self.field(context, points, tables)
        low = -points[..., 2].clamp(min=-0.02)
        near = torch.stack([low / 0.01, low / 0.03, -distance.clamp(min=-0.5) * 4], 1).exp()
        near = near.transpose(1, 2)
        # One product for both.
        hidden = F.linear(torch.cat([features, near], -1), torch.cat(
            [self.hidden.weight, self.near.weight], 1), self.hidden.bias)
        steps = horizon * self.substeps
        hidden = hidden.view(batch, steps, self.who.shape[0], -1) + self.who
        hidden = F.gelu(hidden, approximate='tanh').view(batch, horizon, -1, hidden.shape[-1])
        return Questions(points, distance, _pool(hidden, self.out))

    def way(self, positions: Tensor, joints: Tensor) -> Tensor:
        """Return the points that ask on a way, see ``forward``, float32 (B, H S P, 3), m."""
        before = torch.cat([positions[:, None], joints[:, :-1]], 1)
        shares = [(k + 1) / self.substeps for k in range(self.substeps)]
        between = torch.stack([before + (joints - before) * share for share in shares], 2)
        points = self.arm.locate(self.arm.poses_of(between.flatten(1, 2)), self.layout)
        return points.transpose(1, 2).flatten(2).transpose(1, 2)


class LatentHead(nn.Module):
    """An ensemble of attention-pooled classifiers over latent tokens and conditions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.num = config.num_hazard_heads
        width = self.num * _MEMBER_DIM
        self.norm = nn.LayerNorm(config.dim)
        self.hidden = nn.Linear(config.dim, width)
        self.condition = nn.Linear(config.dim, width)
        self.out = nn.Parameter(torch.randn(self.num, _MEMBER_DIM, 2) * _MEMBER_DIM ** -0.5)
        self.bias = nn.Parameter(torch.full((self.num,), -2.0))

    def forward(self, latents: Tensor, condition: Tensor) -> Tensor:
        """Return scores (B, H, M) from latents (B, H, N, D) and conditions (B, H, D)."""
        hidden = self.hidden(self.norm(latents)) + self.condition(condition)[:, :, None]
        return _pool(F.gelu(hidden, approximate='tanh'), self.out) + self.bias


def _pool(hidden: Tensor, out: Tensor) -> Tensor:
    """
    Let each member score all places by its own channels, and average them as it weighs them.

    :param hidden: float32 (B, H, places, M F).
    :param out: of each member a score and a weight, float32 (M, F, 2).
    :returns: float32 (B, H, M).
    """
    # A product with zeros in it is faster than one small product for each member.
    own = torch.eye(out.shape[0], device=out.device)[:, None, None]
    score, weight = (hidden @ (out[..., None] * own).flatten(2).flatten(0, 1)).chunk(2, -1)
    return (score * weight.softmax(2)).sum(2)


def happened_by(scores: list[Tensor]) -> Tensor:
    """
    Return logits that a hazard has happened by each step from scores of each step.

    What any head sees counts, and what has happened stays: the logits never fall.

    :param scores: float32 (B, H, M) each.
    :returns: float32 (B, H, M).
    """
    total = scores[0]
    for other in scores[1:]:
        high, low = torch.maximum(total, other), torch.minimum(total, other)
        total = high + torch.log1p((low - high).exp())
    # A growing maximum, written so that every exporter knows it for any number of steps.
    step = torch.arange(total.shape[1], device=total.device)
    is_later = step[None, :] > step[:, None]
    return total[:, None].masked_fill(is_later[:, :, None], -torch.inf).amax(2)
