# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The headline figures beside their goals, as Markdown for the documentation."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Report = Mapping[str, Any]
Row = tuple[str, Callable[[Report], str], str]


def write_markdown(path: Path, report: Report) -> None:
    """
    Write the headline figures under a temporary name and rename them into place.

    :param report: as ``Store.to_dict`` gives it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        scratch.write_text(to_markdown(report), encoding='utf-8')
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def to_markdown(report: Report) -> str:
    """Return one line on the machine and a table of figure, value and goal."""
    machine = report['machine']
    load = machine['load_average_at_start'][0]
    lines = [
        f"`{_command(report['command'])}`, {report['date'][:10]}: {machine['cores']} cores of "
        f"{machine['cpu']}, no GPU used, load average {load:g} at the start, "
        f"{report['model_id']}.", '', '| figure | value | goal |', '|---|---|---|']
    lines += [f'| {name} | {value(report)} | {goal} |' for name, value, goal in _ROWS]
    return '\n'.join(lines) + '\n'


def _command(text: str) -> str:
    """Leave out where things were written: it changes no figure."""
    words = text.split()
    return ' '.join(word for place, word in enumerate(words) if not (
        {word, words[place - 1]} & {'--output', '--json'}))


def _number(key: str, unit: str = '', factor: float = 1.0) -> Callable[[Report], str]:
    def value(report: Report) -> str:
        found = report.get(key)
        return 'not measured' if found is None else f'{factor * found:.3g} {unit}'.strip()

    return value


def _peer(name: str) -> Callable[[Report], str]:
    def value(report: Report) -> str:
        found = report.get('vs_peers', {}).get(name)
        return 'not measured' if found is None else f'{found:.3g} x'

    return value


def _misses(prefix: str) -> Callable[[Report], str]:
    def value(report: Report) -> str:
        missed, late = report.get(f'{prefix}deadline_misses'), report.get(f'{prefix}late')
        if missed is None:
            return 'not measured'
        return (f"{missed} of {report[f'{prefix}commands']} commands; seen from outside {late}, "
                f"{report[f'{prefix}misses_held']} of them held")

    return value


def _release(prefix: str) -> Callable[[Report], str]:
    def value(report: Report) -> str:
        found = [report.get(f'{prefix}release_{name}_ms') for name in ('p50', 'p99', 'max')]
        return 'not measured' if None in found else ' / '.join(
            f'{figure:.3g}' for figure in found if figure is not None) + ' ms'

    return value


_ROWS: tuple[Row, ...] = (
    ('check of 8 steps, p50', _number('check_p50_ms', 'ms'), 'at most 25 ms'),
    ('ONNX Runtime against torch eager', _number('onnxruntime_vs_torch', 'x'), 'at least 1.8 x'),
    ('16 candidates against one', _number('candidates16_vs_1', 'x'), 'at most 6 x'),
    ('8 steps against 2', _number('horizon8_vs_2', 'x'), 'at most 4 x'),
    ('check without frames, share of one with', _number('lazy_pixels', '%', 100), 'at most 60 %'),
    ('gate alone, p99', _number('gate_p99_ms', 'ms'), 'at most 3 ms'),
    ('command to release, p50 / p99 / max', _release(''), 'p99 at most 60 ms'),
    ('deadline misses', _misses(''), '0'),
    ('the same with a core kept busy', _release('busy_'), ''),
    ('deadline misses with a core kept busy', _misses('busy_'), 'every one held'),
    ('growth of resident memory', _number('rss_growth_percent', '%'), 'below 1 % in an hour'),
    ('EventsExecutor against SingleThreadedExecutor, release p50',
     _number('events_executor_ratio', 'x'), ''),
    ("the same, the gate's CPU", _number('events_executor_cpu_ratio', 'x'), ''),
    ('frame of DIAMOND-size U-Net against ours', _peer('diamond'), 'at least 10 x'),
    ('frame of one-step U-Net against ours', _peer('one_step_unet'), 'at least 3 x'),
    ('frame of DINO-WM-size ViT against ours', _peer('dino_wm'), 'at least 10 x'))
