# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Named splits: id never changes, each other leaves it in one way, all of them stand still."""

import argparse
import colorsys
import dataclasses
import hashlib
import json
import math

import numpy as np
import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401, I001

mujoco = pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros.data.episode import read_episode, write_episode  # noqa: E402
from wm_ros.errors import DatasetError, SimulationError  # noqa: E402
from wm_ros.simulation.collect import collect, simulate_episode  # noqa: E402
from wm_ros.simulation.look import Look, TableTexture  # noqa: E402
from wm_ros.simulation.motion import Motion, sample_motion  # noqa: E402
from wm_ros.simulation.objects import SHAPES, cone_vertices  # noqa: E402
from wm_ros.simulation.play import Play  # noqa: E402
from wm_ros.simulation.renderer import BriefCamera, Camera  # noqa: E402
from wm_ros.simulation.robot import TIMESTEP_S, So101Simulation  # noqa: E402
from wm_ros.simulation.scene import (  # noqa: E402
    SPLITS,
    Scene,
    SceneObject,
    build_model,
    sample_scene,
    scene_info,
)
from wm_ros.verbs.collect import add_parser  # noqa: E402

SEEDS = range(7_000, 7_100)
OTHERS = [split for split in SPLITS if split != 'id']
# For measuring; varied is for training and leaves id in several ways at once.
MEASURED = [split for split in SPLITS if split != 'varied']
# Taken before there was any other split: whoever changes them changes the training data.
ID_SCENES = {0: '766076447c3bd119', 5: 'bd4d6c10b6bff3dd', 1_000_000: 'f557dac542cd464a'}
ID_EPISODE = '659f4dc882b93e2c'


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def test_the_id_split_is_what_it_was():
    for seed, expected in ID_SCENES.items():
        assert digest(json.dumps(scene_info(sample_scene(seed))).encode()) == expected
    assert sample_scene(5, 'id') == sample_scene(5)
    assert sample_motion(5) == Motion() == Motion(
        chunk_s=0.8, reach_rad=(0.5, 1.3), slow_share=0.25, slow_s=2.0)


def test_an_id_episode_moves_as_it_did():
    episode = simulate_episode(12, duration_s=1.0)
    assert digest(episode.setpoints.tobytes() + episode.positions.tobytes()) == ID_EPISODE
    assert set(episode.info) == {'seed', 'split', 'scene', 'duration_s'}
    assert set(episode.info['scene']) == {'objects', 'table_rgb', 'light', 'light_position'}


def is_trained_shape(item):
    """Say whether the training split could have drawn this shape in this size."""
    first, second, third = item.size
    if item.shape == 'box':
        return all(0.014 <= half <= 0.03 for half in (first, second)) and 0.03 <= third <= 0.085
    if item.shape == 'cylinder':
        return 0.014 <= first <= 0.028 and 0.03 <= second <= 0.085
    return item.shape == 'capsule'


def is_trained_colour(item):
    _, saturation, value = colorsys.rgb_to_hsv(*item.rgb)
    return saturation >= 0.55 - 1e-9 and value >= 0.4 - 1e-9


def is_trained_light(scene):
    x, y, z = scene.light_position
    return (0.75 <= scene.light <= 1.1 and 0 <= x <= 0.5 and abs(y) <= 0.4 and 0.9 <= z <= 1.3
            and scene.look == Look())


WAYS = {
    'objects': lambda scene, motion: [is_trained_shape(item) for item in scene.objects],
    'appearance': lambda scene, motion: [
        is_trained_light(scene), *map(is_trained_colour, scene.objects)],
    'dynamics': lambda scene, motion: [
        motion.peak_speed <= Motion().peak_speed,
        *(300 <= item.density <= 900 for item in scene.objects)],
}


@pytest.mark.parametrize('split', MEASURED)
@pytest.mark.parametrize('way', WAYS)
def test_a_split_leaves_the_training_scenes_in_its_own_way_only(split, way):
    trained = [value for seed in SEEDS
               for value in WAYS[way](sample_scene(seed, split), sample_motion(seed, split))]
    assert len(trained) >= len(SEEDS)
    assert all(trained) if split != way else not any(trained)


