# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Score predicted frames window by window, beside frames that need no model.

Letters: N windows, H steps, P predictors, h w image.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.windows import Windows
from wm_ros.inference.engine import Engine
from wm_ros.training.frame_metrics import (
    linear_motion,
    moving_pixels,
    ssim,
    unit_frames,
)
from wm_ros.training.metrics import psnr_by_step
from wm_ros.training.perceptual import Lpips
from wm_ros.training.scoring import even_sample, window_input

# Who draws the frames; the suffix of each one's figures.
SUFFIXES = {'model': '', 'copy': '_copy', 'linear': '_linear'}
_MAX_LPIPS_WINDOWS = 100


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FrameScores:
    """
    Sums of errors of each window, so that any set of windows can be averaged afterwards.

    :param index: which windows, int64 (N,).
    :param episode: which episode each is of, int64 (N,).
    :param error: mean squared error of pixels in [0, 1], by predictor, float64 (N, H).
    :param moving_error: the same, summed over moving pixels, float64 (N, H).
    :param moving: number of moving pixels, float64 (N, H).
    :param ssim: structural similarity by predictor, float64 (N, H).
    :param lpips: perceptual distance of some rows by predictor, float64 (n, H); empty without
        weights.
    :param lpips_rows: which rows those are, int64 (n,).
    """

    index: NDArray[np.int64]
    episode: NDArray[np.int64]
    error: dict[str, NDArray[np.float64]]
    moving_error: dict[str, NDArray[np.float64]]
    moving: NDArray[np.float64]
    ssim: dict[str, NDArray[np.float64]]
    lpips: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    lpips_rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def figures(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the figures of some rows, float64 (H,), by their names."""
        found = {}
        moving = self.moving[rows].sum(0)
        for who, suffix in SUFFIXES.items():
            found[f'psnr{suffix}'] = psnr_by_step(self.error[who][rows].mean(0))
            found[f'psnr_moving{suffix}'] = psnr_by_step(np.divide(
                self.moving_error[who][rows].sum(0), moving,
                out=np.full(len(moving), np.nan), where=moving > 0))
            found[f'ssim{suffix}'] = self.ssim[who][rows].mean(0)
        return found

    def lpips_figures(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Return the perceptual distance of some of ``lpips_rows``, float64 (H,), by name."""
        return {f'lpips{SUFFIXES[who]}': values[rows].mean(0)
                for who, values in self.lpips.items()}


def score_frames(engine: Engine, windows: Windows, index: NDArray[np.int64], *,
                 lpips: Lpips | None = None,
                 on_progress: Callable[[int], None] = lambda done: None) -> FrameScores:
    """
    Decode chosen windows and compare every step with what the camera saw.

    :param index: which windows, int64 (N,).
    :param lpips: the perceptual distance, None where its weights are not present.
    :param on_progress: called with the number of windows done.
    """
    parts: dict[str, list[dict[str, NDArray[np.float64]]]] = {
        'error': [], 'moving_error': [], 'ssim': []}
    moving_counts = []
    rows = even_sample(np.arange(len(index)), _MAX_LPIPS_WINDOWS if lpips else 0)
    perceived: list[dict[str, NDArray[np.float64]]] = []
    for row, i in enumerate(index):
        truth = unit_frames(windows.frames[windows.future[i]])
        drawn = predictions(engine, windows, int(i))
        moving = moving_pixels(truth, unit_frames(windows.frames[windows.context[i, -1]]))
        moving_counts.append(moving.sum((1, 2)).astype(np.float64))
        squared = {who: np.square(made - truth).mean(-1) for who, made in drawn.items()}
        parts['error'].append({who: each.mean((1, 2)) for who, each in squared.items()})
        parts['moving_error'].append(
            {who: (each * moving).sum((1, 2)) for who, each in squared.items()})
        parts['ssim'].append({who: np.array([ssim(a, b) for a, b in zip(
            made, truth, strict=True)]) for who, made in drawn.items()})
        if lpips and row in rows:
            perceived.append({who: lpips(made, truth) for who, made in drawn.items()})
        on_progress(row + 1)
    return FrameScores(
        index=index, episode=windows.episode[index], moving=np.stack(moving_counts),
        lpips=_stack(perceived) if perceived else {}, lpips_rows=rows,
        **{name: _stack(scores) for name, scores in parts.items()})


def _stack(rows: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {who: np.stack([row[who] for row in rows]).astype(np.float64) for who in rows[0]}


def predictions(engine: Engine, windows: Windows, index: int) -> dict[str, NDArray[np.float32]]:
    """Return the frames of the model and of both baselines, float32 (H, h, w, 3) in [0, 1]."""
    horizon = windows.future.shape[1]
    previous, last = windows.frames[windows.context[index, -2:]]
    made = engine.decode(engine.check(window_input(windows, index)))
    return {'model': unit_frames(made),
            'copy': np.broadcast_to(unit_frames(last), (horizon, *last.shape)),
            'linear': linear_motion(previous, last, horizon)}
