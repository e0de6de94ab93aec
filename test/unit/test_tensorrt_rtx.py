# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Real TensorRT builds the shipped graphs, without a GPU, and refuses what it should.

TensorRT for RTX plans for GPUs that are not there, so that parsing, types, shapes and fusion are
proved. It makes the last of its code on the GPU itself, when a graph first runs, and does not know
the GPUs of Orin and Thor: neither numbers nor times are proved, nor those boards' TensorRT.
"""

import pytest

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
trt = pytest.importorskip(
    'tensorrt_rtx', reason='needs the wheel tensorrt-rtx (x86-64): make test-tensorrt installs it')

from model_rig import make_model as make_world_model  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from wm_ros.errors import EngineError  # noqa: E402
from wm_ros.inference.building import graphs_in_precision  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint  # noqa: E402
from wm_ros.inference.engine_key import STEPS, engine_shapes  # noqa: E402
from wm_ros.inference.export import export_graphs  # noqa: E402
from wm_ros.inference.precision import PRECISIONS, lower_precision  # noqa: E402
from wm_ros.inference.tensorrt_builder import PlanBuilder  # noqa: E402

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(900),
    # For RTX there are no timings to keep: kernels are chosen when a graph first runs.
    pytest.mark.filterwarnings('ignore:.*Timing cache operations are no-ops:DeprecationWarning')]
GPUS = ('SM86', 'SM89', 'SM120')


def for_gpus(config):
    config.num_compute_capabilities = len(GPUS)
    for place, name in enumerate(GPUS):
        config.set_compute_capability(getattr(trt.ComputeCapability, name), place)


@pytest.fixture(scope='module')
def checkpoint():
    return load_checkpoint(resolve_checkpoint('default'))


@pytest.fixture(scope='module')
def graphs(checkpoint):
    return graphs_in_precision(checkpoint, 'fp32')


@pytest.mark.parametrize('precision', PRECISIONS)
def test_every_graph_builds_for_three_generations_of_gpus(checkpoint, graphs, precision):
    events = []
    builder = PlanBuilder(trt, adapt=for_gpus, on_progress=lambda *event: events.append(event))
    shapes = engine_shapes(checkpoint.config, 16)
    assert len(graphs) == 6
    for name, graph in graphs.items():
        lowered = lower_precision(graph, precision)
        plan = builder.build(name, lowered, shapes[name], shapes[STEPS])
        assert len(plan) > 100_000, name
        assert (f'{name}: Building engine', 0, events[-1][2]) in events
        assert events[-1][1] == events[-1][2]
    assert len(builder.timing_cache) > 0


@pytest.mark.parametrize('changes', [
    {'action_injection': 'cross_attention'}, {'action_injection': 'concat'}])
def test_models_of_other_kinds_build(changes, tmp_path):
    model = make_world_model(**changes)
    export_graphs(model, tmp_path)
    shapes = engine_shapes(model.config, 4)
    graph = lower_precision((tmp_path / 'predict.onnx').read_bytes(), 'fp16')
    builder = PlanBuilder(trt, adapt=for_gpus)
    assert builder.build('predict', graph, shapes['predict'], shapes[STEPS])


def make_model(node, kinds, domains=()):
    inputs = [helper.make_tensor_value_info(name, kind, ['b', 4]) for name, kind in kinds]
    outputs = [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['b', 4])]
    model = helper.make_model(helper.make_graph([node], 'g', inputs, outputs), opset_imports=[
        helper.make_opsetid('', 20), *(helper.make_opsetid(name, 1) for name in domains)])
    model.ir_version = 9
    return model.SerializeToString()


FLOAT, HALF, BYTE = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8
UNKNOWN = make_model(helper.make_node('Foresee', ['x'], ['y'], name='/odd', domain='ours'),
                     [('x', FLOAT)], ['ours'])
MIXED = make_model(helper.make_node('Add', ['x', 'z'], ['y'], name='/mixed'),
                   [('x', FLOAT), ('z', HALF)])
BYTES_MOVED = make_model(helper.make_node('Transpose', ['x'], ['y'], name='/moved', perm=[0, 1]),
                         [('x', BYTE)])


@pytest.mark.parametrize(('graph', 'match'), [
    (UNKNOWN, r'bad: TensorRT .* refuses the graph: it has no operator Foresee, which /odd is; '
              r"use a newer TensorRT, or set engine to 'onnxruntime'"),
    (MIXED, r'operator Add at /mixed: .*types Float and Half'),
    (BYTES_MOVED, r'operator Transpose at /moved: .*has type UInt8'),
    (UNKNOWN[:40], 'it is not whole, or no ONNX: export the checkpoint again'),
    (b'', 'could not build it: .*at least one output'),
], ids=['unknown', 'mixed', 'bytes', 'truncated', 'empty'])
def test_bad_graphs_are_refused_in_words(graph, match):
    with pytest.raises(EngineError, match=match):
        PlanBuilder(trt, adapt=for_gpus).build('bad', graph, (1, 1, 2))


def test_a_truncated_graph_of_a_model_is_refused(graphs):
    graph = graphs['encode']
    for size in (len(graph) // 2, len(graph) - 1):
        with pytest.raises(EngineError, match='not whole'):
            PlanBuilder(trt, adapt=for_gpus).build('encode', graph[:size], (1, 1, 2))


def test_an_interrupt_ends_a_build(graphs):
    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PlanBuilder(trt, adapt=for_gpus, on_progress=interrupt).build(
            'decode', graphs['decode'], (1, 1, 2))
