# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network: shapes, causality, identity at the start, export parity."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from wm_ros.inference.export import export_graphs, sample_inputs  # noqa: E402
from wm_ros.inference.graphs import DecodeGraph, EncodeGraph, PredictGraph  # noqa: E402
from wm_ros.world_model.config import ModelConfig, config_from_dict, config_to_dict  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402


def make_config(**changes):
    # Prime sizes, so that a swapped axis cannot fit by chance.
    values = {
        'joint_names': tuple('abcde'), 'camera_name': 'front', 'joint_mean': (0.1,) * 5,
        'joint_std': (0.7,) * 5, 'velocity_std': (0.9,) * 5, 'image_height': 48,
        'image_width': 80, 'horizon': 7, 'stem_dim': 16, 'dim': 32, 'num_blocks': 2,
        'num_heads': 2, 'num_hazard_heads': 3}
    return ModelConfig(**{**values, **changes})


def make_model(**changes):
    torch.manual_seed(1)
    model = WorldModel(make_config(**changes)).eval()
    with torch.no_grad():
        # adaLN-Zero and the zeroed layers would hide every dependence.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


def make_inputs(batch=2):
    rng = torch.Generator().manual_seed(2)
    return (torch.rand(batch, 2, 3, 48, 80, generator=rng),
            torch.randn(batch, 5, generator=rng), torch.randn(batch, 5, generator=rng),
            torch.randn(batch, 7, 5, generator=rng))


def test_shapes():
    model = make_model()
    images, positions, velocities, actions = make_inputs()
    context = model.encode(images)
    made = model.predict(context.tokens, positions, velocities, actions)
    assert context.tokens.shape == (2, 15, 32)
    assert made.hazard_logits.shape == (2, 7, 3)
    assert made.joints.shape == (2, 7, 5)
    assert made.latents.shape == (2, 7, 15, 32)
    assert model.decode(made.latents[:, 3], context).shape == (2, 3, 48, 80)


@pytest.mark.parametrize('changed', [0, 3, 6])
def test_a_step_sees_only_its_own_prefix_of_actions(changed):
    model = make_model()
    images, positions, velocities, actions = make_inputs()
    other = actions.clone()
    other[:, changed] += 1.0
    with torch.no_grad():
        tokens = model.encode(images).tokens
        one = model.predict(tokens, positions, velocities, actions)
        two = model.predict(tokens, positions, velocities, other)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a[:, :changed], b[:, :changed], rtol=0, atol=0)
        assert (a[:, changed] - b[:, changed]).abs().max() > 1e-4


def test_a_batch_is_a_loop_of_singles_and_chosen_steps_are_those_of_all():
    model = make_model()
    images, positions, velocities, actions = make_inputs(3)
    steps = torch.tensor([5, 2])
    with torch.no_grad():
        tokens = model.encode(images).tokens
        whole = model.predict(tokens, positions, velocities, actions)
        part = model.predict(tokens, positions, velocities, actions, steps)
        single = model.predict(tokens[1:2], positions[1:2], velocities[1:2], actions[1:2])
    torch.testing.assert_close(part.latents, whole.latents[:, steps])
    torch.testing.assert_close(single.hazard_logits[0], whole.hazard_logits[1])


def test_a_closed_mask_shows_the_last_frame():
    model = make_model()
    images, positions, velocities, actions = make_inputs()
    with torch.no_grad():
        model.decoder.out.weight.zero_()
        model.decoder.out.bias.fill_(-60.0)
        context = model.encode(images)
        latents = model.predict(context.tokens, positions, velocities, actions).latents
        frame = model.decode(latents[:, 0], context)
    torch.testing.assert_close(frame, images[:, -1])


def test_exported_graphs_are_the_model(tmp_path):
    onnxruntime = pytest.importorskip('onnxruntime')
    model = make_model()
    export_graphs(model, tmp_path)
    graphs = {'encode': EncodeGraph(model), 'predict': PredictGraph(model),
              'decode': DecodeGraph(model)}
    for name, inputs in sample_inputs(model.config, batch=3).items():
        session = onnxruntime.InferenceSession(
            str(tmp_path / f'{name}.onnx'), providers=['CPUExecutionProvider'])
        found = session.run(None, {key: value.numpy() for key, value in inputs.items()})
        with torch.no_grad():
            wanted = graphs[name](*inputs.values())
        for a, b in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
            # Bytes may round the other way at one half.
            tolerance = 1 if a.dtype == np.uint8 else 2e-5
            np.testing.assert_allclose(a.astype(float), b.numpy().astype(float), atol=tolerance)


def test_config_round_trips_and_refuses_what_does_not_fit():
    config = make_config()
    assert config_from_dict(config_to_dict(config)) == config
    with pytest.raises(ValueError, match='image_height = 40 must be a positive multiple'):
        make_config(image_height=40)
    with pytest.raises(ValueError, match='context_len = 1'):
        make_config(context_len=1)
    with pytest.raises(ValueError, match='joint_std has 2 entries for 5 joints'):
        make_config(joint_std=(1.0, 1.0))
