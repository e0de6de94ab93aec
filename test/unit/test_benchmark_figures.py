# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark's figures, worked out by hand."""

import pytest

from wm_ros.benchmark.conditions import BUSY, MAIN, loop_conditions
from wm_ros.benchmark.config import PARTS, BenchmarkConfig
from wm_ros.benchmark.headline import headline
from wm_ros.benchmark.loop_figures import loop_figures
from wm_ros.benchmark.statistics import growth_percent, ratio, summarise
from wm_ros.benchmark.steps import compare_executors
from wm_ros.benchmark.timing import interleave


def test_percentiles_are_values_that_were_measured():
    found = summarise([float(value) for value in range(1, 101)])
    assert (found.p50, found.p95, found.p99, found.max, found.count) == (50.5, 96, 100, 100, 100)


def test_one_slow_run_of_many_is_seen_in_p99():
    assert summarise([1.0] * 60 + [9.0]).p99 == 9.0


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match='nothing was measured'):
        summarise([])


def test_a_machine_that_slows_down_does_not_bend_a_ratio():
    # From the third round on everything takes five times as long.
    ours, theirs = [1.0, 1.0, 5.0, 5.0, 5.0], [3.0, 3.0, 15.0, 15.0, 16.0]
    assert ratio(theirs, ours) == 3.0


@pytest.mark.parametrize(('above', 'below', 'words'), [
    ([1.0], [1.0, 2.0], '1 and 2 values'), ([], [], '0 and 0'), ([1.0], [0.0], 'duration of 0.0')])
def test_pairs_that_are_none_are_refused(above, below, words):
    with pytest.raises(ValueError, match=words):
        ratio(above, below)


def test_growth_leaves_the_warm_up_out():
    # 10 values that climb, then 80 of 100, then 10 of 103.
    assert growth_percent([*range(10, 100, 9), *[100] * 80, *[103] * 10]) == 3.0
    assert growth_percent([1, 2, 3]) is None


def test_cases_take_turns_and_warm_up_is_not_counted():
    order = []
    times = interleave({name: lambda name=name: order.append(name) for name in 'abc'}, 4,
                       warm_up=1)
    assert {name: len(values) for name, values in times.items()} == {'a': 4, 'b': 4, 'c': 4}
    rounds = [''.join(order[at:at + 3]) for at in range(0, len(order), 3)]
    assert rounds == ['cab', 'abc', 'bca', 'cab', 'abc']


def record(outcome, **values):
    return {'event': 'command', 'outcome': outcome, 'sent_ns': 1, **values}


RECORDS = [
    record('released', release_ms=20.0, gate_ms=1.0, verdict_ms=18.0, decision='OK',
           stage_ms=[1.0, 2.0, 3.0, 4.0], num_steps=10),
    record('released', release_ms=40.0, gate_ms=2.0, verdict_ms=37.0, decision='OK',
           stage_ms=[1.0, 2.0, 3.0, 8.0], num_steps=6),
    record('refused', verdict_ms=30.0, decision='VETO', stage_ms=[]),
    record('late', is_held=True), record('late', is_held=False), record('dropped')]
END = {'deadline_missed': 2, 'unverified': ['why'], 'num_holds': 3, 'emergency_stops': 0,
       'rejected': 0}


def test_the_loop_by_hand():
    found = loop_figures(RECORDS, END)
    assert (found['commands'], found['released'], found['refused'], found['late'],
            found['dropped'], found['withheld']) == (6, 2, 1, 2, 1, 0)
    assert (found['deadline_misses'], found['misses_held']) == (2, 1)
    assert (found['unverified_releases'], found['refused_by']) == (1, {'VETO': 1})
    assert (found['release_ms']['p50'], found['release_ms']['count']) == (30.0, 2)
    assert found['gate_ms']['max'] == 2.0
    assert found['steps_looked_at'] == {'10': 1, '6': 1}
    assert found['predictor_stage_ms']['predict']['p50'] == 6.0


def test_a_loop_that_has_not_ended_claims_no_misses():
    found = loop_figures(RECORDS[:1])
    assert 'deadline_misses' not in found
    assert found['predictor_stage_ms']['wait']['count'] == 1
    assert loop_figures([])['release_ms'] is None


