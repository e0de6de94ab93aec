# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Turn scores of windows into figures, each with its bootstrap interval over episodes.

A part is a function from rows to figures and the episode of each row; the same function gives the
figure (of all rows) and its interval (of resampled episodes).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wm_ros.training.bootstrap import Interval, bootstrap
from wm_ros.training.doubt import doubt_figures
from wm_ros.training.frame_scoring import FrameScores
from wm_ros.training.hazard_scoring import HazardScores
from wm_ros.training.sampling import SampleScores
from wm_ros.training.sensitivity import SensitivityScores

EARLY_S = 0.4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scores:
    """
    What an evaluation measured, window by window.

    :param warnings_s: how long before its hazard each episode was warned of it, float64 (K,), s.
    """

    hazards: HazardScores
    frames: FrameScores
    sensitivity: SensitivityScores
    samples: SampleScores
    warnings_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """
    Figures that are computed together.

    :param prefix: put before their names, with a dot; '' for none.
    :param figures: from row numbers, which may repeat, to figures by name.
    :param groups: the episode of each row, int (N,).
    """

    prefix: str
    figures: Callable[[NDArray[np.int64]], Mapping[str, ArrayLike]]
    groups: NDArray[np.integer]


def figures_and_intervals(scores: Scores, *, repeats: int,
                          on_progress: Callable[[int, int], None] = lambda done, total: None
                          ) -> tuple[dict[str, Any], dict[str, Interval]]:
    """
    Return every figure and its 95 % interval by name.

    :returns: numbers and lists; [low, high] of the same shape.
    """
    parts = list(score_parts(scores))
    figures: dict[str, Any] = {}
    intervals: dict[str, Interval] = {}
    for done, part in enumerate(parts, 1):
        dotted = f'{part.prefix}.' if part.prefix else ''
        found = part.figures(np.arange(len(part.groups)))
        figures |= {dotted + name: np.asarray(value).tolist() for name, value in found.items()}
        drawn = bootstrap(part.figures, part.groups, repeats=repeats)
        intervals |= {dotted + name: ends for name, ends in drawn.items()}
        on_progress(done, len(parts))
    return figures, intervals


def score_parts(scores: Scores) -> Iterator[Part]:
    """Yield the parts of an evaluation."""
    hazards, frames, tried = scores.hazards, scores.frames, scores.sensitivity
    yield Part('', hazards.figures, hazards.episode)
    yield Part('by_kind', hazards.figures_by_kind, hazards.episode)
    yield Part('', lambda rows: warning_figures(scores.warnings_s[rows]),
               np.arange(len(scores.warnings_s)))
    yield Part('', frames.figures, frames.episode)
    yield Part('', frames.lpips_figures, frames.episode[frames.lpips_rows])
    yield Part('sensitivity', tried.hazard_figures, tried.episode)
    yield Part('sensitivity', tried.joint_figures, tried.episode[tried.joint_rows])
    yield Part('sensitivity', tried.frame_figures, tried.episode[tried.frame_rows])
    yield Part('sampler', scores.samples.figures, scores.samples.episode)
    candidates, errors, episode = doubt_inputs(scores)
    yield Part('uncertainty', lambda rows: doubt_figures(candidates, errors, rows), episode)


def doubt_inputs(scores: Scores) -> tuple[
        dict[str, NDArray[np.floating]], dict[str, NDArray[np.floating]], NDArray[np.int64]]:
    """
    Return candidates, errors and episodes of the windows that have all of them.

    :returns: uncertainties by name (n,), errors of hazards and frames by name (n,), int64 (n,).
    """
    hazards, samples = scores.hazards, scores.samples
    rows = np.searchsorted(hazards.index, samples.index)
    risk = hazards.score[rows]
    candidates: dict[str, NDArray[np.floating]] = {
        'ensemble': hazards.doubt[rows], 'coin': risk * (1 - risk)}
    if samples.has_sampler:
        candidates['samples'] = samples.spread[:, hazards.step]
    errors: dict[str, NDArray[np.floating]] = {
        'hazard': hazards.mistake[rows], 'frame': samples.mean_error[:, hazards.step]}
    return candidates, errors, samples.episode


def warning_figures(warnings_s: NDArray[np.float64]) -> dict[str, float]:
    """Return when episodes were warned of their hazard: median, share at all, share early."""
    if not len(warnings_s):
        return dict.fromkeys(('warning_median_s', 'warned_share', 'warned_early_share'),
                             float('nan'))
    return {'warning_median_s': float(np.median(warnings_s)),
            'warned_share': float((warnings_s > 0).mean()),
            'warned_early_share': float((warnings_s >= EARLY_S - 1e-6).mean())}