def test_varied_scenes_stay_between_the_trained_and_the_measured_ones():
    scenes = [sample_scene(seed, 'varied') for seed in SEEDS]
    unseen = [sample_scene(seed, 'appearance') for seed in SEEDS]
    moves = [scene.look.camera for scene in scenes]
    assert 0.012 < max(move.distance_m for move in moves) <= 0.016
    assert 2.0 < max(math.degrees(move.angle_rad) for move in moves) <= 2.4 + 1e-9
    assert 20 < sum(move.distance_m == 0 for move in moves) < 50
    kinds = {scene.look.table_texture.kind for scene in scenes if scene.look.table_texture}
    assert kinds == {'blobs', 'speckle', 'gradient'}
    assert not kinds & {scene.look.table_texture.kind for scene in unseen}
    lights = [scene.light for scene in scenes]
    assert all(not min(lights) <= scene.light <= max(lights) for scene in unseen)
    objects = [item for scene in scenes for item in scene.objects]
    novel = [item for seed in SEEDS for item in sample_scene(seed, 'objects').objects]
    assert {item.shape for item in objects} == {'box', 'cylinder', 'capsule'}
    # A post of objects is thinner, a slab is wider.
    radii = [item.size[0] for item in objects if item.shape != 'box']
    assert max(item.size[0] for item in novel if item.shape == 'cylinder') < min(radii)
    assert min(item.size[0] for item in novel if item.shape == 'box') > max(
        max(item.size[:2]) for item in objects if item.shape == 'box')


def test_all_new_shapes_come_and_the_fastest_motion_is_much_faster():
    objects = [item for seed in SEEDS for item in sample_scene(seed, 'objects').objects]
    assert {item.shape for item in objects} == set(SHAPES) - {'capsule'}
    assert max(sample_motion(seed, 'dynamics').peak_speed for seed in SEEDS) > 6.0
    assert {sample_scene(seed, 'appearance').look.table_texture.kind for seed in SEEDS} == {
        'checker', 'stripes', 'noise', 'wood'}


def test_the_camera_moves_but_never_more_than_two_centimetres_and_three_degrees():
    plain = build_model(sample_scene(0)).camera('front')
    looks = [sample_scene(seed, 'appearance').look for seed in SEEDS]
    distances = [look.camera.distance_m for look in looks]
    angles = [math.degrees(look.camera.angle_rad) for look in looks]
    assert min(distances) >= 0.005
    assert 0.015 < max(distances) <= 0.02
    assert min(angles) >= 0.5 - 1e-9
    assert 2.5 < max(angles) <= 3.0 + 1e-9
    for seed in SEEDS[:3]:
        scene = sample_scene(seed, 'appearance')
        moved = build_model(scene).camera('front')
        np.testing.assert_allclose(moved.pos - plain.pos, scene.look.camera.offset_m, atol=1e-9)
        half = min(1.0, abs(float(moved.quat @ plain.quat)))
        assert 2 * math.acos(half) == pytest.approx(scene.look.camera.angle_rad, abs=1e-6)


@pytest.mark.parametrize('split', OTHERS)
def test_a_split_is_its_own_and_repeats_itself(split):
    assert sample_scene(4, split) == sample_scene(4, split)
    assert sample_motion(4, split) == sample_motion(4, split)
    drawn = [sample_scene(4, other).table_rgb for other in SPLITS]
    assert len(set(drawn)) == len(SPLITS)


def test_an_unknown_split_is_named(tmp_path):
    for call in (lambda: sample_scene(1, 'idd'), lambda: sample_motion(1, 'idd'),
                 lambda: simulate_episode(1, split='idd'),
                 lambda: collect(tmp_path, num_episodes=1, seed=1, split='idd')):
        with pytest.raises(ValueError, match="'idd'; choose from id, objects, appearance, dyn"):
            call()


def test_the_command_line_offers_every_split():
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    needed = ['collect', '--episodes', '1', '--seed', '1', '--out', 'x']
    assert parser.parse_args(needed).split == 'id'
    for split in SPLITS:
        assert parser.parse_args([*needed, '--split', split]).split == split


