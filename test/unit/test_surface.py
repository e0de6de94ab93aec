# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The arm's surface drawn into the picture, by hand and against the other kinematics."""

import dataclasses
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from model_rig import make_geometry  # noqa: E402

from wm_ros.world_model.arm import Arm  # noqa: E402
from wm_ros.world_model.carrying import carry  # noqa: E402
from wm_ros.world_model.geometry import geometry_from_dict  # noqa: E402
from wm_ros.world_model.surface import (  # noqa: E402
    IN_PART,
    MAP_NAMES,
    OVERHEAD,
    Newest,
    Surface,
    in_threads,
    shadow_of,
)

HEIGHT, WIDTH = 144, 240
STILL = np.zeros((1, 6), np.float32)
LAMP = np.array([OVERHEAD], np.float32)


def make_surface(num_cameras=1, **changes):
    geometry = dataclasses.replace(make_geometry(), **changes)
    return Surface(geometry, height=HEIGHT, width=WIDTH, num_cameras=num_cameras)


def pose(*joints):
    return np.array([joints], np.float32)


def draw(surface, after, before, camera=STILL, lamp=LAMP):
    return surface.draw(after, surface.newest(before, camera, lamp))


def pixel(place):
    column, row = np.floor(place).astype(int)
    return row, column


def test_points_are_where_the_other_kinematics_has_them():
    rng = np.random.default_rng(3)
    joints = rng.normal(size=(5, 3)).astype(np.float32)
    camera = (0.03 * rng.normal(size=(5, 6))).astype(np.float32)
    arm = Arm(make_geometry(), aspect=WIDTH / HEIGHT)
    points, _ = arm.points(torch.from_numpy(joints))
    wanted, _ = arm.project(points, torch.from_numpy(camera))
    found = make_surface().newest(joints, camera, np.repeat(LAMP, 5, 0)).place
    np.testing.assert_allclose(
        found, (wanted.numpy() + 1) / 2 * [WIDTH, HEIGHT], atol=1e-3)


def test_each_pixel_has_the_point_in_front_and_its_normal():
    # The second point is straight above the first at rest, both on the shoulder.
    surface = make_surface(
        surface_links=(0, 0, 1), surface_points=((0.1, 0, 0), (0.0945, 0, 0.055), (0.1, 0, 0)),
        surface_normals=((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)))
    newest = surface.newest(pose(0, 0, 0), STILL, LAMP)
    assert newest.shown[0].tolist() == [False, True, True]
    drawn = surface.draw(pose(np.pi / 2, 0, 0), newest)
    where = surface.newest(pose(np.pi / 2, 0, 0), STILL, LAMP).place[0]
    row, column = pixel(where[1])
    assert drawn.point[0, row, column] == 2
    assert (drawn.point == 1).sum() < (drawn.point == 2).sum()
    # The shoulder's quarter turn takes the normal from y to -x.
    np.testing.assert_allclose(drawn.maps[0, 1:4, row, column], [-1, 0, 0], atol=1e-6)
    assert drawn.maps[0, MAP_NAMES.index('shown_before'), row, column] == 1
    assert drawn.maps[0, 0].max() <= 1
    # Where no arm is, nothing is said of one.
    assert not drawn.maps[0, :5][:, drawn.point[0] == 0][1:].any()


def test_what_moves_with_the_arm_is_taken_from_where_it_was():
    surface = make_surface()
    before, after = pose(0, 0, 0), pose(np.pi / 2, 0, 0)
    drawn = draw(surface, after, before)
    then = pixel(surface.newest(before, STILL, LAMP).place[0, 1])
    now = pixel(surface.newest(after, STILL, LAMP).place[0, 1])
    assert then != now
    # One bright spot where the point was is found where the point is now.
    picture = torch.zeros(1, 1, HEIGHT, WIDTH)
    picture[0, 0, then[0] - 1:then[0] + 2, then[1] - 1:then[1] + 2] = 1.0
    moved = torch.nn.functional.grid_sample(
        picture, torch.from_numpy(drawn.back), align_corners=False)[0, 0]
    assert float(moved[now]) > 0.9
    # Elsewhere the picture is its own: the spot itself stays as well.
    assert float(moved[then]) > 0.99
    np.testing.assert_allclose(
        torch.nn.functional.grid_sample(picture, torch.from_numpy(
            draw(surface, before, before).back), align_corners=False), picture, atol=1e-4)


