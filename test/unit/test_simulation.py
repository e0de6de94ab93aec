# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The simulated arm without ROS: physics, contacts, rehearsal, seeds."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401, I001

mujoco = pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros.simulation.assets import cluster_vertices  # noqa: E402
from wm_ros.simulation.collect import episode_seed, simulate_episode  # noqa: E402
from wm_ros.simulation.describe import so101_geometry  # noqa: E402
from wm_ros.simulation.play import Play, minimum_jerk, pose_pool  # noqa: E402
from wm_ros.simulation.robot import TIMESTEP_S, So101Simulation  # noqa: E402
from wm_ros.simulation.scene import (  # noqa: E402
    JOINT_NAMES,
    Scene,
    SceneObject,
    build_model,
    sample_scene,
    scene_info,
)
from wm_ros.simulation.trajectory import SetpointTrajectory  # noqa: E402
from wm_ros.world_model.geometry import geometry_from_dict  # noqa: E402
from wm_ros.world_model.surface import Surface  # noqa: E402

EMPTY = Scene(objects=(), table_rgb=(0.5, 0.5, 0.5), light=1.0, light_position=(0.2, 0.0, 1.0))


def shipped_geometry():
    path = Path(__file__).resolve().parents[2] / 'config' / 'so101_geometry.json'
    return geometry_from_dict(json.loads(path.read_text()))


def run(sim, seconds):
    for _ in range(round(seconds / TIMESTEP_S)):
        sim.step()


def test_the_arm_follows_a_trajectory_and_holds_its_end():
    sim = So101Simulation(EMPTY)
    goal = np.array([0.3, -0.4, 0.2, 0.1, -0.2, 0.5])
    sim.set_trajectory(np.array([0.4, 0.8]), np.stack([goal / 2, goal]))
    np.testing.assert_allclose(sim.setpoint(0.2), goal / 4)
    run(sim, 0.4)
    assert np.abs(sim.positions - goal / 2).max() < 0.12
    run(sim, 1.0)
    np.testing.assert_allclose(sim.positions, goal, atol=0.02)
    assert np.abs(sim.velocities).max() < 0.02


def test_set_points_are_numpys_interpolation_to_the_bit():
    rng = np.random.default_rng(4)
    for count in (1, 2, 7):
        trajectory = SetpointTrajectory(
            np.cumsum(rng.uniform(0.01, 0.3, count)), rng.normal(size=(count, 6)))
        for time_s in (-1.0, 9.0, *rng.uniform(0, 1.5, 30), *trajectory.times):
            wanted = [np.interp(time_s, trajectory.times, joint) for joint in trajectory.points.T]
            assert trajectory.at(time_s).tolist() == wanted


def test_set_points_stay_within_the_joint_limits():
    sim = So101Simulation(EMPTY)
    sim.set_position(np.full(6, 10.0))
    np.testing.assert_allclose(sim.setpoint(), sim.upper)


def object_ahead(pose):
    """Return a scene with a tall box where the gripper of a pose is."""
    poses, tips = pose_pool()
    tip = tips[np.abs(poses - pose).sum(1).argmin()]
    box = SceneObject(shape='box', size=(0.03, 0.03, max(tip[2], 0.05)),
                      position=(float(tip[0]), float(tip[1])), yaw_rad=0.0, rgb=(0.1, 0.2, 0.9),
                      density=500.0)
    return Scene(objects=(box,), table_rgb=(0.5,) * 3, light=1.0,
                 light_position=(0.2, 0.0, 1.0))


def test_a_rehearsal_foresees_the_collision_and_leaves_the_state_alone():
    poses, tips = pose_pool()
    reach = poses[np.flatnonzero((tips[:, 0] > 0.25) & (tips[:, 2] < 0.1))[0]]
    sim = So101Simulation(object_ahead(reach))
    before = sim.data.qpos.copy(), sim.time_s
    times = np.arange(1, 9) * 0.1
    points = minimum_jerk(times / 0.8)[:, None] * reach
    foreseen = sim.rehearse(times, points)
    assert foreseen.first_hazard_s is not None
    assert foreseen.contacts[0].kind == 'object'
    np.testing.assert_array_equal(sim.data.qpos, before[0])
    assert sim.time_s == before[1]
    sim.set_trajectory(times, points)
    while not sim.has_hazard() and sim.time_s < 1.0:
        sim.step()
    assert sim.time_s == pytest.approx(foreseen.first_hazard_s, abs=2 * TIMESTEP_S)
    stopped = sim.rehearse(np.array([0.5]), sim.positions[None], should_stop=lambda: True)
    assert stopped.first_hazard_s is None


