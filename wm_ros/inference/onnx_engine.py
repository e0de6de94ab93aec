# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the default engine."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.graph_engine import GraphEngine


class OnnxEngine(GraphEngine):
    """Runs the exported graphs; threads are set, so that a core is left for the robot."""

    name = 'onnxruntime'

    def __init__(self, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1
                 ) -> None:
        if device != 'cpu':
            raise EngineError(f"engine 'onnxruntime' runs on 'cpu', not on {device!r}")
        super().__init__(checkpoint, device=device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Waiting threads that spin would take the core that the gate and the camera need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        try:
            self._sessions = {
                name: onnxruntime.InferenceSession(
                    str(checkpoint.graph(name)), options, providers=['CPUExecutionProvider'])
                for name in self.graph_names}
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'{checkpoint.directory}: onnxruntime refuses the exported graphs: '
                              f'{error}') from error
        # Without geometry some inputs have nothing to do, and the exporter leaves them out.
        self._inputs = {name: {item.name for item in session.get_inputs()}
                        for name, session in self._sessions.items()}

    def close(self) -> None:
        """Drop the sessions."""
        self._sessions.clear()

    def _run(self, graph: str, inputs: Mapping[str, Any]) -> list[Any]:
        known = self._inputs[graph]
        try:
            made: list[Any] = self._sessions[graph].run(
                None, {key: value for key, value in inputs.items() if key in known})
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'onnxruntime failed on {graph}: {error}') from error
        return made

    def _to_own(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def _to_numpy(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def _repeat(self, array: NDArray[Any], count: int) -> NDArray[Any]:
        return array if count == 1 else np.repeat(array, count, axis=0)
