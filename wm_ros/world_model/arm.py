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
        self.parents, self.joints = geometry.parents, geometry.joints
        self.num_points, self.num_cameras = len(geometry.points), num_cameras
        links = len(geometry.parents)
        constants = {
            'positions': torch.tensor(geometry.positions),
            'rotations': torch.tensor(geometry.rotations).view(links, 3, 3),
            'cross': torch.stack([_cross_matrix(axis) for axis in geometry.axes]),
            'place': torch.tensor(geometry.points),
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
        rotations: list[Tensor] = []
        origins: list[Tensor] = []
        eye = torch.eye(3, device=joints.device)
        for link, (parent, joint) in enumerate(zip(self.parents, self.joints, strict=True)):
            angle = joints[..., joint, None, None]
            cross = self.cross[link]
            # Rodrigues' formula.
            turn = eye + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
            if parent < 0:
                rotations.append(self.rotations[link] @ turn)
                origins.append(self.positions[link].expand(*joints.shape[:-1], 3))
            else:
                rotations.append(rotations[parent] @ (self.rotations[link] @ turn))
                origins.append(origins[parent] + rotations[parent] @ self.positions[link])
        turned = torch.stack(rotations, -3)[..., self.point_links, :, :]
        moved = (turned @ self.place[:, :, None]).squeeze(-1)
        points = moved + torch.stack(origins, -2)[..., self.point_links, :]
        return points, turned[..., :2].flatten(-2)

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
        seen = (points - self.eye) @ self.camera - camera[:, None, 3:]
        seen = seen + torch.linalg.cross(camera[:, None, :3].expand_as(seen), seen)
        depth = (-seen[..., 2]).clamp(min=0.05)
        x = self.focal_x * seen[..., 0] / depth
        y = -self.focal_y * seen[..., 1] / depth
        # The first of several pictures above each other.
        y = (y + 1) / self.num_cameras - 1
        return torch.stack([x, y], -1), depth


def _cross_matrix(axis: tuple[float, ...]) -> Tensor:
    x, y, z = axis
    return torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