def test_the_table_is_a_hazard_and_standing_objects_are_not():
    sim = So101Simulation(sample_scene(5))
    run(sim, 0.5)
    assert sim.hazards() == ()
    down = So101Simulation(EMPTY)
    down.set_trajectory(np.array([0.8]), np.array([[0, 1.7, 0.6, 0.0, 0, 0]]))
    run(down, 1.2)
    assert {contact.kind for contact in down.hazards()} == {'table'}


def test_the_same_seed_gives_the_same_episode():
    one, two = (simulate_episode(12, duration_s=0.4) for _ in range(2))
    np.testing.assert_array_equal(one.positions, two.positions)
    assert one.frames == two.frames
    other = simulate_episode(13, duration_s=0.4)
    assert other.frames != one.frames
    assert one.decode(0).shape == (240, 320, 3)
    assert one.decode(0).std() > 10


def test_play_draws_the_same_targets_wherever_the_arm_is():
    scene = sample_scene(3)
    one, two = Play(3, scene), Play(3, scene)
    one.next_move(np.zeros(6))
    two.next_move(np.full(6, 0.5))
    np.testing.assert_allclose(one.next_move(np.zeros(6)).positions,
                               two.next_move(np.zeros(6)).positions)


def test_moves_end_at_rest_and_stay_within_reach():
    move = Play(1, sample_scene(1)).next_move(np.zeros(6))
    assert move.times.tolist() == pytest.approx([0.1 * k for k in range(1, 9)])
    steps = np.abs(np.diff(move.positions, axis=0)).max(1)
    assert steps[-1] < 0.1 * steps.max()
    assert np.abs(move.positions[-1]).max() <= 1.3 + 1e-9


def test_seeds_of_collections_never_meet():
    assert episode_seed(1, 499_999) < episode_seed(2, 0)
    with pytest.raises(ValueError, match='500000'):
        episode_seed(1, 500_000)


def test_clustering_keeps_the_outline():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    near = np.concatenate([corners, corners + 0.001]).astype(np.float32)
    faces = np.array([[0, 1, 2], [1, 2, 3], [8, 9, 10], [0, 8, 1]], np.int32)
    points, kept = cluster_vertices(near, faces, 0.1)
    assert len(points) == 8
    np.testing.assert_allclose(points.min(0), 0.0005, atol=1e-6)
    # The third face falls on the first, the fourth becomes a line.
    assert len(kept) == 2


def test_the_geometry_file_describes_the_simulated_arm():
    torch = pytest.importorskip('torch', reason="needs the train extra: 'wm_ros[train]'")
    from wm_ros.world_model.arm import Arm
    geometry = shipped_geometry()
    assert geometry == so101_geometry()
    sim = So101Simulation(EMPTY)
    pose = np.array([0.4, -0.3, 0.5, 0.2, -0.6, 0.7])
    sim.place(pose)
    arm = Arm(geometry, aspect=4 / 3)
    found, turns = (part.numpy() for part in arm.points(torch.tensor(pose, dtype=torch.float32)))
    bodies = [int(sim.model.joint(name).bodyid[0]) for name in JOINT_NAMES]
    for point, turn, link, local in zip(
            found, turns, geometry.point_links, geometry.points, strict=True):
        body = bodies[link]
        np.testing.assert_allclose(
            turn.reshape(3, 2), sim.data.xmat[body].reshape(3, 3)[:, :2], atol=1e-5)
        place = sim.data.xpos[body] + sim.data.xmat[body].reshape(3, 3) @ np.array(local)
        np.testing.assert_allclose(point, place, atol=1e-5)


