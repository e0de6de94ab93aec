# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Torch itself: for development, and the reference that exported graphs are compared with.

Eager, or compiled when a graph is first used with a shape, which takes most of a minute and needs
a C++ compiler on the CPU.
"""

import os
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import WEIGHTS_FILE, Checkpoint
from wm_ros.inference.graph_engine import GraphEngine
from wm_ros.inference.graphs import make_graphs
from wm_ros.inference.weights import load_model


class TorchEngine(GraphEngine):
    """Runs the weights themselves on a CPU or CUDA device."""

    name = 'torch'

    def __init__(self, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1,
                 should_compile: bool = False) -> None:
        if should_compile and device == 'cpu' and not _has_compiler():
            raise EngineError("engine 'torch_compile' needs a C++ compiler on the CPU: apt-get "
                              "install g++, or set engine to 'torch' or 'onnxruntime'")
        if device.startswith('cuda') and not torch.cuda.is_available():
            raise EngineError(f'device {device!r} was asked for, but torch {torch.__version__} '
                              "sees no CUDA device; set device to 'cpu'")
        super().__init__(checkpoint, device=device)
        torch.set_num_threads(num_threads)
        model = load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config).to(device)
        self._graphs = make_graphs(model)
        if should_compile:
            self.name = 'torch_compile'
            self._graphs = {name: torch.compile(graph) for name, graph in self._graphs.items()}

    def close(self) -> None:
        """Drop the weights."""
        self._graphs.clear()

    @torch.no_grad()
    def _run(self, graph: str, inputs: Mapping[str, Any]) -> list[Any]:
        try:
            made = self._graphs[graph](**inputs)
        except RuntimeError as error:
            raise EngineError(f'torch failed on {graph}: {error}') from error
        return list(made) if isinstance(made, tuple) else [made]

    def _to_own(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _to_numpy(self, array: torch.Tensor) -> NDArray[Any]:
        return array.cpu().numpy()

    def _repeat(self, array: torch.Tensor, count: int) -> torch.Tensor:
        return array.expand(count, *array.shape[1:])


def _has_compiler() -> bool:
    return shutil.which(os.environ.get('CXX', 'g++')) is not None
