# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What ``wm-ros export --check`` prints: how far engines are apart on one checkpoint."""

import argparse
from pathlib import Path
from typing import Any

from rich.table import Table

from wm_ros.errors import EngineError
from wm_ros.inference.engine_settings import EngineSettings, default_cache_dir
from wm_ros.verbs.shared import console, positive

# torch_compile takes minutes and is checked when it is asked for.
DEFAULT_ENGINES = ('onnxruntime', 'torch', 'tensorrt')


def check_engines(arguments: argparse.Namespace, directory: Path) -> None:
    """
    Print the parity of engines on a checkpoint.

    :raises EngineError: if one is off by more than its precision allows, or one that was asked
        for by name is not to be had.
    """
    from wm_ros.inference.checkpoint import load_checkpoint
    from wm_ros.inference.engine_comparison import compare_engines
    from wm_ros.inference.parity import TOLERANCES
    checkpoint = load_checkpoint(directory)
    table = Table('engine', 'precision', 'risk', 'uncertainty', 'joints rad', 'frame levels', '',
                  title=f'{checkpoint.model_id}: differences from ONNX Runtime, and the largest '
                        'that are allowed')
    asked = tuple(arguments.engine)
    settings = EngineSettings(cache_dir=arguments.cache_dir, max_batch=arguments.max_batch)
    rows = list(compare_engines(checkpoint, engines=asked or DEFAULT_ENGINES, num_threads=2,
                                settings=settings))
    for row in rows:
        if row.parity is None:
            table.add_row(row.engine, row.precision, *[''] * 4, 'not here')
            continue
        limit = TOLERANCES[row.precision]
        table.add_row(row.engine, row.precision, *(
            f'{getattr(row.parity, name):.1e} of {getattr(limit, name):.0e}'
            for name in limit.__dataclass_fields__), 'differs' if row.problems else 'same')
    console.print(table)
    # One reason often holds for all precisions of an engine.
    for text in dict.fromkeys(row.reason for row in rows if row.parity is None):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    problems = [f'{row.engine} in {row.precision}: {text}'
                for row in rows for text in row.problems]
    here = {row.engine for row in rows if row.parity is not None}
    absent = {row.engine: row.reason for row in rows if row.engine not in here}
    if problems or (asked and absent):
        raise EngineError('; '.join(
            problems or (f'{name} is not here: {reason}' for name, reason in absent.items())))


def add_check_options(parser: Any) -> None:
    """Add the options of the check to the parser of export."""
    parser.add_argument('--check', action='store_true',
                        help='compare engines on the checkpoint that was written, or on that of '
                             '--checkpoint, and fail if they differ')
    parser.add_argument('--checkpoint', help="check this one, a directory or 'default', and write "
                        'none')
    parser.add_argument('--engine', action='append', default=[],
                        help='engine to check, may be repeated; onnxruntime, torch and, where '
                             'there is one, tensorrt if not given')
    parser.add_argument('--max-batch', type=positive, default=EngineSettings().max_batch,
                        help='of the TensorRT engines, as for build-engine')
    parser.add_argument('--cache-dir', type=Path, default=default_cache_dir(),
                        help='where TensorRT engines are')
