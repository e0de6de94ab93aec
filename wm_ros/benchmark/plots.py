# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw what was measured, each plot as PNG and SVG; needs matplotlib."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

Figures = Mapping[str, Any]
_COLOUR, _LIGHT = '#1b6ca8', '#9cc3de'
_SETTINGS: dict[str, Any] = {
    # Text stays text, and the same figures give the same bytes.
    'svg.fonttype': 'none', 'svg.hashsalt': 'wm_ros', 'font.size': 9, 'axes.grid': True,
    'grid.alpha': 0.3, 'axes.spines.top': False, 'axes.spines.right': False,
    'font.family': 'sans-serif'}
_METADATA: dict[str, dict[str, None]] = {
    'svg': dict.fromkeys(('Creator', 'Date', 'Format', 'Type')), 'png': {'Software': None}}


def write_plots(steps: Figures, directory: Path) -> list[Path]:
    """
    Write the plots of the steps that are there.

    Each file is written under a temporary name and renamed into place.

    :returns: the files.
    """
    plots: dict[str, Callable[[Any], None]] = {}
    if 'stages' in steps:
        plots['stages'] = lambda axes: _bars(axes, steps['stages']['ms'])
    if 'peers' in steps:
        plots['peers'] = lambda axes: _points(axes, steps['peers']['frame_ms_onnxruntime'])
    for name in ('horizon', 'candidates', 'sampler', 'resolution', 'cameras'):
        step = steps.get(f'scaling/{name}', {})
        if 'ms' in step:
            plots[name] = partial(_line, step=step)
    loop = {name.removeprefix('loop/'): step['release_ms'] for name, step in steps.items()
            if name.startswith('loop/') and step.get('release_ms')}
    if loop:
        plots['release'] = lambda axes: _bars(axes, loop)
    directory.mkdir(parents=True, exist_ok=True)
    return [path for name, draw in plots.items() for path in _write(directory / name, draw)]


def _write(path: Path, draw: Callable[[Any], None]) -> list[Path]:
    found = []
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.6, 3.2), layout='constrained')
        draw(figure.add_subplot())
        for kind, metadata in _METADATA.items():
            target = path.with_suffix(f'.{kind}')
            scratch = target.with_name(f'.{target.name}.{os.getpid()}.tmp')
            try:
                figure.savefig(scratch, format=kind, metadata=metadata, dpi=150)
                scratch.replace(target)
            finally:
                scratch.unlink(missing_ok=True)
            found.append(target)
    return found


def _bars(axes: Any, summaries: Mapping[str, Mapping[str, float]]) -> None:
    """Draw medians as bars, with a line up to p99."""
    names = list(summaries)[::-1]
    axes.barh(names, [summaries[name]['p50'] for name in names], color=_COLOUR, height=0.6)
    for place, name in enumerate(names):
        axes.plot([summaries[name]['p50'], summaries[name]['p99']], [place, place],
                  color=_LIGHT, linewidth=3, solid_capstyle='butt')
    axes.set(xlabel='ms: median, and up to p99')
    axes.grid(visible=False, axis='y')


def _points(axes: Any, summaries: Mapping[str, Mapping[str, float]]) -> None:
    """Draw medians as points on a scale of powers of ten, which has no zero to begin bars at."""
    names = list(summaries)[::-1]
    axes.plot([summaries[name]['p50'] for name in names], names, 'o', color=_COLOUR)
    axes.set(xlabel='ms for a frame, median', xscale='log')


def _line(axes: Any, step: Figures) -> None:
    names = list(step['ms'])
    places = [float(name) for name in names] if all(
        name.isdigit() for name in names) else list(range(len(names)))
    axes.fill_between(places, [step['ms'][name]['p50'] for name in names],
                      [step['ms'][name]['p99'] for name in names], color=_LIGHT, alpha=0.4,
                      linewidth=0, label='up to p99')
    axes.plot(places, [step['ms'][name]['p50'] for name in names], marker='o', color=_COLOUR,
              label='median')
    axes.set(xlabel=step['unit'], ylabel='ms', ylim=(0, None), xticks=places)
    axes.set_xticklabels(names)
    axes.legend(frameon=False)
