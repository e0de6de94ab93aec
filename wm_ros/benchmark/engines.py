# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines side by side on the same checks."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

from wm_ros.benchmark.inputs import fresh, real_inputs, shorter
from wm_ros.benchmark.statistics import ratio, summarise
from wm_ros.benchmark.timing import interleave
from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import CheckInput, Engine, make_engine

# The horizon that the goal for one check is stated for.
GOAL_STEPS = 8


def compare_engines(checkpoint: Checkpoint, *, threads: int, rounds: int) -> dict[str, Any]:
    """
    Time one check on every engine that is here, in turns, with the same number of threads.

    :returns: a summary for each engine, ``onnxruntime_vs_NAME`` as the median over rounds of
        NAME's time over ONNX Runtime's, the reasons why others are absent, and the number of
        steps of the check.
    :raises EngineError: if ONNX Runtime cannot run.
    """
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        engines: dict[str, Engine] = {}
        for name in ('onnxruntime', 'torch', 'tensorrt'):
            try:
                engine = make_engine(name, checkpoint, num_threads=threads,
                                     device='cuda' if name == 'tensorrt' else 'cpu')
            except (EngineError, ImportError) as error:
                if name == 'onnxruntime':
                    raise
                absent[name] = str(error)
                continue
            engines[name] = stack.enter_context(closing(engine))
            engine.warm_up()
        steps = goal_steps(engines['onnxruntime'], real_inputs(checkpoint)[0])
        turns = {name: _cycle(engine, checkpoint, steps) for name, engine in engines.items()}
        times = interleave({name: turn.__next__ for name, turn in turns.items()}, rounds)
    found: dict[str, Any] = {
        'threads': threads, 'steps': steps, 'absent': absent,
        'check_ms': {name: summarise(values).to_dict() for name, values in times.items()}}
    for name, values in times.items():
        if name != 'onnxruntime':
            found[f'onnxruntime_vs_{name}'] = ratio(values, times['onnxruntime'])
    return found


def goal_steps(engine: Engine, inputs: CheckInput) -> int:
    """Return 8, or all steps of the model where it has fewer or its engine takes no fewer."""
    if len(inputs.actions) <= GOAL_STEPS:
        return len(inputs.actions)
    return GOAL_STEPS if takes_steps(engine, inputs, GOAL_STEPS) is None else len(inputs.actions)


def takes_steps(engine: Engine, inputs: CheckInput, steps: int) -> str | None:
    """Say why an engine refuses a check of fewer steps; None if it takes it."""
    try:
        found = engine.check(shorter(inputs, steps))
    except (EngineError, ValueError) as error:
        return ' '.join(str(error).split())[:200]
    return None if len(found.risk) == steps else f'{len(found.risk)} steps came back for {steps}'


def _cycle(engine: Engine, checkpoint: Checkpoint, steps: int) -> Iterator[object]:
    """Check one recorded observation after the other, for ever."""
    inputs = [shorter(item, steps) for item in real_inputs(checkpoint)]
    while True:
        for item in inputs:
            yield engine.check_batch(fresh([item]))
