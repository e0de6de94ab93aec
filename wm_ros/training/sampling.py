# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Score sampled futures: their sharpness, the best of several, and whether their spread warns.

Letters: N windows, S futures of each, H steps, h w image.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.windows import Windows
from wm_ros.errors import EngineError
from wm_ros.inference.engine import Engine
from wm_ros.training.frame_metrics import gradient_energy, moving_pixels, unit_frames
from wm_ros.training.metrics import psnr_by_step
from wm_ros.training.scoring import window_input

NUM_FUTURES = 8
NUM_STEPS = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleScores:
    """
    Errors and sharpness of each window's sampled futures and of its mean frames.

    :param index: which windows, int64 (N,).
    :param episode: which episode each is of, int64 (N,).
    :param error: mean squared error of each future, float64 (N, S, H); S is 0 without a sampler.
    :param mean_error: of the mean frames, float64 (N, H).
    :param spread: standard deviation of a pixel over the futures, averaged, float64 (N, H).
    :param gradients: gradient energy at the step that hazards are asked for: of real, mean and
        sampled frames (averaged over futures), float64 (N,) each.
    :param moving_gradients: the same where pixels move.
    """

    index: NDArray[np.int64]
    episode: NDArray[np.int64]
    error: NDArray[np.float64]
    mean_error: NDArray[np.float64]
    spread: NDArray[np.float64]
    gradients: dict[str, NDArray[np.float64]]
    moving_gradients: dict[str, NDArray[np.float64]]

    @property
    def has_sampler(self) -> bool:
        """Say whether there are sampled futures."""
        return bool(self.error.shape[1])

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float | NDArray[np.float64]]:
        """Return the figures of some rows by their names, lists float64 (H,)."""
        found: dict[str, float | NDArray[np.float64]] = {}
        for suffix, sums in (('', self.gradients), ('_moving', self.moving_gradients)):
            real = float(sums['real'][rows].sum())
            for who, name in (('sampled', 'gradient_energy_ratio'),
                              ('mean', 'gradient_energy_ratio_mean')):
                if who in sums:
                    found[name + suffix] = (
                        float(sums[who][rows].sum()) / real if real > 0 else float('nan'))
        found['psnr_mean_frame'] = psnr_by_step(self.mean_error[rows].mean(0))
        if self.has_sampler:
            found['psnr_sampled'] = psnr_by_step(self.error[rows].mean(1).mean(0))
            # The best future as a whole: not another one at each step.
            best = psnr_by_step(
                self.error[rows, self.error[rows].mean(2).argmin(1)].mean(0))
            name = f'psnr_best_of_{self.error.shape[1]}'
            found[name] = best
            with np.errstate(invalid='ignore'):  # Both may be infinite, where nothing moves.
                found[f'{name}_gain'] = best - found['psnr_mean_frame']
        return found


def score_samples(engine: Engine, windows: Windows, index: NDArray[np.int64], *, step: int,
                  guidance: float = 1.0,
                  on_progress: Callable[[int], None] = lambda done: None
                  ) -> tuple[SampleScores, str]:
    """
    Draw futures of chosen windows and compare them, and the mean frames, with what came.

    :param index: which windows, int64 (N,).
    :param step: at which sharpness is measured, from 0.
    :param guidance: of the futures, see ``Engine.sample``.
    :param on_progress: called with the number of windows done.
    :returns: the scores, and why there are no futures among them or ''.
    """
    reason = missing_sampler(engine, windows, int(index[0]))
    num_futures = 0 if reason else NUM_FUTURES
    errors, mean_errors, spreads, gradients, moving_gradients = [], [], [], [], []
    for done, i in enumerate(index, 1):
        output = engine.check(window_input(windows, int(i)))
        truth = unit_frames(windows.frames[windows.future[i]])
        mean = unit_frames(engine.decode(output))
        futures = np.zeros((0, *mean.shape), np.float32)
        if num_futures:
            futures = unit_frames(engine.sample(
                output, num_futures=num_futures, num_steps=NUM_STEPS, seed=int(i),
                guidance=guidance))
            spreads.append(futures.std(0).mean((1, 2, 3), dtype=np.float64))
        errors.append(np.square(futures - truth).mean((2, 3, 4), dtype=np.float64))
        mean_errors.append(np.square(mean - truth).mean((1, 2, 3), dtype=np.float64))
        moving = moving_pixels(truth[step], unit_frames(windows.frames[windows.context[i, -1]]))
        shown = {'real': truth[None, step], 'mean': mean[None, step]}
        shown |= {'sampled': futures[:, step]} if num_futures else {}
        gradients.append({who: gradient_energy(each).mean() for who, each in shown.items()})
        moving_gradients.append(
            {who: gradient_energy(each, moving).mean() for who, each in shown.items()})
        on_progress(done)
    return SampleScores(
        index=index, episode=windows.episode[index], error=np.stack(errors),
        mean_error=np.stack(mean_errors),
        spread=np.stack(spreads) if spreads else np.zeros((0, len(mean))),
        gradients=_columns(gradients), moving_gradients=_columns(moving_gradients)), reason


def missing_sampler(engine: Engine, windows: Windows, index: int) -> str:
    """Return why the engine draws no futures, or ''."""
    if not hasattr(engine, 'sample'):
        return 'the engine has no sampler'
    try:
        engine.sample(engine.check(window_input(windows, index)), num_futures=1,
                      num_steps=NUM_STEPS, seed=0)
    except EngineError as error:
        return str(error)
    return ''


def _columns(rows: list[dict[str, np.floating]]) -> dict[str, NDArray[np.float64]]:
    return {who: np.array([row[who] for row in rows], np.float64) for who in rows[0]}
