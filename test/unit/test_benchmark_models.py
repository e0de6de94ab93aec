# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark times: peers of the published sizes, and real checks of a small model."""

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from tiny_checkpoint import write_tiny_checkpoint  # noqa: E402

from wm_ros.benchmark.engines import compare_engines, takes_steps  # noqa: E402
from wm_ros.benchmark.inputs import candidates, fresh, real_inputs, shorter  # noqa: E402
from wm_ros.benchmark.peers import timing  # noqa: E402
from wm_ros.benchmark.peers.catalogue import PEERS, Peer, build, num_parameters  # noqa: E402
from wm_ros.benchmark.peers.diamond import DiamondSize  # noqa: E402
from wm_ros.benchmark.peers.unet import UNet  # noqa: E402
from wm_ros.benchmark.random_model import random_checkpoint  # noqa: E402
from wm_ros.benchmark.scaling import Scaling  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint  # noqa: E402
from wm_ros.inference.engine import make_engine  # noqa: E402

# Published: 4.4 M (DIAMOND) and 19 M (DINO-WM's predictor); the decoder's follows from its sizes.
PARAMETERS = {'diamond': 4_406_147, 'one_step_unet': 11_570_947, 'dino_wm': 19_624_820}
FRAMES = {'diamond': (1, 3, 64, 64), 'one_step_unet': (1, 3, 128, 128),
          'dino_wm': (1, 196, 394)}


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    directory = tmp_path_factory.mktemp('checkpoint')
    write_tiny_checkpoint(directory)
    return load_checkpoint(directory)


@pytest.mark.parametrize('name', PEERS)
def test_a_peer_has_its_size_and_makes_one_frame(name):
    module = build(PEERS[name])
    assert num_parameters(module) == PARAMETERS[name]
    made = module(*PEERS[name].inputs().values())
    assert made.shape == FRAMES[name]
    assert made.isfinite().all()
    assert made.std() > 0.01


def test_diamond_denoises_three_times(monkeypatch):
    module, calls = build(PEERS['diamond']), []
    run = module.net.forward
    monkeypatch.setattr(module.net, 'forward', lambda *args: calls.append(1) or run(*args))
    module(*PEERS['diamond'].inputs().values())
    assert len(calls) == 3
    assert DiamondSize().sigmas == pytest.approx([5.0, 0.2831, 0.002, 0.0], rel=1e-3)


def test_a_unet_uses_its_condition_and_every_level():
    torch.manual_seed(0)
    net = UNet(2, 3, channels=(32, 64), num_blocks=1, cond_dim=5, head_dim=8,
               attention=frozenset({1})).eval()
    picture, condition = torch.randn(2, 2, 12, 20, requires_grad=True), torch.randn(2, 5)
    made = net(picture, condition)
    assert made.shape == (2, 3, 12, 20)
    assert not torch.allclose(made, net(picture, condition + 1))
    made.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_dino_wm_does_not_look_ahead():
    module = build(PEERS['dino_wm'])
    inputs = PEERS['dino_wm'].inputs()
    block = module.blocks[0]
    at = torch.randn(1, 588, 394)
    changed = at.clone()
    changed[:, -1] += 1.0
    before, after = (block(values, module.may_see) for values in (at, changed))
    assert torch.allclose(before[:, :392], after[:, :392])
    assert not torch.allclose(before[:, 392:587], after[:, 392:587])
    assert module(*inputs.values()).shape == (1, 196, 394)


def small_peer():
    def make():
        return UNet(2, 3, channels=(64, 64), num_blocks=1, cond_dim=5)

    return Peer(make, lambda: {'picture': torch.randn(1, 2, 96, 96),
                               'condition': torch.randn(1, 5)}, 'a picture', 'nobody')


def test_peers_are_compared_on_both_engines_by_hand(checkpoint, monkeypatch):
    def interleave(cases, rounds, *, warm_up):
        assert (set(cases), rounds) == ({'wm_ros', 'wm_ros check only', 'small'}, 5)
        for run in cases.values():
            run()
        # Ours are of five frames each: 10 and 2 ms for a frame.
        return {'wm_ros': [50.0, 100.0], 'wm_ros check only': [10.0, 20.0],
                'small': [40.0, 80.0]}

    monkeypatch.setattr(timing, 'PEERS', {'small': small_peer()})
    monkeypatch.setattr(timing, 'interleave', interleave)
    found = timing.compare_peers(checkpoint, threads=1, rounds=30)
    assert (found['vs_peers'], found['vs_peers_torch']) == ({'small': 4.0}, {'small': 4.0})
    assert found['vs_peers_check_only'] == {'small': 20.0}
    assert found['frame_ms_onnxruntime']['wm_ros']['p50'] == 15.0
    assert found['frame_ms_torch']['small']['max'] == 80.0
    assert found['weights'] == 'random'


