# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show what was measured to people, in one table."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.table import Table

Figures = Mapping[str, Any]
Row = tuple[str, Figures | None, str]
_QUANTILES = ('p50', 'p95', 'p99', 'max')
_STAGE_NOTES = {
    'receive': 'bytes of a 640x480 picture to a message', 'convert': "to the model's size",
    'hazard': 'all of a check but the two graphs', 'publish': 'the verdict, to a listener',
    'check': 'encode + predict + hazard', 'decode': 'all predicted frames',
    'draw_frame': 'one of them', 'publish_frames': 'JPEGs and message'}


def make_table(report: Figures) -> Table:
    """
    Make the one table of a report.

    :param report: as ``Store.to_dict`` gives it; steps that are not there are left out.
    """
    table = Table(title=_title(report), title_justify='left')
    table.add_column('ms, unless said otherwise', overflow='fold')
    for name in _QUANTILES:
        table.add_column(name, justify='right', no_wrap=True)
    table.add_column('', style='dim', overflow='fold')
    steps = report['steps']
    for rows in _SECTIONS:
        found = list(rows(steps))
        for name, figures, note in found:
            table.add_row(name, *(_number((figures or {}).get(key)) for key in _QUANTILES), note)
        if found:
            table.add_section()
    for name, reason in report['failed'].items():
        table.add_row(name, *[''] * len(_QUANTILES), f'failed: {reason.splitlines()[0]}')
    return table


def _title(report: Figures) -> str:
    machine = report['machine']
    load = machine['load_average_at_start'][0]
    return (f"{report['model_id']} on {machine['cores']} cores of {machine['cpu']}; "
            f'load average at the start {load:g}')


def _stages(steps: Figures) -> Iterator[Row]:
    step = steps.get('stages', {})
    for name, figures in step.get('ms', {}).items():
        note = _STAGE_NOTES.get(name, '')
        if name == 'receive':
            note += f"; {step['engine']}, {step['threads']} threads"
        yield f'stage {name}', figures, note


def _engines(steps: Figures) -> Iterator[Row]:
    for key in ('engines', 'engines/1 thread'):
        step = steps.get(key, {})
        for name, figures in step.get('check_ms', {}).items():
            note = f"check of {step['steps']} steps, {step['threads']} threads"
            if f'onnxruntime_vs_{name}' in step:
                note += f"; onnxruntime is {step[f'onnxruntime_vs_{name}']:.2f} x as fast"
            yield f'engine {name}', figures, note
    for name, reason in steps.get('engines', {}).get('absent', {}).items():
        yield f'engine {name}', None, f'absent: {reason}'


def _scaling(steps: Figures) -> Iterator[Row]:
    for kind in ('horizon', 'candidates', 'pixels', 'sampler', 'resolution', 'cameras'):
        step = steps.get(f'scaling/{kind}', {})
        if 'skipped' in step:
            yield kind, None, f"skipped: {step['skipped']}"
        for name, figures in step.get('ms', {}).items():
            note = f"{step['ratio_to_first'][name]:.2f} x the first"
            note += '; random weights' if step.get('weights') == 'random' else ''
            note += '; a future with all its frames' if kind == 'sampler' else ''
            yield f"{step['unit']} {name}", figures, note


def _gate(steps: Figures) -> Iterator[Row]:
    step = steps.get('gate', {})
    if step:
        yield 'gate alone', step.get('gate_ms'), (
            f"verdict published to command published, {step['commands']} commands")


def _loop(steps: Figures) -> Iterator[Row]:
    for name, step in steps.items():
        if not name.startswith('loop/'):
            continue
        condition = name.removeprefix('loop/')
        yield f'{condition}: release', step.get('release_ms'), _counts(step)
        yield f'{condition}: processes', None, '; '.join(
            f"{process} {_number(figures['cpu_percent'])} % CPU, {figures['rss_mib']:g} MiB"
            for process, figures in step.get('processes', {}).items())


def _counts(step: Figures) -> str:
    words = [f"{step['commands']} commands"]
    words += [f'{step[name]} {name}' for name in (
        'released', 'refused', 'late', 'dropped', 'withheld') if step.get(name)]
    if 'deadline_misses' in step:
        words += [f"{step['deadline_misses']} deadline misses",
                  f"{step['misses_held']} of {step['late']} held",
                  f"{step['unverified_releases']} unverified"]
    if step.get('is_partial'):
        words.append('not finished')
    return ', '.join(words)


def _executor(steps: Figures) -> Iterator[Row]:
    step = steps.get('executor', {})
    if 'events_executor_ratio' in step:
        yield 'EventsExecutor / SingleThreadedExecutor', None, (
            f"{step['events_executor_ratio']:.3f} of the median release time, "
            f"{_number(step.get('events_executor_cpu_ratio'))} of the gate's CPU, "
            f"{step['commands_of_each_run']} commands a run")


def _peers(steps: Figures) -> Iterator[Row]:
    step = steps.get('peers', {})
    for name, figures in step.get('frame_ms_onnxruntime', {}).items():
        note = 'a predicted frame'
        if name in step['vs_peers']:
            peer = step['peers'][name]
            note = (f"{step['vs_peers'][name]:.1f} x ours; {peer['frame']}; "
                    f"{peer['parameters'] / 1e6:.1f} M random weights")
        yield f'frame {name}', figures, note


_SECTIONS: tuple[Callable[[Figures], Iterator[Row]], ...] = (
    _stages, _engines, _scaling, _gate, _loop, _executor, _peers)


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.3g}' if value < 100 else f'{value:.0f}'
