# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Exported graphs to TensorRT plans.

Networks are strongly typed: the precision is the graph's own, see ``precision``. Only names that
TensorRT 10.3, 10.16 and 11.4 all have are used; a test compares them with the lists of those
versions.
"""

from collections.abc import Callable
from typing import Any

from wm_ros.errors import EngineError
from wm_ros.inference.tensorrt_module import make_log
from wm_ros.inference.tensorrt_progress import BuildProgress, Progress, make_monitor

WORKSPACE_BYTES = 1 << 30

Sizes = tuple[int, int, int]


class PlanBuilder:
    """
    Builds plans with one TensorRT.

    :param trt: the TensorRT module.
    :param timing_cache: of earlier builds on the same device, empty for none.
    :param on_progress: called with (stage, done, total).
    :param adapt: changes each builder config before it is used; tests build for other devices.
    """

    def __init__(self, trt: Any, *, timing_cache: bytes = b'',
                 on_progress: Progress = lambda stage, done, total: None,
                 adapt: Callable[[Any], None] = lambda config: None) -> None:
        self._trt, self._log = trt, make_log(trt)
        self.timing_cache = timing_cache
        self._on_progress, self._adapt = on_progress, adapt
        self._builder = trt.Builder(self._log)

    def build(self, name: str, onnx: bytes, batch: Sizes, steps: Sizes = (1, 1, 1)) -> bytes:
        """
        Build one graph.

        :param onnx: a graph whose first axis is the batch and whose other free axes are steps.
        :param batch: least, usual and largest, and so ``steps``.
        :returns: the plan.
        :raises EngineError: if the graph cannot be read or built, naming the operators at fault.
        :raises KeyboardInterrupt: if it was asked for during the build.
        """
        trt = self._trt
        flag = trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED
        network = self._builder.create_network(1 << int(flag))
        self._parse(name, network, onnx)
        config = self._builder.create_builder_config()
        config.clear_flag(trt.BuilderFlag.TF32)
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
        profile = self._builder.create_optimization_profile()
        for i in range(network.num_inputs):
            tensor = network.get_input(i)
            rest = tuple(tensor.shape)[1:]
            profile.set_shape(tensor.name, *(
                (size, *(steps[kind] if axis < 0 else axis for axis in rest))
                for kind, size in enumerate(batch)))
        if config.add_optimization_profile(profile) < 0:
            raise EngineError(f'{name}: TensorRT refuses batches of {batch} and steps of {steps}: '
                              f'{self._reasons()}')
        timings = self._take_timings(config)
        progress = BuildProgress(name, self._on_progress)
        monitor = make_monitor(trt, progress)
        if monitor is not None:
            config.progress_monitor = monitor
        self._adapt(config)
        self._log.problems.clear()
        plan = self._builder.build_serialized_network(network, config)
        if progress.was_interrupted:
            raise KeyboardInterrupt
        if plan is None:
            raise EngineError(f'{name}: TensorRT {trt.__version__} read the graph and could not '
                              f'build it: {self._reasons()}')
        self.timing_cache = bytes(timings.serialize())
        return bytes(plan)

    def _take_timings(self, config: Any) -> Any:
        timings = config.create_timing_cache(self.timing_cache)
        if timings is None or not config.set_timing_cache(timings, False):
            # Damaged, or of another device: what was measured there is measured anew.
            timings = config.create_timing_cache(b'')
            config.set_timing_cache(timings, False)
        return timings

    def _parse(self, name: str, network: Any, onnx: bytes) -> None:
        parser = self._trt.OnnxParser(network, self._log)
        self._log.problems.clear()
        if parser.parse(onnx):
            return
        errors = [parser.get_error(i) for i in range(parser.num_errors)]
        advice = ('it is not whole, or no ONNX: export the checkpoint again' if not any(
            error.node_operator() for error in errors) else
            "use a newer TensorRT, or set engine to 'onnxruntime'")
        faults = '; '.join(describe_error(error) for error in errors) or self._reasons()
        raise EngineError(f'{name}: TensorRT {self._trt.__version__} refuses the graph: {faults}; '
                          f'{advice}')

    def _reasons(self) -> str:
        return '; '.join(self._log.problems) or 'it gave no reason'


def describe_error(error: Any) -> str:
    """Say in words what the parser minds: which operator of which node, and why."""
    operator, node = error.node_operator(), error.node_name()
    if not operator:
        return str(error.desc())
    if 'Plugin not found' in error.desc():
        # What it does not know it takes for a plugin.
        return f'it has no operator {operator}, which {node} is'
    return f'operator {operator} at {node}: {error.desc().splitlines()[-2:][0]}'
