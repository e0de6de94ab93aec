# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a soak, worked out by hand, and its report when it was interrupted."""

import json

import pytest

from wm_ros.benchmark import soak
from wm_ros.benchmark.resources import ResourceLog
from wm_ros.benchmark.soak import SoakConfig, run_soak
from wm_ros.benchmark.soak_figures import describe, is_held, sum_up
from wm_ros.benchmark.statistics import slope_percent_per_h
from wm_ros.cli import main
from wm_ros.errors import WorldModelError

HOUR_S = range(0, 3601, 60)


def part(**values):
    slopes = values.pop('slopes', (0.1, None))
    return {'minutes': 1.0, 'commands': 100, 'released': 90, 'late': 2, 'misses_held': 2,
            'refused': 5, 'dropped': 3, 'withheld': 0, 'deadline_misses': 2, 'holds': 7,
            'emergency_stops': 0, 'unverified_releases': 0, 'unverified': [],
            'release_ms': {'p50': 20.0, 'p99': 60.4, 'max': 80.0},
            'processes': {name: {'rss_slope_percent_per_h': slope} for name, slope in zip(
                ('wm_gate', 'wm_predictor'), slopes, strict=True)}} | values


@pytest.mark.parametrize(('values', 'slope'), [
    ([100.0] * 61, 0.0),
    # From 98 to 102 over the hour: 4 % of the mean. What came before ten minutes is left out.
    ([7.0] * 10 + [98 + 4 * at / 50 for at in range(51)], 4.8)])
def test_a_slope_is_told_by_the_hour_and_without_the_warm_up(values, slope):
    assert slope_percent_per_h(list(HOUR_S), values) == pytest.approx(slope, abs=1e-3)


def test_a_slope_needs_ten_minutes_after_the_warm_up():
    times = list(range(0, 700, 10))
    assert slope_percent_per_h(times, [1.0] * len(times)) is None
    assert slope_percent_per_h([], []) is None
    times = list(range(0, 730, 10))
    assert slope_percent_per_h(times, [1.0] * len(times)) == 0.0


def test_memory_is_sampled_with_its_time(monkeypatch):
    monkeypatch.setattr('wm_ros.benchmark.resources.time.monotonic', iter(range(900)).__next__)
    log = ResourceLog({'me': __import__('os').getpid()})
    for _ in range(150):
        log.sample()
    found = log.to_dict()['me']
    assert found['samples'] == 150
    assert len(found['rss_mib_by_minute']) == 3
    assert found['rss_slope_percent_per_h'] is None


def test_parts_are_summed_and_the_steepest_memory_counts():
    found = sum_up([part(slopes=(0.1, 0.9)), part(slopes=(None, 0.4), commands=300, late=6)])
    assert (found['minutes'], found['commands'], found['late']) == (2.0, 400, 8)
    assert found['deadline_miss_percent'] == 2.0
    assert found['rss_slope_percent_per_h'] == {'wm_gate': 0.1, 'wm_predictor': 0.9}


@pytest.mark.parametrize(('changes', 'held'), [
    ({}, True), ({'slopes': (1.1, 0.0)}, False), ({'slopes': (None, None)}, True),
    ({'slopes': (-3.0, 0.0)}, True), ({'unverified_releases': 1, 'unverified': ['x']}, False),
    ({'misses_held': 1}, False), ({'released': 0}, False)])
def test_what_a_soak_promises(changes, held):
    assert is_held(sum_up([part(), part(**changes)]) | (
        {'released': 0} if changes.get('released') == 0 else {})) is held


def test_people_read_the_figures():
    text = describe(sum_up([part()]))
    assert 'unsafe releases: 0' in text
    assert 'wm_gate +0.10 %/h, wm_predictor too short to say' in text
    assert '20 / 60 / 80 ms' in text


@pytest.fixture
def loop(monkeypatch):
    """A loop that tells figures once, and then ends or is interrupted as told."""
    class FakeLoop:
        runs: list = []
        interrupt = False

        def __init__(self, config, recording, on_partial):
            self._on_partial = on_partial

        def run(self, condition, *, commands):
            FakeLoop.runs.append((condition.command_rate_hz, commands))
            done = commands // 2 if FakeLoop.interrupt else commands
            self._on_partial(condition, part(commands=commands // 2))
            if FakeLoop.interrupt:
                raise KeyboardInterrupt
            return part(commands=done)

    monkeypatch.setattr(soak, 'Loop', FakeLoop)
    monkeypatch.setattr(soak, 'record_sway', lambda path: None)
    return FakeLoop


def test_an_interrupted_soak_is_on_disk_and_goes_on(tmp_path, loop):
    path = tmp_path / 'soak.json'
    settings = {'minutes': 10.0, 'json_path': path, 'output_directory': tmp_path}
    loop.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        run_soak(SoakConfig(**settings))
    found = json.loads(path.read_text())
    assert (found['is_complete'], found['held'], found['minutes']) == (False, None, 5.0)
    loop.interrupt = False
    found = run_soak(SoakConfig(**settings, resume=True))
    assert loop.runs == [(20.0, 12_000), (20.0, 6000)]
    assert (found['is_complete'], found['held'], found['minutes']) == (True, True, 10.0)
    assert (found['commands'], len(found['parts'])) == (12_000, 2)
    assert json.loads(path.read_text()) == found
    with pytest.raises(WorldModelError, match='has 10 minutes already'):
        run_soak(SoakConfig(**settings, resume=True))
    with pytest.raises(WorldModelError, match='made with other settings'):
        run_soak(SoakConfig(**settings, rate=10.0, resume=True))


def test_another_file_is_not_resumed(tmp_path, loop):
    path = tmp_path / 'soak.json'
    path.write_text('{"faults": []}')
    with pytest.raises(WorldModelError, match='is not a report of wm-ros faults soak'):
        run_soak(SoakConfig(json_path=path, output_directory=tmp_path, resume=True))
    assert loop.runs == []


def test_the_verb_refuses_what_cannot_be_and_fails_when_the_promise_is_broken(
        tmp_path, loop, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(['faults', 'soak', '--minutes', '0.01']) == 2
    assert 'minutes is 0.01; allowed is 0.05 to' in capsys.readouterr().err
    assert main(['faults', 'soak', '--minutes', '1', '--json', 'a.json']) == 0
    assert 'unsafe releases: 0' in capsys.readouterr().out
    monkeypatch.setattr('wm_ros.benchmark.soak.is_held', lambda report: False)
    assert main(['faults', 'soak', '--minutes', '1', '--json', 'a.json']) == 1
    assert 'the promise of the soak was not kept' in capsys.readouterr().err
    assert json.loads((tmp_path / 'a.json').read_text())['held'] is False
