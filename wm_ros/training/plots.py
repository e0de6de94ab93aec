# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw an evaluation's plots as SVG text that can stand inside a page; needs matplotlib."""

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from wm_ros.training.evaluation_result import Evaluation
from wm_ros.training.figures import Scores, doubt_inputs
from wm_ros.training.hazard_metrics import reliability, roc_curve
from wm_ros.training.uncertainty_metrics import sparsification

_COLOURS = {'model': '#1b6ca8', 'copy': '#999999', 'linear': '#c98a1b', 'kinematic': '#b4472f'}
_SETTINGS: dict[str, Any] = {
    # Text stays text, and the same figures give the same bytes.
    'svg.fonttype': 'none', 'svg.hashsalt': 'wm_ros', 'font.size': 9, 'axes.grid': True,
    'grid.alpha': 0.3, 'axes.spines.top': False, 'axes.spines.right': False,
    'font.family': 'sans-serif'}
_NO_METADATA = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))


def draw_plots(evaluation: Evaluation, scores: Scores) -> dict[str, str]:
    """Return each plot as SVG by its title."""
    plots: dict[str, Callable[[Any], None]] = {
        'PSNR of frames': lambda axes: _steps(axes, evaluation, 'psnr', 'dB'),
        'PSNR of pixels that move': lambda axes: _steps(axes, evaluation, 'psnr_moving', 'dB'),
        'Structural similarity': lambda axes: _steps(axes, evaluation, 'ssim', 'SSIM'),
        'Joint error': lambda axes: _joint_error(axes, evaluation),
        'Hazards caught against false vetoes': lambda axes: _roc(axes, scores),
        'Precision against recall': lambda axes: _precision(axes, scores),
        'Reliability of the risk': lambda axes: _reliability(axes, scores),
        'Risk of safe windows and of hazards': lambda axes: _histogram(axes, scores),
        'Warning before the hazard': lambda axes: _warnings(axes, scores),
        'Error left as the most uncertain windows are taken away':
            lambda axes: _sparsification(axes, scores),
        'AUROC with other actions': lambda axes: _actions(axes, evaluation),
    }
    return {title: _svg(draw) for title, draw in plots.items()}


def _svg(draw: Callable[[Any], None]) -> str:
    """Return the SVG element alone: within HTML it needs no prolog and no namespaces."""
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.4, 3.1))
        # Fixed margins: fitting them would draw everything twice.
        figure.subplots_adjust(left=0.14, right=0.97, bottom=0.16, top=0.96)
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format='svg', metadata=_NO_METADATA)
    text = buffer.getvalue()
    return re.sub(r' xmlns(:\w+)?="[^"]*"', '', text[text.index('<svg'):])


def _steps(axes: Any, evaluation: Evaluation, name: str, unit: str) -> None:
    for suffix, who in (('', 'model'), ('_copy', 'copy'), ('_linear', 'linear')):
        values = getattr(evaluation, name + suffix)
        times = np.arange(1, len(values) + 1) * evaluation.step_s
        axes.plot(times, values, marker='.', color=_COLOURS[who],
                  label={'model': 'world model', 'copy': 'newest frame repeated',
                         'linear': 'its motion going on'}[who])
        low, high = evaluation.ci95[name + suffix]
        axes.fill_between(times, np.array(low, float), np.array(high, float), alpha=0.15,
                          color=_COLOURS[who], linewidth=0)
    axes.set(xlabel='s after the newest frame', ylabel=unit)
    axes.legend(frameon=False)


def _joint_error(axes: Any, evaluation: Evaluation) -> None:
    for name, label, colour in (
            ('joint_error_deg', 'world model', 'model'),
            ('joint_error_deg_command', 'command taken as reached', 'kinematic')):
        values = getattr(evaluation, name)
        axes.plot(np.arange(1, len(values) + 1) * evaluation.step_s, values, marker='.',
                  color=_COLOURS[colour], label=label)
    axes.set(xlabel='s after the newest frame', ylabel='degrees', ylim=(0, None))
    axes.legend(frameon=False)


def _risks(scores: Scores) -> list[tuple[str, str, NDArray[np.float32]]]:
    hazards = scores.hazards
    found = [('model', 'world model', hazards.score)]
    if hazards.kinematic is not None:
        found.append(('kinematic', 'without a camera', hazards.kinematic))
    return found


