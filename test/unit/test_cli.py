# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command line: exit codes, one clear line, nothing half-written."""

import argparse

import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401
from wm_ros.cli import main


def run(capsys, *arguments):
    """Return exit code and stderr of one call."""
    try:
        code = main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    return code, capsys.readouterr().err


@pytest.mark.parametrize('arguments', [
    (), ('fly',), ('collect', '--episodes', '0', '--seed', '1', '--out', 'x'),
    ('collect', '--episodes', '1', '--seed', '-1', '--out', 'x'),
    ('collect', '--episodes', 'many', '--seed', '1', '--out', 'x'),
    ('demo', '--mode', 'brave'), ('record', '--out', 'x', '--duration', '0'),
])
def test_wrong_usage_is_code_2(capsys, arguments):
    code, error = run(capsys, *arguments)
    assert code == 2
    assert error


def test_a_setting_that_does_not_exist_is_named(capsys, tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    code, error = run(capsys, 'train', '--data', str(tmp_path), '--out', str(tmp_path / 'run'),
                      '--set', 'speed=3')
    assert code == 2
    assert "['speed'] are no training settings" in error
    assert not (tmp_path / 'run').exists()


def test_malformed_yaml_is_named(capsys, tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    config = tmp_path / 'train.yaml'
    config.write_text('steps: [1')
    code, error = run(capsys, 'train', '--data', str(tmp_path), '--out', str(tmp_path / 'run'),
                      '--config', str(config))
    assert code == 2
    assert 'train.yaml is not YAML' in error


def test_an_empty_data_directory_is_code_1(capsys, tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    code, error = run(capsys, 'train', '--data', str(tmp_path), '--out', str(tmp_path / 'run'))
    assert code == 1
    assert 'wm-ros collect' in error
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('verb', [('evaluate',), ('calibrate', '--data', 'x')])
def test_an_unknown_checkpoint_is_code_1_with_the_fix(capsys, verb):
    code, error = run(capsys, *verb, '--checkpoint', '/nowhere')
    assert code == 1
    assert "'/nowhere'" in error
    assert "'default'" in error


def test_a_json_path_without_its_directory_is_refused_before_work(capsys, tmp_path):
    code, error = run(capsys, 'demo', '--json', str(tmp_path / 'no' / 'out.json'))
    assert code == 2
    assert 'there is no directory' in error


@pytest.mark.parametrize(('cameras', 'name'), [
    (('front',), 'objects-5'), (('front', 'wrist'), 'objects-5-wrist'),
    (('wrist',), 'objects-5-main-wrist'), (('wrist', 'front'), 'objects-5-main-wrist-front')])
def test_held_out_episodes_are_collected_where_there_are_none(monkeypatch, tmp_path, cameras,
                                                              name):
    pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")
    checkpoint = 'default'
    if cameras != ('front',):
        pytest.importorskip('torch', reason="needs the train extra: 'wm_ros[train]'")
        from tiny_checkpoint import write_tiny_checkpoint
        checkpoint = str(tmp_path / 'checkpoint')
        write_tiny_checkpoint(tmp_path / 'checkpoint', camera_name=cameras[0],
                              extra_cameras=cameras[1:])
    from wm_ros.simulation import collect
    from wm_ros.verbs.evaluate import held_out_episodes
    calls = []

    def make(directory, **settings):
        calls.append((directory, settings.pop('on_progress') is not None, settings))
        directory.mkdir(parents=True)
        for index in range(3):
            (directory / f'episode_00000000{index}.safetensors').touch()
        return 3

    monkeypatch.setattr(collect, 'collect', make)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    found = held_out_episodes(argparse.Namespace(
        checkpoint=checkpoint, data=None, split='objects', seed=5, episodes=2, workers=1),
        num_collected=9)
    directory = tmp_path / 'wm_ros' / 'episodes' / name
    assert calls == [(directory, True, {
        'num_episodes': 2, 'seed': 5, 'workers': 1, 'split': 'objects',
        'cameras': cameras, 'duration_s': 6.0, 'glimpses': 0})]
    assert [path.name for path in found] == [
        'episode_000000000.safetensors', 'episode_000000001.safetensors']


@pytest.mark.parametrize(('verb', 'work', 'num_collected'), [
    (('evaluate',), 'evaluation.evaluate', 200),
    (('rollout',), 'rollout_drift.measure_drift', 50),
    (('calibrate', '--check'), 'calibrating.check_checkpoint', 300)])
def test_all_episodes_that_are_there_are_used_or_a_number_is_collected(
        capsys, monkeypatch, tmp_path, verb, work, num_collected):
    """Of more than 200 in --data the first 200 were measured, without a word."""
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    from wm_ros.errors import DatasetError
    from wm_ros.verbs import evaluate
    (tmp_path / 'data').mkdir()
    for number in range(num_collected + 1):
        (tmp_path / 'data' / f'episode_{number:09d}.safetensors').touch()
    used, collected = [], []

    def stop(_checkpoint, paths, *_arguments, **_options):
        used.append(len(paths))
        raise DatasetError('seen enough')

    def collect(directory, _split, *, episodes, **_options):
        collected.append(episodes)
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(num_collected + 1):
            (directory / f'episode_{number:09d}.safetensors').touch()

    monkeypatch.setattr(f'wm_ros.training.{work}', stop)
    monkeypatch.setattr(evaluate, 'collect_split', collect)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    for options in (('--data', str(tmp_path / 'data')),
                    ('--data', str(tmp_path / 'data'), '--episodes', '7'), (),
                    ('--episodes', '8')):
        assert run(capsys, *verb, *options)[0] == 1
    assert used == [num_collected + 1, 7, num_collected, 8]
    assert collected == [num_collected, 8]
