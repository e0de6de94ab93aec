# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where the points of the arm are in space and in the picture, for known kinematics and camera.

Letters: B batch, J joints, P points on the arm, Q any points in space.
"""

import math

import torch
from torch import Tensor, nn

from wm_ros.world_model.geometry import Geometry


class Arm(nn.Module):
    """Forward kinematics of points on the arm and their projection; nothing in it is learned."""

    def __init__(self, geometry: Geometry, *, aspect: float, num_cameras: int = 1) -> None:
        """
        Take the constants of a geometry.

        :param aspect: width of the camera's picture over its height.
        :param num_cameras: pictures above each other, of which the geometry's is the first.
        """
        super().__init__()
        self.parents = geometry.parents
        self.num_points, self.num_cameras = len(geometry.points), num_cameras
        links = len(geometry.parents)
        cross = torch.stack([_cross_matrix(axis) for axis in geometry.axes])
        poses = torch.eye(4).repeat(links, 1, 1)
        poses[:, :3, :3] = torch.tensor(geometry.rotations).view(links, 3, 3)
        poses[:, :3, 3] = torch.tensor(geometry.positions)
        constants = {
            'cross': cross, 'cross_twice': cross @ cross, 'identity': torch.eye(4),
            'poses': poses,
            'link_joints': torch.tensor(geometry.joints),
            'layout': _layout(links, geometry),
            'point_links': torch.tensor(geometry.point_links),
            'eye': torch.tensor(geometry.camera_position),
            'camera': torch.tensor(geometry.camera_rotation).view(3, 3)}
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.focal_y = 1 / math.tan(geometry.camera_fovy_rad / 2)
        self.focal_x = self.focal_y / aspect

    def points(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return the arm's points and how their links are turned.

        :param joints: float32 (..., J), rad.
        :returns: points in the base frame, float32 (..., P, 3), m, and the first two columns of
            each point's link rotation, float32 (..., P, 6).
        """
        poses = self.poses_of(joints)
        turned = poses[..., self.point_links, :3, :2].flatten(-2)
        return self.locate(poses, self.layout).transpose(-1, -2), turned

    def layout_of(self, chosen: Tensor) -> Tensor:
        """Return ``layout`` of some points alone, by their indices, int64 (P,)."""
        return self.layout.view(len(self.layout), 3, -1)[:, :, chosen].flatten(1)

    def locate(self, poses: Tensor, layout: Tensor) -> Tensor:
        """
        Return points in the base frame, float32 (..., 3, P), m.

        Points are linear in the poses of their links: one product with a matrix of mostly zeros
        is many times faster than fetching a pose for each point.

        :param poses: see ``poses_of``.
        :param layout: ``layout`` or ``layout_of``.
        """
        return torch.stack((poses[..., :3, :].flatten(-3) @ layout).chunk(3, -1), -2)

    def poses_of(self, joints: Tensor) -> Tensor:
        """Return the poses of all links in the base frame, float32 (..., L, 4, 4)."""
        angle = joints[..., self.link_joints, None, None]
        # Rodrigues' formula; the rest of each pose does not turn.
        turn = self.identity + angle.sin() * self.cross + (1 - angle.cos()) * self.cross_twice
        own = (self.poses @ turn).unbind(-3)
        found: list[Tensor] = []
        for pose, parent in zip(own, self.parents, strict=True):
            found.append(pose if parent < 0 else found[parent] @ pose)
        return torch.stack(found, -3)

    def project(self, points: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return where points are in the picture.

        :param points: in the base frame, float32 (B, Q, 3), m.
        :param camera: how far the camera is from where the geometry has it, float32 (B, 6): a
            small turn of what it sees about its right, up and backward axes, rad, and its shift
            along them, m.
        :returns: (x, y) from -1 (left, top) to 1, as ``grid_sample`` counts, float32 (B, Q, 2),
            and depth, float32 (B, Q), m.
        """
        turn, shift = self.view(camera)
        place, depth = self.in_picture(turn @ points.transpose(1, 2) + shift)
        return place.transpose(1, 2), depth

    def view(self, camera: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return how the camera sees the base frame: turn @ point + shift.

        :param camera: see ``project``.
        :returns: float32 (B, 3, 3) and (B, 3, 1), m.
        """
        # Turn and shift of the camera once, not for each of thousands of points: what is seen is
        # s + turn x s of s = (point - eye) camera - shift.
        zero = torch.zeros_like(camera[:, 0])
        x, y, z = camera[:, 0], camera[:, 1], camera[:, 2]
        turn = self.identity[:3, :3] + torch.stack(
            [zero, -z, y, z, zero, -x, -y, x, zero], -1).view(-1, 3, 3)
        shift = turn @ (self.eye @ self.camera + camera[:, 3:])[..., None]
        return turn @ self.camera.T, -shift

    def in_picture(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """
        Return where in the picture points are that the camera sees.

        Coordinates come one after the other, so that each is a row without gaps.

        :param seen: right, up and backward of the camera, float32 (..., 3, Q), m.
        :returns: see ``project``: (x, y) float32 (..., 2, Q), and depth, float32 (..., Q), m.
        """
        depth = (-seen[..., 2, :]).clamp(min=0.05)
        across = self.focal_x * seen[..., 0, :] / depth
        down = -self.focal_y * seen[..., 1, :] / depth
        # The first of several pictures above each other.
        down = (down + 1) / self.num_cameras - 1
        return torch.stack([across, down], -2), depth


def _layout(links: int, geometry: Geometry) -> Tensor:
    """
    Return the matrix from all links' poses to all points.

    :returns: float32 (L 3 4, 3 P): rows are the entries of the poses, columns x, y, z of points.
    """
    place = torch.tensor(geometry.points)
    found = torch.zeros(links, 3, 4, 3, len(place))
    number = torch.arange(len(place))
    for axis in range(3):
        found[torch.tensor(geometry.point_links), axis, :, axis, number] = torch.cat(
            [place, torch.ones(len(place), 1)], 1)
    return found.view(links * 12, -1)


def _cross_matrix(axis: tuple[float, ...]) -> Tensor:
    x, y, z = axis
    return torch.tensor([[0.0, -z, y, 0.0], [z, 0.0, -x, 0.0], [-y, x, 0.0, 0.0], [0.0] * 4])