def motion_of(sim, index, before):
    """Return how far an object has slid, m, and how far it has tilted, degrees."""
    at = sim.model.joint(f'object_{index}').qposadr[0]
    matrix = np.zeros(9)
    mujoco.mju_quat2Mat(matrix, sim.data.qpos[at + 3:at + 7])
    return (np.linalg.norm(sim.data.qpos[at:at + 2] - before[at:at + 2]),
            math.degrees(math.acos(min(1.0, matrix[8]))))


@pytest.mark.parametrize('split', OTHERS)
def test_objects_do_not_topple_by_themselves(split):
    stood = set()
    for seed in SEEDS[:10]:
        sim = So101Simulation(sample_scene(seed, split))
        sim.place(Play(seed, sim.scene).start())
        before = sim.data.qpos.copy()
        for _ in range(round(1.0 / TIMESTEP_S)):
            sim.step()
        assert sim.hazards() == ()
        for index, item in enumerate(sim.scene.objects):
            slid, tilted = motion_of(sim, index, before)
            assert slid < 0.001, (seed, item)
            assert tilted < 0.5, (seed, item)
            stood.add(item.shape)
    assert len(stood) >= (5 if split == 'objects' else 3)


def test_new_objects_stand_clear_of_each_other_and_of_the_base():
    for seed in SEEDS:
        objects = sample_scene(seed, 'objects').objects
        for index, item in enumerate(objects):
            assert math.hypot(*item.position) - item.footprint > 0.129
            for other in objects[:index]:
                assert math.dist(item.position, other.position) > (
                    item.footprint + other.footprint + 0.0099)


SIZES = {'box': (0.03, 0.02, 0.05), 'cylinder': (0.03, 0.05, 0.0), 'capsule': (0.03, 0.04, 0.0),
         'ellipsoid': (0.04, 0.03, 0.025), 'sphere': (0.03, 0.03, 0.03),
         'cone': (0.04, 0.01, 0.06), 'l_shape': (0.04, 0.01, 0.05), 'tee': (0.04, 0.015, 0.07)}


@pytest.mark.parametrize('shape', SHAPES)
def test_a_shape_is_as_high_and_as_wide_as_it_says(shape):
    item = SceneObject(shape=shape, size=SIZES[shape], position=(0.25, -0.3), yaw_rad=0.0,
                       rgb=(1.0, 0.0, 0.0), density=500.0)
    sim = So101Simulation(dataclasses.replace(sample_scene(0), objects=(item,)))
    geoms = np.flatnonzero(sim.model.geom_bodyid == sim.model.body('object_0').id)
    assert len(geoms) == (2 if shape in ('l_shape', 'tee') else 1)
    grid = [(radius * item.footprint, angle) for radius in np.linspace(0, 1.2, 25)
            for angle in np.linspace(0, 2 * np.pi, 40, endpoint=False)]
    heights = np.array([height_seen(sim, 0.25 + r * math.cos(a), r * math.sin(a) - 0.3)
                        for r, a in grid])
    assert heights.max() == pytest.approx(2 * item.height + 0.0005, abs=0.002)
    reach = max(r for (r, _), height in zip(grid, heights, strict=True) if height > 0.001)
    assert 0.8 * item.footprint < reach <= item.footprint + 1e-9


def height_seen(sim, x, y):
    """Return the height of what a ray from above meets first, m."""
    geom = np.zeros(1, np.int32)
    return 0.5 - mujoco.mj_ray(sim.model, sim.data, np.array([x, y, 0.5]),
                               np.array([0.0, 0.0, -1.0]), None, 1, -1, geom)


@pytest.mark.parametrize('shape', SHAPES)
def test_contact_with_any_shape_is_a_hazard(shape):
    item = SceneObject(shape=shape, size=SIZES[shape], position=(0.25, 0.0), yaw_rad=0.0,
                       rgb=(1.0, 0.0, 0.0), density=500.0)
    sim = So101Simulation(dataclasses.replace(sample_scene(0), objects=(item,)))
    assert not sim.has_hazard()
    at = sim.model.joint('object_0').qposadr[0]
    # Into the forearm: nothing of an object may pass through the arm unseen.
    sim.data.qpos[at:at + 3] = sim.data.body('lower_arm').xpos
    mujoco.mj_forward(sim.model, sim.data)
    assert sim.has_hazard()
    assert {contact.kind for contact in sim.hazards()} == {'object'}
    assert sim.clearance() < 0.0


