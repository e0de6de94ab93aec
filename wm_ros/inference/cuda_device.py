# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One CUDA device as an engine uses it: memory, a stream of its own, graphs and what it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.engine_key import DeviceFacts

# Tegra boards have no such file; their driver comes and goes with the CUDA version.
_DRIVER_FILE = Path('/sys/module/nvidia/version')


class CudaDevice:
    """
    A device and the stream on which everything of one engine runs; owned by one thread.

    Host buffers are pinned: torch keeps them until the copies that use them are done.

    :param name: cuda or cuda:N.
    :raises EngineError: if there is no such device.
    """

    def __init__(self, name: str) -> None:
        if not torch.cuda.is_available():
            raise EngineError(
                f'device {name!r} was asked for, but torch {torch.__version__} sees no CUDA '
                "device; set engine to 'onnxruntime' and device to 'cpu', or install the driver "
                'and a CUDA build of torch')
        try:
            self._device = torch.device(name)
            if self._device.type != 'cuda':
                raise EngineError(f"engine 'tensorrt' runs on 'cuda', not on {name!r}")
            self._stream = torch.cuda.Stream(self._device)
        except RuntimeError as error:
            raise EngineError(f'device {name!r} cannot be used, there are '
                              f'{torch.cuda.device_count()}: {error}') from error
        self.name = name

    @property
    def stream(self) -> int:
        """Return the stream's handle, for libraries that enqueue on it."""
        return self._stream.cuda_stream

    def on_stream(self) -> AbstractContextManager[Any]:
        """Make this device and its stream the current ones."""
        return torch.cuda.stream(self._stream)

    def facts(self) -> DeviceFacts:
        """Return what the device and its software are."""
        found = torch.cuda.get_device_properties(self._device)
        driver = ''
        if _DRIVER_FILE.is_file():
            driver = _DRIVER_FILE.read_text(encoding='ascii').strip()
        return DeviceFacts(found.name, f'{found.major}.{found.minor}',
                           found.multi_processor_count, str(torch.version.cuda), driver)

    def empty(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return memory of the device."""
        return torch.empty(shape, dtype=dtype, device=self._device)

    def upload(self, array: NDArray[Any]) -> torch.Tensor:
        """Copy an array to the device, in order with the stream."""
        pinned = torch.from_numpy(np.ascontiguousarray(array)).pin_memory()
        return pinned.to(self._device, non_blocking=True)

    def download(self, tensor: torch.Tensor) -> NDArray[Any]:
        """Copy a tensor to the host and wait for it."""
        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        pinned.copy_(tensor, non_blocking=True)
        self._stream.synchronize()
        return pinned.numpy()

    def synchronize(self) -> None:
        """Wait until the stream is empty."""
        self._stream.synchronize()

    def release(self) -> None:
        """Wait until the stream is empty, and give back memory that nobody uses any more."""
        self._stream.synchronize()
        torch.cuda.empty_cache()

    def capture(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """
        Record what a function enqueues, and return what replays it.

        :raises RuntimeError: if it does what cannot be recorded.
        """
        graph = torch.cuda.CUDAGraph()
        # Other threads of the process may go on using CUDA meanwhile.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode='thread_local'):
            enqueue()
        return graph.replay
