# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the benchmark: one step after the other, the report whole on disk after each."""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from rich.console import Console

from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.machine import describe_machine
from wm_ros.benchmark.markdown import write_markdown
from wm_ros.benchmark.recording import record_sway
from wm_ros.benchmark.steps import Step, make_steps, needs_recording
from wm_ros.benchmark.store import Store
from wm_ros.benchmark.table import make_table
from wm_ros.errors import WorldModelError
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint

REPORT_NAME, MARKDOWN_NAME = 'benchmark.json', 'figures.md'
_INSTALL = "pip install 'wm_ros[sim,train,bench]'"


def run_benchmark(config: BenchmarkConfig, console: Console | None = None) -> Store:
    """
    Measure what was asked for; prints progress and tables, writes JSON and plots.

    A step that fails is named in the report, and the others go on. All processes have ended when
    it returns or raises.

    :param console: where to print; standard output by default.
    :raises CheckpointError: if the checkpoint cannot be used; then nothing was started.
    :raises WorldModelError: if an earlier report cannot be resumed, or every step has failed.
    """
    console = console or Console()
    checkpoint = load_checkpoint(resolve_checkpoint(config.checkpoint))
    path = config.json_path or config.output_directory / REPORT_NAME
    store = Store(path, {
        'command': ' '.join(['wm-ros', *sys.argv[1:]]), 'model_id': checkpoint.model_id,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'machine': describe_machine(), 'settings': config.to_dict()})
    if config.resume:
        store.resume()
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / 'sway.safetensors'
        if needs_recording(config):
            console.print('recording what the robot will replay')
            record_sway(recording)
        _run_steps(store, make_steps(
            config, checkpoint, recording,
            lambda step, found: store.put(step, found, is_partial=True)), console)
    if not store.steps:
        raise WorldModelError('no step could be measured; the first reason: '
                              f'{next(iter(store.failed.values()), "no part was chosen")}')
    store.write(is_complete=not store.failed)
    _show(store, config, console)
    return store


def _run_steps(store: Store, steps: Iterator[Step], console: Console) -> None:
    """Run what has not been done yet; a step that fails does not keep the others back."""
    for name, run in steps:
        if name in store.steps:
            console.print(f'{name}: kept from the earlier run')
            continue
        begin = time.monotonic()
        console.print(f'{name} ...')
        try:
            store.put(name, run())
        except (WorldModelError, ImportError) as error:
            hint = f'; {_INSTALL}' if isinstance(error, ImportError) else ''
            store.fail(name, f'{error}{hint}')
            console.print(f'{name} failed: {store.failed[name]}', markup=False)
        else:
            console.print(f'{name}: {time.monotonic() - begin:.0f} s')


def _show(store: Store, config: BenchmarkConfig, console: Console) -> None:
    console.print(make_table(store.to_dict()))
    try:
        from wm_ros.benchmark.plots import write_plots
    except ImportError as error:
        console.print(f'no plots: {error}; {_INSTALL}', markup=False)
    else:
        for path in write_plots(store.steps, config.output_directory):
            console.print(f'plot in {path}')
    write_markdown(config.output_directory / MARKDOWN_NAME, store.to_dict())
    console.print(f'figures in {store.path}')
