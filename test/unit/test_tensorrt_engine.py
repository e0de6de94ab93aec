# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The TensorRT engine on a stand-in that reads its addresses; no GPU takes part."""

import dataclasses
import functools
import threading

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

import fake_tensorrt as trt  # noqa: E402
import onnx  # noqa: E402
from model_rig import make_geometry  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from tiny_checkpoint import write_tiny_checkpoint  # noqa: E402

from wm_ros.errors import EngineError  # noqa: E402
from wm_ros.inference import building, tensorrt_engine  # noqa: E402
from wm_ros.inference.building import build_with, graphs_in_precision  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint  # noqa: E402
from wm_ros.inference.engine import CheckInput, make_engine  # noqa: E402
from wm_ros.inference.engine_cache import EngineCache  # noqa: E402
from wm_ros.inference.engine_key import make_key  # noqa: E402
from wm_ros.inference.engine_settings import EngineSettings  # noqa: E402
from wm_ros.inference.export import output_names  # noqa: E402
from wm_ros.inference.tensorrt_engine import TensorRtEngine  # noqa: E402
from wm_ros.inference.tensorrt_graph import MAX_CAPTURES, TensorRtGraph  # noqa: E402


def written(tmp_path_factory, geometry):
    path = tmp_path_factory.mktemp('tensorrt') / 'checkpoint'
    write_tiny_checkpoint(path, geometry=geometry)
    return load_checkpoint(path)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return written(tmp_path_factory, make_geometry())


@pytest.fixture(scope='module')
def without_geometry(tmp_path_factory):
    return written(tmp_path_factory, None)


@pytest.fixture(autouse=True)
def export_once(monkeypatch):
    """Export each checkpoint once for all tests of this file: that takes most of the time."""
    monkeypatch.setattr(building, 'graphs_in_precision', remembered_graphs)


@functools.cache
def exported(directory, precision):
    return graphs_in_precision(load_checkpoint(directory), precision)


def remembered_graphs(checkpoint, precision):
    return exported(checkpoint.directory, precision)


@pytest.fixture
def settings(tmp_path):
    return EngineSettings(cache_dir=tmp_path / 'engines', max_batch=3)


def build(checkpoint, settings, *, device=None, **changes):
    notes, progress = [], []
    built = build_with(trt, device or trt.HostDevice(), checkpoint, settings, **{
        'force': False, 'timeout_s': 0.0, 'on_note': notes.append,
        'on_progress': lambda *event: progress.append(event), **changes})
    return built, notes, progress


def load_plans(checkpoint, settings):
    key = make_key(checkpoint, settings, trt.HostDevice().facts(), trt.__version__)
    return EngineCache(settings.cache_dir).load(key)


def open_engine(checkpoint, settings, device=None):
    return TensorRtEngine(checkpoint, load_plans(checkpoint, settings), trt=trt,
                          device=device or trt.HostDevice(), settings=settings)


def make_input(seed, steps=5):
    rng = np.random.default_rng(seed)
    return CheckInput(
        rng.integers(0, 256, (2, 32, 48, 3), np.uint8), rng.normal(size=3).astype(np.float32),
        rng.normal(size=3).astype(np.float32), rng.normal(size=(steps, 3)).astype(np.float32))


def assert_same(one, two, engines, frame=True):
    for name in ('risk', 'uncertainty', 'joint_positions'):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=2e-5)
    if frame:
        frames = [engine.decode(output).astype(int)
                  for engine, output in zip(engines, (one, two), strict=True)]
        assert np.abs(frames[0] - frames[1]).max() <= 1


