# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's report: whole after each step, taken up again, shown and drawn."""

import io
import json
import os

import pytest
from rich.console import Console

from wm_ros.benchmark.conditions import MAIN
from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.loop_figures import loop_figures
from wm_ros.benchmark.loop_log import LoopLog
from wm_ros.benchmark.machine import describe_machine
from wm_ros.benchmark.markdown import to_markdown, write_markdown
from wm_ros.benchmark.store import Store
from wm_ros.benchmark.table import make_table
from wm_ros.errors import WorldModelError

SUMMARY = {'p50': 1.25, 'p95': 2.5, 'p99': 123.4, 'max': 567.8, 'count': 9}
KEYS = {'check_p50_ms', 'onnxruntime_vs_torch', 'candidates16_vs_1', 'gate_p99_ms',
        'release_p99_ms', 'deadline_misses', 'vs_peers', 'misses_held', 'lazy_pixels',
        'rss_growth_percent', 'busy_deadline_misses', 'machine', 'settings', 'command'}


def about(**settings):
    return {'command': 'wm-ros benchmark', 'model_id': 'm', 'date': 'd',
            'machine': describe_machine(), 'settings': BenchmarkConfig(**settings).to_dict()}


def steps():
    records = [{'outcome': 'released', 'release_ms': 20.0, 'stage_ms': [1, 2, 3, 4]}]
    end = {'deadline_missed': 0, 'unverified': [], 'num_holds': 0, 'emergency_stops': 0,
           'rejected': 0}
    scale = {'unit': 'steps', 'threads': 2, 'ms': {'2': SUMMARY, '8': SUMMARY},
             'ratio_to_first': {'2': 1.0, '8': 1.5}}
    return {
        'stages': {'threads': 2, 'engine': 'onnxruntime', 'ms': {'receive': SUMMARY}},
        'engines': {'threads': 2, 'steps': 8, 'absent': {'tensorrt': 'no GPU'},
                    'check_ms': {'onnxruntime': SUMMARY, 'torch': SUMMARY},
                    'onnxruntime_vs_torch': 1.75},
        'scaling/horizon': scale, 'scaling/sampler': {'skipped': 'no sampler'},
        'scaling/resolution': {**scale, 'weights': 'random', 'unit': 'picture, px', 'ms': {
            '96x72': SUMMARY, '192x144': SUMMARY}, 'ratio_to_first': {'96x72': 1, '192x144': 2}},
        'gate': {'commands': 20, 'gate_ms': SUMMARY},
        f'loop/{MAIN.name}': {**loop_figures(records, end), 'processes': {
            'wm_gate': {'cpu_percent': 12.5, 'rss_mib': 118.5}}},
        'executor': {'events_executor_ratio': 0.875, 'events_executor_cpu_ratio': 0.44,
                     'commands_of_each_run': 20},
        'peers': {'peers': {'diamond': {'parameters': 4_400_000, 'frame': '64x64'}},
                  'vs_peers': {'diamond': 6.5},
                  'frame_ms_onnxruntime': {'wm_ros': SUMMARY, 'diamond': SUMMARY}}}


def test_the_report_is_whole_after_each_step(tmp_path):
    store = Store(tmp_path / 'new' / 'out.json', about())
    store.put('gate', {'gate_ms': SUMMARY, 'commands': 20}, is_partial=True)
    found = json.loads(store.path.read_text())
    assert found.keys() >= KEYS
    assert (found['is_complete'], found['gate_p99_ms']) == (False, 123.4)
    store.put('gate', {'gate_ms': SUMMARY, 'commands': 30})
    store.fail('peers', 'no torch')
    store.write(is_complete=True)
    found = json.loads(store.path.read_text())
    assert (found['is_complete'], found['failed']) == (True, {'peers': 'no torch'})
    assert os.listdir(store.path.parent) == ['out.json']


def test_a_killed_run_goes_on_after_its_last_finished_step(tmp_path):
    path = tmp_path / 'out.json'
    store = Store(path, about())
    store.put('gate', {'gate_ms': SUMMARY, 'commands': 20})
    store.put('loop/x', {'commands': 7}, is_partial=True)
    again = Store(path, about())
    again.resume()
    assert again.steps == {'gate': {'gate_ms': SUMMARY, 'commands': 20}}


def test_figures_of_other_settings_are_not_mixed(tmp_path):
    path = tmp_path / 'out.json'
    Store(path, about(threads=2)).put('gate', {})
    with pytest.raises(WorldModelError, match='other settings'):
        Store(path, about(threads=1)).resume()


