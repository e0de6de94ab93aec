# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A perturbation changes the picture as it says, and nothing but the picture."""

import dataclasses
import math

import numpy as np
import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401, I001

pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros.ros.so101_sim_config import So101SimConfig  # noqa: E402
from wm_ros.simulation.camera_move import CameraMove  # noqa: E402
from wm_ros.simulation.collect import simulate_episode  # noqa: E402
from wm_ros.simulation.look import Look  # noqa: E402
from wm_ros.simulation.perturbation import (  # noqa: E402
    NOTHING,
    Perturbation,
    perturb_image,
)
from wm_ros.simulation.renderer import Camera  # noqa: E402
from wm_ros.simulation.robot import So101Simulation  # noqa: E402
from wm_ros.simulation.scene import FRONT_CAMERA, sample_scene  # noqa: E402

# In a picture of the front camera: table in the foreground, background above it.
TABLE_ROWS, BACKGROUND_ROWS = slice(440, 480), slice(0, 40)


@pytest.fixture(scope='module')
def scene():
    return dataclasses.replace(sample_scene(8), objects=())


@pytest.fixture(scope='module')
def sim(scene):
    return So101Simulation(scene)


@pytest.fixture
def camera(sim):
    with Camera(sim.model, FRONT_CAMERA) as it:
        yield it


def difference(one, two):
    """Return the mean difference of two pictures, in grey levels."""
    return np.abs(one.astype(int) - two).mean()


def test_a_picture_after_a_perturbed_one_is_as_before(sim, camera):
    before = camera.render(sim.data)
    everything = Perturbation(
        camera=CameraMove(offset_m=(0.1, 0.0, 0.0), turn_rad=(0.0, 0.1, 0.0)), light=0.3,
        swap_red_blue=True)
    assert difference(camera.render(sim.data, everything), before) > 5
    np.testing.assert_array_equal(camera.render(sim.data), before)
    np.testing.assert_array_equal(camera.render(sim.data, NOTHING), before)


def test_the_state_and_the_model_stay_what_they_are(sim, camera):
    state = sim.data.qpos.copy(), sim.data.cam_xpos.copy(), sim.model.cam_pos.copy()
    camera.render(sim.data, Perturbation(camera=CameraMove(offset_m=(0.1, 0, 0)), light=0.5))
    for was, now in zip(state, (sim.data.qpos, sim.data.cam_xpos, sim.model.cam_pos),
                        strict=True):
        np.testing.assert_array_equal(was, now)


def test_a_moved_camera_draws_what_a_camera_built_there_draws(scene, sim, camera):
    move = CameraMove(offset_m=(0.01, -0.03, 0.02), turn_rad=(0.03, -0.05, 0.02))
    built = So101Simulation(dataclasses.replace(scene, look=Look(camera=move)))
    with Camera(built.model, FRONT_CAMERA) as other:
        expected = other.render(built.data)
    drawn = camera.render(sim.data, Perturbation(camera=move))
    # The light that a camera carries is not moved with it.
    assert difference(drawn, expected) < 1.0
    assert difference(camera.render(sim.data), expected) > 4.0


def test_turning_about_the_line_of_sight_keeps_the_middle_of_the_picture(sim, camera):
    # Half a turn: the picture upside down, seen by the same lens.
    turned = camera.render(sim.data, Perturbation(camera=CameraMove(turn_rad=(0, 0, math.pi))))
    assert difference(turned[::-1, ::-1], camera.render(sim.data)) < 1.5


@pytest.mark.parametrize('light', [0.25, 0.5])
def test_light_scales_what_is_lit_and_leaves_the_background(sim, camera, light):
    before, after = (camera.render(sim.data, Perturbation(light=factor)).astype(float)
                     for factor in (1.0, light))
    ratio = after[TABLE_ROWS].mean() / before[TABLE_ROWS].mean()
    assert ratio == pytest.approx(light, abs=0.02)
    np.testing.assert_array_equal(after[BACKGROUND_ROWS, :100], before[BACKGROUND_ROWS, :100])


def test_swapping_exchanges_red_and_blue_and_copies():
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    swapped = perturb_image(image, Perturbation(swap_red_blue=True))
    assert swapped[0, 0].tolist() == [2, 1, 0]
    assert swapped[1, 2].tolist() == [17, 16, 15]
    assert swapped.flags.c_contiguous
    assert image[0, 0].tolist() == [0, 1, 2]
    assert perturb_image(image, NOTHING) is image


def test_an_episode_goes_wrong_from_a_moment_on_and_moves_as_it_would():
    perturbation = Perturbation(swap_red_blue=True, light=0.5)
    plain, perturbed = (simulate_episode(31, duration_s=0.5, **arguments) for arguments in (
        {}, {'perturbation': perturbation, 'perturbed_from_s': 0.3}))
    np.testing.assert_array_equal(plain.positions, perturbed.positions)
    same = [one == two for one, two in zip(plain.frames, perturbed.frames, strict=True)]
    assert same == [True, True, True, False, False, False]
    assert 'perturbation' not in plain.info
    assert perturbed.info['perturbation']['light'] == 0.5
    assert perturbed.info['perturbation']['from_s'] == 0.3


def test_the_settings_of_the_node_become_a_perturbation():
    config = So101SimConfig(camera_offset_m=(0.02, 0.0, -0.01), camera_turn_deg=(0.0, 45.0, 0.0),
                            swap_red_blue=True, light_factor=0.4)
    fixed = config.perturbation(is_fixed_camera=True)
    assert fixed.camera.offset_m == (0.02, 0.0, -0.01)
    assert fixed.camera.turn_rad == pytest.approx((0.0, math.pi / 4, 0.0))
    wrist = config.perturbation(is_fixed_camera=False)
    assert wrist == Perturbation(swap_red_blue=True, light=0.4)
    assert So101SimConfig().perturbation(is_fixed_camera=True) == NOTHING


@pytest.mark.parametrize(('settings', 'words'), [
    ({'camera_offset_m': (0.1, 0.0)}, r'camera_offset_m is \[0.1, 0.0\]; expected three numbers'),
    ({'camera_turn_deg': ()}, r'camera_turn_deg is \[\]; expected three numbers'),
    ({'camera_offset_m': (0.0, 0.0, 5.0)}, r'camera_offset_m is 5.0; allowed is -0.5 to 0.5 m'),
    ({'light_factor': -0.1}, r'light_factor is -0.1; allowed is 0.0 to 4.0'),
])
def test_a_setting_that_no_camera_could_follow_is_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        So101SimConfig(**settings)


def test_a_value_that_could_not_be_drawn_is_refused():
    with pytest.raises(ValueError, match='light is nan; allowed is 0 to 4'):
        Perturbation(light=math.nan)
    with pytest.raises(ValueError, match='a camera move must be finite'):
        CameraMove(turn_rad=(0.0, math.inf, 0.0))
