# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Measure a checkpoint on held-out episodes, beside its baselines.

Hazard figures are over windows that start without contact and ask for any hazard in the next
0.8 s. Frames are compared at the model's size, errors averaged before the logarithm. Every
interval is a bootstrap over episodes. docs/evaluation.md defines each figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wm_ros.data.windows import Windows, load_windows
from wm_ros.inference.checkpoint import Checkpoint, load_checkpoint
from wm_ros.inference.engine import Engine, make_engine
from wm_ros.training.bootstrap import REPEATS
from wm_ros.training.doubt import earned_by
from wm_ros.training.evaluation_result import Evaluation, nested
from wm_ros.training.figures import Scores, figures_and_intervals
from wm_ros.training.film import Strip, film_strips
from wm_ros.training.frame_scoring import score_frames
from wm_ros.training.hazard_metrics import reliability
from wm_ros.training.hazard_scoring import score_hazards, warning_times
from wm_ros.training.perceptual import load_lpips
from wm_ros.training.sampling import score_samples
from wm_ros.training.scoring import even_sample
from wm_ros.training.sensitivity import score_sensitivity

MAX_FRAME_WINDOWS = 600
# Figures of the sampler that stand at the top of the JSON, as the others' do.
_SAMPLER_AT_TOP = ('gradient_energy_ratio', 'gradient_energy_ratio_mean', 'psnr_best_of_8',
                   'psnr_mean_frame')
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationOptions:
    """
    How much to measure.

    :param engine: what runs the checkpoint.
    :param num_threads: of the engine.
    :param sensitivity_windows: windows that are scored again with altered actions.
    :param sampler_windows: windows whose futures are sampled.
    :param guidance: of those futures, see ``Engine.sample``.
    :param repeats: draws of the bootstrap.
    :param with_strips: keep film strips for a report.
    """

    engine: str = 'onnxruntime'
    num_threads: int = 2
    sensitivity_windows: int = 600
    sampler_windows: int = 200
    guidance: float = 1.0
    repeats: int = REPEATS
    with_strips: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Measured:
    """
    An evaluation and what it was computed from.

    :param scores: window by window, for plots.
    :param strips: film strips; empty unless asked for.
    """

    evaluation: Evaluation
    scores: Scores
    strips: list[Strip]


def evaluate(checkpoint_path: Path, paths: list[Path], options: EvaluationOptions | None = None,
             on_progress: OnProgress = lambda *args: None) -> Measured:
    """
    Measure a checkpoint on episode files.

    :param on_progress: called with the stage, how much is done and of how much.
    :raises DatasetError: naming the file, if an episode cannot be read or does not fit.
    """
    options = options or EvaluationOptions()
    checkpoint = load_checkpoint(checkpoint_path)
    windows = load_windows(paths, checkpoint.config, threads=options.num_threads,
                           on_progress=lambda done: on_progress('read', done, len(paths)))
    engine = make_engine(options.engine, checkpoint, num_threads=options.num_threads)
    try:
        return measure(engine, checkpoint, windows, paths, options, on_progress)
    finally:
        engine.close()