@pytest.mark.parametrize('text', ['{', '[]', '{"format": 1}'])
def test_a_file_of_others_is_named(tmp_path, text):
    path = tmp_path / 'out.json'
    path.write_text(text)
    with pytest.raises(WorldModelError, match=r'out\.json is not a report'):
        Store(path, about()).resume()
    assert path.read_text() == text


def test_the_table_has_every_figure(tmp_path):
    store = Store(tmp_path / 'out.json', about())
    store.steps = steps()
    store.failed = {'loop/busy': 'wm_gate ended early\nand more'}
    text = io.StringIO()
    Console(file=text, width=160).print(make_table(store.to_dict()))
    found = text.getvalue()
    for words in ('stage receive', '1.25', '2.5', '123', '568', 'onnxruntime is 1.75 x',
                  'absent: no GPU', 'steps 8', '1.50 x the first', 'skipped: no sampler',
                  'random weights', 'gate alone', '1 commands, 1 released, 0 deadline misses',
                  'wm_gate 12.5 % CPU', '0.875', "0.44 of the gate's CPU", '6.5 x ours', '4.4 M',
                  'failed: wm_gate ended early'):
        assert words in found, words
    assert 'and more' not in found


def test_an_empty_report_has_an_empty_table(tmp_path):
    assert make_table(Store(tmp_path / 'out.json', about()).to_dict()).row_count == 0


def test_the_markdown_has_a_value_for_each_goal(tmp_path):
    store = Store(tmp_path / 'out.json', about())
    empty = to_markdown({**store.to_dict(), 'command': (
        'wm-ros benchmark --output /x/y --rounds 9 --json /x/z')})
    assert empty.startswith('`wm-ros benchmark --rounds 9`, ')
    assert empty.count('not measured') == empty.count('\n') - 4
    store.steps = steps()
    path = tmp_path / 'new' / 'figures.md'
    write_markdown(path, store.to_dict())
    found = path.read_text()
    assert os.listdir(path.parent) == ['figures.md']
    for line in ('| check of 8 steps, p50 | 1.25 ms | at most 25 ms |',
                 '| ONNX Runtime against torch eager | 1.75 x | at least 1.8 x |',
                 '| gate alone, p99 | 123 ms | at most 3 ms |',
                 '| command to release, p50 / p99 / max | 20 / 20 / 20 ms | p99 at most 60 ms |',
                 '| deadline misses | 0 of 1 commands; seen from outside 0, 0 of them held | 0 |',
                 '| frame of DIAMOND-size U-Net against ours | 6.5 x | at least 10 x |'):
        assert line in found, line


def test_plots_are_png_and_svg_and_whole(tmp_path):
    pytest.importorskip('matplotlib', reason="needs the bench extra: 'wm_ros[bench]'")
    from wm_ros.benchmark.plots import write_plots
    names = {path.name for path in write_plots(steps(), tmp_path)}
    assert names == {f'{name}.{kind}' for kind in ('png', 'svg') for name in (
        'stages', 'peers', 'horizon', 'resolution', 'release')}
    assert names == set(os.listdir(tmp_path))
    assert (tmp_path / 'peers.png').read_bytes().startswith(b'\x89PNG')
    assert 'diamond' in (tmp_path / 'peers.svg').read_text()


def test_events_are_on_disk_before_the_next_one(tmp_path):
    pytest.importorskip('psutil', reason="needs the bench extra: 'wm_ros[bench]'")
    path, partial = tmp_path / 'events.jsonl', []
    with LoopLog(MAIN, {'me': os.getpid()}, path, lambda *found: partial.append(found)) as log:
        log.take({'event': 'start'})
        log.take({'event': 'command', 'outcome': 'released', 'release_ms': 3.0})
        assert len(path.read_text().splitlines()) == 2
        log._saved_at -= 31
        log.take(None)
        assert [found['commands'] for _condition, found in partial] == [1]
        assert not log.is_over
        log.take({'event': 'end', 'deadline_missed': 1, 'unverified': [], 'num_holds': 1,
                  'emergency_stops': 0, 'rejected': 0})
        assert log.is_over
    found = log.to_dict()
    assert (found['deadline_misses'], found['release_ms']['max']) == (1, 3.0)
    assert found['processes']['me']['rss_mib'] > 1


def test_a_conductor_that_gives_up_ends_the_condition_in_its_words(tmp_path):
    pytest.importorskip('psutil', reason="needs the bench extra: 'wm_ros[bench]'")
    with LoopLog(MAIN, {}, tmp_path / 'events.jsonl', lambda *found: None) as log, \
            pytest.raises(WorldModelError, match=r'640x480@30 cannot go on: wm_gate is silent'):
        log.take({'event': 'error', 'text': 'wm_gate is silent'})
