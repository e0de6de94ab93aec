# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
TensorRT's interface in front of ONNX Runtime, and a CUDA device that is the host.

A plan is the ONNX graph itself. A run reads its inputs from the addresses that it was given and
writes its outputs to them, as the real one does, so that a buffer that was freed, is not dense or
is of the wrong type shows. Nothing here is CUDA: streams and captures are stood in for.
"""

import ast
import ctypes
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import torch

from wm_ros.inference.cuda_device import DeviceFacts

MAGIC = b'fake plan\n'
STREAM = 77
__version__ = '10.16.1'

TensorIOMode = SimpleNamespace(INPUT='input', OUTPUT='output')
DataType = SimpleNamespace(FLOAT=np.dtype('f4'), INT32=np.dtype('i4'), INT64=np.dtype('i8'),
                           UINT8=np.dtype('u1'))
NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
MemoryPoolType = SimpleNamespace(WORKSPACE='workspace')
BuilderFlag = SimpleNamespace(TF32='tf32')
_TYPES = {'tensor(float)': np.dtype('f4'), 'tensor(int32)': np.dtype('i4'),
          'tensor(int64)': np.dtype('i8'), 'tensor(uint8)': np.dtype('u1')}


class ILogger:
    """Severities as the real module has them."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class IProgressMonitor:
    """Subclassed by the code under test."""


class Builder:
    """Builds by keeping the graph."""

    def __init__(self, logger):
        self.logger = logger

    def create_network(self, flags):
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED
        return SimpleNamespace(onnx=b'', num_inputs=0, inputs=[], get_input=None)

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        # What the engine's key says of every engine.
        assert config.cleared == [BuilderFlag.TF32]
        assert config.limits[MemoryPoolType.WORKSPACE] > 0
        monitor = config.progress_monitor
        monitor.phase_start('Building', None, 3)
        monitor.phase_start('Inner', 'Building', 100)
        for step in range(3):
            if not monitor.step_complete('Building', step):
                return None
        monitor.phase_finish('Inner')
        monitor.phase_finish('Building')
        config.timings.content += b'+'
        (profile,) = config.profiles
        return MAGIC + repr(profile.shapes).encode() + b'\n' + network.onnx


class Config:
    """Keeps what was set."""

    progress_monitor = None

    def __init__(self):
        self.profiles, self.cleared, self.limits = [], [], {}

    def clear_flag(self, flag):
        self.cleared.append(flag)

    def set_memory_pool_limit(self, pool, size):
        self.limits[pool] = size

    def add_optimization_profile(self, profile):
        self.profiles.append(profile)
        return len(self.profiles) - 1

    def create_timing_cache(self, content):
        return None if content.startswith(b'damaged') else Timings(content)

    def set_timing_cache(self, cache, ignore_mismatch):
        assert ignore_mismatch is False
        self.timings = cache
        return not cache.content.startswith(b'of another device')


class Timings:
    """Grows by one byte a build."""

    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content


class Profile:
    """Shapes by input."""

    def __init__(self):
        self.shapes = {}

    def set_shape(self, name, low, usual, high):
        assert all(a <= b <= c for a, b, c in zip(low, usual, high, strict=True))
        self.shapes[name] = low, usual, high


class OnnxParser:
    """Reads with the onnx package and refuses what it refuses."""

    def __init__(self, network, logger):
        self._network, self.num_errors, self._error = network, 0, None

    def parse(self, content):
        try:
            model = onnx.load_from_string(content)
            onnx.checker.check_model(model)
        except Exception as error:
            self.num_errors, self._error = 1, str(error)
            return False
        network = self._network
        network.onnx = content
        network.inputs = [SimpleNamespace(name=item.name, shape=tuple(
            -1 if axis.dim_param else axis.dim_value for axis in item.type.tensor_type.shape.dim))
            for item in model.graph.input]
        network.num_inputs = len(network.inputs)
        network.get_input = network.inputs.__getitem__
        return True

    def get_error(self, index):
        return SimpleNamespace(desc=lambda: self._error, node_operator=lambda: '',
                               node_name=lambda: '')


class Runtime:
    """Loads what Builder kept."""

    def __init__(self, logger):
        self._logger = logger

    def deserialize_cuda_engine(self, plan):
        if not plan.startswith(MAGIC):
            self._logger.log(ILogger.ERROR, 'magic tag does not match')
            return None
        shapes, _, graph = plan.removeprefix(MAGIC).partition(b'\n')
        return Engine(ast.literal_eval(shapes.decode()), graph)


class Engine:
    """A session and its tensors."""

    def __init__(self, shapes, graph):
        self.shapes, self.known = shapes, {}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(graph, options)
        self._items = [*self.session.get_inputs(), *self.session.get_outputs()]
        self.types = {item.name: _TYPES[item.type] for item in self._items}
        self.num_io_tensors = len(self._items)

    def get_tensor_name(self, index):
        return self._items[index].name

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self.shapes else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name):
        return self.types[name]

    def get_tensor_profile_shape(self, name, profile):
        assert profile == 0
        return self.shapes[name]

    def create_execution_context(self):
        return Context(self)


class Context:
    """Addresses and shapes, and a run on them."""

    def __init__(self, engine):
        self._engine, self._shapes, self._addresses = engine, {}, {}

    def set_input_shape(self, name, shape):
        low, _, high = self._engine.shapes[name]
        if len(shape) != len(low) or not all(
                a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            return False
        self._shapes[name] = shape
        return True

    def set_tensor_address(self, name, address):
        self._addresses[name] = address
        return True

    def infer_shapes(self):
        return [name for name in self._engine.shapes if name not in self._shapes]

    def get_tensor_shape(self, name):
        key = tuple(self._shapes.items())
        if key not in self._engine.known:
            self._engine.known[key] = {
                output: value.shape for output, value in self._outputs().items()}
        return self._engine.known[key][name]

    def execute_async_v3(self, stream):
        assert stream == STREAM
        for name, value in self._outputs().items():
            _at(self._addresses[name], value.shape, value.dtype)[...] = value
        return True

    def _outputs(self):
        inputs = {name: _at(self._addresses[name], shape, self._engine.types[name])
                  for name, shape in self._shapes.items()}
        names = [item.name for item in self._engine.session.get_outputs()]
        return dict(zip(names, self._engine.session.run(names, inputs), strict=True))


def _at(address, shape, dtype):
    """Return an array on foreign memory."""
    size = int(np.prod(shape)) * dtype.itemsize
    buffer = (ctypes.c_char * size).from_address(address)
    return np.frombuffer(buffer, dtype).reshape(shape)


class HostDevice:
    """A CudaDevice without CUDA: tensors are on the host, a capture is the call itself."""

    name, stream = 'cuda', STREAM

    def __init__(self, **facts):
        self._facts = DeviceFacts(**{
            'gpu': 'Fake GPU', 'capability': '8.9', 'num_multiprocessors': 24, 'cuda': '13.0',
            'driver': '580.1', **facts})
        self.num_captures = self.num_releases = 0

    def facts(self):
        return self._facts

    def on_stream(self):
        return nullcontext()

    def empty(self, shape, dtype):
        # Not zeros: what is not written shows.
        return torch.full(shape, 113, dtype=dtype)

    def upload(self, array):
        return torch.from_numpy(np.array(array, order='C'))

    def download(self, tensor):
        return tensor.contiguous().numpy().copy()

    def synchronize(self):
        pass

    def release(self):
        self.num_releases += 1

    def capture(self, enqueue):
        self.num_captures += 1
        return enqueue
