# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Film strips of the best, the median and the worst predictions: figures hide what a look shows.

Letters: T context frames, H steps, h w image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.windows import Windows
from wm_ros.inference.engine import Engine
from wm_ros.training.frame_scoring import FrameScores
from wm_ros.training.hazard_scoring import HazardScores
from wm_ros.training.metrics import psnr
from wm_ros.training.sampling import NUM_STEPS, missing_sampler
from wm_ros.training.scoring import window_input

# Windows in which less of the picture moves say nothing about prediction.
_LEAST_MOVING = 0.01


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Strip:
    """
    One window as pictures.

    :param title: why it is shown.
    :param caption: which window it is and its figures.
    :param context: what the model saw, RGB uint8 (T, h, w, 3).
    :param rows: what followed by who drew it, RGB uint8 (H, h, w, 3) each.
    :param risk: predicted by each step, float32 (H,).
    :param step_s: time between columns, s.
    """

    title: str
    caption: str
    context: NDArray[np.uint8]
    rows: dict[str, NDArray[np.uint8]]
    risk: NDArray[np.float32]
    step_s: float


def film_strips(engine: Engine, windows: Windows, frames: FrameScores, hazards: HazardScores, *,
                step_s: float, guidance: float = 1.0) -> list[Strip]:
    """
    Return strips of the best, median and worst frames and of the worst hazard mistakes.

    :param guidance: of the sampled futures, see ``Engine.sample``.
    """
    sampler = not missing_sampler(engine, windows, int(hazards.index[0]))
    return [film_strip(engine, windows, index, title, step_s=step_s, with_sample=sampler,
                       guidance=guidance)
            for title, index in (chosen_frames(frames, windows) | chosen_hazards(hazards)).items()]


def chosen_frames(frames: FrameScores, windows: Windows) -> dict[str, int]:
    """Return the windows of least, median and greatest error on moving pixels, by title."""
    pixels = windows.frames.shape[1] * windows.frames.shape[2]
    rows = np.flatnonzero(frames.moving[:, -1] >= _LEAST_MOVING * pixels)
    if not rows.size:
        return {}
    error = frames.moving_error['model'][rows].sum(1) / frames.moving[rows].sum(1)
    ranked = frames.index[rows[np.argsort(error, kind='stable')]]
    return {'Best frames': int(ranked[0]), 'Median frames': int(ranked[len(ranked) // 2]),
            'Worst frames': int(ranked[-1])}


def chosen_hazards(hazards: HazardScores) -> dict[str, int]:
    """Return the windows with the worst mistakes about hazards, by title."""
    chosen = {}
    for title, rows, sign in (('Hazard that was given the least risk', hazards.hazard, 1),
                              ('Safe window that was given the most risk', ~hazards.hazard, -1)):
        if rows.any():
            mine = np.flatnonzero(rows)
            chosen[title] = int(hazards.index[mine[np.argmin(sign * hazards.score[mine])]])
    return chosen


def film_strip(engine: Engine, windows: Windows, index: int, title: str, *, step_s: float,
               with_sample: bool, guidance: float = 1.0) -> Strip:
    """Return one window as pictures: what was predicted, one sampled future, what came."""
    output = engine.check(window_input(windows, index))
    truth = windows.frames[windows.future[index]]
    rows = {'predicted': engine.decode(output)}
    error = np.square(rows['predicted'] / 255.0 - truth / 255.0).mean()
    if with_sample:
        rows['sampled'] = engine.sample(output, num_futures=1, num_steps=NUM_STEPS, seed=index,
                                        guidance=guidance)[0]
    rows['real'] = truth
    when = float(windows.hazard_time_s[index])
    came = f'hazard after {when:.2f} s' if np.isfinite(when) else 'no hazard'
    return Strip(title=title, context=windows.frames[windows.context[index]], rows=rows,
                 caption=f'episode {int(windows.episode[index])}, window {index}: '
                 f'{psnr(float(error)):.1f} dB over all steps, {came}',
                 risk=output.risk, step_s=step_s)
