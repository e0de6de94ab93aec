# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The drift of rollouts: real files, a small checkpoint, a model whose errors are known."""

import json

import numpy as np
import pytest

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from tiny_checkpoint import make_episode, write_tiny_checkpoint  # noqa: E402

from wm_ros.cli import main  # noqa: E402
from wm_ros.data.episode import write_episode  # noqa: E402
from wm_ros.training import rollout_drift  # noqa: E402
from wm_ros.training.rollout_drift import measure_drift  # noqa: E402


@pytest.fixture
def data(tmp_path):
    directory = tmp_path / 'data'
    for number in range(2):
        write_episode(directory / f'episode_{number:09d}.safetensors', make_episode(frames=20))
    return directory


def test_a_model_that_copies_drifts_as_a_copy_does(tmp_path, data, monkeypatch):
    """The errors of the model were only asked to be finite, which those of any model are."""
    def copy(_model, images, positions, _velocities, actions, *, stride):
        steps = actions.shape[1]
        return (images[:, -1:].expand(-1, steps, -1, -1, -1),
                positions[:, None].expand(-1, steps, -1))

    monkeypatch.setattr(rollout_drift, 'rollout', copy)
    write_tiny_checkpoint(tmp_path / 'checkpoint')
    found = measure_drift(tmp_path / 'checkpoint', sorted(data.iterdir())[:1], steps=9,
                          max_windows=7, num_threads=1)
    assert (found.steps, found.horizon, found.windows) == (9, 5, 7)
    assert set(found.psnr) == set(found.joint_error_deg) == {'1', '5'}
    # Frames of make_episode get lighter by 10 of 255 a step, so a copy is off by 10 k.
    wanted = [-20 * np.log10(10 * step / 255) for step in range(1, 10)]
    assert found.psnr_copy == pytest.approx(wanted, abs=0.3)
    # Its joints move by 1, 10 and 100 rad/s.
    moved = [np.degrees(37 * 0.1 * step) for step in range(1, 10)]
    for stride in ('1', '5'):
        assert found.psnr[stride] == pytest.approx(found.psnr_copy)
        assert found.joint_error_deg[stride] == pytest.approx(moved, rel=1e-4)


def test_strides_part_where_the_first_pass_ends(tmp_path, data):
    write_tiny_checkpoint(tmp_path / 'checkpoint')
    found = measure_drift(tmp_path / 'checkpoint', sorted(data.iterdir()), steps=9,
                          max_windows=7, strides=(1, 3, 5), num_threads=1).psnr
    for one, other, same in (('1', '5', 1), ('3', '5', 3)):
        assert found[one][:same] == pytest.approx(found[other][:same])
        assert abs(found[one][same] - found[other][same]) > 0.01


def test_the_verb_writes_its_figures(tmp_path, data, capsys):
    write_tiny_checkpoint(tmp_path / 'checkpoint')
    code = main(['rollout', '--checkpoint', str(tmp_path / 'checkpoint'), '--data', str(data),
                 '--steps', '8', '--stride', '2', '--windows', '4', '--threads', '1',
                 '--json', str(tmp_path / 'drift.json')])
    assert code == 0
    found = json.loads((tmp_path / 'drift.json').read_text())
    assert list(found['psnr']) == ['2']
    assert len(found['joint_error_deg']['2']) == 8
    assert 'stride 2 dB' in capsys.readouterr().out


def test_a_stride_beyond_the_horizon_is_refused(tmp_path, data, capsys):
    write_tiny_checkpoint(tmp_path / 'checkpoint')
    code = main(['rollout', '--checkpoint', str(tmp_path / 'checkpoint'), '--data', str(data),
                 '--steps', '8', '--stride', '6'])
    assert code == 2
    assert 'stride = 6 must be 1 to the horizon, 5' in capsys.readouterr().err
