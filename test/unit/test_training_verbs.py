# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``wm-ros train`` and ``export``: pieces, signals, settings, the best weights."""

import os
import signal
from dataclasses import replace

import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from model_rig import make_geometry  # noqa: E402
from tiny_checkpoint import make_episode, tiny_config  # noqa: E402
from training_rig import Recorder  # noqa: E402

from wm_ros.cli import main  # noqa: E402
from wm_ros.data.episode import write_episode  # noqa: E402
from wm_ros.errors import CheckpointError, DatasetError  # noqa: E402
from wm_ros.inference.checkpoint import (  # noqa: E402
    BASELINE_FILE,
    load_checkpoint,
    write_manifest,
)
from wm_ros.training.config import TrainConfig  # noqa: E402
from wm_ros.training.trainer import build_trainer  # noqa: E402
from wm_ros.verbs.train import stopping_by_signal  # noqa: E402

MODEL_KEYS = ('image_height', 'image_width', 'horizon', 'patch_px', 'token_stride', 'detail_dim',
              'middle_dim', 'dim', 'num_blocks', 'num_heads', 'num_hazard_heads', 'residual_dim',
              'flow_blocks')


@pytest.fixture
def command(tmp_path):
    """Return the arguments of a tiny run over files."""
    for number, at in enumerate((0.8, None, 1.2, None)):
        write_episode(tmp_path / 'data' / f'episode_{number}.safetensors',
                      make_episode(hazard_at=at))
    settings = [f'model.{key}={getattr(tiny_config(), key)}' for key in MODEL_KEYS]
    settings += ['batch_size=4', 'holdout=2', 'threads=1', 'log_every=1', 'validate_every=2']
    return ['--data', str(tmp_path / 'data'), '--steps', '4',
            *(word for item in settings for word in ('--set', item))]


def test_pieces_of_a_run_end_in_a_checkpoint(tmp_path, command, capsys, monkeypatch):
    monkeypatch.setenv('COLUMNS', '200')
    out = tmp_path / 'run'
    train = ['train', *command, '--out', str(out)]
    assert main([*train, '--max-minutes', '0.0001']) == 0
    assert 'stopped after step 1 of 4' in ' '.join(capsys.readouterr().out.split())
    assert not (out / 'checkpoint').exists()
    assert main([*train, '--stop-after', '600']) == 0
    said = ' '.join(capsys.readouterr().out.split())
    assert 'resuming at step 1' in said
    assert 'step 4: held-out hazard AUROC' in said
    assert load_checkpoint(out / 'checkpoint').config.horizon == 5
    assert len(list((out / 'cache').iterdir())) == 2

    best = tmp_path / 'best'
    kept = (out / 'best.safetensors').rename(tmp_path / 'kept')
    assert main(['export', *command, '--run', str(out), '--out', str(best), '--best']) == 1
    assert 'no weights were kept as the best' in capsys.readouterr().err
    kept.rename(out / 'best.safetensors')
    assert main(['export', *command, '--run', str(out), '--out', str(best), '--best']) == 0
    assert 'did best on held-out episodes' in ' '.join(capsys.readouterr().out.split())
    assert load_checkpoint(best).config == load_checkpoint(out / 'checkpoint').config


def test_other_settings_are_refused_unless_they_are_asked_for(tmp_path, command, capsys):
    train = ['train', *command, '--out', str(tmp_path / 'run'), '--max-minutes', '0.0001']
    assert main(train) == 0
    assert main([*train, '--set', 'learning_rate=3e-4']) == 1
    there = TrainConfig().learning_rate
    assert f'train.learning_rate: {there} there, 0.0003 here' in capsys.readouterr().err
    assert main([*train, '--set', 'learning_rate=3e-4', '--change-settings']) == 0
    assert 'stopped after step 2 of 4' in ' '.join(capsys.readouterr().out.split())


def test_a_run_goes_on_with_more_data_when_it_is_asked_for(tmp_path, command, capsys):
    train = ['train', *command, '--out', str(tmp_path / 'run'), '--max-minutes', '0.0001']
    assert main(train) == 0
    write_episode(tmp_path / 'data' / 'episode_00.safetensors', make_episode(frames=30))
    assert main(train) == 1
    assert 'joint_mean' in capsys.readouterr().err
    assert main([*train, '--change-settings']) == 0
    said = ' '.join(capsys.readouterr().out.split())
    assert 'changed since' in said
    assert 'stopped after step 2 of 4' in said


def test_a_model_to_start_from_keeps_its_sizes(tmp_path, command, capsys):
    train = ['train', *command, '--out']
    assert main([*train, str(tmp_path / 'first')]) == 0
    first = str(tmp_path / 'first' / 'checkpoint')
    more = [*train, str(tmp_path / 'more'), '--init', first]
    assert main([*more, '--set', 'model.dim=64']) == 2
    assert 'dim = 64: the model to start from is another' in capsys.readouterr().err
    assert main([*more, '--max-minutes', '0.0001']) == 0


@pytest.mark.parametrize(('part', 'is_kept'), [
    ('frames', True), ('spread', True), ('dynamics', False)])
