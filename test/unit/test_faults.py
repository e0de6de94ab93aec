# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of faults, how promises are judged, and what the command says of them."""

import json

import pytest

from wm_ros.cli import main
from wm_ros.datatypes import Reason
from wm_ros.faults.catalogue import CATALOGUE, find_fault
from wm_ros.faults.fault import Graph, Outcome, Timing
from wm_ros.faults.judging import SCHEDULING_S, Findings, reason_names
from wm_ros.faults.repeating import combine
from wm_ros.faults.report import Report, describe

KEYS = {'name', 'promise', 'measured', 'held', 'unsafe_releases'}


def test_the_catalogue_has_every_row_once():
    assert [fault.number for fault in CATALOGUE] == list(range(1, 42))
    assert len({fault.name for fault in CATALOGUE}) == 41
    assert all(fault.injected and fault.promise for fault in CATALOGUE)


def test_a_row_that_starts_nothing_says_what_is_missing():
    assert all(fault.missing for fault in CATALOGUE if fault.graph is Graph.NONE)


@pytest.mark.parametrize('name', ['predictor-killed', '14'])
def test_a_fault_is_found_by_name_and_number(name):
    assert find_fault(name).number == 14


@pytest.mark.parametrize(('name', 'text'), [
    ('predictor-kiled', 'did you mean predictor-killed'), ('42', 'wm-ros faults list')])
def test_an_unknown_fault_is_answered_with_what_could_be_meant(name, text):
    with pytest.raises(ValueError, match=f'there is no fault {name!r}; .*{text}'):
        find_fault(name)


def test_a_promise_of_which_nothing_was_seen_is_not_kept():
    assert Findings().outcome().held is False


@pytest.mark.parametrize(('took_s', 'is_kept'), [
    (0.5, True), (0.5 + SCHEDULING_S, True), (0.501 + SCHEDULING_S, False), (None, False)])
def test_a_time_is_judged_with_what_scheduling_may_add(took_s, is_kept):
    found = Findings()
    assert found.within(took_s, 0.5, 'stop') is is_kept
    outcome = found.outcome()
    assert outcome.held is is_kept
    assert ('BROKEN' in outcome.measured) is not is_kept
    if took_s is not None:
        assert f'stop after {1e3 * took_s:.0f} ms (promised 500 ms)' in outcome.measured


def test_a_time_may_be_judged_without_what_scheduling_may_add():
    found = Findings()
    assert found.within(0.25, 0.25, 'stop', spare_s=0.0)
    assert not found.within(0.251, 0.25, 'stop', spare_s=0.0)
    assert found.outcome().times == (Timing('stop', 0.25, 0.25), Timing('stop', 0.251, 0.25))


def timed(*took_s, held=True, unsafe=0):
    return Outcome(held=held, measured='rest late' if not held else 'rest', duration_s=2.0,
                   unsafe_releases=unsafe, times=tuple(Timing('rest', at, 0.8) for at in took_s))


def test_repetitions_become_one_outcome_with_the_least_and_the_greatest_time():
    outcome = combine([timed(0.3), timed(0.5, 0.1), timed(0.4, held=False, unsafe=1), timed()])
    assert (outcome.held, outcome.unsafe_releases, outcome.duration_s) == (False, 1, 8.0)
    assert outcome.measured == (
        'kept in 3 of 4 repetitions; rest: least 100 ms, median 350 ms, greatest 500 ms '
        '(promised 800 ms); repetition 3: rest late')


def test_what_was_not_measured_each_time_is_not_held():
    open_one = Outcome(held=None, measured='no ip')
    assert combine([open_one, open_one]) == open_one
    assert combine([timed(0.1), open_one]).held is None
    assert combine([timed(0.1), open_one, timed(held=False)]).held is False
    with pytest.raises(ValueError, match='no repetition'):
        combine([])


