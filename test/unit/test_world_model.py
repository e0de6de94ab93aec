# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network: shapes, causality, identity at the start, export parity."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from wm_ros.errors import CheckpointError  # noqa: E402
from wm_ros.inference.export import export_graphs, sample_inputs  # noqa: E402
from wm_ros.inference.graphs import DecodeGraph, EncodeGraph, PredictGraph  # noqa: E402
from wm_ros.world_model.config import ModelConfig, config_from_dict, config_to_dict  # noqa: E402
from wm_ros.world_model.geometry import Geometry, geometry_from_dict  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402
from wm_ros.world_model.pose_map import HEIGHTS_M, GeometricPoseMap  # noqa: E402


def make_config(**changes):
    # Prime sizes, so that a swapped axis cannot fit by chance.
    values = {
        'joint_names': tuple('abcde'), 'camera_name': 'front', 'joint_mean': (0.1,) * 5,
        'joint_std': (0.7,) * 5, 'velocity_std': (0.9,) * 5, 'image_height': 48,
        'image_width': 80, 'horizon': 7, 'stem_dim': 16, 'dim': 32, 'num_blocks': 2,
        'num_heads': 2, 'num_hazard_heads': 3}
    return ModelConfig(**{**values, **changes})


def make_geometry():
    """Return a shoulder that turns about z and a forearm that turns about y, seen from afar."""
    straight = (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    return Geometry(
        parents=(-1, 0), joints=(0, 2), positions=((0.0, 0.0, 0.1), (0.2, 0.0, 0.0)),
        rotations=(straight, straight), axes=((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
        point_links=(0, 1), points=((0.1, 0.0, 0.0), (0.1, 0.0, 0.0)),
        # Above the table, looking straight down: right is x, up is y.
        camera_position=(0.0, 0.0, 1.0), camera_rotation=straight, camera_fovy_rad=1.0)


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
    made = model.predict(context.tokens, context.obstacles, positions, velocities, actions)
    assert context.tokens.shape == (2, 15, 32)
    assert made.hazard_logits.shape == (2, 7, 3)
    assert made.joints.shape == (2, 7, 5)
    assert made.latents.shape == (2, 7, 15, 32)
    assert model.decode(made.latents[:, 3], made.maps[:, 3], context).shape == (2, 3, 48, 80)


@pytest.mark.parametrize('geometry', [None, make_geometry()])
@pytest.mark.parametrize('changed', [0, 3, 6])
def test_a_step_sees_only_its_own_prefix_of_actions(changed, geometry):
    model = make_model(geometry=geometry)
    images, positions, velocities, actions = make_inputs()
    other = actions.clone()
    other[:, changed] += 1.0
    with torch.no_grad():
        context = model.encode(images)
        one = model.predict(context.tokens, context.obstacles, positions, velocities, actions)
        two = model.predict(context.tokens, context.obstacles, positions, velocities, other)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a[:, :changed], b[:, :changed], rtol=0, atol=0)
        assert (a[:, changed] - b[:, changed]).abs().max() > 1e-4


def test_a_batch_is_a_loop_of_singles_and_chosen_steps_are_those_of_all():
    model = make_model()
    images, positions, velocities, actions = make_inputs(3)
    steps = torch.tensor([5, 2])
    with torch.no_grad():
        seen = model.encode(images)
        inputs = (seen.tokens, seen.obstacles, positions, velocities, actions)
        whole = model.predict(*inputs)
        part = model.predict(*inputs, steps)
        single = model.predict(*(value[1:2] for value in inputs))
    torch.testing.assert_close(part.latents, whole.latents[:, steps])
    torch.testing.assert_close(single.hazard_logits[0], whole.hazard_logits[1])


def test_a_closed_mask_shows_the_last_frame():
    model = make_model()
    images, positions, velocities, actions = make_inputs()
    with torch.no_grad():
        model.decoder.out.weight.zero_()
        model.decoder.out.bias.fill_(-60.0)
        context = model.encode(images)
        made = model.predict(context.tokens, context.obstacles, positions, velocities, actions)
        frame = model.decode(made.latents[:, 0], made.maps[:, 0], context)
    torch.testing.assert_close(frame, images[:, -1])


@pytest.mark.parametrize('geometry', [None, make_geometry()])
def test_exported_graphs_are_the_model(tmp_path, geometry):
    onnxruntime = pytest.importorskip('onnxruntime')
    model = make_model(geometry=geometry)
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


def test_points_of_the_arm_by_hand():
    maps = GeometricPoseMap(make_geometry(), (6, 10))
    joints = torch.tensor([[[np.pi / 2, 0.0, np.pi / 2]]], dtype=torch.float32)
    # The shoulder turns the forearm to +y; the elbow bends it about its own y: down.
    found = maps.arm_points(joints)[0, 0]
    torch.testing.assert_close(
        found, torch.tensor([[0.0, 0.1, 0.1], [0.0, 0.2, 0.0]]), atol=1e-6, rtol=0)


def test_maps_remember_where_the_arm_has_been_and_show_where_it_is():
    # Cells of 1.5 cm, finer than the 2 cm over which nearness falls.
    maps = GeometricPoseMap(make_geometry(), (72, 120))
    joints = torch.zeros(1, 2, 3)
    joints[0, 1, 0] = np.pi
    drawn = maps(joints)[0]
    near = drawn[:, len(HEIGHTS_M) - 1]
    ahead = (maps.table - torch.tensor([0.3, 0.0])).norm(dim=1).argmin()
    behind = (maps.table - torch.tensor([-0.3, 0.0])).norm(dim=1).argmin()
    assert near[0].flatten()[ahead] > 0.4 > near[0].flatten()[behind]
    assert near[1].flatten()[ahead] > 0.4
    assert near[1].flatten()[behind] > 0.4
    outline = drawn[:, -2].flatten(1)
    # The point is 0.1 m above the table, so the camera sees it in front of a place beyond.
    shown = (maps.table - torch.tensor([0.3 / 0.9, 0.0])).norm(dim=1).argmin()
    assert outline[0, shown] > outline[1, shown] + 0.3
    # What is lower than the arm by 4 cm is that much further from it.
    assert drawn[0, 1].flatten()[ahead] < near[0].flatten()[ahead]


def test_obstacles_are_drawn_where_they_stand_up_to_their_height():
    maps = GeometricPoseMap(make_geometry(), (36, 60))
    one = torch.tensor([[[0.2, 0.1, 0.03, 0.12], [0.0, 0.0, 0.0, 0.0]]])
    drawn = maps.obstacle_map(one)[0].flatten(1)
    there = (maps.table - torch.tensor([0.2, 0.1])).norm(dim=1).argmin()
    nowhere = (maps.table - torch.tensor([-0.2, 0.1])).norm(dim=1).argmin()
    assert drawn[:, there].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert float(drawn[:, nowhere].max()) < 1e-3


def test_geometry_round_trips_and_refuses_what_does_not_fit():
    geometry = make_geometry()
    config = make_config(geometry=geometry)
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config
    with pytest.raises(CheckpointError, match='not the expected ones'):
        geometry_from_dict({'parents': []})
    with pytest.raises(ValueError, match='a link must come after its parent'):
        dataclasses.replace(geometry, parents=(0, 0))
