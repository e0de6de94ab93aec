# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the default engine."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import CheckOutput
from wm_ros.inference.graph_engine import Future, GraphEngine

# Of many chunks so many are looked at in one pass: more do not fit into the caches.
_PART = 4
_OF_CHUNKS = {'which', 'positions', 'velocities', 'actions'}


class OnnxEngine(GraphEngine):
    """Runs the exported graphs; threads are set, so that a core is left for the robot."""

    name = 'onnxruntime'

    def __init__(self, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1,
                 graphs: Mapping[str, bytes] | None = None) -> None:
        """
        Load the graphs of a checkpoint.

        :param graphs: others to run instead, by name; to measure what a precision costs.
        """
        if device != 'cpu':
            raise EngineError(f"engine 'onnxruntime' runs on 'cpu', not on {device!r}")
        super().__init__(checkpoint, device=device)
        content: Mapping[str, str | bytes] = graphs or {
            name: str(checkpoint.graph(name)) for name in self.graph_names}
        try:
            # The prediction is hundreds of small operations: a second thread in each of them waits
            # longer for the first than it works. Several chunks are shared out over threads.
            self._sessions = {
                name: _session(content[name], 1 if name == 'predict' else num_threads)
                for name in self.graph_names}
            # What the gate waits for is one chunk of all steps: with its shapes known beforehand a
            # hundred small computations of shapes are done once instead of at each check.
            self._horizon = checkpoint.config.horizon
            self._one = _session(content['predict'], 1, {
                'batch': 1, 'observations': 1, 'steps': self._horizon})
            # Several frames at once leave one thread to each.
            self._decode_one = (self._sessions['decode'] if num_threads == 1
                                else _session(content['decode'], 1))
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'{checkpoint.directory}: onnxruntime refuses the exported graphs: '
                              f'{error}') from error
        self._num_threads, self._is_shared_out = num_threads, False
        self._pool = ThreadPoolExecutor(num_threads, 'onnxruntime')
        # Without geometry some inputs have nothing to do, and the exporter leaves them out.
        self._inputs = {name: {item.name for item in session.get_inputs()}
                        for name, session in self._sessions.items()}

    def close(self) -> None:
        """Drop the sessions."""
        self._sessions.clear()
        self._pool.shutdown()

    def _run(self, graph: str, inputs: Mapping[str, Any]) -> list[Any]:
        known = self._inputs[graph]
        given = {key: value for key, value in inputs.items() if key in known}
        try:
            if graph == 'predict' and len(given['actions']) > 1:
                return self._run_parts(given)
            session = self._sessions[graph]
            if graph == 'predict' and given['actions'].shape[1] == self._horizon:
                session = self._one
            if graph == 'decode' and self._is_shared_out:
                session = self._decode_one
            made: list[Any] = session.run(None, given)
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'onnxruntime failed on {graph}: {error}') from error
        return made

    def _frames(self, output: CheckOutput, future: Future | None) -> NDArray[np.uint8]:
        """Draw and decode a frame on each thread: drawing by itself uses no more than one."""
        if self._num_threads == 1:
            return super()._frames(output, future)
        self.begin_frames(output)
        self._is_shared_out = True
        try:
            return np.stack(list(self._pool.map(
                lambda step: self.decode_step(output, step, future),
                range(len(output.joint_positions)))))
        finally:
            self._is_shared_out = False

    def _run_parts(self, given: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Predict several chunks, a few at a time on each thread."""
        count, session = len(given['actions']), self._sessions['predict']
        size = min(_PART, -(-count // self._num_threads))
        parts = [slice(begin, begin + size) for begin in range(0, count, size)]

        def run(part: slice) -> list[NDArray[Any]]:
            made: list[NDArray[Any]] = session.run(None, {
                key: value[part] if key in _OF_CHUNKS else value for key, value in given.items()})
            return made

        found = list(self._pool.map(run, parts))
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

    def _to_own(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def _to_numpy(self, array: NDArray[Any]) -> NDArray[Any]:
        return array

    def _repeat(self, array: NDArray[Any], count: int) -> NDArray[Any]:
        return array if count == 1 else np.repeat(array, count, axis=0)


def _session(graph: str | bytes, num_threads: int, shapes: Mapping[str, int] | None = None
             ) -> onnxruntime.InferenceSession:
    """Load a graph; ``shapes`` fixes sizes that it leaves free, by name."""
    # All optimisations are on by default. Binding inputs and outputs was measured to save nothing
    # on the CPU, where arrays are taken as they are.
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    # Waiting threads that spin would take the core that the gate and the camera need.
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    for name, size in (shapes or {}).items():
        options.add_free_dimension_override_by_name(name, size)
    return onnxruntime.InferenceSession(graph, options, providers=['CPUExecutionProvider'])
