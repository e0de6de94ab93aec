# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""TensorRT on an NVIDIA GPU: engines that were built for exactly this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.cuda_device import CudaDevice
from wm_ros.inference.engine import CheckInput, CheckOutput
from wm_ros.inference.engine_cache import EngineCache
from wm_ros.inference.engine_key import make_key
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.inference.export import output_names
from wm_ros.inference.graph_engine import Future, GraphEngine, check_steps
from wm_ros.inference.onnx_engine import OnnxEngine
from wm_ros.inference.parity import TOLERANCES, Parity, golden_inputs, measure_parity
from wm_ros.inference.precision import check_precision
from wm_ros.inference.tensorrt_graph import TensorRtGraph
from wm_ros.inference.tensorrt_module import load_tensorrt, make_log


class TensorRtEngine(GraphEngine):
    """
    Runs plans on a stream of their own, with torch's tensors as buffers; owned by one thread.

    :param plans: of each graph, from a source that is trusted: a plan can run any code.
    :param trt: the TensorRT module.
    :raises EngineError: if a plan is missing or TensorRT cannot use it here.
    """

    name = 'tensorrt'

    def __init__(self, checkpoint: Checkpoint, plans: Mapping[str, bytes], *, trt: Any,
                 device: CudaDevice, settings: EngineSettings) -> None:
        super().__init__(checkpoint, device=device.name)
        self._device, self._max_batch = device, settings.max_batch
        self.precision = settings.precision
        self._log = make_log(trt)
        self._runtime = trt.Runtime(self._log)
        self._graphs: dict[str, TensorRtGraph] = {}
        with self._on_stream():
            for name in self.graph_names:
                if name not in plans:
                    raise EngineError(f'the engine has no graph {name}; build it again with '
                                      "'wm-ros build-engine'")
                engine = self._runtime.deserialize_cuda_engine(plans[name])
                if engine is None:
                    raise EngineError(
                        f'TensorRT {trt.__version__} cannot use the plan of {name}: '
                        f"{'; '.join(self._log.problems) or 'it gave no reason'}; build the "
                        "engine again with 'wm-ros build-engine'")
                self._graphs[name] = TensorRtGraph(
                    trt, name, engine, device, outputs=output_names(name, checkpoint.config),
                    should_capture=settings.cuda_graphs)

    def check_batch(self, inputs: list[CheckInput]) -> list[CheckOutput]:
        """Predict several chunks, in as few passes as the engine's largest batch allows."""
        check_steps([len(item.actions) for item in inputs], self._config.horizon)
        outputs: list[CheckOutput] = []
        with self._on_stream():
            for begin in range(0, len(inputs), self._max_batch):
                outputs += super().check_batch(inputs[begin:begin + self._max_batch])
        return outputs

    def begin_frames(self, output: CheckOutput) -> bool:
        """Do what the frames of a check share, see ``Engine.begin_frames``."""
        with self._on_stream():
            return super().begin_frames(output)

    def decode_step(self, output: CheckOutput, step: int, future: Future | None = None
                    ) -> NDArray[np.uint8]:
        """Decode the frame of one step, RGB uint8 (h, w, 3), see ``Engine.decode_step``."""
        with self._on_stream():
            return super().decode_step(output, step, future)

    def begin_future(self, output: CheckOutput, rng: np.random.Generator, *, num_steps: int = 4,
                     guidance: float = 1.0, temperature: float = 1.0) -> Future:
        """Draw what a future leaves to chance, see ``Engine.begin_future``."""
        with self._on_stream():
            return super().begin_future(output, rng, num_steps=num_steps, guidance=guidance,
                                        temperature=temperature)

    def close(self) -> None:
        """Free engines and contexts, after what is under way on the device."""
        self._device.synchronize()
        self._graphs.clear()
        self._seen.clear()
        self._encoded = None
        self._device.release()

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        try:
            with self._device.on_stream():
                yield
        except RuntimeError as error:  # what torch raises for everything on the device
            raise EngineError(f'CUDA failed on {self.device}: {error}') from error

    def _run(self, graph: str, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        return self._graphs[graph].run(inputs)

    def _to_own(self, array: NDArray[Any]) -> Tensor:
        return self._device.upload(array)

    def _to_numpy(self, array: Tensor) -> NDArray[Any]:
        return self._device.download(array)

    def _repeat(self, array: Tensor, count: int) -> Tensor:
        return array.expand(count, *array.shape[1:])


def open_engine(checkpoint: Checkpoint, *, device: str, settings: EngineSettings
                ) -> TensorRtEngine:
    """
    Load the engine that ``wm-ros build-engine`` made for a checkpoint on this machine.

    :raises EngineError: if there is none, it is not trusted, or it does not do on the golden
        input what the checkpoint's ONNX graphs do on the CPU.
    """
    check_precision(settings.precision)
    # In this order: without a device some builds of TensorRT crash when they are used.
    found = CudaDevice(device)
    trt = load_tensorrt()
    key = make_key(checkpoint, settings, found.facts(), trt.__version__)
    plans = EngineCache(settings.cache_dir, pins=settings.pins).load(key)
    engine = TensorRtEngine(checkpoint, plans, trt=trt, device=found, settings=settings)
    verify(checkpoint, engine, settings.precision)
    return engine


def verify(checkpoint: Checkpoint, engine: TensorRtEngine, precision: str) -> Parity:
    """
    Compare an engine with the checkpoint's ONNX graphs on the CPU, on the golden input.

    :raises EngineError: if it is off by more than its precision explains; it is closed then.
    """
    reference = OnnxEngine(checkpoint)
    try:
        parity = measure_parity(reference, engine, golden_inputs(checkpoint))
    finally:
        reference.close()
    problems = parity.problems(TOLERANCES[precision])
    if problems:
        engine.close()
        raise EngineError(
            f"engine 'tensorrt' in {precision} fails its golden input: {'; '.join(problems)}; "
            "build it again with 'wm-ros build-engine --force', in a higher precision if it fails "
            'again')
    return parity
