# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Build a TensorRT engine for this machine."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.inference.engine_settings import EngineSettings, default_cache_dir
from wm_ros.verbs.shared import add_verb, console, positive, positive_float, progress_bar, stages

_PRECISIONS = ('fp16', 'bf16', 'int8')


def build_engine(arguments: argparse.Namespace) -> None:
    """Build the TensorRT engine of a checkpoint for this machine's GPU."""
    from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint
    from wm_ros.inference.precision import check_precision
    check_precision(arguments.precision)
    from wm_ros.inference.building import build_engine as build
    checkpoint = load_checkpoint(resolve_checkpoint(arguments.checkpoint))
    if arguments.onnx:
        write_graphs(checkpoint, arguments.precision, arguments.onnx)
        return
    settings = EngineSettings(precision=arguments.precision, max_batch=arguments.max_batch,
                              cache_dir=arguments.cache_dir)
    with progress_bar() as progress:
        built = build(checkpoint, settings, device=arguments.device, force=arguments.force,
                      timeout_s=arguments.wait, on_progress=stages(progress),
                      on_note=progress.console.print)
    parity = built.parity
    console.print(f'risk differs from ONNX Runtime by {parity.risk:.2g}, joints by '
                  f'{parity.joints_rad:.2g} rad, frames by {parity.frame_levels:.2g} levels')
    console.print(f'engine in {built.metadata.parent}', soft_wrap=True)
    console.print(f'to pin it elsewhere: engine_pins [{built.sha256}]', soft_wrap=True,
                  markup=False)


def write_graphs(checkpoint: Any, precision: str, out: Path) -> None:
    """Write the graphs that an engine is built from, for other tools; needs no GPU."""
    import os

    from wm_ros.inference.building import graphs_in_precision
    out.mkdir(parents=True, exist_ok=True)
    for name, graph in graphs_in_precision(checkpoint, precision).items():
        scratch = out / f'.{name}.{os.getpid()}.tmp'
        try:
            scratch.write_bytes(graph)
            scratch.replace(out / f'{name}.onnx')
        finally:
            scratch.unlink(missing_ok=True)
    console.print(f'graphs in {precision} in {out}', soft_wrap=True)


def add_parser(verbs: Any) -> None:
    """Add the verb of this module."""
    parser = add_verb(verbs, build_engine, name='build-engine')
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    precision = parser.add_mutually_exclusive_group()
    for value in _PRECISIONS:
        precision.add_argument(f'--{value}', dest='precision', action='store_const', const=value,
                               default='fp32', help=f'compute in {value}; fp32 if not given')
    parser.add_argument('--max-batch', type=positive, default=EngineSettings().max_batch,
                        help='most candidates in one pass; the predictor must ask for the same')
    parser.add_argument('--cache-dir', type=Path, default=default_cache_dir())
    parser.add_argument('--device', default='cuda', help='cuda or cuda:N')
    parser.add_argument('--force', action='store_true', help='build although one is there')
    parser.add_argument('--wait', type=positive_float, default=3600.0, metavar='SECONDS',
                        help='longest wait for another process that builds the same engine')
    parser.add_argument('--onnx', type=Path, metavar='DIR',
                        help='only write the graphs there, for trtexec or polygraphy; needs no '
                             'GPU')