def measure(engine: Engine, checkpoint: Checkpoint, windows: Windows, paths: list[Path],
            options: EvaluationOptions, on_progress: OnProgress = lambda *args: None) -> Measured:
    """
    Measure an engine on windows.

    :param paths: the episode files, in the order of ``windows.episode``.
    :raises ValueError: if no window starts without contact.
    """
    if windows.in_contact.all():
        raise ValueError(f'all {len(windows)} windows start in contact: there is nothing to warn '
                         'of; evaluate on longer episodes')
    config = checkpoint.config
    hazards = score_hazards(engine, checkpoint, windows, paths,
                            on_progress=lambda *done: on_progress('score', *done))
    chosen = even_sample(hazards.index, MAX_FRAME_WINDOWS)
    lpips, no_lpips = load_lpips(options.num_threads)
    frames = score_frames(engine, windows, chosen, lpips=lpips,
                          on_progress=lambda done: on_progress('frames', done, len(chosen)))
    few = even_sample(hazards.index, options.sampler_windows)
    samples, no_samples = score_samples(
        engine, windows, few, step=hazards.step, guidance=options.guidance,
        on_progress=lambda done: on_progress('futures', done, len(few)))
    sensitivity = score_sensitivity(
        engine, windows, hazards, config.joint_names, max_windows=options.sensitivity_windows,
        on_progress=lambda *done: on_progress('actions', *done))
    strips = (film_strips(engine, windows, frames, hazards, step_s=config.step_s,
                          guidance=options.guidance)
              if options.with_strips else [])
    lower = checkpoint.calibration.lower if checkpoint.calibration else None
    scores = Scores(hazards=hazards, frames=frames, sensitivity=sensitivity, samples=samples,
                    warnings_s=warning_times(hazards, lower))
    notes = {'lpips': no_lpips, 'gradient_energy_ratio': no_samples, 'psnr_best_of_8': no_samples}
    if hazards.kinematic is None:
        notes['auroc_kinematic'] = 'the checkpoint has no kinematics-only classifier'
    evaluation = summarize(scores, checkpoint, episodes=len(paths), repeats=options.repeats,
                           guidance=options.guidance,
                           notes={name: note for name, note in notes.items() if note},
                           on_progress=on_progress)
    return Measured(evaluation=evaluation, scores=scores, strips=strips)


def summarize(scores: Scores, checkpoint: Checkpoint, *, episodes: int, repeats: int,
              notes: dict[str, str], guidance: float = 1.0,
              on_progress: OnProgress = lambda *args: None) -> Evaluation:
    """
    Compute every figure and its interval from scores.

    :param guidance: that futures were sampled with; written beside their figures.
    """
    hazards, tried = scores.hazards, scores.sensitivity
    figures, intervals = figures_and_intervals(
        scores, repeats=repeats, on_progress=lambda *done: on_progress('intervals', *done))
    groups = {prefix: _take(figures, prefix) for prefix in
              ('by_kind', 'sensitivity', 'sampler', 'uncertainty')}
    intervals['auroc_shuffled'] = intervals['sensitivity.shuffled.auroc']
    for name in _SAMPLER_AT_TOP:
        if name in groups['sampler']:
            figures[name] = groups['sampler'].pop(name)
            intervals[name] = intervals.pop(f'sampler.{name}')
    by_joint = np.degrees(hazards.joint_error[:, hazards.step].mean(0))
    return Evaluation(
        **figures, auroc_shuffled=groups['sensitivity']['shuffled.auroc'],
        reliability=[item._asdict() for item in reliability(hazards.score, hazards.hazard)],
        joint_error_deg_by_joint=dict(zip(
            checkpoint.config.joint_names, by_joint.tolist(), strict=True)),
        by_kind={name: {'hazards': int(mask.sum()), **_take(groups['by_kind'], name)}
                 for name, mask in hazards.kinds.items()},
        sensitivity={'windows': len(tried.rows), 'joint_windows': len(tried.joint_rows),
                     'frame_windows': len(tried.frame_rows), **nested(groups['sensitivity'])},
        sampler={'windows': len(scores.samples.index), 'guidance': guidance,
                 **groups['sampler']},
        uncertainty={'windows': len(scores.samples.index), **nested(groups['uncertainty'])},
        uncertainty_earned_by=earned_by(groups['uncertainty']),
        hazard_share=float(hazards.hazard.mean()), windows=len(hazards.index),
        frame_windows=len(scores.frames.index), episodes=episodes,
        step_s=checkpoint.config.step_s, model_id=checkpoint.model_id, ci95=intervals,
        notes=notes)


def _take(figures: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Remove the figures whose names start with a prefix, and return them without it."""
    dotted = f'{prefix}.'
    return {name.removeprefix(dotted): figures.pop(name)
            for name in [name for name in figures if name.startswith(dotted)]}