def test_shadows_fall_away_from_the_lamp():
    # A lamp at (0.5, 0, 1); a point at half its height casts from it as far again.
    lamp = np.array([[0.5, 0.0, 1.0]], np.float32)
    point = np.array([[[0.3, 0.2, 0.5]]], np.float32)
    np.testing.assert_allclose(shadow_of(point, lamp), [[[0.1, 0.4, 0.0]]], atol=1e-6)
    overhead = np.zeros((1, 3), np.float32)
    np.testing.assert_allclose(shadow_of(point, overhead), [[[0.3, 0.2, 0.0]]], atol=1e-6)
    surface = make_surface()
    shadow = MAP_NAMES.index('shadow')
    columns = [np.flatnonzero(draw(surface, pose(0, 0, 0), pose(0, 0, 0), lamp=np.array(
        [[slant, 0.0, 1.0]], np.float32)).maps[0, shadow].any(0)).mean() for slant in (0.5, -0.5)]
    assert columns[0] < columns[1] - 5
    assert shadow + 2 == MAP_NAMES.index('shadow_before')


def test_an_arm_out_of_the_picture_draws_nothing():
    # Turned by more than the field of view, the camera sees none of it.
    away = np.array([[0.0, 3.0, 0.0, 0.0, 0.0, 0.0]], np.float32)
    drawn = draw(make_surface(), pose(0, 0, 0), pose(0.3, 0, 0), camera=away)
    assert not drawn.point.any()
    assert not drawn.maps[:, :5].any()


def test_only_the_first_of_several_pictures_is_drawn_into():
    one = draw(make_surface(), pose(0.2, 0, 0), pose(0, 0, 0))
    two = draw(make_surface(num_cameras=2), pose(0.2, 0, 0), pose(0, 0, 0))
    assert two.point.shape == (1, 2 * HEIGHT, WIDTH)
    np.testing.assert_array_equal(two.point[:, :HEIGHT], one.point)
    assert not two.point[:, HEIGHT:].any()
    assert not two.maps[:, :, HEIGHT:].any()
    picture = torch.rand(1, 1, 2 * HEIGHT, WIDTH)
    moved = torch.nn.functional.grid_sample(picture, torch.from_numpy(two.back),
                                            align_corners=False)
    torch.testing.assert_close(moved[:, :, HEIGHT:], picture[:, :, HEIGHT:], atol=1e-4, rtol=0)


@pytest.mark.parametrize('num_cameras', [1, 2])
def test_the_newest_frame_is_carried_along_as_sampling_does_it(num_cameras):
    """At the picture's edges too, where what is seen was outside of the newest frame."""
    rng = np.random.default_rng(6)
    joints, before = rng.normal(size=(2, 7, 3)).astype(np.float32)
    # Turned so far that the arm is at the edge.
    camera = np.zeros((7, 6), np.float32)
    camera[:, 1] = np.linspace(-0.6, 0.6, 7)
    drawn = draw(make_surface(num_cameras), joints, before, camera=camera,
                 lamp=np.repeat(LAMP, 7, 0))
    seen = drawn.point > 0
    assert np.abs(drawn.back[seen]).max() > 1
    last = rng.random((7, 3, num_cameras * HEIGHT, WIDTH), np.float32)
    wanted = torch.nn.functional.grid_sample(
        torch.from_numpy(last), torch.from_numpy(drawn.back), padding_mode='border',
        align_corners=False).numpy()
    found, given = carry(last, drawn), last.copy()
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    assert np.abs(found - last)[np.repeat(seen[:, None], 3, 1)].mean() > 0.05
    np.testing.assert_array_equal(last, given)


def test_each_pixel_has_the_nearest_of_all_points_about_it():
    """By one loop over points and pixels: what the sorting and the margin must come to."""
    rng = np.random.default_rng(7)
    surface = make_surface()
    place = rng.uniform(-4, 1.1 * WIDTH, (1, 400, 2)).astype(np.float32)
    place[0, :20] = [[1e9, -1e9]]
    place[0, 20] = np.nan
    # Some at the same depth: of those the last is in front.
    depth = rng.choice(np.linspace(0.3, 0.9, 40), (1, 400)).astype(np.float32)
    wanted, at = np.zeros((HEIGHT, WIDTH), int), np.full((HEIGHT, WIDTH), np.inf)
    fine = np.zeros((2 * HEIGHT, 2 * WIDTH), bool)
    for number, ((x, y), z) in enumerate(zip(place[0], depth[0], strict=True)):
        for scale, picture in () if math.isnan(x) else ((1, wanted), (2, fine)):
            column, row = (math.floor(scale * part - 0.5) for part in (x, y))
            for i, j in ((row, column), (row, column + 1), (row + 1, column),
                         (row + 1, column + 1)):
                if not (0 <= i < len(picture) and 0 <= j < picture.shape[1]):
                    continue
                if scale == 2:
                    fine[i, j] = True
                elif z <= at[i, j]:
                    wanted[i, j], at[i, j] = number + 1, z
    np.testing.assert_array_equal(surface._nearest(place, depth)[0], wanted)
    np.testing.assert_array_equal(
        surface._coverage(place)[0], fine.reshape(HEIGHT, 2, WIDTH, 2).mean((1, 3)))