def test_an_exported_peer_gives_the_frame_of_the_module():
    peer = small_peer()
    module = build(peer)
    run = timing.run_in_onnxruntime(module, peer, 1)
    with torch.no_grad():
        wanted = module(*(torch.from_numpy(array) for array in run.args[1].values()))
    np.testing.assert_allclose(run()[0], wanted.numpy(), atol=1e-3)


def test_engines_are_compared_on_the_same_check(checkpoint):
    found = compare_engines(checkpoint, threads=1, rounds=5)
    assert found['check_ms'].keys() == {'onnxruntime', 'torch'}
    assert {summary['count'] for summary in found['check_ms'].values()} == {5}
    assert found['onnxruntime_vs_torch'] > 0
    assert 'tensorrt' in found['absent']
    assert found['steps'] == 5


def test_scaling_asks_for_what_it_says(checkpoint):
    scaling = Scaling(checkpoint, threads=1, rounds=3)
    assert set(scaling.candidates()['ms']) == {'1', '2', '4', '8', '16'}
    assert scaling.candidates()['ratio_to_first']['1'] == 1.0
    assert set(scaling.sampler()['ms']) == {'1', '2', '4', '8'}
    assert set(scaling.pixels()['ms']) == {'check alone', 'check and frames'}
    assert set(scaling.horizon()['ms']) == {'2', '4'}


def test_an_engine_that_takes_no_fewer_steps_is_skipped_with_its_words(checkpoint, monkeypatch):
    from wm_ros.errors import EngineError
    from wm_ros.inference.onnx_engine import OnnxEngine

    def refuse(self, inputs):
        raise EngineError('got 2 steps, expected 5')

    engine = make_engine('onnxruntime', checkpoint)
    assert takes_steps(engine, real_inputs(checkpoint)[0], 2) is None
    monkeypatch.setattr(OnnxEngine, 'warm_up', lambda self: None)
    monkeypatch.setattr(OnnxEngine, 'check', refuse)
    found = Scaling(checkpoint, threads=1, rounds=3).horizon()
    assert 'got 2 steps, expected 5' in found['skipped']


def test_models_of_other_sizes_are_real_checkpoints(checkpoint, tmp_path):
    made = random_checkpoint(checkpoint.config, tmp_path / 'wide', image_width=64,
                             extra_cameras=('wrist',))
    assert (made.config.image_width, made.config.cameras) == (64, ('front', 'wrist'))
    engine = make_engine('onnxruntime', made)
    inputs = real_inputs(made)[0]
    assert inputs.images.shape == (2, 64, 64, 3)
    assert engine.check(inputs).risk.shape == (5,)


def test_sizes_that_fit_no_grid_are_refused(checkpoint, tmp_path):
    with pytest.raises(ValueError, match='image_width = 50'):
        random_checkpoint(checkpoint.config, tmp_path / 'odd', image_width=50)


@pytest.mark.parametrize('kind', ['horizon', 'candidates', 'pixels', 'engines', 'peers'])
def test_every_timed_check_encodes_its_pictures(checkpoint, monkeypatch, kind):
    """
    An engine keeps the encoding of the pictures that it saw last, so that a check of the same
    array again costs no encoder: repeated timings were of half a check.
    """
    from wm_ros.inference.onnx_engine import OnnxEngine
    graphs, run = [], OnnxEngine._run

    def note(self, graph, inputs):
        graphs.append(graph)
        return run(self, graph, inputs)

    monkeypatch.setattr(OnnxEngine, '_run', note)
    if kind == 'engines':
        compare_engines(checkpoint, threads=1, rounds=8)
    elif kind == 'peers':
        monkeypatch.setattr(timing, 'PEERS', {'small': small_peer()})
        timing.compare_peers(checkpoint, threads=1, rounds=3)
    else:
        getattr(Scaling(checkpoint, threads=1, rounds=3), kind)()
    assert graphs.count('encode') == graphs.count('predict')
    assert graphs.count('predict') > 8
    if kind == 'pixels':
        # Five steps: twice to warm the engine up, then five times with frames.
        assert graphs.count('decode') == 5 * (2 + 5)


def test_candidates_share_the_observation_and_differ_in_command(checkpoint):
    inputs = real_inputs(checkpoint)[0]
    found = candidates(inputs, 3)
    assert all(item.images is inputs.images for item in found)
    assert not np.array_equal(found[0].actions, found[1].actions)
    assert shorter(inputs, 2).actions.shape == (2, 3)
    again = fresh(found)
    assert all(item.images is again[0].images for item in again)
    assert again[0].images is not inputs.images
    assert np.array_equal(again[0].images, inputs.images)
    assert candidates(inputs, 3)[2].actions.tobytes() == found[2].actions.tobytes()
