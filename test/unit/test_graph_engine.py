# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines: the same answers from each, batches, and futures by seed."""

import dataclasses
import functools

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from model_rig import make_geometry  # noqa: E402
from tiny_checkpoint import make_episode, tiny_config, write_tiny_checkpoint  # noqa: E402

from wm_ros.data.windows import cut_windows  # noqa: E402
from wm_ros.errors import EngineError  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint  # noqa: E402
from wm_ros.inference.engine import CheckInput, make_engine  # noqa: E402
from wm_ros.training.exporting import write_checkpoint  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402


@pytest.fixture(scope='module', params=[None, make_geometry()], ids=['learned', 'known'])
def checkpoint(tmp_path_factory, request):
    path = tmp_path_factory.mktemp('engines') / 'checkpoint'
    torch.manual_seed(5)
    config = tiny_config(geometry=request.param)
    model = WorldModel(config)
    with torch.no_grad():
        # Zeroed layers would hide the sampler and the action.
        for name, parameter in model.named_parameters():
            # Those of the joints' error count fifty times: joints would be radians off.
            noise = 0.002 if name.startswith('joint_error_') else 0.1
            parameter.add_(torch.randn_like(parameter) * noise)
    windows = cut_windows(make_episode(hazard_at=1.0), config)
    write_checkpoint(model, windows, config, path, seed=0)
    return load_checkpoint(path)


@pytest.fixture(scope='module')
def engines(checkpoint):
    made = [make_engine(name, checkpoint) for name in ('onnxruntime', 'torch')]
    yield made
    for engine in made:
        engine.close()


def make_input(seed):
    rng = np.random.default_rng(seed)
    return CheckInput(
        rng.integers(0, 256, (2, 32, 48, 3), np.uint8), rng.normal(size=3).astype(np.float32),
        rng.normal(size=3).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32))


def test_engines_agree_on_risk_joints_frames_and_futures(engines):
    outputs = [engine.check(make_input(0)) for engine in engines]
    for name in ('risk', 'uncertainty', 'joint_positions'):
        one, two = (getattr(output, name) for output in outputs)
        np.testing.assert_allclose(one, two, atol=2e-5)
    frames = [engine.decode(output).astype(int)
              for engine, output in zip(engines, outputs, strict=True)]
    assert frames[0].shape == (5, 32, 48, 3)
    assert np.abs(frames[0] - frames[1]).max() <= 1
    futures = [engine.sample(output, num_futures=2, num_steps=3, seed=9, guidance=1.5).astype(int)
               for engine, output in zip(engines, outputs, strict=True)]
    assert futures[0].shape == (2, 5, 32, 48, 3)
    assert np.abs(futures[0] - futures[1]).max() <= 1


def test_compiled_torch_is_the_same_model(engines, checkpoint, monkeypatch):
    # The graphs are captured whole; making machine code of them takes minutes.
    compile_quickly = functools.partial(torch.compile, backend='eager', fullgraph=True)
    monkeypatch.setattr(torch, 'compile', compile_quickly)
    compiled = make_engine('torch_compile', checkpoint)
    assert compiled.name == 'torch_compile'
    one, two = engines[1].check(make_input(0)), compiled.check(make_input(0))
    np.testing.assert_allclose(one.risk, two.risk, atol=2e-6)
    np.testing.assert_array_equal(engines[1].decode(one), compiled.decode(two))
    compiled.close()


def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(checkpoint):
    with pytest.raises(EngineError, match="'tpu' is unknown; choose one of 'onnxruntime', 'torch'"
                                          ", 'torch_compile', 'tensorrt'"):
        make_engine('tpu', checkpoint)


def test_candidates_of_one_observation_are_those_of_single_checks(engines):
    seen = make_input(1)
    inputs = [dataclasses.replace(make_input(i), images=seen.images) for i in range(4)]
    for engine in engines:
        batch = engine.check_batch(inputs)
        for one, many in zip((engine.check(item) for item in inputs), batch, strict=True):
            np.testing.assert_allclose(one.risk, many.risk, atol=2e-5)
            assert np.abs(engine.decode(one).astype(int) - engine.decode(many)).max() <= 1


def test_futures_follow_their_seed_temperature_and_guidance(engines):
    engine = engines[0]
    output = engine.check(make_input(2))

    def sample(**changes):
        return engine.sample(output, **{'num_futures': 2, 'seed': 1, **changes}).astype(int)

    plain = sample()
    assert np.array_equal(plain, sample())
    assert not np.array_equal(plain[0], plain[1])
    for changes in ({'seed': 2}, {'guidance': 3.0}, {'num_steps': 1}):
        assert not np.array_equal(plain, sample(**changes))
    cold = sample(temperature=0.0)
    assert np.array_equal(cold[0], cold[1])
    # More futures of one seed begin with the same ones.
    assert np.array_equal(sample(num_futures=3)[:2], plain)