def test_the_drawn_surface_covers_the_arm_that_the_camera_sees():
    geometry = shipped_geometry()
    sim = So101Simulation(EMPTY)
    pose = np.array([0.5, -0.4, 0.3, 0.4, -0.5, 0.8])
    sim.place(pose)
    height, width = 144, 192
    with mujoco.Renderer(sim.model, height, width) as renderer:
        renderer.enable_segmentation_rendering()
        renderer.update_scene(sim.data, 'front')
        geoms = renderer.render()[..., 0]
    bodies = [int(sim.model.joint(name).bodyid[0]) for name in JOINT_NAMES]
    truth = np.isin(sim.model.geom_bodyid[geoms], bodies) & (geoms >= 0)
    surface = Surface(geometry, height=height, width=width)
    still, lamp = np.zeros((1, 6), np.float32), np.zeros((1, 3), np.float32)
    joints = pose[None].astype(np.float32)
    drawn = surface.draw(joints, surface.newest(joints, still, lamp))
    covered = drawn.maps[0, 0] >= 0.5
    assert truth.sum() > 300
    assert (covered & truth).sum() > 0.8 * (covered | truth).sum()
    # What differs is the outline: never by more than a pixel.
    around = np.ones((3, 3), np.uint8)
    for one, other in ((covered, truth), (truth, covered)):
        beyond = one & (cv2.dilate(other.astype(np.uint8), around) == 0)
        assert beyond.sum() < 0.02 * truth.sum()
    # Each pixel's point is one of the link that is seen there, away from where two links meet.
    owner = np.array(bodies)[np.array(geometry.surface_links)[drawn.point[0] - 1]]
    body = np.where(truth, sim.model.geom_bodyid[geoms], 0).astype(np.uint8)
    inside = truth & (cv2.dilate(body, around) == cv2.erode(body, around))
    assert inside.sum() > 100
    assert (owner == body)[inside].mean() > 0.95


def test_a_moved_camera_is_told_as_the_projection_means_it():
    torch = pytest.importorskip('torch', reason="needs the train extra: 'wm_ros[train]'")
    from types import SimpleNamespace

    from wm_ros.data.windows import camera_move
    from wm_ros.world_model.arm import Arm
    scene = next(scene for scene in (sample_scene(seed, 'varied') for seed in range(50))
                 if scene.look.camera.angle_rad > 0.03 and scene.look.camera.distance_m > 0.01)
    geometry = shipped_geometry()
    found = camera_move(SimpleNamespace(info={'scene': scene_info(scene)}),
                         SimpleNamespace(geometry=geometry))
    camera = build_model(scene).camera('front')
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, camera.quat)
    points = np.array([[0.2, 0.1, 0.0], [0.3, -0.2, 0.1], [0.05, 0.0, 0.2]])
    seen = (points - camera.pos) @ turn.reshape(3, 3)
    focal = 1 / np.tan(geometry.camera_fovy_rad / 2)
    truth = np.c_[focal * 3 / 4 * seen[:, 0], -focal * seen[:, 1]] / -seen[:, 2:]
    place, _ = Arm(geometry, aspect=4 / 3).project(
        torch.tensor(points[None], dtype=torch.float32), torch.tensor(found)[None])
    # A turn of 2 degrees to first order: a tenth of a pixel of 144.
    np.testing.assert_allclose(place[0].numpy(), truth, atol=0.2 * 2 / 144)
    still, _ = Arm(geometry, aspect=4 / 3).project(
        torch.tensor(points[None], dtype=torch.float32), torch.zeros(1, 6))
    assert np.abs(still[0].numpy() - truth).max() > 2 * 2 / 144


def test_clearance_is_the_distance_to_the_nearest_thing():
    poses, tips = pose_pool()
    reach = poses[np.flatnonzero((tips[:, 0] > 0.25) & (tips[:, 2] < 0.1))[0]]
    sim = So101Simulation(object_ahead(reach))
    assert sim.clearance() == pytest.approx(0.1)
    sim.place(reach)
    assert sim.clearance() < 0.001
