# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A robot that is known from its YAML file alone: drives, limits, hazards, play, episodes."""

from dataclasses import replace

import numpy as np
import pytest
import toy_robot

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401, I001

mujoco = pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros.cli import main  # noqa: E402
from wm_ros.data.episode import list_episodes, read_episode  # noqa: E402
from wm_ros.errors import DatasetError, SimulationError  # noqa: E402
from wm_ros.simulation.collect import collect  # noqa: E402
from wm_ros.simulation.configured_collect import collect_robot, simulate_robot  # noqa: E402
from wm_ros.simulation.configured_play import ConfiguredPlay, pose_pool  # noqa: E402
from wm_ros.simulation.configured_robot import (  # noqa: E402
    ConfiguredRobot,
    Layout,
    sample_layout,
)
from wm_ros.simulation.robot_config import ModelFile, read_robot  # noqa: E402
from wm_ros.simulation.robot_model import build_robot, model_path  # noqa: E402

AWAY = Layout(objects=((5.0, 0.0, 0.05, 0.0),), light=1.0)


@pytest.fixture
def toy_file(tmp_path, monkeypatch):
    """Return the YAML file of the toy, whose package is on the path."""
    return toy_robot.install_toy_robot(tmp_path, monkeypatch)


@pytest.fixture
def toy(toy_file):
    """Return the configuration of the toy."""
    return read_robot(toy_file)


def qpos(sim, joint):
    return float(sim.data.qpos[sim.model.joint(joint).qposadr[0]])


def test_a_joint_moves_all_of_its_drives_by_scale_and_offset(toy):
    sim = ConfiguredRobot(toy, AWAY)
    sim.place(np.array([0.3, 0.5]))
    assert qpos(sim, 'swing') == pytest.approx(0.3)
    assert qpos(sim, 'left') == pytest.approx(0.03)
    assert qpos(sim, 'right') == pytest.approx(-0.03)
    np.testing.assert_allclose(sim.positions, [0.3, 0.5])
    sim.data.qvel[sim.model.joint('left').dofadr[0]] = 0.02
    assert sim.velocities[1] == pytest.approx(0.5)


def test_effort_is_the_work_of_all_drives_per_unit_of_the_joint(toy):
    sim = ConfiguredRobot(toy, AWAY)
    forces = sim.data.actuator_force
    # The motor on 'loose' is the fourth actuator and belongs to no joint of the robot.
    forces[:] = [2.0, 3.0, -5.0, 7.0]
    np.testing.assert_allclose(sim.efforts, [2.0, 0.04 * 3.0 + 0.04 * 5.0])


def test_limits_are_what_every_drive_can_follow(toy):
    parts = build_robot(toy)
    # left reaches 0.05 m = 1.0, right -0.04 m = 0.75; both end at 0 m = -0.25.
    np.testing.assert_allclose(parts.lower, [-1.5, -0.25])
    np.testing.assert_allclose(parts.upper, [1.5, 0.75])
    sim = ConfiguredRobot(toy, AWAY)
    sim.set_trajectory(np.array([0.1]), np.array([[9.0, 9.0]]))
    for _ in range(100):
        sim.step()
    np.testing.assert_allclose(sim.setpoint(), [1.5, 0.75])
    # The controller went there in a straight line.
    np.testing.assert_allclose(sim._trajectory.at(0.05), [0.75, 0.625])


def test_hazards_are_what_the_rules_say(toy):
    sim = ConfiguredRobot(toy, replace(AWAY, objects=((0.2, 0.0, 0.45, 0.0),)))
    assert {(c.kind, *sorted(c.pair)) for c in sim.hazards()} == {('ball', 'arm/bar', 'ball')}
    free = ConfiguredRobot(toy, AWAY)
    assert not free.has_hazard()
    # The bar ends 0.05 m above the table, the fingers would end 0.05 m below.
    free.place(np.array([1.5, 0.5]))
    assert {(c.kind, *c.pair) for c in free.hazards()} == {
        ('table', 'table', 'arm/left'), ('table', 'table', 'arm/right')}
    assert np.isnan(free.clearance())


def test_allowed_contacts_are_no_hazards(toy):
    on_bar = replace(AWAY, objects=((0.2, 0.0, 0.45, 0.0),))
    rule = replace(toy.hazards[0], bodies=('ball',), touching=('arm/bar',))
    assert ConfiguredRobot(replace(toy, hazards=(rule,)), on_bar).has_hazard()
    assert not ConfiguredRobot(replace(toy, allowed=(rule,)), on_bar).has_hazard()


def test_a_layout_stays_in_its_ranges_and_is_placed(toy):
    layouts = [sample_layout(toy, seed) for seed in range(20)]
    assert layouts[3] == sample_layout(toy, 3)
    assert len({layout.light for layout in layouts}) == 20
    for layout in layouts:
        x, y, z, yaw = layout.objects[0]
        assert 0.3 <= x <= 0.4
        assert -0.1 <= y <= 0.1
        assert z == 0.05
        assert abs(yaw) <= 3.1415
        assert 0.5 <= layout.light <= 1.0
    sim = ConfiguredRobot(toy, layouts[3])
    np.testing.assert_allclose(sim.data.body('ball').xpos, layouts[3].objects[0][:3])
    full = ConfiguredRobot(toy, AWAY)
    np.testing.assert_allclose(
        sim.model.light_diffuse, full.model.light_diffuse * layouts[3].light)