def test_a_cone_is_as_wide_and_as_high_as_asked():
    points = cone_vertices(0.04, 0.01, 0.06)
    assert points.shape == (48, 3)
    low = points[points[:, 2] < 0]
    np.testing.assert_allclose(np.hypot(*low[:, :2].T), 0.04)
    np.testing.assert_allclose(points[points[:, 2] > 0][:, 2], 0.06)


def test_an_unknown_shape_is_named():
    item = SceneObject(shape='ring', size=(0.1, 0.1, 0.1), position=(0.2, 0.0), yaw_rad=0.0,
                       rgb=(1.0, 0.0, 0.0), density=500.0)
    with pytest.raises(ValueError, match="object 0 has shape 'ring'; choose from"):
        build_model(Scene(objects=(item,), table_rgb=(0.5,) * 3, light=1.0,
                          light_position=(0.2, 0.0, 1.0)))


def make_texture(kind, repeats=2):
    return TableTexture(kind=kind, rgb1=(1.0, 0.0, 0.0), rgb2=(0.0, 0.0, 1.0), repeats=repeats,
                        seed=3)


def test_textures_lie_between_their_colours():
    pixels = make_texture('checker').pixels()
    assert [pixels[0, 0].tolist(), pixels[0, -1].tolist(), pixels[-1, -1].tolist()] == [
        [255, 0, 0], [0, 0, 255], [255, 0, 0]]
    # Two stripes of each colour, across the columns.
    row = make_texture('stripes').pixels()[7, :, 2]
    assert np.flatnonzero(np.diff(row.astype(int))).tolist() == [127, 255, 383]
    for kind in ('noise', 'wood'):
        pixels = make_texture(kind, repeats=20).pixels().astype(int)
        assert abs(pixels[..., 0] + pixels[..., 2] - 255).max() <= 1
        assert 30 < pixels[..., 0].std() < 120
        np.testing.assert_array_equal(pixels, make_texture(kind, repeats=20).pixels())
    with pytest.raises(ValueError, match="'tartan' is unknown; choose from"):
        make_texture('tartan').pixels()


@pytest.mark.parametrize('split', OTHERS)
def test_an_episode_remembers_its_split_and_all_that_was_drawn(split, tmp_path):
    episode = simulate_episode(21, split=split, duration_s=0.3)
    write_episode(tmp_path / 'episode_000000021.safetensors', episode)
    info = read_episode(tmp_path / 'episode_000000021.safetensors').info
    scene = sample_scene(21, split)
    assert info['split'] == split
    assert info['scene'] == json.loads(json.dumps(scene_info(scene)))
    assert info['scene']['objects'][0]['density'] == scene.objects[0].density
    assert ('look' in info['scene']) == (split in ('appearance', 'varied'))
    assert ('motion' in info) == (split == 'dynamics')
    if split == 'appearance':
        assert tuple(info['scene']['look']['camera']['offset_m']) == scene.look.camera.offset_m
    if split == 'dynamics':
        assert info['motion']['chunk_s'] == sample_motion(21, split).chunk_s


def test_play_of_the_dynamics_split_moves_faster():
    def fastest(split):
        episode = simulate_episode(33, split=split, duration_s=3.0)
        return np.abs(np.diff(episode.setpoints, axis=0)).max() / 0.02

    assert fastest('dynamics') > 1.15 * fastest('id')


def test_a_directory_holds_one_split(tmp_path):
    path = tmp_path / 'episode_009000000.safetensors'
    write_episode(path, simulate_episode(9_000_000, split='objects', duration_s=0.1))
    assert collect(tmp_path, num_episodes=1, seed=9, split='objects', duration_s=0.1) == 0
    with pytest.raises(DatasetError, match=r"episode_009000000.* split 'objects', not 'id'"):
        collect(tmp_path, num_episodes=1, seed=9)