def test_what_judges_commands_and_stays_keeps_its_baseline(tmp_path, command, part, is_kept):
    train = ['train', *command, '--out']
    assert main([*train, str(tmp_path / 'first')]) == 0
    first = tmp_path / 'first' / 'checkpoint'
    (first / BASELINE_FILE).write_bytes(b'of another run')
    write_manifest(first)
    assert main([*train, str(tmp_path / 'more'), '--init', str(first), '--set', f'only={part}',
                 '--steps', '1']) == 0
    made = load_checkpoint(tmp_path / 'more' / 'checkpoint').directory / BASELINE_FILE
    assert (made.read_bytes() == b'of another run') is is_kept


@pytest.mark.parametrize(('part', 'is_kept'), [('all', False), ('frames', True)])
def test_a_run_that_began_with_a_model_is_exported_by_itself(
        tmp_path, command, part, is_kept, capsys):
    """
    The run remembers its beginning: the model's normalisation, and with it the baseline.

    ``export`` built the run without the model that it began with, so that it was refused, and
    would have trained another baseline; the runs of the other tests begin with random weights.
    """
    assert main(['train', *command, '--out', str(tmp_path / 'first')]) == 0
    first, run = tmp_path / 'first' / 'checkpoint', tmp_path / 'more'
    (first / BASELINE_FILE).write_bytes(b'of another run')
    write_manifest(first)
    for number in range(4):
        write_episode(tmp_path / 'other' / f'episode_{number}.safetensors',
                      make_episode(frames=30, hazard_at=0.9))
    settings = ['--data', str(tmp_path / 'other'), *command[2:], '--set', f'only={part}']
    assert main(['train', *settings, '--out', str(run), '--init', str(first),
                 '--max-minutes', '0.0001']) == 0
    export = ['export', *settings, '--run', str(run), '--out', str(tmp_path / 'made')]
    assert main(export) == 0
    made = load_checkpoint(tmp_path / 'made')
    assert made.config == load_checkpoint(first).config
    assert ((made.directory / BASELINE_FILE).read_bytes() == b'of another run') is is_kept

    moved = first.rename(tmp_path / 'moved')
    capsys.readouterr()
    assert main(export) == 1
    said = capsys.readouterr().err
    assert f'began with {first}, which is not there any more' in said
    assert 'give --init' in said
    assert main([*export, '--init', str(moved)]) == 0


def test_weights_alone_are_enough_to_start_from(tmp_path, command):
    train = ['train', *command, '--out']
    assert main([*train, str(tmp_path / 'first')]) == 0
    first = tmp_path / 'first' / 'checkpoint'
    for path in (*first.glob('*.onnx'), first / BASELINE_FILE):
        path.unlink()
    write_manifest(first)
    with pytest.raises(CheckpointError, match=r'lists no hash of encode.onnx'):
        load_checkpoint(first)
    assert main([*train, str(tmp_path / 'more'), '--init', str(first), '--steps', '1',
                 '--set', 'only=frames']) == 0
    assert BASELINE_FILE in load_checkpoint(tmp_path / 'more' / 'checkpoint').sha256


def test_glimpses_alone_are_enough_to_learn_to_see(tmp_path):
    for number, at in enumerate((0.8, 0.8, None, None)):
        whole = make_episode(hazard_at=at)
        write_episode(tmp_path / 'data' / f'episode_{number}.safetensors', replace(
            whole, frames=whole.frames[3:7], frame_stamps_ns=whole.frame_stamps_ns[3:7]))
    sizes = {key: getattr(tiny_config(), key) for key in MODEL_KEYS}
    config = TrainConfig(only='obstacles', steps=2, batch_size=4, holdout=2, threads=1,
                         validate_every=2, sample_frames=2)
    trainer, windows = build_trainer(
        tmp_path / 'data', tmp_path / 'run', config, geometry=make_geometry(), **sizes)
    assert not windows.is_filmed.any()
    heard = Recorder()
    trainer.run(heard)
    [(step, found)] = heard.validations
    assert step == 2
    assert found.losses['camera'] > 0
    assert found.frames is None
    with pytest.raises(DatasetError, match='filmed for long enough'):
        build_trainer(tmp_path / 'data', tmp_path / 'other', replace(config, only='all'),
                      geometry=make_geometry(), **sizes)


@pytest.mark.parametrize(('option', 'message'), [
    (['--set', 'stepz=3'], "['stepz'] are no training settings"),
    (['--set', 'model.stepz=3'], "['stepz'] are no model settings"),
    (['--config', 'huge'], 'tiny, small and base'),
    (['--set', 'mixed_precision=bf17'], 'bf17')])
def test_settings_that_are_not_there_are_wrong_usage(tmp_path, command, option, message, capsys):
    assert main(['train', *command, '--out', str(tmp_path / 'run'), *option]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_for_a_stop_and_is_given_back(number):
    asked = []

    class Trainer:
        def stop(self):
            asked.append(number)

    before = signal.getsignal(number)
    with stopping_by_signal(Trainer()):
        os.kill(os.getpid(), number)
    assert asked == [number]
    assert signal.getsignal(number) is before
