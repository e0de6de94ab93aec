# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped recipes build and train; what a recipe does not know is refused."""

import dataclasses
import math

import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from tiny_checkpoint import make_episode, tiny_config  # noqa: E402
from training_rig import ROOT, Recorder  # noqa: E402

from wm_ros.data.windows import cut_windows, join_windows  # noqa: E402
from wm_ros.training.config import TrainConfig  # noqa: E402
from wm_ros.training.recipe import FROM_EPISODES, read_recipe  # noqa: E402
from wm_ros.training.trainer import Trainer  # noqa: E402
from wm_ros.world_model.config import ModelConfig  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402

SHIPPED = ['tiny', 'small', 'base']


def model_config(recipe, **changes):
    known = {name: getattr(tiny_config(), name) for name in FROM_EPISODES}
    return ModelConfig(**{**known, **recipe.model, **changes})


@pytest.mark.parametrize(('name', 'least', 'most'), [
    ('tiny', 1e6, 5e6), ('small', 10e6, 40e6), ('base', 100e6, 300e6)])
def test_a_shipped_recipe_has_the_size_that_it_promises(name, least, most):
    with torch.device('meta'):
        model = WorldModel(model_config(read_recipe(name, [])))
    assert least <= sum(parameter.numel() for parameter in model.parameters()) <= most


def test_base_sees_256_pixels():
    config = model_config(read_recipe('base', []))
    assert (config.image_height, config.image_width) == (256, 256)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize('name', SHIPPED)
def test_a_shipped_recipe_takes_a_training_step(tmp_path, name):
    recipe = read_recipe(name, [
        'batch_size=2', 'accumulate=1', 'threads=1', 'mixed_precision=no', 'keep_best=false'])
    # Two by two tokens: the network is whole, the picture is not.
    cell = recipe.model['patch_px'] * recipe.model['token_stride']
    config = model_config(recipe, image_height=2 * cell, image_width=2 * cell)
    windows = join_windows([cut_windows(make_episode(hazard_at=at), config, number=number)
                            for number, at in enumerate((None, 1.2))])
    trainer, heard = Trainer(windows, windows, config, recipe.train_config(), tmp_path), Recorder()
    before = [parameter.clone() for parameter in trainer.model.parameters()]
    trainer.run(heard, stop_at=1)
    assert math.isfinite(heard.losses[0])
    changed = [not torch.equal(one, two) for one, two in zip(
        before, trainer.model.parameters(), strict=True)]
    # Layers that begin as the identity pass no gradient to what is behind them in the first step.
    assert sum(changed) > len(changed) / 4


def test_the_tiny_recipe_is_the_embedded_default():
    recipe = read_recipe('tiny', [])
    assert model_config(recipe) == model_config(read_recipe(None, []))
    assert dataclasses.replace(recipe.train_config(), steps=4000) == TrainConfig()


def test_a_recipe_is_a_name_or_a_file_and_its_keys_can_be_changed(tmp_path):
    by_path = read_recipe(str(ROOT / 'config' / 'train' / 'small.yaml'), [])
    assert by_path == read_recipe('small', [])
    changed = read_recipe('small', [
        'learning_rate=3e-4', 'train.seed=7', 'model.dim=64', 'model.extra_cameras=[wrist]',
        'mixed_precision=no'], steps=9)
    config = changed.train_config()
    assert (config.learning_rate, config.seed, config.steps) == (3e-4, 7, 9)
    assert config.mixed_precision == 'no'
    assert (changed.model['dim'], changed.model['extra_cameras']) == (64, ('wrist',))
    assert changed.model['num_blocks'] == by_path.model['num_blocks']
    flat = tmp_path / 'flat.yaml'
    flat.write_text('steps: 12\nbatch_size: 3\n', encoding='utf-8')
    assert read_recipe(str(flat), []).train == {'steps': 12, 'batch_size': 3}
    assert read_recipe(str(flat), []).model == {}


@pytest.mark.parametrize(('content', 'changes', 'message'), [
    ('model: {dimm: 3}', [], r"\['dimm'\] are no model settings"),
    ('train: {stps: 3}', [], r"\['stps'\] are no training settings"),
    ('stps: 3', [], r"\['stps'\] are no training settings"),
    ('model: {}\nsteps: 3', [], r"\['steps'\] are no sections"),
    ('model: {joint_names: [a]}', [], r"\['joint_names'\] are no model settings"),
    ('model: 3', [], "section 'model' must hold keys and values"),
    ('- 3', [], 'must hold keys and values'), ('a: [', [], 'is not YAML'),
    ('{}', ['steps'], "--set 'steps' must be KEY=VALUE"),
    ('{}', ['modle.dim=3'], r"\['modle.dim'\] are no training settings"),
    ('{}', ['learning_rate=fast'], "learning_rate is 'fast'"),
])
def test_what_a_recipe_does_not_know_is_refused(tmp_path, content, changes, message):
    path = tmp_path / 'recipe.yaml'
    path.write_text(content, encoding='utf-8')
    with pytest.raises(ValueError, match=message):
        read_recipe(str(path), changes).train_config()


def test_a_recipe_that_is_not_there_is_named():
    with pytest.raises(ValueError, match='--config huge: no such file.*tiny, small and base'):
        read_recipe('huge', [])


def test_the_documentation_names_every_setting():
    text = (ROOT / 'docs' / 'training.md').read_text(encoding='utf-8')
    settings = [*dataclasses.fields(TrainConfig), *dataclasses.fields(ModelConfig)]
    missing = [item.name for item in settings
               if item.name not in FROM_EPISODES and f'`{item.name}`' not in text]
    assert missing == []
