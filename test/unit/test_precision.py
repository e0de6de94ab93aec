# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Graphs in 16 bits: what is lowered, what stays, and how far they are off."""

import collections

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from wm_ros.errors import EngineError  # noqa: E402
from wm_ros.inference.building import graphs_in_precision  # noqa: E402
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint  # noqa: E402
from wm_ros.inference.onnx_engine import OnnxEngine  # noqa: E402
from wm_ros.inference.parity import TOLERANCES, golden_inputs, measure_parity  # noqa: E402
from wm_ros.inference.precision import lower_precision  # noqa: E402

HALVES = {'fp16': TensorProto.FLOAT16, 'bf16': TensorProto.BFLOAT16}


@pytest.fixture(scope='module')
def checkpoint():
    return load_checkpoint(resolve_checkpoint('default'))


@pytest.fixture(scope='module')
def graphs(checkpoint):
    return graphs_in_precision(checkpoint, 'fp32')


def types_of(model):
    model = onnx.shape_inference.infer_shapes(model)
    return {item.name: item.type.tensor_type.elem_type
            for item in (*model.graph.value_info, *model.graph.input, *model.graph.output)}


@pytest.mark.parametrize('precision', HALVES)
def test_products_are_in_16_bits_and_the_interface_is_not(graphs, precision):
    counts = collections.Counter()
    for name, graph in graphs.items():
        before = onnx.load_from_string(graph)
        after = onnx.load_from_string(lower_precision(graph, precision))
        for old, new in ((before.graph.input, after.graph.input),
                         (before.graph.output, after.graph.output)):
            assert [(item.name, item.type.tensor_type.elem_type) for item in old] == [
                (item.name, item.type.tensor_type.elem_type) for item in new]
        assert {item.name for item in after.graph.initializer} <= {
            name for node in after.graph.node for name in node.input}
        types = types_of(after)
        for node in after.graph.node:
            if node.op_type in ('Conv', 'MatMul', 'Gemm'):
                counts[name, types[node.output[0]] == HALVES[precision]] += 1
            if node.op_type in ('Softmax', 'LayerNormalization', 'InstanceNormalization',
                                'GridSample', 'Exp', 'Sin', 'Cos'):
                assert types[node.output[0]] == TensorProto.FLOAT, node.name
            # Strongly typed: what is added or multiplied has one type.
            if node.op_type in ('Add', 'Mul', 'Sub', 'MatMul'):
                known = {types[name] for name in node.input if name in types}
                assert len(known) <= 1, node.name
    for name in ('encode', 'decode', 'flow'):
        assert counts[name, False] == 0
        assert counts[name, True] > 10
    # Kinematics and projection stay, and what comes after a guarded softmax.
    assert counts['predict', True] > 50
    assert counts['predict', False] > 20


@pytest.mark.parametrize('precision', HALVES)
def test_16_bits_stay_within_their_tolerance(checkpoint, graphs, precision):
    lowered = {name: lower_precision(graph, precision, emulate=True)
               for name, graph in graphs.items()}
    parity = measure_parity(OnnxEngine(checkpoint), OnnxEngine(checkpoint, graphs=lowered),
                            golden_inputs(checkpoint))
    assert parity.problems(TOLERANCES[precision]) == []
    # It is a rounding that is emulated, not nothing.
    assert parity.problems(TOLERANCES['fp32']) != []


def test_onnx_runtime_runs_the_graphs_themselves_in_float16(checkpoint, graphs):
    lowered = {name: lower_precision(graph, 'fp16') for name, graph in graphs.items()}
    parity = measure_parity(OnnxEngine(checkpoint), OnnxEngine(checkpoint, graphs=lowered),
                            golden_inputs(checkpoint))
    assert parity.problems(TOLERANCES['fp16']) == []


def test_coordinates_in_16_bits_would_move_the_arm(checkpoint, graphs, monkeypatch):
    """Why kinematics stay in float32: lowered as well, risk is off by several times as much."""
    def risk_off():
        lowered = lower_precision(graphs['predict'], 'fp16', emulate=True)
        return measure_parity(
            OnnxEngine(checkpoint), OnnxEngine(checkpoint, graphs={**graphs, 'predict': lowered}),
            golden_inputs(checkpoint)).risk

    kept = risk_off()
    monkeypatch.setattr('wm_ros.inference.precision._EXACT', ('nothing',))
    assert risk_off() > 4 * kept


def make_model(nodes, weights=(), shape=('b', 4)):
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, 'g', [helper.make_tensor_value_info('x', kind, list(shape))],
        [helper.make_tensor_value_info('y', kind, list(shape))],
        [onnx.numpy_helper.from_array(value, name) for name, value in weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)])
    model.ir_version = 9
    return model.SerializeToString()


def run(graph, value):
    session = onnxruntime.InferenceSession(graph)
    return session.run(None, {'x': value})[0]


def test_what_is_half_and_what_is_not_meet_in_float32():
    """A residual: the shortcut keeps its digits, the product is rounded once."""
    weight = np.eye(4, dtype=np.float32) * np.float32(1 / 3)
    graph = make_model([helper.make_node('MatMul', ['x', 'w'], ['p'], name='/p'),
                        helper.make_node('Add', ['x', 'p'], ['y'], name='/y')], [('w', weight)])
    value = np.full((1, 4), 1 / 7, np.float32)
    for emulate in (False, True):
        made = run(lower_precision(graph, 'fp16', emulate=emulate), value)
        product = np.float16(np.float32(np.float16(1 / 7)) * np.float32(np.float16(1 / 3)))
        np.testing.assert_array_equal(made, value + np.float32(product))


def test_a_weight_beyond_float16_is_refused_and_a_mask_is_not():
    large = np.full((4, 4), 1e5, np.float32)
    graph = make_model([helper.make_node('MatMul', ['x', 'w'], ['y'], name='/y')], [('w', large)])
    with pytest.raises(EngineError, match=r'weight w reaches 1e\+05, fp16 ends at 65504; use'):
        lower_precision(graph, 'fp16')
    lower_precision(graph, 'bf16')
    masked = make_model(
        [helper.make_node('MatMul', ['x', 'w'], ['p'], name='/p'),
         helper.make_node('Add', ['p', 'mask'], ['y'], name='/y')],
        [('w', np.eye(4, dtype=np.float32)), ('mask', np.array([0, 0, 0, -np.inf], np.float32))])
    made = run(lower_precision(masked, 'fp16'), np.ones((1, 4), np.float32))
    np.testing.assert_array_equal(made, [[1, 1, 1, -np.inf]])