@pytest.fixture
def follow(engines, monkeypatch):
    """Return a function that follows a velocity given by hand from zero, on each engine."""
    def answer(engine, velocity, without, graph, inputs):
        if graph == 'without_action':
            # As long as the model's horizon, whatever was asked for.
            return [inputs['tokens'].new_zeros(1, 5, 6, 32) if engine.name == 'torch'
                    else np.zeros((1, 5, 6, 32), np.float32)]
        assert graph == 'flow'
        is_free = not bool((inputs['latents'] != 0).any())
        time = inputs['time'].reshape(-1, 1, 1)
        return [(without if is_free else velocity)(inputs['noisy'], time)]

    def run(velocity, num_steps, *, without=None, **options):
        found = []
        for engine in engines:
            output = engine.check(make_input(15))
            with monkeypatch.context() as patch:
                patch.setattr(engine, '_run', functools.partial(
                    answer, engine, velocity, without))
                # Noise of temperature zero is zero.
                future = engine.begin_future(output, np.random.default_rng(0), temperature=0.0,
                                             num_steps=num_steps, **options)
            residual = np.asarray(future.residual)
            assert residual.shape == (5, 6, 4)
            found.append(residual)
        np.testing.assert_array_equal(found[0], found[1])
        assert np.ptp(found[0]) == 0
        return float(found[0][0, 0, 0])

    return run


@pytest.mark.parametrize(('num_steps', 'by_time', 'growing'), [
    (1, 0.0, 1.0), (2, 0.25, 1.25), (4, 0.375, (5 / 4) ** 4 - 1)])
def test_a_flow_is_followed_by_euler_steps(follow, num_steps, by_time, growing):
    """
    Constant, growing with time and growing with place, each worked out by hand.

    The sampler's steps could go backwards, or be steps of 1 whatever their number, and nothing
    failed: futures were only compared between engines, which share the steps, and the integrator
    that was tested was another one.
    """
    assert follow(lambda at, time: 0 * at + 6, num_steps) == 6
    assert follow(lambda at, time: 0 * at + time, num_steps) == by_time
    # dx/dt = x + 1 from 0 by n steps: (1 + 1/n)^n - 1.
    assert follow(lambda at, time: at + 1, num_steps) == pytest.approx(growing)


@pytest.mark.parametrize(('guidance', 'wanted'), [(0.0, 2), (0.5, 3.5), (1.0, 5), (3.0, 11)])
def test_guidance_goes_beyond_what_the_action_changes(follow, guidance, wanted):
    """free + guidance * (told - free); guidance that was added to the velocity failed no test."""
    assert follow(lambda at, time: 0 * at + 5, 2, guidance=guidance,
                  without=lambda at, time: 0 * at + 2) == wanted


def test_the_joints_of_a_future_are_off_together_as_the_model_says(
        checkpoint, engines, monkeypatch):
    if checkpoint.config.geometry is None:
        pytest.skip('only an arm of known geometry is drawn')
    for engine in engines:
        drawn, draw = [], engine._surface.draw

        def note(joints, newest, drawn=drawn, draw=draw):
            drawn.append(joints)
            return draw(joints, newest)

        monkeypatch.setattr(engine._surface, 'draw', note)
        output = engine.check(make_input(4))
        future = engine.begin_future(output, np.random.default_rng(1))
        engine.decode_step(output, 3, future)
        error = np.asarray(output.latents.joint_error[3])
        assert (error[np.tril_indices(3)] != 0).all()
        assert (error[np.triu_indices(3, 1)] == 0).all()
        wanted = np.asarray(output.latents.joints[3]) + error @ future.off
        np.testing.assert_allclose(drawn[-1][0], wanted, rtol=1e-6)


def test_what_cannot_be_sampled_is_refused(engines, tmp_path):
    output = engines[0].check(make_input(3))
    with pytest.raises(ValueError, match='num_futures = 0'):
        engines[0].sample(output, num_futures=0)
    config = tiny_config(residual_dim=0)
    windows = cut_windows(make_episode(hazard_at=1.0), config)
    write_checkpoint(WorldModel(config), windows, config, tmp_path / 'plain', seed=0)
    engine = make_engine('onnxruntime', load_checkpoint(tmp_path / 'plain'))
    output = engine.check(make_input(3))
    assert engine.decode(output).shape == (5, 32, 48, 3)
    with pytest.raises(EngineError, match='no sampler'):
        engine.sample(output, num_futures=1)


def test_a_tiny_checkpoint_of_the_other_tests_has_a_sampler(tmp_path):
    write_tiny_checkpoint(tmp_path / 'tiny')
    assert (tmp_path / 'tiny' / 'flow.onnx').is_file()


class Counting:
    """Notes which graphs an engine runs."""

    def __init__(self, engine, monkeypatch):
        self.graphs = []
        run = engine._run

        def noted(graph, inputs):
            self.graphs.append(graph)
            return run(graph, inputs)

        monkeypatch.setattr(engine, '_run', noted)


