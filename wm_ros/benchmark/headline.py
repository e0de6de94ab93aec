# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The few figures that goals are stated for, out of everything that was measured."""

from collections.abc import Mapping
from typing import Any

from wm_ros.benchmark.conditions import BUSY, MAIN

Steps = Mapping[str, Mapping[str, Any]]


def headline(steps: Steps) -> dict[str, Any]:
    """
    Return the headline figures; None where a step was left out or has failed.

    * ``check_p50_ms``, ``check_p99_ms``: one check on ONNX Runtime of ``check_steps`` steps.
    * ``onnxruntime_vs_torch``: torch's time over ONNX Runtime's, same threads.
    * ``candidates16_vs_1``: time of 16 commands for one observation over that of one.
    * ``horizon8_vs_2``: time of 8 steps over that of 2.
    * ``lazy_pixels``: a check without frames over one with all its frames.
    * ``gate_p50_ms``, ``gate_p99_ms``: verdict published to command published.
    * ``release_p50_ms``, ``release_p99_ms``, ``deadline_misses``, ``misses_held`` and so on: the
      loop at 640x480 and 30 Hz; with ``busy_``: the same with other cores kept busy.
    * ``rss_growth_percent``: of the predictor and the gate, the larger.
    * ``events_executor_ratio``: median release time with rclpy's EventsExecutor over that with
      the SingleThreadedExecutor; ``events_executor_cpu_ratio``: the same of the gate's load.
    * ``vs_peers``: time for a frame of a peer's architecture over ours.
    """
    engines, candidates = _step(steps, 'engines'), _step(steps, 'scaling/candidates')
    check = engines.get('check_ms', {}).get('onnxruntime', {})
    horizon = _step(steps, 'scaling/horizon').get('ratio_to_first', {})
    gate, peers = _step(steps, 'gate'), _step(steps, 'peers')
    return {
        'check_p50_ms': check.get('p50'), 'check_p99_ms': check.get('p99'),
        'check_steps': engines.get('steps'),
        'onnxruntime_vs_torch': engines.get('onnxruntime_vs_torch'),
        'candidates16_vs_1': candidates.get('ratio_to_first', {}).get('16'),
        'horizon8_vs_2': horizon.get('8'), 'lazy_pixels': _lazy_pixels(steps),
        'gate_p50_ms': gate.get('gate_ms', {}).get('p50'),
        'gate_p99_ms': gate.get('gate_ms', {}).get('p99'),
        **_loop(_step(steps, f'loop/{MAIN.name}'), ''),
        **_loop(_step(steps, f'loop/{BUSY}'), 'busy_'),
        'rss_growth_percent': _growth(_step(steps, f'loop/{MAIN.name}')),
        **{key: _step(steps, 'executor').get(key) for key in (
            'events_executor_ratio', 'events_executor_cpu_ratio')},
        'vs_peers': peers.get('vs_peers', {})}


def _loop(step: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    release = step.get('release_ms') or {}
    found = {'release_p50_ms': release.get('p50'), 'release_p99_ms': release.get('p99'),
             'release_max_ms': release.get('max')}
    for name in ('commands', 'released', 'refused', 'dropped', 'deadline_misses', 'late',
                 'misses_held', 'unverified_releases'):
        found[name] = step.get(name)
    return {f'{prefix}{name}': value for name, value in found.items()}


def _growth(step: Mapping[str, Any]) -> float | None:
    found = [process.get('rss_growth_percent') for name, process in step.get(
        'processes', {}).items() if name in ('wm_predictor', 'wm_gate')]
    return max((value for value in found if value is not None), default=None)


def _lazy_pixels(steps: Steps) -> float | None:
    whole = _step(steps, 'scaling/pixels').get('ratio_to_first', {}).get('check and frames')
    return round(1 / whole, 4) if whole else None


def _step(steps: Steps, name: str) -> Mapping[str, Any]:
    return steps.get(name, {})
