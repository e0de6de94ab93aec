# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""``wm-ros evaluate`` from files to exit codes."""

import argparse
import json

import pytest
from tiny_checkpoint import make_episode, write_tiny_checkpoint

from wm_ros.cli import main
from wm_ros.data.episode import write_episode
from wm_ros.errors import DatasetError
from wm_ros.verbs import evaluate


def write_episodes(directory):
    for number, hazard_at in enumerate((None, 0.9, 1.2)):
        write_episode(directory / f'episode_{number:09d}.safetensors',
                      make_episode(hazard_at=hazard_at))


def test_a_checkpoint_is_measured_from_files(tmp_path, capsys):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    pytest.importorskip('matplotlib', reason="needs the train extra: pip install 'wm_ros[train]'")
    write_tiny_checkpoint(tmp_path / 'model')
    write_episodes(tmp_path / 'data')
    code = main([
        'evaluate', '--checkpoint', str(tmp_path / 'model'), '--data', str(tmp_path / 'data'),
        '--json', str(tmp_path / 'out.json'), '--report', str(tmp_path / 'out.html'),
        '--threads', '1', '--sampler-windows', '2', '--sensitivity-windows', '6',
        '--bootstrap', '4'])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert 'false vetoes' in shown.out
    values = json.loads((tmp_path / 'out.json').read_text())
    assert values['episodes'] == 3
    assert 0 <= values['auroc'] <= 1
    assert set(values['by_kind']) == {'table'}
    assert len(values['psnr']) == len(values['ssim']) == 5
    assert len(values['psnr_best_of_8']) == len(values['psnr_mean_frame']) == 5
    assert (tmp_path / 'out.html').read_text().startswith('<!DOCTYPE html>')


@pytest.mark.parametrize(('words', 'guidance'), [((), 1.0), (('--guidance', '2.5'), 2.5)])
def test_the_guidance_of_futures_is_an_option(tmp_path, monkeypatch, words, guidance):
    from wm_ros.training import evaluation
    write_episodes(tmp_path / 'data')
    asked = []

    def stop(_checkpoint, _paths, options, _on_progress):
        asked.append(options.guidance)
        raise DatasetError('seen enough')

    monkeypatch.setattr(evaluation, 'evaluate', stop)
    verb = ['evaluate', '--checkpoint', str(tmp_path), '--data', str(tmp_path / 'data')]
    assert main([*verb, *words]) == 1
    assert asked == [guidance]


@pytest.mark.parametrize('value', ['-1', 'nan', 'inf'])
def test_guidance_that_is_none_is_refused(capsys, value):
    with pytest.raises(SystemExit, match='2'):
        main(['evaluate', '--guidance', value])
    assert f'{value} must be' in capsys.readouterr().err


def test_a_report_without_its_directory_is_refused_before_work(tmp_path, capsys):
    code = main(['evaluate', '--checkpoint', str(tmp_path), '--data', str(tmp_path),
                 '--report', str(tmp_path / 'no' / 'out.html')])
    assert code == 2
    assert '--report' in capsys.readouterr().err


def test_the_splits_offered_are_those_of_the_simulation():
    scene = pytest.importorskip('wm_ros.simulation.scene', reason='needs the sim extra')
    verbs = argparse.ArgumentParser().add_subparsers()
    evaluate.add_parser(verbs)
    action = next(item for item in verbs.choices['evaluate']._actions if item.dest == 'split')
    assert tuple(action.choices) == scene.SPLITS
