# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The checkpoint in models/: whole, small, calibrated, and its graphs are its weights."""

import numpy as np
import pytest

from wm_ros.inference.checkpoint import (
    DEFAULT_NAME,
    MODEL_CARD_FILE,
    load_checkpoint,
    resolve_checkpoint,
)
from wm_ros.inference.engine import CheckInput, make_engine

MOST_BYTES = 20_000_000


@pytest.fixture(scope='module')
def checkpoint():
    return load_checkpoint(resolve_checkpoint('default'))


def make_inputs(config):
    rng = np.random.default_rng(4)
    mean, std = np.array(config.joint_mean), np.array(config.joint_std)
    # Smooth pictures: noise would leave the range the weights were trained on.
    small = rng.integers(0, 256, (config.context_len, 6, 8, 3)).astype(np.uint8)
    images = small.repeat(config.image_height // 6, 1).repeat(config.image_width // 8, 2)
    positions = (mean + 0.3 * std).astype(np.float32)
    path = np.linspace(0, 1, config.horizon)[:, None] * std * 0.5
    return CheckInput(images, positions, np.zeros_like(positions),
                      (positions + path).astype(np.float32))


def test_it_is_whole_small_and_calibrated(checkpoint):
    assert sum(path.stat().st_size for path in checkpoint.directory.iterdir()) <= MOST_BYTES
    assert checkpoint.calibration is not None
    assert 0 < checkpoint.calibration.lower < 1
    assert checkpoint.model_id.startswith(DEFAULT_NAME)


def test_the_graphs_are_the_export_of_the_weights(checkpoint):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    engines = [make_engine(name, checkpoint) for name in ('onnxruntime', 'torch')]
    inputs = make_inputs(checkpoint.config)
    outputs = [engine.check(inputs) for engine in engines]
    np.testing.assert_allclose(outputs[0].risk, outputs[1].risk, atol=1e-4)
    np.testing.assert_allclose(
        outputs[0].joint_positions, outputs[1].joint_positions, atol=1e-4)
    frames = [engine.decode(output).astype(int)
              for engine, output in zip(engines, outputs, strict=True)]
    assert np.abs(frames[0] - frames[1]).max() <= 1
    for engine in engines:
        engine.close()


def test_the_model_card_names_the_commands_that_made_it(checkpoint):
    card = (checkpoint.directory / MODEL_CARD_FILE).read_text(encoding='utf-8')
    for verb in ('wm-ros collect', 'wm-ros train', 'wm-ros calibrate', 'wm-ros evaluate'):
        assert verb in card


def test_a_hidden_picture_changes_the_risk(checkpoint):
    """A model that ignored its camera would be a kinematic classifier with a heavy heart."""
    engine = make_engine('onnxruntime', checkpoint)
    inputs = make_inputs(checkpoint.config)
    dark = CheckInput(inputs.images * 0, inputs.joint_positions, inputs.joint_velocities,
                      inputs.actions)
    assert not np.allclose(engine.check(inputs).risk, engine.check(dark).risk, atol=1e-4)
    engine.close()