@pytest.mark.parametrize('cuda_graphs', [False, True])
@pytest.mark.parametrize('name', ['checkpoint', 'without_geometry'])
def test_it_does_what_onnx_runtime_does(name, settings, cuda_graphs, request):
    checkpoint = request.getfixturevalue(name)
    settings = dataclasses.replace(settings, cuda_graphs=cuda_graphs)
    build(checkpoint, settings)
    device = trt.HostDevice()
    engines = make_engine('onnxruntime', checkpoint), open_engine(checkpoint, settings, device)
    seen = make_input(1)
    for steps in (5, 2):
        # More candidates than the largest batch, of one observation and of several.
        shared = [dataclasses.replace(make_input(i, steps), images=seen.images) for i in range(5)]
        for inputs in (shared, [make_input(i, steps) for i in range(4)]):
            pairs = list(zip(*(engine.check_batch(inputs) for engine in engines), strict=True))
            assert len(pairs) == len(inputs)
            for one, two in pairs:
                assert_same(one, two, engines, frame=False)
            # What an engine keeps of a check outlives the checks after it.
            assert_same(*pairs[0], engines)
    futures = [engine.sample(engine.check(seen), num_futures=2, num_steps=3, seed=9, guidance=1.5)
               for engine in engines]
    assert np.abs(futures[0].astype(int) - futures[1]).max() <= 1
    engines[1].warm_up()
    engines[1].close()
    assert device.num_releases == 1
    with pytest.raises(ValueError, match='at least 1 candidate'):
        engines[0].check_batch([])


def test_an_empty_batch_is_refused(checkpoint, settings):
    build(checkpoint, settings)
    with pytest.raises(ValueError, match='at least 1 candidate'):
        open_engine(checkpoint, settings).check_batch([])


def test_building_tells_what_it_does_and_keeps_what_it_made(checkpoint, settings):
    built, notes, progress = build(checkpoint, settings)
    assert 'has no engine for this' in notes[0]
    assert ('predict: Building', 0, 3) in progress
    assert ('predict: Building', 3, 3) in progress
    assert not any('Inner' in stage for stage, _, _ in progress)
    assert built.parity.risk < 1e-5
    key = make_key(checkpoint, settings, trt.HostDevice().facts(), trt.__version__)
    cache = EngineCache(settings.cache_dir)
    # One for each graph.
    first = cache.timing_cache(key)
    assert first == b'+' * len(load_plans(checkpoint, settings))
    again, notes, progress = build(checkpoint, settings)
    assert notes == ['the engine is there already; --force builds it again']
    assert progress == []
    assert again.sha256 == built.sha256
    build(checkpoint, settings, force=True)
    # The second build knew what the first had measured.
    assert cache.timing_cache(key) == 2 * first


def test_a_damaged_engine_is_built_again_with_words(checkpoint, settings):
    built, _, _ = build(checkpoint, settings)
    path = built.metadata.parent / 'predict.plan'
    path.write_bytes(path.read_bytes()[:-1])
    _, notes, progress = build(checkpoint, settings)
    assert 'predict.plan was altered' in notes[0]
    assert progress
    load_plans(checkpoint, settings)


@pytest.mark.parametrize('content', [b'damaged', b'of another device'])
def test_timings_that_are_of_no_use_are_measured_anew(checkpoint, settings, content):
    key = make_key(checkpoint, settings, trt.HostDevice().facts(), trt.__version__)
    cache = EngineCache(settings.cache_dir)
    settings.cache_dir.mkdir(mode=0o700)
    cache.store_timing_cache(key, content)
    build(checkpoint, settings)
    assert cache.timing_cache(key) == b'+' * len(load_plans(checkpoint, settings))