@pytest.mark.parametrize('threads', [1, 2, 8])
def test_threads_draw_the_same(threads):
    rng = np.random.default_rng(4)
    joints, before = rng.normal(size=(2, 5, 3)).astype(np.float32)
    camera = (0.02 * rng.normal(size=(5, 6))).astype(np.float32)
    lamp = (0.2 * rng.normal(size=(5, 3))).astype(np.float32)
    surface = make_surface()
    newest = in_threads(surface.newest, before, camera, lamp, threads=threads)
    wanted = surface.newest(before, camera, lamp)
    assert isinstance(newest, Newest)
    for a, b in zip(newest, wanted, strict=True):
        np.testing.assert_array_equal(a, b)
    found = in_threads(surface.draw, joints, newest, threads=threads)
    for a, b in zip(found, surface.draw(joints, wanted), strict=True):
        np.testing.assert_array_equal(a, b)
    shade = rng.normal(size=(5, HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    np.testing.assert_array_equal(
        in_threads(surface.find_lamp, joints, camera, shade, threads=threads),
        surface.find_lamp(joints, camera, shade))


def test_a_moment_is_repeated_row_by_row():
    rng = np.random.default_rng(5)
    newest = make_surface().newest(
        rng.normal(size=(2, 3)).astype(np.float32), np.zeros((2, 6), np.float32),
        np.zeros((2, 3), np.float32))
    repeated = newest.repeat(3)
    for a, b in zip(repeated, newest, strict=True):
        assert a.shape[0] == 6
        np.testing.assert_array_equal(a[2], b[0])
        np.testing.assert_array_equal(a[3], b[1])


@pytest.fixture(scope='module')
def so101():
    path = Path(__file__).resolve().parents[2] / 'config' / 'so101_geometry.json'
    return Surface(geometry_from_dict(json.loads(path.read_text())), height=144, width=192)


@pytest.mark.parametrize('lamp', [(0.4, -0.2, 0.8), (0.1, 0.3, 0.95), (-0.2, -0.1, 0.6)])
def test_the_lamp_is_found_by_the_shadow_it_casts(so101, lamp):
    rng = np.random.default_rng(6)
    joints = np.array([[0.2, -0.3, 0.4, 0.3, 0.0, 0.3]], np.float32)
    camera = np.array([[0.01, -0.02, 0.0, 0.005, 0.0, 0.0]], np.float32)
    lamp = np.array([lamp], np.float32)
    seen = so101.newest(joints, camera, lamp).shadow[0]
    # As sure as a network is that errs by a factor of seven in its odds.
    share = cv2.resize(seen, (96, 72), interpolation=cv2.INTER_AREA).clip(0.02, 0.98)
    shade = (np.log(share / (1 - share)) + rng.normal(0, 2, share.shape)).astype(np.float32)
    found = so101.find_lamp(joints, camera, shade[None])
    shadow = so101.newest(joints, camera, found).shadow[0] > 0.5
    assert (shadow & (seen > 0.5)).sum() > 0.75 * (shadow | (seen > 0.5)).sum()
    # A lamp nearer and less aslant casts almost the same.
    assert np.abs(found - lamp)[0, :2].max() < 0.15


def test_without_a_shadow_the_lamp_is_thought_overhead(so101):
    joints = np.zeros((1, 6), np.float32)
    shade = np.full((1, 72, 96), -4.0, np.float32)
    found = so101.find_lamp(joints, STILL, shade)
    assert np.isfinite(found).all()
    nothing = so101.find_lamp(joints, STILL, np.full((1, 72, 96), -IN_PART, np.float32))
    np.testing.assert_allclose(nothing, LAMP, atol=0.16)
