# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo's figures by hand, its files, and its processes."""

import json
import os
import time

import numpy as np
import pytest

from wm_ros.demo.config import DemoConfig
from wm_ros.demo.processes import Processes, reserved_domain_id
from wm_ros.demo.result import make_result
from wm_ros.demo.sheet import VetoPictures, draw_sheet, write_sheet
from wm_ros.demo.table import make_table
from wm_ros.errors import WorldModelError

KEYS = {
    'episodes', 'commands', 'collisions_ungated', 'collisions_gated', 'prevented_pct', 'vetoes',
    'false_veto_pct', 'warning_median_s', 'release_p50_ms', 'release_p99_ms', 'release_max_ms',
    'deadline_misses', 'unverified_releases', 'frames_per_s'}


def command(phase='gated', *, hazard=None, decision='OK', released=True, **fields):
    return {'event': 'command', 'phase': phase, 'first_hazard_s': hazard, 'decision': decision,
            'is_released': released, 'reasons': [], 'release_ms': 30.0 if released else None,
            'verdict_ms': 25.0, 'num_frames': 8, 'predict_s': 0.1, **fields}


def episode(phase, *, collided):
    return {'event': 'episode', 'phase': phase, 'collided': collided}


END = {'event': 'end', 'unverified': [], 'deadline_misses': 1}
EVENTS = [
    command('ungated', decision=''), command('ungated', hazard=0.4, decision=''),
    episode('ungated', collided=True), episode('ungated', collided=True),
    command(), command(release_ms=50.0), command(hazard=0.425, decision='VETO', released=False),
    command(hazard=0.6, decision='VETO', released=False, verdict_ms=50.0), command(),
    command(decision='ABSTAIN', released=False), command(decision='OK', released=False),
    command(hazard=0.5, release_ms=70.0),
    episode('gated', collided=False), episode('gated', collided=True), END]


def test_the_figures_by_hand():
    result = make_result(EVENTS, mode='enforce', seed=7)
    found = result.to_dict()
    assert found.keys() >= KEYS
    assert (result.episodes, result.commands, result.commands_ungated) == (2, 8, 2)
    assert (result.collisions_ungated, result.collisions_gated, result.prevented_pct) == (2, 1, 50)
    # Four are refused, two of them harmless; five commands are harmless.
    assert (result.vetoes, result.false_vetoes, result.harmless_commands) == (4, 2, 5)
    assert (result.false_veto_pct, result.veto_precision_pct, result.missed) == (40, 50, 1)
    # 0.425 - 0.025 and 0.6 - 0.05
    assert result.warning_median_s == pytest.approx((0.4 + 0.55) / 2)
    assert (result.release_p50_ms, result.release_max_ms) == (40, 70)
    assert (result.deadline_misses, result.unverified_releases) == (1, 0)
    assert result.frames_per_s == pytest.approx(80)
    assert result.refused_by == {'VETO': 2, 'ABSTAIN': 1, 'DEADLINE': 1}


def test_in_shadow_mode_a_verdict_that_does_not_allow_is_a_veto():
    events = [command(decision='VETO', hazard=0.4), command(), END]
    result = make_result(events, mode='shadow', seed=7)
    assert (result.vetoes, result.false_vetoes) == (1, 0)


def test_nothing_counted_is_none_and_not_a_division():
    result = make_result([END], mode='enforce', seed=7)
    assert result.prevented_pct is None
    assert result.frames_per_s is None
    assert make_table(result).row_count == 12


def test_json_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'new' / 'out.json'
    make_result(EVENTS, mode='enforce', seed=7).write(path)
    assert json.loads(path.read_text()).keys() >= KEYS
    assert os.listdir(path.parent) == ['out.json']


def test_held_out_seeds_are_those_of_no_collection():
    assert DemoConfig(seed=7).first_seed == 7_500_000


@pytest.mark.parametrize(('field', 'value'), [
    ('episodes', 0), ('mode', 'on'), ('seed', -1), ('engine', 'caffe')])
def test_a_bad_setting_is_named(field, value):
    with pytest.raises(ValueError, match=f'{field} is {value!r}'):
        DemoConfig(**{field: value})


@pytest.mark.parametrize('num_happened', [0, 8])
def test_the_sheet_marks_steps_over_the_threshold(tmp_path, num_happened):
    frames = np.full((8, 72, 96, 3), 90, np.uint8)
    pictures = VetoPictures(
        context=frames[:2], predicted=frames, risk=np.linspace(0, 0.9, 8, dtype=np.float32),
        offsets=np.arange(1, 9) * 0.1, happened=frames[:num_happened])
    sheet = draw_sheet(pictures, title='VETO', subtitle='why', threshold=0.5)
    for colour in ((205, 60, 50), (70, 150, 90)):
        assert (sheet == colour).all(axis=2).any()
    write_sheet(tmp_path / 'sheet.png', sheet)
    assert os.listdir(tmp_path) == ['sheet.png']


def test_a_process_that_dies_is_named_with_the_end_of_its_log(tmp_path):
    with Processes(tmp_path, dict(os.environ)) as processes:
        process = processes.start('spy', 'this_module_does_not_exist')
        process.wait(20)
        with pytest.raises(WorldModelError, match=r'(?s)spy ended early.*this_module_does_not'):
            processes.check()


def test_processes_end_even_if_they_ignore_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr('wm_ros.demo.processes._STOP_TIMEOUT_S', 0.3)
    (tmp_path / 'deaf.py').write_text(
        'import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n'
        'print("up", flush=True)\nsignal.pause()\n')
    begin = time.monotonic()
    with Processes(tmp_path, {**os.environ, 'PYTHONPATH': str(tmp_path)}) as processes:
        process = processes.start('deaf', 'deaf', reads_output=True)
        assert process.stdout.readline() == 'up\n'
    assert process.poll() is not None
    assert time.monotonic() - begin < 30


def test_a_reserved_domain_is_given_to_one_only(monkeypatch):
    monkeypatch.setattr('wm_ros.demo.processes._DOMAINS', range(90, 101))
    monkeypatch.setattr('random.sample', lambda domains, _count: list(domains))
    with reserved_domain_id() as first, reserved_domain_id() as second:
        assert first != second
    monkeypatch.setattr('wm_ros.demo.processes._DOMAINS', ())
    with pytest.raises(WorldModelError, match='every ROS domain'), reserved_domain_id():
        pass