def _roc(axes: Any, scores: Scores) -> None:
    for who, label, risk in _risks(scores):
        false, recall, _ = roc_curve(risk, scores.hazards.hazard)
        axes.plot(false, recall, color=_COLOURS[who], label=label)
    axes.set(xlabel='share of safe windows vetoed', ylabel='share of hazards caught',
             xlim=(-0.01, 1), ylim=(0, 1.01))
    axes.legend(frameon=False, loc='lower right')


def _precision(axes: Any, scores: Scores) -> None:
    for who, label, risk in _risks(scores):
        _, recall, precision = roc_curve(risk, scores.hazards.hazard)
        axes.plot(recall, precision, color=_COLOURS[who], label=label)
    axes.set(xlabel='share of hazards caught', ylabel='share of vetoes that are right',
             xlim=(0, 1.01), ylim=(0, 1.01))
    axes.legend(frameon=False, loc='lower left')


def _reliability(axes: Any, scores: Scores) -> None:
    axes.plot([0, 1], [0, 1], color='#bbbbbb', linestyle='--', linewidth=1)
    total = len(scores.hazards.hazard)
    for who, label, risk in _risks(scores):
        bins = reliability(risk, scores.hazards.hazard)
        axes.plot([item.risk for item in bins], [item.observed for item in bins],
                  color=_COLOURS[who], linewidth=1, label=label)
        # The area of a point says how many windows it stands for.
        axes.scatter([item.risk for item in bins], [item.observed for item in bins],
                     s=[6 + 300 * item.windows / total for item in bins], color=_COLOURS[who],
                     alpha=0.6, linewidth=0)
    axes.set(xlabel='predicted risk', ylabel='share with a hazard', xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, loc='upper left')


def _histogram(axes: Any, scores: Scores) -> None:
    bins = np.linspace(0, 1, 41)
    hazards = scores.hazards
    for label, mine, colour in (('safe', ~hazards.hazard, 'model'),
                                ('hazard within 0.8 s', hazards.hazard, 'kinematic')):
        axes.hist(hazards.score[mine], bins=bins, color=_COLOURS[colour], alpha=0.6, label=label)
    axes.set(xlabel='predicted risk', ylabel='windows', yscale='symlog', xlim=(0, 1))
    axes.legend(frameon=False)


def _warnings(axes: Any, scores: Scores) -> None:
    longest = scores.warnings_s.max(initial=0.1)
    axes.hist(scores.warnings_s, bins=20, range=(0, longest), color=_COLOURS['model'])
    axes.set(xlabel='s before the hazard (0: not warned)', ylabel='episodes')


def _sparsification(axes: Any, scores: Scores) -> None:
    candidates, errors, _ = doubt_inputs(scores)
    error = errors['hazard']
    gone = np.arange(len(error)) / max(1, len(error))
    curves = {'perfect': error, **candidates}
    for (name, doubt), colour in zip(curves.items(), ('#222222', '#1b6ca8', '#c98a1b', '#2f8f5b'),
                                     strict=False):
        axes.plot(gone, sparsification(doubt, error), color=colour, label=name,
                  linestyle='--' if name == 'perfect' else '-')
    axes.set(xlabel='share of windows taken away', ylabel='error of the risk that is left',
             ylim=(0, None))
    axes.legend(frameon=False)


def _actions(axes: Any, evaluation: Evaluation) -> None:
    names = [name for name in ('true', 'zero', 'shuffled', 'flipped')
             if name in evaluation.sensitivity]
    values = [evaluation.sensitivity[name]['auroc'] for name in names]
    spans = [evaluation.ci95[f'sensitivity.{name}.auroc'] for name in names]
    away = np.abs(np.array(spans, float).T - np.array(values, float))
    axes.bar(names, values, yerr=np.nan_to_num(away), color=_COLOURS['model'], width=0.6,
             error_kw={'elinewidth': 1, 'ecolor': '#444444'})
    axes.axhline(0.5, color='#888888', linestyle='--', linewidth=1)
    axes.set(ylabel='AUROC', ylim=(0, 1))