def test_play_goes_to_poses_that_touch_nothing_and_within_reach(toy):
    poses, tips = pose_pool(toy)
    assert poses.shape == (1500, 2)
    assert tips.shape == (1500, 1, 3)
    assert (poses >= [-0.5, 0.2]).all()
    assert (poses <= [1.0, 0.7]).all()
    sim = ConfiguredRobot(toy, sample_layout(toy, 4))
    play = ConfiguredPlay(4, sim)
    for _ in range(20):
        sim.place(play.start())
        assert not sim.has_hazard()
    now = np.array([0.0, 0.5])
    for _ in range(20):
        move = play.next_move(now, duration_s=0.8)
        assert move.times.tolist() == pytest.approx([0.1 * k for k in range(1, 9)])
        way = np.abs(move.positions[-1] - now) / [1.5, 0.5]
        # Half of the play range of the joint that moves most, at the most.
        assert way.max() <= 0.5 + 1e-9


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('{joint: swing}', '{joint: swung}', r"toy.yaml: joint 'swung' .*did you mean \['swing'\]"),
    ('{joint: swing}', '{joint: loose}', "toy.yaml: joint 'loose' has no position actuator"),
    ('name: eye', 'name: ear', r"camera.name 'ear' is not in the MJCF model; .*'eye'"),
    ('tips: [arm/left]', 'tips: [arm/tip]', r"play.tips 'arm/tip' is not in the MJCF model"),
    ('body: ball', 'body: table', "object 'table' has no free joint"),
    ("bodies: ['arm/*'], touching: [ball]", "bodies: ['leg/*'], touching: [ball]",
     r"hazards\[0\].bodies: no body of the MJCF model is called 'leg/\*'"),
    ('play: [-0.5, 1.0]', 'play: [-0.5, 2.0]', "play of joint 'swing' .* reach -1.5 to 1.5"),
    ('home: 0.0, play: [-0.5, 1.0]', 'home: 1.5, play: [-0.5, 1.5]',
     r"toy.yaml: the home position touches: 'table' and 'arm/\w+' \(table\)"),
])
def test_what_the_model_cannot_do_is_refused_before_any_work(toy_file, old, new, message):
    text = toy_file.read_text()
    assert text.count(old) == 1
    toy_file.write_text(text.replace(old, new))
    out = toy_file.parent / 'episodes'
    with pytest.raises(ValueError, match=message):
        collect_robot(toy_file, out, num_episodes=1, seed=1)
    assert not out.exists()


def test_a_package_or_a_file_that_is_not_there_is_named_with_the_fix(toy):
    with pytest.raises(SimulationError, match="'gym_nowhere' .* 'pip install gym-nowhere'"):
        model_path(ModelFile(package='gym_nowhere', file='a.xml'))
    with pytest.raises(SimulationError, match=r"'b.xml' is not in .*\['assets/robot.xml'\]"):
        model_path(replace(toy.model, file='b.xml'))
    model_path(toy.model).write_text('<mujoco><worldbody></mujoco>')
    with pytest.raises(SimulationError, match='robot.xml: MuJoCo cannot compile it'):
        build_robot(toy)


def test_the_same_seed_gives_the_same_episode(toy):
    one, two = simulate_robot(toy, 7), simulate_robot(toy, 7)
    assert one.frames == two.frames
    np.testing.assert_array_equal(one.positions, two.positions)
    assert simulate_robot(toy, 8).frames != one.frames
    assert one.joint_names == ('swing', 'grip')
    assert one.hazard_kinds == ('ball', 'table')
    assert one.camera_name == 'eye'
    assert one.clearance is None
    assert one.info['robot'] == 'toy'
    assert one.decode(0).shape == (32, 48, 3)
    assert one.decode(0).std() > 5


def test_collecting_goes_on_and_refuses_to_mix_robots(toy_file, toy):
    out = toy_file.parent / 'episodes'
    assert main(['collect', '--robot', str(toy_file), '--episodes', '1', '--seed', '2', '--out',
                 str(out), '--workers', '1']) == 0
    assert collect_robot(toy_file, out, num_episodes=2, seed=2) == 1
    assert [read_episode(path).info['seed'] for path in list_episodes(out)] == [
        2_000_000, 2_000_001]
    with pytest.raises(DatasetError, match="of robot 'toy', not of the SO-101"):
        collect(out, num_episodes=3, seed=2)
    toy_file.write_text(toy_file.read_text().replace('name: toy', 'name: other'))
    with pytest.raises(DatasetError, match="of robot 'toy' with 2 joints, not of 'other'"):
        collect_robot(toy_file, out, num_episodes=3, seed=2)


def test_splits_are_the_so101_s_alone(toy_file, capsys):
    assert main(['collect', '--robot', str(toy_file), '--episodes', '1', '--seed', '2', '--out',
                 str(toy_file.parent / 'episodes'), '--split', 'objects']) == 2
    assert '--split objects exists for the SO-101 alone' in capsys.readouterr().err
