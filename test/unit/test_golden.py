# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Golden frames: they pass where all is as it was made, and tell what is not."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from model_rig import make_geometry  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402
from tiny_checkpoint import make_episode, tiny_config  # noqa: E402

from wm_ros.data.windows import cut_windows  # noqa: E402
from wm_ros.errors import CheckpointError  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint  # noqa: E402
from wm_ros.inference.engine import make_engine  # noqa: E402
from wm_ros.inference.golden import compare_with_golden, read_golden  # noqa: E402
from wm_ros.training.exporting import write_checkpoint  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402


@pytest.fixture(scope='module', params=[None, make_geometry()], ids=['learned', 'known'])
def checkpoint(tmp_path_factory, request):
    path = tmp_path_factory.mktemp('golden') / 'checkpoint'
    torch.manual_seed(5)
    config = tiny_config(geometry=request.param)
    model = WorldModel(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    windows = cut_windows(make_episode(hazard_at=1.0), config)
    # Grey pictures look the same with their colours swapped.
    frames = windows.frames.copy()
    frames[..., 0] //= 2
    write_checkpoint(model, dataclasses.replace(windows, frames=frames), config, path, seed=0)
    return load_checkpoint(path)


@pytest.fixture(params=['onnxruntime', 'torch'])
def engine(request, checkpoint):
    made = make_engine(request.param, checkpoint)
    yield made
    made.close()


@pytest.fixture
def golden(checkpoint):
    return read_golden(checkpoint.optional('golden.safetensors'), checkpoint.config)


def test_an_export_carries_them_and_every_engine_passes(golden, engine):
    assert len(golden.images) == 2
    assert compare_with_golden(golden, engine) == ()


def test_swapped_colours_are_told(golden, engine):
    found = compare_with_golden(golden, engine, convert=lambda image: image[..., ::-1])
    assert any('frame off by' in text and 'allowed is 0.25' in text for text in found)


@pytest.mark.parametrize('changes', [
    {'joint_mean': (0.5, 0.5, 0.5)}, {'joint_std': (3.0, 3.0, 3.0)}])
def test_another_normalisation_is_told(tmp_path, checkpoint, golden, changes):
    """The torch engine takes the normalisation from the config, as an export again would."""
    config = dataclasses.replace(checkpoint.config, **changes)
    engine = make_engine('torch', dataclasses.replace(checkpoint, config=config))
    found = compare_with_golden(golden, engine)
    assert any(text.startswith(('joints off by', 'risk off by')) for text in found)


def test_weights_of_another_model_are_told(tmp_path, checkpoint, golden):
    torch.manual_seed(6)
    model, other = WorldModel(checkpoint.config), tmp_path / 'other'
    write_checkpoint(model, cut_windows(make_episode(hazard_at=1.0), checkpoint.config),
                     checkpoint.config, other, seed=0)
    assert compare_with_golden(golden, make_engine('onnxruntime', load_checkpoint(other)))


class Coarse:
    """An engine whose risk carries an error."""

    def __init__(self, engine, error, precision='fp32'):
        self._engine, self._error, self.precision = engine, error, precision

    def check(self, inputs):
        output = self._engine.check(inputs)
        return dataclasses.replace(output, risk=output.risk + np.float32(self._error))

    def decode_step(self, output, step):
        return self._engine.decode_step(output, step)


def test_what_is_allowed_depends_on_the_precision(golden, engine):
    assert compare_with_golden(golden, Coarse(engine, 0.01)) == (
        'risk off by 0.01, allowed is 0.002',)
    assert compare_with_golden(golden, Coarse(engine, 0.01, 'fp16')) == ()
    assert compare_with_golden(golden, Coarse(engine, np.nan)) == (
        'risk off by nan, allowed is 0.002',)


def test_files_that_are_not_whole_or_of_another_model_are_named(tmp_path, checkpoint):
    config, path = checkpoint.config, tmp_path / 'golden.safetensors'
    whole = checkpoint.optional('golden.safetensors').read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match=r'golden\.safetensors cannot be read'):
        read_golden(path, config)
    save_file({'images': np.zeros(3)}, path)
    with pytest.raises(CheckpointError, match='cannot be read'):
        read_golden(path, config)
    path.write_bytes(whole)
    with pytest.raises(CheckpointError, match='actions has shape .*, the model needs'):
        read_golden(path, dataclasses.replace(config, horizon=4))
