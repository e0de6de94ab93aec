# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every engine that is here, and every precision, against ONNX Runtime on the same checks."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from wm_ros.errors import EngineError
from wm_ros.inference.building import graphs_in_precision
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import ENGINES, Engine, make_engine
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.inference.onnx_engine import OnnxEngine
from wm_ros.inference.parity import TOLERANCES, Parity, golden_inputs, measure_parity
from wm_ros.inference.precision import PRECISIONS

REFERENCE = 'onnxruntime'
EXPORTED, EMULATED = 'onnxruntime, exported anew', 'onnxruntime, rounded to 16 bits'


class Row(NamedTuple):
    """
    One engine in one precision.

    :param parity: how far it is from the reference; None if it is not to be had here.
    :param reason: why it is not.
    """

    engine: str
    precision: str
    parity: Parity | None
    reason: str = ''

    @property
    def problems(self) -> list[str]:
        """Say in words which differences are above the tolerance of the precision."""
        return [] if self.parity is None else self.parity.problems(TOLERANCES[self.precision])


def compare_engines(checkpoint: Checkpoint, *, engines: tuple[str, ...] = ENGINES,
                    settings: EngineSettings | None = None, device: str = 'cuda',
                    num_threads: int = 1) -> Iterator[Row]:
    """
    Compare engines with the checkpoint's ONNX graphs on ONNX Runtime.

    16 bits are emulated on the CPU, so that what they cost is known before an engine is built.

    :param engines: which; one that is not to be had gives a row that says why.
    :param settings: where TensorRT engines are kept.
    :param device: of TensorRT.
    :raises EngineError: if the reference breaks.
    """
    reference = OnnxEngine(checkpoint, num_threads=num_threads)
    inputs = golden_inputs(checkpoint)
    for name in engines:
        for precision, what, make in _variants(name, checkpoint, settings or EngineSettings(),
                                               device, num_threads):
            try:
                made = make()
                try:
                    yield Row(what, precision, measure_parity(reference, made, inputs))
                finally:
                    made.close()
            except EngineError as error:
                yield Row(what, precision, None, str(error))
    reference.close()


def _variants(name: str, checkpoint: Checkpoint, settings: EngineSettings, device: str,
              num_threads: int) -> Iterator[tuple[str, str, Callable[[], Engine]]]:
    """Yield the precision, the words and the maker of each variant of an engine."""
    if name == REFERENCE:
        # The graphs in the checkpoint may be older than the code that exports them.
        yield 'fp32', EXPORTED, partial(_exported, checkpoint, 'fp32', num_threads)
        for precision in PRECISIONS[1:]:
            yield precision, EMULATED, partial(_exported, checkpoint, precision, num_threads)
    elif name == 'tensorrt':
        for precision in PRECISIONS:
            yield precision, name, partial(make_engine, name, checkpoint, device=device,
                                           settings=replace(settings, precision=precision))
    else:
        yield 'fp32', name, partial(make_engine, name, checkpoint, num_threads=num_threads)


def _exported(checkpoint: Checkpoint, precision: str, num_threads: int) -> Engine:
    graphs = graphs_in_precision(checkpoint, precision, emulate=True)
    return OnnxEngine(checkpoint, num_threads=num_threads, graphs=graphs)
