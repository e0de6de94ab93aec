# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The steps of a run in their order, each with a name of its own."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from wm_ros.benchmark.conditions import MAIN, Condition, loop_conditions
from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.loop import Loop
from wm_ros.benchmark.stages import Stages
from wm_ros.benchmark.statistics import ratio
from wm_ros.inference.checkpoint import Checkpoint

Figures = dict[str, Any]
Step = tuple[str, Callable[[], Figures]]
# Pairs of runs, one on each executor, and the share of the commands that each is given.
EXECUTOR_PAIRS, EXECUTOR_SHARE = 3, 0.02
GATE_SHARE = 0.1


def needs_recording(config: BenchmarkConfig) -> bool:
    """Say whether any part that was asked for replays the robot."""
    return bool({'stages', 'gate', 'loop', 'executor'} & set(config.parts))


def make_steps(config: BenchmarkConfig, checkpoint: Checkpoint, recording: Path,
               on_partial: Callable[[str, Figures], None]) -> Iterator[Step]:
    """
    Yield the steps of the parts that were asked for.

    Parts that need cores to themselves come one after the other; nothing runs side by side.

    :param recording: what the robot replays.
    :param on_partial: called with the name of a step and its figures so far.
    """
    loop = Loop(config, recording, lambda condition, figures: on_partial(
        f'loop/{condition.name}', figures))
    for part, steps in (('engines', _engines), ('scaling', _scaling), ('peers', _peers)):
        if part in config.parts:
            yield from steps(checkpoint, {'threads': config.threads, 'rounds': config.rounds})
    if 'stages' in config.parts:
        yield 'stages', Stages(config, recording).run
    for part, conditions in (('gate', _gate), ('loop', _loop), ('executor', _executor)):
        if part in config.parts:
            yield from conditions(loop, config)


def compare_executors(loop: Loop, config: BenchmarkConfig) -> Figures:
    """
    Run the loop on both executors in turns.

    :returns: for each pair the median and the p99 release time and the load on each;
        ``events_executor_ratio``, the median of the ratios of the medians, and
        ``events_executor_cpu_ratio``, the same of the gate's load.
    """
    runs: dict[str, list[Figures]] = {'single': [], 'events': []}
    share = Condition(name='', share=EXECUTOR_SHARE)
    for turn in range(2 * EXECUTOR_PAIRS):
        name = 'single' if turn % 4 in (0, 3) else 'events'
        runs[name].append(loop.run(
            Condition(name=f'executor {name}', executor=name),
            commands=share.num_commands(config)))
    found: Figures = {'commands_of_each_run': share.num_commands(config), 'condition': MAIN.name}
    for name, figures in runs.items():
        found[f'{name}_p50_ms'] = [(run['release_ms'] or {}).get('p50') for run in figures]
        found[f'{name}_p99_ms'] = [(run['release_ms'] or {}).get('p99') for run in figures]
        for process in ('wm_gate', 'wm_predictor'):
            found[f'{name}_{process}_cpu_percent'] = [
                run['processes'].get(process, {}).get('cpu_percent') for run in figures]
    for key, name in (('events_executor_ratio', 'p50_ms'),
                      ('events_executor_cpu_ratio', 'wm_gate_cpu_percent')):
        pairs = [(a, b) for a, b in zip(
            found[f'events_{name}'], found[f'single_{name}'], strict=True) if a and b]
        if pairs:
            found[key] = ratio([a for a, _ in pairs], [b for _, b in pairs])
    return found


def _engines(checkpoint: Checkpoint, common: dict[str, int]) -> Iterator[Step]:
    from wm_ros.benchmark.engines import compare_engines
    yield 'engines', lambda: compare_engines(checkpoint, **common)
    if common['threads'] != 1:
        yield 'engines/1 thread', lambda: compare_engines(checkpoint, **{**common, 'threads': 1})


def _scaling(checkpoint: Checkpoint, common: dict[str, int]) -> Iterator[Step]:
    from wm_ros.benchmark.scaling import Scaling
    scaling = Scaling(checkpoint, **common)
    for name in ('horizon', 'candidates', 'pixels', 'sampler', 'resolution', 'cameras'):
        yield f'scaling/{name}', getattr(scaling, name)


def _peers(checkpoint: Checkpoint, common: dict[str, int]) -> Iterator[Step]:
    def run() -> Figures:
        # Needs torch, whose absence must fail this step alone.
        from wm_ros.benchmark.peers.timing import compare_peers
        return compare_peers(checkpoint, **common)

    yield 'peers', run


def _gate(loop: Loop, config: BenchmarkConfig) -> Iterator[Step]:
    condition = Condition(name='gate alone', rate_hz=0.0, share=GATE_SHARE)
    yield 'gate', lambda: loop.run(condition, has_predictor=False,
                                   commands=condition.num_commands(config))


def _loop(loop: Loop, config: BenchmarkConfig) -> Iterator[Step]:
    for condition in loop_conditions(config):
        yield f'loop/{condition.name}', partial(
            loop.run, condition, commands=condition.num_commands(config))


def _executor(loop: Loop, config: BenchmarkConfig) -> Iterator[Step]:
    yield 'executor', lambda: compare_executors(loop, config)
