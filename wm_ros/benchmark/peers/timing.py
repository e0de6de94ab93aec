# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time the peers and our own model in turns, on the same engine with the same threads."""

import tempfile
import warnings
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import nn

from wm_ros.benchmark.inputs import real_inputs
from wm_ros.benchmark.peers.catalogue import PEERS, Peer, build, num_parameters
from wm_ros.benchmark.scaling import check_fresh, predict_fresh
from wm_ros.benchmark.statistics import ratio, summarise
from wm_ros.benchmark.timing import interleave
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import make_engine
from wm_ros.inference.export import OPSET

OURS, CHECK_ONLY = 'wm_ros', 'wm_ros check only'


def compare_peers(checkpoint: Checkpoint, *, threads: int, rounds: int) -> dict[str, Any]:
    """
    Time one predicted frame of each peer and of our model, on ONNX Runtime and on torch.

    Ours is a check of all steps with every frame decoded, over the number of frames: what the
    verdict costs is in it. A check alone, over the number of steps, is timed as well: it is what
    the gate waits for, and like DINO-WM's predictor it makes no pixels.

    :returns: ``vs_peers``: for each name the median over rounds of the peer's time over ours on
        ONNX Runtime; ``vs_peers_torch`` on torch; ``vs_peers_check_only`` over a check alone on
        ONNX Runtime; summaries, sizes and sources.
    """
    torch.set_num_threads(threads)
    made = {name: build(peer) for name, peer in PEERS.items()}
    found: dict[str, Any] = {'weights': 'random', 'threads': threads, 'peers': {
        name: {'parameters': num_parameters(made[name]), 'frame': peer.frame,
               'source': peer.source} for name, peer in PEERS.items()}}
    inputs = real_inputs(checkpoint)[0]
    steps = len(inputs.actions)
    for engine_name, key in (('onnxruntime', 'vs_peers'), ('torch', 'vs_peers_torch')):
        with closing(make_engine(engine_name, checkpoint, num_threads=threads)) as engine:
            engine.warm_up()
            run = run_in_onnxruntime if engine_name == 'onnxruntime' else run_in_torch
            cases: dict[str, Callable[[], object]] = {
                OURS: partial(predict_fresh, engine, inputs),
                CHECK_ONLY: partial(check_fresh, engine, [inputs])}
            for name, peer in PEERS.items():
                cases[name] = run(made[name], peer, threads)
            times = interleave(cases, max(3, rounds // 6), warm_up=1)
        per_frame = {name: [value / steps for value in times[name]] if name in (
            OURS, CHECK_ONLY) else times[name] for name in times}
        found[key] = {name: ratio(times[name], per_frame[OURS]) for name in PEERS}
        if engine_name == 'onnxruntime':
            found['vs_peers_check_only'] = {
                name: ratio(times[name], per_frame[CHECK_ONLY]) for name in PEERS}
        found[f'frame_ms_{engine_name}'] = {
            name: summarise(values).to_dict() for name, values in per_frame.items()}
    return found


def run_in_onnxruntime(module: nn.Module, peer: Peer, threads: int) -> Callable[[], object]:
    """
    Export a peer and return what runs it for one frame.

    :param threads: of the session; its other options are those of our own engine.
    """
    inputs = peer.inputs()
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        # The tracing exporter is deprecated in favour of one that needs two more packages.
        warnings.simplefilter('ignore')
        path = str(Path(scratch) / 'peer.onnx')
        torch.onnx.export(module, tuple(inputs.values()), path, opset_version=OPSET,
                          dynamo=False, input_names=list(inputs), output_names=['frame'])
        session = onnxruntime.InferenceSession(
            path, _session_options(threads), providers=['CPUExecutionProvider'])
    arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
    return partial(session.run, None, arrays)


def run_in_torch(module: nn.Module, peer: Peer, threads: int) -> Callable[[], object]:
    """Return what runs a peer for one frame in eager torch."""
    torch.set_num_threads(threads)
    inputs = tuple(peer.inputs().values())

    def run() -> object:
        with torch.no_grad():
            return module(*inputs)

    return run


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 3
    return options