def test_candidates_of_one_observation_share_the_encoder(engines, monkeypatch):
    """Nine chunks of two observations: more than one part, in any order of observations."""
    first, second = make_input(5), make_input(6)
    rng = np.random.default_rng(7)
    chunks = [dataclasses.replace(
        second if number % 3 == 1 else first, actions=rng.normal(size=(5, 3)).astype(np.float32))
        for number in range(9)]
    for engine in engines:
        singles = [engine.check(chunk) for chunk in chunks]
        with monkeypatch.context() as patch:
            noted = Counting(engine, patch)
            together = engine.check_batch(chunks)
            assert noted.graphs == ['encode', 'predict']
        for one, two in zip(singles, together, strict=True):
            for name in ('risk', 'uncertainty', 'joint_positions'):
                np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=2e-6)
        np.testing.assert_allclose(engine.decode(together[4]).astype(int),
                                   engine.decode(singles[4]), atol=1)


def test_the_observation_of_the_check_before_is_not_encoded_again(engines, monkeypatch):
    inputs = make_input(8)
    for engine in engines:
        engine.check(make_input(9))
        before = engine.check(inputs).risk
        with monkeypatch.context() as patch:
            noted = Counting(engine, patch)
            other = dataclasses.replace(inputs, actions=inputs.actions + 1)
            assert not np.array_equal(engine.check(other).risk, before)
            assert noted.graphs == ['predict']
            same = dataclasses.replace(inputs, images=inputs.images.copy())
            np.testing.assert_array_equal(engine.check(same).risk, before)
            assert noted.graphs == ['predict', 'encode', 'predict']


def test_many_chunks_and_frames_over_several_threads_are_those_of_one(checkpoint, engines):
    inputs = make_input(10)
    chunks = [dataclasses.replace(inputs, actions=inputs.actions * scale)
              for scale in np.linspace(0.5, 1.5, 11, dtype=np.float32)]
    threaded = make_engine('onnxruntime', checkpoint, num_threads=3)
    try:
        for one, two in zip(engines[0].check_batch(chunks), threaded.check_batch(chunks),
                            strict=True):
            np.testing.assert_allclose(one.risk, two.risk, atol=2e-6)
        outputs = engines[0].check(inputs), threaded.check(inputs)
        frames, futures = [], []
        for engine, output in zip((engines[0], threaded), outputs, strict=True):
            frames.append(engine.decode(output).astype(int))
            futures.append(engine.sample(output, num_futures=2, seed=3).astype(int))
        for one, two in (frames, futures):
            assert np.abs(one - two).max() <= 1
        # What runs frame by frame still has every thread to itself.
        assert np.abs(threaded.decode_step(outputs[1], 2).astype(int) - frames[1][2]).max() <= 1
    finally:
        threaded.close()


def test_shadows_are_looked_for_only_when_frames_are_drawn(checkpoint, engines, monkeypatch):
    for engine in engines:
        noted = Counting(engine, monkeypatch)
        output = engine.check(make_input(11))
        assert 'shade' not in noted.graphs
        engine.decode(output)
        assert noted.graphs.count('shade') == (checkpoint.config.geometry is not None)


def test_what_frames_share_is_done_once_also_while_another_check_is_drawn(
        checkpoint, engines, monkeypatch):
    is_known = checkpoint.config.geometry is not None
    for engine in engines:
        one, two, three = (engine.check(make_input(seed)) for seed in (12, 13, 14))
        with monkeypatch.context() as patch:
            noted = Counting(engine, patch)
            assert engine.begin_frames(one) is is_known
            assert engine.begin_frames(one) is False
            for output in (one, two, one, two):
                engine.decode_step(output, 0)
            assert noted.graphs.count('shade') == 2 * is_known
            engine.decode_step(three, 0)
            assert engine.begin_frames(two) is False
            # Of two checks only, as each holds pictures.
            assert engine.begin_frames(one) is is_known


def test_fewer_steps_give_the_first_steps_of_more(engines):
    inputs = make_input(3)
    for engine in engines:
        whole = engine.check(inputs)
        short = engine.check(dataclasses.replace(inputs, actions=inputs.actions[:2]))
        for name in ('risk', 'uncertainty', 'joint_positions'):
            one, two = getattr(short, name), getattr(whole, name)
            assert len(one) == 2
            np.testing.assert_allclose(one, two[:2], atol=2e-6)
        frames = engine.decode(short).astype(int)
        assert frames.shape == (2, 32, 48, 3)
        np.testing.assert_allclose(frames, engine.decode(whole)[:2], atol=1)
        futures = engine.sample(short, num_futures=1, guidance=2.0)
        assert futures.shape == (1, 2, 32, 48, 3)


@pytest.mark.parametrize(('steps', 'text'), [
    ([], 'at least 1'), ([0], '0 steps'), ([6], '6 steps; the model looks 1 to 5'),
    ([3, 4], r'\[3, 4\]')])
def test_chunks_that_do_not_fit_are_refused(engines, steps, text):
    inputs = make_input(4)
    longer = np.concatenate([inputs.actions] * 2)
    for engine in engines:
        with pytest.raises(ValueError, match=text):
            engine.check_batch([dataclasses.replace(inputs, actions=longer[:count])
                                for count in steps])
