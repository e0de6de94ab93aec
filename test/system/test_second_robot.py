# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A second robot, ALOHA with 14 joints, through collect, train and evaluate by config alone."""

import importlib.util
import json
from pathlib import Path

import pytest
import yaml

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401
from wm_ros.cli import main
from wm_ros.data.episode import list_episodes, read_episode

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")
# Not importorskip: the package itself is never imported, only its MJCF file is read.
if importlib.util.find_spec('gym_aloha') is None:
    pytest.skip('needs the MJCF of ALOHA: pip install gym-aloha', allow_module_level=True)

ROBOT = Path(__file__).resolve().parents[2] / 'config' / 'robots' / 'aloha.yaml'
HORIZON = 4
SMALL = {'image_height': 72, 'image_width': 96, 'horizon': HORIZON, 'dim': 32, 'detail_dim': 16,
         'middle_dim': 16, 'num_heads': 2, 'num_blocks': 1, 'num_hazard_heads': 2,
         'residual_dim': 4, 'flow_blocks': 1}
PER_STEP = ('psnr', 'psnr_copy', 'psnr_moving', 'psnr_moving_copy', 'joint_error_deg')
SCALARS = ('auroc', 'auroc_kinematic', 'auroc_shuffled', 'false_veto_at_90_recall',
           'false_veto_at_95_recall', 'false_veto_at_99_recall', 'ece', 'uncertainty_spearman')


@pytest.fixture(scope='module')
def episodes(tmp_path_factory):
    """Return two directories of short episodes with small pictures: to train, and to test."""
    root = tmp_path_factory.mktemp('aloha')
    robot = yaml.safe_load(ROBOT.read_text(encoding='utf-8'))
    robot['camera'].update(width_px=96, height_px=72, oversampling=1)
    robot['timing'].update(episode_s=2.0)
    path = root / 'small_aloha.yaml'
    path.write_text(yaml.safe_dump(robot), encoding='utf-8')
    for name, seed, count in (('train', '3', '4'), ('test', '4', '2')):
        assert main(['collect', '--robot', str(path), '--episodes', count, '--seed', seed,
                     '--out', str(root / name), '--workers', '1']) == 0
    return root / 'train', root / 'test'


@pytest.mark.timeout(600)
def test_episodes_have_the_joints_and_the_camera_of_the_robot(episodes):
    episode = read_episode(list_episodes(episodes[0])[0])
    assert len(episode.joint_names) == 14
    assert episode.positions.shape[1] == 14
    assert episode.joint_names[6] == 'left_arm_gripper'
    assert episode.camera_name == 'angle'
    assert episode.decode(0).shape == (72, 96, 3)
    assert episode.hazard_kinds == ('object', 'table', 'other_arm', 'self')
    assert 'scene' not in episode.info


# A few seconds of work each; on a machine with other work its wall clock was ten times that.
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize('action_mode', ['absolute', 'delta'])
def test_a_second_robot_is_trained_and_measured_by_config_alone(episodes, tmp_path, action_mode):
    run, report = tmp_path / 'run', tmp_path / 'report.json'
    settings = {**{f'model.{key}': value for key, value in SMALL.items()},
                'model.action_mode': action_mode, 'batch_size': 4, 'threads': 1, 'holdout': 4}
    changes = [part for key, value in settings.items() for part in ('--set', f'{key}={value}')]
    assert main(['train', '--data', str(episodes[0]), '--out', str(run), '--steps', '3',
                 *changes]) == 0
    config = json.loads((run / 'checkpoint' / 'config.json').read_text())
    assert len(config['joint_names']) == 14
    assert len(config['joint_std']) == 14
    assert config['camera_name'] == 'angle'
    assert config['geometry'] is None
    assert config['action_mode'] == action_mode
    assert main(['evaluate', '--checkpoint', str(run / 'checkpoint'), '--data', str(episodes[1]),
                 '--threads', '1', '--json', str(report), '--sensitivity-windows', '8',
                 '--sampler-windows', '2', '--bootstrap', '20']) == 0
    figures = json.loads(report.read_text())
    assert set(PER_STEP) | set(SCALARS) | {'ci95', 'windows', 'episodes'} <= set(figures)
    assert figures['episodes'] == 2
    assert figures['windows'] > 0
    for name in PER_STEP:
        assert len(figures[name]) == HORIZON, name
    # Three steps teach nothing, but a picture composed over the last one is one already.
    assert figures['psnr'][0] > 15
    # Servos lag by a few degrees.
    assert 0 < figures['joint_error_deg'][0] < 20
