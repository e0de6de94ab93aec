# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Exported graphs in half precision: the types stand in the graph itself, inputs and outputs stay.

TensorRT 11 knows no precision flags any more: it computes what the graph says. Matrix products
and convolutions, where the time goes, are computed in 16 bits; what only moves or joins their
results follows; everything else stays float32. So do all products that say where the arm is:
in 16 bits they move its points by whole pixels.
"""

from typing import Any

import numpy as np

from wm_ros.errors import EngineError

PRECISIONS = ('fp32', 'fp16', 'bf16')
_PRODUCTS = frozenset({'MatMul', 'Gemm', 'Conv'})
_FOLLOW = frozenset({
    'Add', 'Sub', 'Mul', 'Neg', 'Sigmoid', 'Tanh', 'Relu', 'Gelu', 'Transpose', 'Reshape',
    'Squeeze', 'Unsqueeze', 'Concat', 'Slice', 'Split', 'Gather', 'Expand', 'Tile', 'Flatten',
    'DepthToSpace', 'Identity', 'Resize'})
# Inputs that are shapes or factors and keep their type.
_FIRST_ONLY = frozenset({'Resize', 'Gather', 'Slice', 'Expand', 'Tile', 'Reshape'})
# Kinematics, drawing and projection; the layers in the same modules have names of their own.
_EXACT = ('/splat/MatMul', '/reach/MatMul', '/reach/field/MatMul')
_INT8 = ('precision int8 is not offered: it needs ranges and thresholds of its own, measured on '
         'recordings; with ranges from the stored observations, risk of the shipped model was off '
         'by 0.03, over half of the distance between its thresholds. Use --fp16 or --bf16')


def check_precision(precision: str) -> None:
    """
    Refuse a precision that no engine is built with.

    :raises EngineError: naming the choices, and for int8 what it would need.
    """
    if precision == 'int8':
        raise EngineError(_INT8)
    if precision not in PRECISIONS:
        raise EngineError(f'precision {precision!r} is unknown; choose one of '
                          f"{', '.join(PRECISIONS)}")


def lower_precision(graph: bytes, precision: str, *, emulate: bool = False) -> bytes:
    """
    Return an ONNX graph that computes in this precision, with the same inputs and outputs.

    :param graph: as ``export_graphs`` writes it, float32.
    :param emulate: round to 16 bits what would be in 16 bits and compute in float32, for a
        runtime without such kernels: ONNX Runtime has none for bfloat16 on the CPU.
    :raises EngineError: if the precision is not offered or a weight does not fit it.
    """
    check_precision(precision)
    if precision == 'fp32':
        return graph
    import onnx
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph))
    nodes = _Lowering(model.graph, precision, emulate=emulate).run()
    used = {name for node in nodes for name in node.input}
    weights = [item for item in model.graph.initializer if item.name in used]
    del model.graph.node[:], model.graph.value_info[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(weights)
    # The standard has no bfloat16 convolution before opset 22; TensorRT's parser has.
    onnx.checker.check_model(model, full_check=emulate or precision == 'fp16')
    lowered: bytes = model.SerializeToString()
    return lowered


class _Lowering:
    """One pass over a graph; a tensor may exist in float32, in 16 bits or in both."""

    def __init__(self, graph: Any, precision: str, *, emulate: bool) -> None:
        import onnx
        self._onnx, self._graph, self._precision = onnx, graph, precision
        self._emulate = emulate
        self._float = onnx.TensorProto.FLOAT
        self._half = {'fp16': onnx.TensorProto.FLOAT16,
                      'bf16': onnx.TensorProto.BFLOAT16}[precision]
        self._constants = {item.name: item for item in graph.initializer}
        for node in graph.node:
            if node.op_type == 'Constant' and node.attribute[0].name == 'value':
                self._constants[node.output[0]] = node.attribute[0].t
        self._floats = {item.name for item in (*graph.input, *graph.value_info, *graph.output)
                        if item.type.tensor_type.elem_type == self._float}
        self._floats |= {name for name, item in self._constants.items()
                         if item.data_type == self._float}
        producers = {name: node for node in graph.node for name in node.output}
        self._guarded = {name for name, node in producers.items() if node.op_type == 'Where'
                         and producers[node.input[0]].op_type == 'IsNaN'}
        # Names of tensors in 16 bits, which of them were computed so, and which of those exist
        # in 16 bits alone so far.
        self._low: dict[str, str] = {}
        self._born_low: set[str] = set()
        self._low_alone: set[str] = set()
        self._nodes: list[Any] = []

    def run(self) -> list[Any]:
        """Return the nodes of the lowered graph."""
        for node in self._graph.node:
            if self._is_low(node):
                self._lower(node)
            else:
                for name in node.input:
                    self._raise(name)
                self._nodes.append(node)
        for item in self._graph.output:
            self._raise(item.name)
        return self._nodes

    def _is_low(self, node: Any) -> bool:
        # Rows of attention that a mask has emptied are guarded by IsNaN and Where. TensorRT's
        # fusion of attention fails on a guard between two products in 16 bits.
        if node.name.startswith(_EXACT) or not self._guarded.isdisjoint(node.input):
            return False
        if node.op_type in _PRODUCTS:
            return True
        if node.op_type not in _FOLLOW:
            return False
        given = [name for name in self._typed(node) if name not in self._constants]
        return bool(given) and self._born_low.issuperset(given)

    def _typed(self, node: Any) -> list[str]:
        """Return the inputs whose type is that of the output."""
        names = node.input[:1] if node.op_type in _FIRST_ONLY else node.input
        return [name for name in names if name in self._floats]

    def _lower(self, node: Any) -> None:
        given = {name: self._half_of(name) for name in self._typed(node)}
        for place, name in enumerate(node.input):
            if name in given:
                node.input[place] = given[name]
        outputs = list(node.output)
        self._nodes.append(node)
        for place, name in enumerate(outputs):
            self._low[name] = f'{name}_half'
            self._born_low.add(name)
            self._low_alone.add(name)
            if self._emulate:
                node.output[place] = f'{name}_wide'
                self._round(f'{name}_wide', self._low[name])
            else:
                node.output[place] = self._low[name]

    def _half_of(self, name: str) -> str:
        if name not in self._low:
            self._low[name] = f'{name}_half'
            if name in self._constants:
                self._graph.initializer.append(self._half_constant(name))
            elif self._emulate:
                self._round(name, self._low[name])
            else:
                self._cast(name, self._low[name], self._half)
        return self._low[name]

    def _round(self, source: str, target: str) -> None:
        self._cast(source, f'{target}_16', self._half)
        self._cast(f'{target}_16', target, self._float)

    def _raise(self, name: str) -> None:
        """Make sure that a tensor exists in float32."""
        if name in self._low_alone:
            self._low_alone.remove(name)
            self._cast(self._low[name], name, self._float)

    def _cast(self, source: str, target: str, kind: int) -> None:
        self._nodes.append(self._onnx.helper.make_node(
            'Cast', [source], [target], name=f'{target}_cast', to=kind))

    def _half_constant(self, name: str) -> Any:
        values = self._onnx.numpy_helper.to_array(self._constants[name])
        # A mask's infinities are infinite in 16 bits too.
        largest = np.abs(values[np.isfinite(values)]).max(initial=0)
        if self._precision == 'fp16' and largest > np.finfo('f2').max:
            raise EngineError(f'weight {name} reaches {largest:.3g}, fp16 ends at '
                              f"{np.finfo('f2').max:.0f}; use --bf16")
        import torch
        kind = {'fp16': torch.float16, 'bf16': torch.bfloat16}[self._precision]
        rounded = torch.tensor(values).to(kind)
        data = rounded.float() if self._emulate else rounded.view(torch.int16)
        return self._onnx.TensorProto(
            name=self._low[name], dims=values.shape,
            data_type=self._float if self._emulate else self._half,
            raw_data=data.numpy().tobytes())
