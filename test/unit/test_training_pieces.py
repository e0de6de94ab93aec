# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Distances to obstacles and turned pictures, worked out by hand."""

import math

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from model_rig import make_config, make_geometry  # noqa: E402

from wm_ros.training.augmentation import draw_turns, turn_images, turn_matrix  # noqa: E402
from wm_ros.training.losses import edge_loss, energy_loss  # noqa: E402
from wm_ros.training.obstacles import draw_points, obstacle_distance  # noqa: E402
from wm_ros.world_model.arm import Arm  # noqa: E402

BOX = (0.2, 0.1, 0.0, 0.02, 0.03, 0.05, 1)
TURNED_BOX = (0.2, 0.1, np.pi / 2, 0.02, 0.03, 0.05, 1)
CYLINDER = (0.0, -0.2, 0.7, 0.02, 0.02, 0.05, 2)
CAPSULE = (0.0, -0.2, 0.7, 0.02, 0.02, 0.05, 3)
NONE = (0.0,) * 7


@pytest.mark.parametrize(('obstacle', 'point', 'distance'), [
    (BOX, (0.25, 0.1, 0.05), 0.03),
    (BOX, (0.2, 0.16, 0.05), 0.03),
    (BOX, (0.2, 0.1, 0.12), 0.02),
    # Beyond an edge: 3 and 4 of a 3-4-5 triangle.
    (BOX, (0.25, 0.17, 0.05), 0.05),
    (BOX, (0.2, 0.1, 0.05), -0.02),
    (TURNED_BOX, (0.25, 0.1, 0.05), 0.02),
    (CYLINDER, (0.05, -0.2, 0.05), 0.03),
    (CYLINDER, (0.0, -0.2, 0.14), 0.04),
    (CYLINDER, (0.05, -0.2, 0.14), 0.05),
    # Its cap begins at 8 cm and rounds off: the corner of the cylinder is not part of it.
    (CAPSULE, (0.0, -0.2, 0.14), 0.04),
    (CAPSULE, (0.06, -0.2, 0.16), 0.08),
    (NONE, (0.0, 0.0, 0.0), 10.0),
])
def test_the_distance_to_an_obstacle(obstacle, point, distance):
    found = obstacle_distance(torch.tensor([[point]]), torch.tensor([[obstacle, NONE]]))
    assert float(found) == pytest.approx(distance, abs=1e-6)


def test_the_nearest_obstacle_counts_and_an_unknown_one_stays_unknown():
    points = torch.tensor([[[0.25, 0.1, 0.05], [0.0, -0.25, 0.05]]])
    found = obstacle_distance(points, torch.tensor([[BOX, CYLINDER]]))[0]
    assert found.tolist() == pytest.approx([0.03, 0.03])
    assert obstacle_distance(points, torch.full((1, 2, 7), torch.nan)).isnan().all()


def test_points_are_drawn_about_obstacles_and_anywhere_the_same_by_seed():
    obstacles = torch.tensor([[BOX, NONE], [NONE, NONE]])
    one, two = (draw_points(obstacles, 50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    near = (one[0, :, :2] - torch.tensor([0.2, 0.1])).norm(dim=1) < 0.1
    assert 0.2 < float(near.float().mean()) < 0.7
    assert one.isfinite().all()


def test_a_turned_picture_shows_points_where_the_turned_camera_sees_them():
    config = make_config(geometry=make_geometry())
    arm = Arm(config.geometry, aspect=80 / 48)
    turn = np.array([0.03, -0.02, 0.04], np.float32)
    points = torch.tensor([[[0.1, 0.05, 0.3], [-0.2, 0.1, 0.0], [0.0, 0.0, 0.2]]])

    def pixels(camera):
        place, _ = arm.project(points, torch.tensor(np.pad(camera, (0, 3)))[None])
        size = np.array([80, 48])
        return (place[0].numpy() + 1) / 2 * size - 0.5

    before, after = pixels(np.zeros(3, np.float32)), pixels(turn)
    homogeneous = np.c_[before, np.ones(3)] @ turn_matrix(turn, config).T
    np.testing.assert_allclose(homogeneous[:, :2] / homogeneous[:, 2:], after, atol=1e-3)
    # And the pixels themselves go there.
    image = np.zeros((1, 48, 80, 3), np.uint8)
    column, row = np.round(before[0]).astype(int)
    image[0, row - 1:row + 2, column - 1:column + 2] = 255
    turned = turn_images(image, turn, config)[0, :, :, 0]
    brightest = np.unravel_index(turned.argmax(), turned.shape)
    assert np.abs(np.array(brightest[::-1]) - after[0]).max() <= 2


def test_turns_are_shared_out_and_need_a_known_camera():
    turns = draw_turns(np.random.default_rng(0), 200, 0.05, 0.4)
    assert np.abs(turns).max() <= 0.05
    assert 0.3 < np.any(turns != 0, axis=1).mean() < 0.5
    image = np.arange(48 * 80 * 3, dtype=np.uint8).reshape(1, 48, 80, 3)
    assert turn_images(image, turns[0] + 0.01, make_config()) is image


def test_the_strength_of_edges_is_asked_for_and_not_their_place():
    sharp = torch.zeros(1, 3, 25, 25)
    sharp[..., 8:] = 1.0
    shifted = torch.zeros(1, 3, 25, 25)
    shifted[..., 9:] = 1.0
    soft = torch.nn.functional.avg_pool2d(sharp, (1, 5), stride=1, padding=(0, 2))
    still = sharp
    assert float(energy_loss(sharp, sharp, still, 4.0)) == 0
    # Columns 6 to 11 are one neighbourhood: the edge is in it at 8 and at 9.
    assert float(energy_loss(shifted, sharp, still, 4.0)) < 1e-6
    missed = float(energy_loss(soft, sharp, still, 4.0))
    # Of the whole picture, by hand; its last row and column have no neighbour to differ from.
    def strength(picture):
        return math.sqrt(float(picture[0, 0].diff(dim=-1)[:-1].square().sum()) / 24 ** 2)

    whole = 4 * abs(strength(soft) - strength(sharp))
    assert whole > 0.05
    assert missed > whole + 0.02
    # Where everything moves a neighbourhood counts 1 + 4 times.
    assert float(energy_loss(soft, sharp, sharp + 1, 4.0)) == pytest.approx(
        5 * (missed - whole) + whole, rel=1e-4)
    assert float(edge_loss(shifted, sharp)) > 0.05
