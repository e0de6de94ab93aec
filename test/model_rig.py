# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small model and a small robot for tests of the network; needs torch."""

import torch

from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.geometry import Geometry
from wm_ros.world_model.model import WorldModel


def make_config(**changes):
    # Prime sizes, so that a swapped axis cannot fit by chance.
    values = {
        'joint_names': tuple('abcde'), 'camera_name': 'front', 'joint_mean': (0.1,) * 5,
        'joint_std': (0.7,) * 5, 'velocity_std': (0.9,) * 5, 'image_height': 48,
        'image_width': 80, 'horizon': 7, 'patch_px': 4, 'token_stride': 4, 'detail_dim': 16,
        'middle_dim': 24, 'dim': 32, 'num_blocks': 2, 'num_heads': 2, 'num_hazard_heads': 3,
        'residual_dim': 4, 'flow_blocks': 1}
    return ModelConfig(**{**values, **changes})


def make_geometry():
    """Return a shoulder that turns about z and a forearm that turns about y, seen from afar."""
    straight = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    return Geometry(
        parents=(-1, 0), joints=(0, 2), positions=((0.0, 0.0, 0.1), (0.2, 0.0, 0.0)),
        rotations=(straight, straight), axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
        point_links=(0, 1), points=((0.1, 0.0, 0.0), (0.1, 0.0, 0.0)),
        surface_links=(0, 1), surface_points=((0.1, 0.0, 0.0), (0.1, 0.0, 0.0)),
        surface_normals=((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
        # Above the table, looking straight down: right is x, up is y.
        camera_position=(0.0, 0.0, 1.0), camera_rotation=straight, camera_fovy_rad=1.0)


def make_model(**changes):
    torch.manual_seed(1)
    model = WorldModel(make_config(**changes)).eval()
    with torch.no_grad():
        # adaLN-Zero and the zeroed layers would hide every dependence.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def make_inputs(batch=2):
    rng = torch.Generator().manual_seed(2)
    return (torch.rand(batch, 2, 3, 48, 80, generator=rng),
            torch.randn(batch, 5, generator=rng), torch.randn(batch, 5, generator=rng),
            torch.randn(batch, 7, 5, generator=rng))
