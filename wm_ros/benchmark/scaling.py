# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a check grows with what is asked of it."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from wm_ros.benchmark.engines import takes_steps
from wm_ros.benchmark.inputs import candidates, fresh, real_inputs, shorter
from wm_ros.benchmark.random_model import random_checkpoint
from wm_ros.benchmark.statistics import ratio, summarise
from wm_ros.benchmark.timing import interleave
from wm_ros.inference.checkpoint import SAMPLER_FILES, Checkpoint
from wm_ros.inference.engine import CheckInput, CheckOutput, Engine, make_engine
from wm_ros.inference.graph_engine import blank_input

HORIZONS = (2, 4, 6, 8)
CANDIDATES = (1, 2, 4, 8, 16)
SAMPLER_STEPS = (1, 2, 4, 8)
SCALES = (0.5, 1.0, 1.5, 2.0)
NUM_CAMERAS = (1, 2, 3)
Figures = dict[str, Any]


class Scaling:
    """
    Timings of one checkpoint on ONNX Runtime, each kind in turns.

    :param checkpoint: whose model and whose recorded observations.
    :param threads: of the engine.
    :param rounds: repetitions of each case.
    """

    def __init__(self, checkpoint: Checkpoint, *, threads: int, rounds: int) -> None:
        self._checkpoint, self._threads, self._rounds = checkpoint, threads, rounds
        self._inputs = real_inputs(checkpoint)[0]

    def horizon(self) -> Figures:
        """Time checks of fewer steps."""
        def cases(engine: Engine) -> Mapping[str, Callable[[], object]]:
            return {str(steps): partial(check_fresh, engine, [shorter(self._inputs, steps)])
                    for steps in HORIZONS if steps <= len(self._inputs.actions)}

        with closing(self._engine()) as engine:
            problem = takes_steps(engine, self._inputs, HORIZONS[0])
            if problem is not None:
                return {'skipped': 'the engine takes checks of all steps of the model only: '
                                   f'{problem}'}
            return self._measure('steps', cases(engine))

    def candidates(self) -> Figures:
        """Time several commands for one observation, in one call."""
        with closing(self._engine()) as engine:
            cases = {str(count): partial(check_fresh, engine, candidates(self._inputs, count))
                     for count in CANDIDATES}
            return self._measure('candidates', cases)

    def sampler(self) -> Figures:
        """Time one sampled future, all its frames decoded, by steps of the sampler."""
        if not all(self._checkpoint.optional(name) for name in SAMPLER_FILES.values()):
            return {'skipped': 'the checkpoint has no sampler'}
        with closing(self._engine()) as engine:
            output = engine.check(self._inputs)
            cases = {str(steps): partial(engine.sample, output, num_futures=1, num_steps=steps)
                     for steps in SAMPLER_STEPS}
            return self._measure('sampler steps', cases, rounds=max(3, self._rounds // 6))

    def pixels(self) -> Figures:
        """Time a check alone and a check with all its frames."""
        with closing(self._engine()) as engine:
            cases: dict[str, Callable[[], object]] = {
                'check alone': partial(check_fresh, engine, [self._inputs]),
                'check and frames': partial(predict_fresh, engine, self._inputs)}
            return self._measure('pixels:', cases, rounds=max(3, self._rounds // 3))

    def resolution(self) -> Figures:
        """Time models of other picture sizes; random weights."""
        config = self._checkpoint.config
        cell = config.patch_px * config.token_stride

        def scaled(size: int, scale: float) -> int:
            return max(cell, round(size * scale / cell) * cell)

        return self._random({
            f'{scaled(config.image_width, scale)}x{scaled(config.image_height, scale)}': {
                'image_width': scaled(config.image_width, scale),
                'image_height': scaled(config.image_height, scale)} for scale in SCALES},
            'picture, px')

    def cameras(self) -> Figures:
        """Time models of several cameras; random weights."""
        return self._random({
            str(count): {'extra_cameras': tuple(f'camera_{i}' for i in range(1, count))}
            for count in NUM_CAMERAS}, 'cameras')

    def _random(self, changes: Mapping[str, Mapping[str, Any]], unit: str) -> Figures:
        with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
            cases: dict[str, Callable[[], object]] = {}
            for name, changed in changes.items():
                made = random_checkpoint(
                    self._checkpoint.config, Path(scratch) / name, **changed)
                engine = make_engine('onnxruntime', made, num_threads=self._threads)
                stack.callback(engine.close)
                cases[name] = partial(check_fresh, engine, [blank_input(made.config)])
            return {'weights': 'random', **self._measure(unit, cases)}

    def _engine(self) -> Engine:
        engine = make_engine('onnxruntime', self._checkpoint, num_threads=self._threads)
        engine.warm_up()
        return engine

    def _measure(self, unit: str, cases: Mapping[str, Callable[[], object]], *,
                 rounds: int | None = None) -> Figures:
        times = interleave(cases, rounds or self._rounds)
        first = next(iter(times))
        return {'unit': unit, 'threads': self._threads,
                'ms': {name: summarise(values).to_dict() for name, values in times.items()},
                'ratio_to_first': {name: ratio(values, times[first])
                                   for name, values in times.items()}}


def check_fresh(engine: Engine, inputs: list[CheckInput]) -> list[CheckOutput]:
    """Check commands of an observation that the engine has not seen."""
    return engine.check_batch(fresh(inputs))


def predict_fresh(engine: Engine, inputs: CheckInput) -> object:
    """Check a command of an observation that the engine has not seen, and decode all frames."""
    return engine.decode(check_fresh(engine, [inputs])[0])