def test_the_headline_by_hand():
    steps = {
        'engines': {'check_ms': {'onnxruntime': {'p50': 20.0, 'p99': 25.0}}, 'steps': 8,
                    'onnxruntime_vs_torch': 1.9},
        'scaling/candidates': {'ratio_to_first': {'1': 1.0, '16': 5.5}},
        'scaling/horizon': {'skipped': 'why'},
        'scaling/pixels': {'ratio_to_first': {'check alone': 1.0, 'check and frames': 4.0}},
        'gate': {'gate_ms': {'p50': 1.0, 'p99': 2.5}},
        f'loop/{MAIN.name}': {
            **loop_figures(RECORDS, END), 'processes': {
                'wm_gate': {'rss_growth_percent': 0.1},
                'wm_predictor': {'rss_growth_percent': 0.4},
                'conductor': {'rss_growth_percent': 9.0}}},
        'peers': {'vs_peers': {'diamond': 6.5}}}
    found = headline(steps)
    assert (found['check_p50_ms'], found['check_steps']) == (20.0, 8)
    assert (found['onnxruntime_vs_torch'], found['candidates16_vs_1']) == (1.9, 5.5)
    assert (found['horizon8_vs_2'], found['lazy_pixels']) == (None, 0.25)
    assert (found['gate_p99_ms'], found['release_p99_ms']) == (2.5, 40.0)
    assert (found['deadline_misses'], found['misses_held'], found['released']) == (2, 1, 2)
    assert (found['busy_deadline_misses'], found['busy_release_p99_ms']) == (None, None)
    assert (found['rss_growth_percent'], found['vs_peers']) == (0.4, {'diamond': 6.5})


def test_every_headline_key_is_there_before_anything_was_measured():
    assert headline({}).keys() == headline({'peers': {'vs_peers': {}}}).keys()
    assert {value for key, value in headline({}).items() if key != 'vs_peers'} == {None}


def test_conditions_and_their_commands():
    config = BenchmarkConfig(commands=5000)
    found = {item.name: item.num_commands(config) for item in loop_conditions(config)}
    assert found == {MAIN.name: 5000, BUSY: 1000, '640x480@15': 500, '1280x720@15': 500,
                     '1280x720@30': 500, '640x480@30 compressed': 500}
    assert BenchmarkConfig(minutes=60.0).num_commands == 36_000
    assert BUSY not in [item.name for item in loop_conditions(BenchmarkConfig(busy_cores=0))]
    assert [item.name for item in loop_conditions(BenchmarkConfig(conditions=1))] == [MAIN.name]


def test_executors_are_compared_in_turns_and_pair_by_pair():
    order = []

    class Loop:
        def run(self, condition, *, commands):
            order.append(condition.executor)
            # The machine slows down all the time; on events everything takes 0.8 of the time.
            slow = len(order) * (0.8 if condition.executor == 'events' else 1.0)
            load = 5.0 if condition.executor == 'events' else 20.0
            return {'release_ms': {'p50': slow, 'p99': slow, 'count': commands},
                    'processes': {'wm_gate': {'cpu_percent': load}}}

    found = compare_executors(Loop(), BenchmarkConfig(commands=5000))
    assert order == ['single', 'events', 'events', 'single', 'single', 'events']
    assert found['commands_of_each_run'] == 100
    # 2 x 0.8 / 1, 3 x 0.8 / 4 and 6 x 0.8 / 5
    assert found['events_executor_ratio'] == pytest.approx(0.96)
    assert found['events_executor_cpu_ratio'] == 0.25


@pytest.mark.parametrize(('field', 'value'), [
    ('parts', ('sleep',)), ('commands', 19), ('minutes', -1.0), ('rounds', 2), ('threads', 0),
    ('engine', 'caffe'), ('busy_cores', -1), ('conditions', 7)])
def test_a_bad_setting_is_named(field, value):
    shown = value[0] if field == 'parts' else value
    with pytest.raises(ValueError, match=f'{field} is {shown!r}'):
        BenchmarkConfig(**{field: value})


def test_the_verb_offers_what_the_benchmark_has():
    from wm_ros.verbs.benchmark import PARTS as OFFERED
    assert OFFERED == PARTS
