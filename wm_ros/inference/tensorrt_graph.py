# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
One TensorRT engine that runs on torch's memory.

Only names that TensorRT 10.3, 10.16 and 11.4 all have are used; a test compares them with the
lists of those versions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from wm_ros.errors import EngineError
from wm_ros.inference.cuda_device import CudaDevice

# Batch sizes that are captured; further ones run uncaptured.
MAX_CAPTURES = 4


@dataclass(frozen=True, slots=True)
class _Captured:
    """A recorded run: its context and buffers must stay where they are."""

    context: Any
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    replay: Callable[[], None]


class TensorRtGraph:
    """
    Runs one deserialised engine on the stream of its device; owned by one thread.

    :param trt: the TensorRT module.
    :param name: of the graph, for messages.
    :param engine: what ``deserialize_cuda_engine`` returned.
    :param outputs: names in the order in which ``run`` returns them.
    :param should_capture: record a CUDA graph for each of the first batch sizes.
    :raises EngineError: if the engine has other outputs or no memory is left for it.
    """

    def __init__(self, trt: Any, name: str, engine: Any, device: CudaDevice, *,
                 outputs: tuple[str, ...], should_capture: bool = False) -> None:
        self.name, self._engine, self._device = name, engine, device
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self._outputs, self._should_capture = outputs, should_capture
        self._inputs = tuple(item for item in names
                             if engine.get_tensor_mode(item) == trt.TensorIOMode.INPUT)
        made = set(names) - set(self._inputs)
        if made != set(outputs):
            raise EngineError(f'engine of {name} has the outputs {sorted(made)}, expected '
                              f"{sorted(outputs)}; build it again with 'wm-ros build-engine'")
        types = {trt.DataType.FLOAT: torch.float32, trt.DataType.INT32: torch.int32,
                 trt.DataType.INT64: torch.int64, trt.DataType.UINT8: torch.uint8}
        for item in names:
            if engine.get_tensor_dtype(item) not in types:
                raise EngineError(f'engine of {name}: {item} is {engine.get_tensor_dtype(item)}, '
                                  'which no graph of ours takes or gives')
        self._types = {item: types[engine.get_tensor_dtype(item)] for item in names}
        self._context = self._make_context()
        self._captured: dict[tuple[tuple[int, ...], ...], _Captured] = {}

    def run(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """
        Enqueue one run; the outputs are valid in order with the stream.

        :param inputs: tensors of the device by name; those that the engine lacks are left out.
        :raises EngineError: if one is missing, has a wrong type or shape, or the run fails.
        """
        given = {name: self._checked(name, inputs) for name in self._inputs}
        if self._should_capture:
            shapes = tuple(tuple(tensor.shape) for tensor in given.values())
            if shapes in self._captured or len(self._captured) < MAX_CAPTURES:
                return self._replay(shapes, given)
        outputs = self._bind(self._context, given)
        self._enqueue(self._context)
        return [outputs[name] for name in self._outputs]

    def _checked(self, name: str, inputs: Mapping[str, Tensor]) -> Tensor:
        if name not in inputs:
            raise EngineError(f'engine of {self.name} needs the input {name}')
        if inputs[name].dtype != self._types[name]:
            raise EngineError(f'engine of {self.name}: {name} is {inputs[name].dtype}, expected '
                              f'{self._types[name]}')
        # TensorRT reads an address as a dense array.
        return inputs[name].contiguous()

    def _make_context(self) -> Any:
        context = self._engine.create_execution_context()
        if context is None:
            raise EngineError(f'engine of {self.name}: no execution context; is there enough '
                              'memory on the device?')
        return context

    def _bind(self, context: Any, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Give a context the addresses of inputs and of new outputs, which are returned."""
        for name, tensor in inputs.items():
            if not context.set_input_shape(name, tuple(tensor.shape)):
                low, _, high = self._engine.get_tensor_profile_shape(name, 0)
                raise EngineError(
                    f'engine of {self.name}: {name} has shape {tuple(tensor.shape)}, it was built '
                    f'for {tuple(low)} to {tuple(high)}; build one for larger batches with '
                    "'wm-ros build-engine --max-batch'")
            context.set_tensor_address(name, tensor.data_ptr())
        unknown = context.infer_shapes()
        if unknown:
            raise EngineError(f'engine of {self.name}: no shape for {list(unknown)}')
        outputs = {name: self._device.empty(tuple(context.get_tensor_shape(name)),
                                            self._types[name]) for name in self._outputs}
        for name, tensor in outputs.items():
            context.set_tensor_address(name, tensor.data_ptr())
        return outputs

    def _enqueue(self, context: Any) -> None:
        if not context.execute_async_v3(self._device.stream):
            raise EngineError(f'TensorRT failed on {self.name}; its reason is in the log above')

    def _replay(self, shapes: tuple[tuple[int, ...], ...], given: Mapping[str, Tensor]
                ) -> list[Tensor]:
        made = self._captured.get(shapes)
        if made is None:
            made = self._captured[shapes] = self._capture(given)
        for name, tensor in given.items():
            made.inputs[name].copy_(tensor)
        made.replay()
        # The next replay writes to the same memory.
        return [made.outputs[name].clone() for name in self._outputs]

    def _capture(self, given: Mapping[str, Tensor]) -> _Captured:
        """Record a run, and compare a replay with a run that was not recorded, bit for bit."""
        context = self._make_context()
        inputs = {name: tensor.clone() for name, tensor in given.items()}
        outputs = self._bind(context, inputs)
        # The first run allocates what a recording may not.
        self._enqueue(context)
        self._device.synchronize()
        expected = {name: tensor.clone() for name, tensor in outputs.items()}
        for tensor in outputs.values():
            tensor.zero_()
        self._device.synchronize()
        try:
            replay = self._device.capture(lambda: self._enqueue(context))
        except RuntimeError as error:
            raise EngineError(f'engine of {self.name} cannot be captured: {error}; set '
                              'cuda_graphs to false') from error
        replay()
        self._device.synchronize()
        for name, tensor in outputs.items():
            differing = _differing_bytes(tensor, expected[name])
            if differing:
                raise EngineError(
                    f'CUDA graph of {self.name}: {differing} bytes of {name} differ from the run '
                    'without one; set cuda_graphs to false')
        return _Captured(context, inputs, outputs, replay)


def _differing_bytes(one: Tensor, other: Tensor) -> int:
    # As bytes, since a NaN differs from itself.
    return int((one.view(torch.uint8) != other.view(torch.uint8)).sum())