def test_control_c_ends_a_build_and_stores_nothing(checkpoint, settings):
    def interrupt(stage, done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(checkpoint, settings, on_progress=interrupt)
    with pytest.raises(EngineError, match='has no engine for this'):
        load_plans(checkpoint, settings)


def test_precisions_are_within_their_tolerance_and_int8_is_refused(checkpoint, settings):
    half = dataclasses.replace(settings, precision='fp16')
    built, _, _ = build(checkpoint, half)
    assert built.parity.risk + built.parity.joints_rad > 0
    with pytest.raises(EngineError, match=r'int8 is not offered.*--fp16'):
        building.build_engine(checkpoint, dataclasses.replace(settings, precision='int8'))
    with pytest.raises(EngineError, match="'float8' is unknown; choose one of fp32"):
        building.build_engine(checkpoint, dataclasses.replace(settings, precision='float8'))


def test_without_a_device_tensorrt_is_not_touched(checkpoint, settings, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(tensorrt_engine, 'load_tensorrt', lambda: pytest.fail('was loaded'))
    monkeypatch.setattr(building, 'load_tensorrt', lambda: pytest.fail('was loaded'))
    with pytest.raises(EngineError, match="device 'cuda' was asked for.*set engine to"):
        make_engine('tensorrt', checkpoint, device='cuda', settings=settings)
    with pytest.raises(EngineError, match='sees no CUDA device'):
        building.build_engine(checkpoint, settings)


@pytest.fixture
def on_host(monkeypatch):
    monkeypatch.setattr(tensorrt_engine, 'CudaDevice', lambda name: trt.HostDevice())
    monkeypatch.setattr(tensorrt_engine, 'load_tensorrt', lambda: trt)


def test_the_engine_by_name_comes_from_the_cache_alone(checkpoint, settings, on_host):
    with pytest.raises(EngineError, match="has no engine for this; build it with 'wm-ros build"):
        make_engine('tensorrt', checkpoint, device='cuda', settings=settings)
    build(checkpoint, settings)
    engine = make_engine('tensorrt', checkpoint, device='cuda', settings=settings)
    assert (engine.name, engine.device) == ('tensorrt', 'cuda')
    # One for other batches is another engine.
    with pytest.raises(EngineError, match='has the same weights, but shapes is'):
        make_engine('tensorrt', checkpoint, device='cuda',
                    settings=dataclasses.replace(settings, max_batch=2))


def other_weights(checkpoint, precision):
    graphs = remembered_graphs(checkpoint, precision)
    model = onnx.load_from_string(graphs['predict'])
    for item in model.graph.initializer:
        if item.name == 'model.hazard.bias':
            item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item) + 1, item.name))
    return {**graphs, 'predict': model.SerializeToString()}


def test_an_engine_of_other_weights_fails_its_golden_input(
        checkpoint, settings, on_host, monkeypatch):
    """The hash says what was stored, not that it is right: only a run does."""
    monkeypatch.setattr(building, 'graphs_in_precision', other_weights)
    with pytest.raises(EngineError, match=r'fails its golden input: risk differs by 0\.'):
        build(checkpoint, settings)
    with pytest.raises(EngineError, match='has no engine for this'):
        load_plans(checkpoint, settings)
    monkeypatch.setattr(building, 'verify', lambda *arguments: None)
    build(checkpoint, settings)
    with pytest.raises(EngineError, match=r'fails its golden input: risk differs by 0\.'):
        make_engine('tensorrt', checkpoint, device='cuda', settings=settings)


@pytest.mark.parametrize(('spoil', 'match'), [
    (lambda plans: plans.pop('decode'), 'has no graph decode'),
    (lambda plans: plans.update(decode=b'x' + plans['decode']),
     r'cannot use the plan of decode: magic tag does not match; build the engine again'),
    (lambda plans: plans.update(decode=plans['encode']),
     r"decode has the outputs \['camera'.*expected \['frame'\]"),
])
def test_plans_that_cannot_be_used_are_refused(checkpoint, settings, spoil, match):
    build(checkpoint, settings)
    plans = dict(load_plans(checkpoint, settings))
    spoil(plans)
    with pytest.raises(EngineError, match=match):
        TensorRtEngine(checkpoint, plans, trt=trt, device=trt.HostDevice(), settings=settings)


def make_graph(checkpoint, settings, name='predict', device=None, should_capture=False):
    engine = trt.Runtime(None).deserialize_cuda_engine(load_plans(checkpoint, settings)[name])
    return TensorRtGraph(trt, name, engine, device or trt.HostDevice(),
                         outputs=output_names(name, checkpoint.config),
                         should_capture=should_capture)


def predict_inputs(checkpoint, batch=2):
    from wm_ros.inference.graphs import sample_inputs
    return sample_inputs(checkpoint.config, batch)['predict']


def test_what_does_not_fit_the_engine_is_refused(checkpoint, settings):
    build(checkpoint, settings)
    graph, inputs = make_graph(checkpoint, settings), predict_inputs(checkpoint)
    with pytest.raises(EngineError, match='predict needs the input actions'):
        graph.run({name: value for name, value in inputs.items() if name != 'actions'})
    with pytest.raises(EngineError, match=r'tokens is torch.float64, expected torch.float32'):
        graph.run({**inputs, 'tokens': inputs['tokens'].double()})
    with pytest.raises(EngineError, match=r'shape \(4, .*was built for \(1, .* to \(3, .*--max-b'):
        graph.run(predict_inputs(checkpoint, batch=4))