def test_the_file_has_the_greatest_time_of_all_repetitions(tmp_path):
    report = Report()
    for took_s in (0.12, 0.2):
        report.add(find_fault('14'), timed(took_s))
    report.write(tmp_path / 'out.json')
    found = json.loads((tmp_path / 'out.json').read_text())
    (row,) = found['faults']
    assert (found['held'], row['repetitions']) == (1, 2)
    assert row['times_ms'] == {'rest': {
        'min': 120.0, 'median': 160.0, 'max': 200.0, 'promised': 800.0, 'count': 2}}


def test_every_wanted_reason_must_be_there():
    found = Findings()
    mask = int(Reason.STALE_IMAGE | Reason.DEADLINE)
    assert found.reason(mask, Reason.DEADLINE)
    assert not found.reason(mask, Reason.DEADLINE | Reason.RISK)
    assert reason_names(mask) == 'STALE_IMAGE+DEADLINE'
    assert reason_names(0) == ''


def test_one_broken_part_breaks_the_promise_and_comes_first():
    found = Findings()
    found.check(True, 'stopped')
    found.says('the clock jumped', 'frozen')
    assert found.outcome() == Outcome(
        held=False, measured="BROKEN: says 'the clock jumped', not 'frozen'; stopped")


def test_a_precondition_is_noted_only_when_it_fails():
    found = Findings()
    assert found.need(True, 'running')
    assert found.parts == []
    assert not found.need(False, 'running')
    assert found.outcome().held is False


def test_an_unsafe_release_breaks_whatever_else_was_kept():
    found = Findings()
    found.check(True, 'stopped')
    outcome = found.outcome(['command 1 was released without a verdict'])
    assert (outcome.held, outcome.unsafe_releases) == (False, 1)
    assert outcome.measured.startswith('BROKEN: command 1 was released')


@pytest.fixture
def report():
    it = Report()
    it.add(find_fault('1'), Outcome(held=True, measured='stop after 500 ms'))
    it.add(find_fault('2'), Outcome(held=False, measured='BROKEN: no stop', unsafe_releases=2))
    it.add(find_fault('29'), Outcome(held=None, measured=find_fault('29').missing))
    return it


def test_the_file_holds_promise_and_measurement(report, tmp_path):
    report.write(tmp_path / 'out.json')
    found = json.loads((tmp_path / 'out.json').read_text())
    assert [list(tmp_path.iterdir()), found['unsafe_releases']] == [[tmp_path / 'out.json'], 2]
    assert all(set(row) >= KEYS for row in found['faults'])
    assert [row['held'] for row in found['faults']] == [True, False, None]
    assert (found['held'], found['broken'], found['not_measured']) == (1, 1, 1)
    assert report.summary() == '1 held, 1 broken, 1 not measured, 2 unsafe releases'


def test_a_file_that_cannot_be_written_leaves_nothing(report, tmp_path):
    (tmp_path / 'out.json').mkdir()
    with pytest.raises(OSError, match=r'out\.json'):
        report.write(tmp_path / 'out.json')
    assert [path.name for path in tmp_path.iterdir()] == ['out.json']


def test_people_read_the_promise_beside_the_measurement(report):
    text = describe(*report.results[1])
    assert text.startswith(' 2 camera-frozen: BROKEN\n   promised: STALE_IMAGE by content')
    assert text.endswith('   measured: BROKEN: no stop')


def test_the_list_names_every_fault_and_what_is_not_measured(capsys):
    assert main(['faults', 'list']) == 0
    text = capsys.readouterr().out
    assert all(f'{fault.number:2d} {fault.name}' in text for fault in CATALOGUE)
    assert text.count('not measured: ') == sum(bool(fault.missing) for fault in CATALOGUE)


@pytest.mark.parametrize(('arguments', 'text'), [
    (['run', 'camera-stop'], 'did you mean camera-stops'),
    (['run', '1', '--json', '/nowhere/out.json'], 'there is no directory /nowhere'),
])
def test_wrong_usage_is_code_2_and_starts_nothing(capsys, arguments, text):
    assert main(['faults', *arguments]) == 2
    assert text in capsys.readouterr().err
