# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is told of a soak, over its parts: one if nobody interrupted it."""

from collections.abc import Mapping, Sequence
from typing import Any

Part = dict[str, Any]
# Resident memory of gate and predictor may rise by this much.
SLOPE_LIMIT_PERCENT_PER_H = 1.0
_WATCHED = ('wm_gate', 'wm_predictor')
_COUNTS = ('commands', 'released', 'refused', 'late', 'dropped', 'withheld', 'misses_held',
           'deadline_misses', 'holds', 'emergency_stops')


def sum_up(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the figures over all parts.

    :returns: sums of counts; ``unsafe_releases`` with the reasons of the first ten;
        ``deadline_miss_percent`` of the commands, late by the observer's count;
        ``rss_slope_percent_per_h``: for gate and predictor the steepest part, None where no part
        was long enough; ``release_ms`` of the last part.
    """
    found: dict[str, Any] = {'minutes': round(sum(part['minutes'] for part in parts), 3)}
    found |= {name: sum(part.get(name) or 0 for part in parts) for name in _COUNTS}
    found['unsafe_releases'] = sum(part.get('unverified_releases') or 0 for part in parts)
    found['unsafe'] = [words for part in parts for words in part.get('unverified', ())][:10]
    found['deadline_miss_percent'] = round(
        100 * found['late'] / found['commands'], 3) if found['commands'] else None
    found['rss_slope_percent_per_h'] = {name: _steepest(parts, name) for name in _WATCHED}
    found['release_ms'] = parts[-1].get('release_ms') if parts else None
    return found


def is_held(report: Mapping[str, Any]) -> bool:
    """
    Say whether a soak kept its promise: no unsafe release, a hold after each miss, flat memory.

    Memory that could not be judged, because the soak was too short, does not count against it.
    """
    slopes = [value for value in report['rss_slope_percent_per_h'].values() if value is not None]
    return (report['unsafe_releases'] == 0 and report['released'] > 0
            and report['misses_held'] == report['late']
            and all(value <= SLOPE_LIMIT_PERCENT_PER_H for value in slopes))


def describe(report: Mapping[str, Any]) -> str:
    """Return the figures for people."""
    release = report['release_ms'] or {}
    times = ' / '.join(f'{release[name]:.0f}' for name in ('p50', 'p99', 'max') if release)
    slopes = ', '.join(
        f'{name} ' + ('too short to say' if value is None else f'{value:+.2f} %/h')
        for name, value in report['rss_slope_percent_per_h'].items())
    return (f"{report['minutes']:g} minutes, {report['commands']} commands: "
            f"{report['released']} released, {report['refused']} refused, "
            f"{report['late']} too late ({report['deadline_miss_percent']} %, "
            f"{report['misses_held']} followed by a hold), {report['dropped']} replaced by newer "
            f"ones, {report['withheld']} withheld\n"
            f"unsafe releases: {report['unsafe_releases']}\n"
            f'resident memory after the warm-up: {slopes}\n'
            f'command to release, p50 / p99 / max: {times or "-"} ms\n'
            f"emergency stops: {report['emergency_stops']}")


def _steepest(parts: Sequence[Mapping[str, Any]], name: str) -> float | None:
    found = [part['processes'][name]['rss_slope_percent_per_h'] for part in parts
             if name in part.get('processes', {})]
    return max((value for value in found if value is not None), default=None)