def test_tensors_of_a_type_that_no_graph_has_are_refused(checkpoint, settings, monkeypatch):
    build(checkpoint, settings)
    monkeypatch.setattr(trt.Engine, 'get_tensor_dtype', lambda self, name: 'DataType.HALF')
    with pytest.raises(EngineError, match='is DataType.HALF, which no graph of ours takes'):
        make_graph(checkpoint, settings)


def test_an_input_that_is_not_dense_is_made_so(checkpoint, settings):
    build(checkpoint, settings)
    graph, inputs = make_graph(checkpoint, settings), predict_inputs(checkpoint)
    plain = graph.run(inputs)
    turned = {**inputs, 'tokens': inputs['tokens'].transpose(0, 1).contiguous().transpose(0, 1)}
    assert not turned['tokens'].is_contiguous()
    for one, two in zip(plain, graph.run(turned), strict=True):
        assert torch.equal(one, two)


def test_captures_are_kept_by_shape_and_their_number_is_limited(checkpoint, settings):
    settings = dataclasses.replace(settings, max_batch=MAX_CAPTURES + 2)
    build(checkpoint, settings)
    device = trt.HostDevice()
    captured = make_graph(checkpoint, settings, device=device, should_capture=True)
    plain = make_graph(checkpoint, settings)
    for batch in (1, 2, 1, *range(1, MAX_CAPTURES + 3)):
        inputs = predict_inputs(checkpoint, batch)
        inputs['actions'] = inputs['actions'] + batch
        for one, two in zip(plain.run(inputs), captured.run(inputs), strict=True):
            assert torch.equal(one, two)
    assert device.num_captures == MAX_CAPTURES


def test_outputs_of_a_replay_outlive_the_next_one(checkpoint, settings):
    build(checkpoint, settings)
    graph = make_graph(checkpoint, settings, should_capture=True)
    inputs = predict_inputs(checkpoint)
    first = graph.run(inputs)
    kept = [tensor.clone() for tensor in first]
    graph.run({**inputs, 'actions': inputs['actions'] + 1})
    for one, two in zip(first, kept, strict=True):
        assert torch.equal(one, two)


class SlippingDevice(trt.HostDevice):
    """Its captures change one bit of what they replay, or cannot be made."""

    def __init__(self, *, refuses=False):
        super().__init__()
        self.refuses, self.given = refuses, []

    def empty(self, shape, dtype):
        self.given.append(super().empty(shape, dtype))
        return self.given[-1]

    def capture(self, enqueue):
        if self.refuses:
            raise RuntimeError('operation not permitted when stream is capturing')

        def replay():
            enqueue()
            self.given[-1].view(torch.uint8).flatten()[0] ^= 1

        return replay


def test_a_capture_that_differs_by_a_bit_is_refused(checkpoint, settings):
    build(checkpoint, settings)
    graph = make_graph(checkpoint, settings, device=SlippingDevice(), should_capture=True)
    with pytest.raises(EngineError, match=r'CUDA graph of predict: 1 bytes of joint_error differ'):
        graph.run(predict_inputs(checkpoint))
    graph = make_graph(checkpoint, settings, device=SlippingDevice(refuses=True),
                       should_capture=True)
    with pytest.raises(EngineError, match='cannot be captured: operation not permitted.*false'):
        graph.run(predict_inputs(checkpoint))


def test_a_second_builder_waits_or_refuses(checkpoint, settings):
    key = make_key(checkpoint, settings, trt.HostDevice().facts(), trt.__version__)
    inside, done, notes = threading.Event(), threading.Event(), []

    def first():
        with EngineCache(settings.cache_dir).lock(key, timeout_s=0):
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(60)
    with pytest.raises(EngineError, match='is building this engine .*try again'):
        build(checkpoint, settings)
    threading.Timer(0.3, done.set).start()
    build(checkpoint, settings, timeout_s=60.0, on_note=notes.append)
    thread.join(60)
    assert 'waiting for it' in notes[0]


def test_an_error_of_cuda_is_one_of_the_engine(checkpoint, settings):
    build(checkpoint, settings)
    engine = open_engine(checkpoint, settings)

    def fail(array):
        raise RuntimeError('CUDA error: out of memory')

    engine._device.upload = fail
    with pytest.raises(EngineError, match='CUDA failed on cuda: CUDA error: out of memory'):
        engine.check(make_input(0))
