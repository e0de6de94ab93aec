# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From a checkpoint to a verified TensorRT engine in the cache.

Graphs are exported from the weights each time: those in the checkpoint are for ONNX Runtime.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import (
    GEOMETRY_FILES,
    GRAPH_FILES,
    SAMPLER_FILES,
    WEIGHTS_FILE,
    Checkpoint,
)
from wm_ros.inference.cuda_device import CudaDevice
from wm_ros.inference.engine_cache import METADATA_FILE, EngineCache
from wm_ros.inference.engine_key import STEPS, make_key
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.inference.export import export_graphs
from wm_ros.inference.parity import Parity
from wm_ros.inference.precision import check_precision, lower_precision
from wm_ros.inference.tensorrt_builder import PlanBuilder
from wm_ros.inference.tensorrt_engine import TensorRtEngine, verify
from wm_ros.inference.tensorrt_module import load_tensorrt
from wm_ros.inference.tensorrt_progress import Progress
from wm_ros.inference.weights import load_model


class BuiltEngine(NamedTuple):
    """
    An engine in the cache.

    :param metadata: its metadata file.
    :param sha256: of that file, for ``engine_pins`` of another machine like this one.
    :param parity: how far it is from the checkpoint's ONNX graphs on the CPU.
    """

    metadata: Path
    sha256: str
    parity: Parity


def graphs_in_precision(checkpoint: Checkpoint, precision: str, *, emulate: bool = False
                        ) -> dict[str, bytes]:
    """
    Export the graphs of a checkpoint's weights, with the precision in them.

    :param emulate: see ``lower_precision``.
    :raises EngineError: if the precision is not offered.
    """
    check_precision(precision)
    model = load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config)
    files = {**GRAPH_FILES, **GEOMETRY_FILES, **SAMPLER_FILES}
    with tempfile.TemporaryDirectory(prefix='wm_ros_export_') as scratch:
        export_graphs(model, Path(scratch))
        return {name: lower_precision((Path(scratch) / file).read_bytes(), precision,
                                      emulate=emulate)
                for name, file in files.items() if (Path(scratch) / file).is_file()}


def build_engine(checkpoint: Checkpoint, settings: EngineSettings, *, device: str = 'cuda',
                 force: bool = False, timeout_s: float = 0.0,
                 on_progress: Progress = lambda stage, done, total: None,
                 on_note: Callable[[str], None] = lambda message: None) -> BuiltEngine:
    """
    Build the engine of a checkpoint for a device, unless a usable one is there.

    :param force: build in any case.
    :param timeout_s: longest wait for another process that builds the same.
    :param on_progress: called with (stage, done, total).
    :param on_note: told in words what is going on.
    :raises EngineError: if there is no device or no TensorRT, if it refuses the graphs, if the
        cache cannot be written, or if the engine fails its golden input; nothing is stored then.
    """
    check_precision(settings.precision)
    found = CudaDevice(device)
    trt = load_tensorrt()
    return build_with(trt, found, checkpoint, settings, force=force, timeout_s=timeout_s,
                      on_progress=on_progress, on_note=on_note)


def build_with(trt: Any, device: CudaDevice, checkpoint: Checkpoint, settings: EngineSettings, *,
               force: bool, timeout_s: float, on_progress: Progress,
               on_note: Callable[[str], None]) -> BuiltEngine:
    """Build with a TensorRT module on a device, see ``build_engine``."""
    key = make_key(checkpoint, settings, device.facts(), trt.__version__)
    cache = EngineCache(settings.cache_dir, pins=settings.pins)

    def open_plans(plans: dict[str, bytes]) -> Parity:
        engine = TensorRtEngine(checkpoint, plans, trt=trt, device=device, settings=settings)
        parity = verify(checkpoint, engine, settings.precision)
        engine.close()
        return parity

    with cache.lock(key, timeout_s=timeout_s, on_wait=on_note):
        if not force:
            try:
                parity = open_plans(cache.load(key))
                on_note('the engine is there already; --force builds it again')
                return _built(cache.entry(key) / METADATA_FILE, parity)
            except EngineError as error:
                on_note(f'building: {error}')
        on_note(f'exporting graphs in {settings.precision}')
        graphs = graphs_in_precision(checkpoint, settings.precision)
        builder = PlanBuilder(trt, timing_cache=cache.timing_cache(key), on_progress=on_progress)
        with device.on_stream():
            plans = {name: builder.build(name, graph, key.shapes[name], key.shapes[STEPS])
                     for name, graph in graphs.items()}
        parity = open_plans(plans)
        cache.store_timing_cache(key, builder.timing_cache)
        return _built(cache.store(key, plans, {'onnx_sha256': {
            name: hashlib.sha256(graph).hexdigest() for name, graph in graphs.items()}}), parity)


def _built(metadata: Path, parity: Parity) -> BuiltEngine:
    return BuiltEngine(metadata, hashlib.sha256(metadata.read_bytes()).hexdigest(), parity)