def test_a_shorter_episode_is_the_beginning_of_the_longer_one(tmp_path):
    collect(tmp_path / 'short', num_episodes=1, seed=5, duration_s=0.4)
    (path,) = (tmp_path / 'short').iterdir()
    short, long = read_episode(path), simulate_episode(5_000_000, duration_s=0.8)
    assert len(short.frame_stamps_ns) == 5
    assert short.frames == long.frames[:5]
    num = len(short.positions)
    assert num == 21
    assert (short.positions == long.positions[:num]).all()
    assert (short.setpoints == long.setpoints[:num]).all()
    with pytest.raises(DatasetError, match=r'was made to last 0\.4 s, not 6 s; give each length'):
        collect(tmp_path / 'short', num_episodes=2, seed=5)


@pytest.mark.parametrize('split', ['id', 'varied'])
def test_glimpses_are_moments_of_the_whole_film(split):
    known = 0
    for seed in (1, 2, 3):
        whole = simulate_episode(seed, split=split, duration_s=3.0)
        some = simulate_episode(seed, split=split, duration_s=3.0, glimpses=2)
        for name in ('positions', 'velocities', 'efforts', 'setpoints', 'hazards', 'clearance',
                     'joint_stamps_ns'):
            np.testing.assert_array_equal(getattr(some, name), getattr(whole, name))
        at = dict(zip(whole.frame_stamps_ns.tolist(), whole.frames, strict=True))
        assert [at[stamp] for stamp in some.frame_stamps_ns.tolist()] == list(some.frames)
        # Each moment is a pair, and joints go on for a second after it.
        stamps = some.frame_stamps_ns / 1e9
        assert len(stamps) in (2, 4)
        assert (stamps[1::2] - stamps[::2]).tolist() == pytest.approx([0.1] * (len(stamps) // 2))
        assert stamps[-1] + 1.0 <= some.joint_stamps_ns[-1] / 1e9 + 1e-6
        if len(stamps) == 4:
            assert stamps[2] - stamps[0] > 0.4
        rows = np.flatnonzero(some.hazards)
        if rows.size:
            first = some.joint_stamps_ns[rows[0]] / 1e9
            assert stamps[-1] < first
            # One of the moments is shortly before what happened.
            assert (stamps > first - 1.1).any()
            known += 1
        assert some.info == {**whole.info, 'glimpses': 2}
    assert known


def test_glimpses_are_of_the_main_camera_alone(tmp_path):
    with pytest.raises(ValueError, match='2 glimpses are of the main camera alone'):
        simulate_episode(1, glimpses=2, cameras=('front', 'wrist'))
    collect(tmp_path, num_episodes=1, seed=5, duration_s=1.2, glimpses=1)
    with pytest.raises(DatasetError, match='was drawn at 1 moments, not at all moments; give'):
        collect(tmp_path, num_episodes=2, seed=5, duration_s=1.2)


def test_a_camera_for_a_few_pictures_draws_what_another_does():
    sims = [So101Simulation(sample_scene(seed)) for seed in (1, 2)]
    wanted = []
    for sim in sims:
        with Camera(sim.model, 'front') as camera:
            wanted.append(camera.render(sim.data))
    found = []
    for sim in (*sims, sims[0]):
        with BriefCamera(sim.model, 'front') as camera:
            # One of the other kind may draw meanwhile.
            with Camera(sims[0].model, 'wrist') as other:
                other.render(sims[0].data)
            found.append(camera.render(sim.data))
            with pytest.raises(SimulationError, match='a brief camera is open already; close'):
                BriefCamera(sim.model, 'front')
    for picture, same in zip(found, (*wanted, wanted[0]), strict=True):
        np.testing.assert_array_equal(picture, same)
    assert (wanted[0] != wanted[1]).any()


def test_windows_do_not_guess_the_outline_of_a_shape_that_they_do_not_know():
    pytest.importorskip('torch', reason="needs the train extra: 'wm_ros[train]'")
    from tiny_checkpoint import make_episode, tiny_config

    from wm_ros.data.windows import cut_windows
    item = {'shape': 'cone', 'size': (0.04, 0.01, 0.06), 'position': (0.2, 0.1), 'yaw_rad': 0.0}
    episode = dataclasses.replace(make_episode(), info={'scene': {'objects': [item]}})
    windows = cut_windows(episode, tiny_config())
    assert len(windows) == 14
    assert np.isnan(windows.obstacles[:, 0]).any(axis=1).all()
