# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the order of things on the wire says about a walk; each promise broken, kept, excused."""

import pytest

from wm_ros.faults.campaign_judge import Output, Record, Report, judge
from wm_ros.faults.campaign_timeline import Timeline, Window
from wm_ros.gate.values import State

MS = 1_000_000
START = 1_000_000 * MS


def at(ms):
    return START + ms * MS


def output(ms, is_hold=False, offset_ms=0):
    return Output(at(ms), at(ms + offset_ms), is_hold)


def report(ms, state, message='', offset_ms=0):
    return Report(at(ms), at(ms + offset_ms), int(state), message)


def make_record(outputs=(), reports=(), beats=range(0, 3000, 50), joints=range(0, 3000, 20)):
    return Record(outputs=list(outputs), reports=list(reports), beats=list(map(at, beats)),
                  joints=list(map(at, joints)))


RUN, HOLD, WAIT = State.RUNNING, State.HOLD, State.WAITING
STOPPED = [report(900, RUN), report(1001, HOLD), report(1100, HOLD)]


def broken(record, timeline=None):
    return [violation.invariant for violation in judge(record, timeline or Timeline())]


def test_a_hold_that_is_the_last_word_breaks_nothing():
    assert broken(make_record([output(950), output(1000, True)], STOPPED)) == []


@pytest.mark.parametrize('state', [HOLD, State.ESTOP, WAIT, State.INACTIVE])
def test_a_stop_without_a_hold_is_seen_once(state):
    reports = [report(900, RUN), report(1001, state), report(1100, HOLD)]
    assert broken(make_record([output(950)], reports)) == ['4']


@pytest.mark.parametrize(('outputs', 'words'), [
    ([output(950)], 'nothing came after'),
    ([output(950), output(1003, True), output(1300)], 'a hold came 2.0 ms later'),
    ([output(950), output(1300)], 'a command came 299.0 ms later')])
def test_a_missing_hold_is_told_from_a_late_one(outputs, words):
    (violation,) = judge(make_record(outputs, STOPPED), Timeline())
    assert violation.words.endswith(words)


def test_a_hold_that_comes_before_the_last_command_does_not_count():
    assert broken(make_record([output(940, True), output(950)], STOPPED)) == ['4']


def test_a_hold_that_the_listener_may_have_missed_is_not_missed_by_the_gate():
    later = Output(at(1300), at(1300), False, is_after_gap=True)
    assert broken(make_record([output(950), later], STOPPED)) == []
    # What was missed before the command says nothing of what came after it.
    first = Output(at(950), at(950), False, is_after_gap=True)
    assert broken(make_record([output(930), first, output(1300)], STOPPED)) == ['4']


def test_where_there_are_no_joints_no_hold_is_asked_for_now_and_later():
    joints = [*range(0, 800, 20), *range(1050, 3000, 20)]
    assert broken(make_record([output(950)], STOPPED, joints=joints)) == []


def test_a_gate_that_stood_still_may_have_had_no_joints():
    timeline = Timeline()
    timeline.begin_pause(at(600))
    timeline.end_pause(at(980))
    assert broken(make_record([output(590)], STOPPED), timeline) == []


def test_a_gate_that_was_killed_cannot_hold():
    timeline = Timeline(restarts=[(at(960), at(1090))])
    assert broken(make_record([output(950)], STOPPED), timeline) == []


@pytest.mark.parametrize(('is_hold', 'states', 'expected'), [
    (True, (WAIT, WAIT), ['1']), (True, (State.INACTIVE, WAIT), ['1']),
    (False, (WAIT, State.INACTIVE), ['1', '4']), (True, (RUN, WAIT), []),
    (True, (State.ESTOP, WAIT), [])])
def test_a_gate_that_waits_is_silent(is_hold, states, expected):
    reports = [report(900, states[0]), report(1000, states[1])]
    assert broken(make_record([output(950, is_hold)], reports)) == expected


def test_the_order_is_that_of_the_gate_and_not_that_of_receipt():
    """The hold was published before the state, and came in after it."""
    late = Output(at(1004), at(1000), True)
    assert broken(make_record([output(950), late], STOPPED)) == []


def test_nothing_follows_from_the_order_where_the_clock_was_stepped():
    timeline = Timeline(steps=[(at(970), -10_000 * MS)])
    outputs = [output(950), output(1000, True, -10_000)]
    reports = [report(900, RUN), report(1001, HOLD, offset_ms=-10_000),
               report(1900, HOLD, offset_ms=-10_000)]
    assert broken(make_record(outputs, reports), timeline) == []


def test_the_order_is_known_again_after_a_step():
    timeline = Timeline(steps=[(at(100), 10_000 * MS)])
    outputs = [output(1950, offset_ms=10_000)]
    reports = [report(1900, RUN, offset_ms=10_000), report(2001, HOLD, offset_ms=10_000)]
    assert broken(make_record(outputs, reports), timeline) == ['4']


@pytest.mark.parametrize(('ms', 'is_hold', 'is_silent', 'expected'), [
    (1050, False, False, []), (1150, False, False, ['stopped']), (1150, True, False, []),
    (1150, True, True, ['stopped']), (1450, False, True, [])])
def test_nothing_comes_out_of_a_closed_window(ms, is_hold, is_silent, expected):
    timeline = Timeline()
    timeline.open(Window(at(1000), 'stopped', 'the stop', is_silent))
    timeline.close_windows(at(1400), 'stopped')
    assert broken(make_record([output(ms, is_hold)]), timeline) == expected


def test_a_window_of_another_promise_stays_open():
    timeline = Timeline()
    timeline.open(Window(at(1000), 'stopped', 'the stop'))
    timeline.close_windows(at(1100), 'engaged')
    assert broken(make_record([output(1200)]), timeline) == ['stopped']


@pytest.mark.parametrize(('last_beat', 'state', 'expected'), [
    (1000, RUN, ['8']), (1000, State.SLOW, ['8']), (1000, HOLD, []), (1500, RUN, [])])
def test_a_gate_does_not_run_on_silence(last_beat, state, expected):
    record = make_record([], [report(1700, state)], beats=range(0, last_beat + 1, 50))
    assert broken(record) == expected


def test_a_gate_that_stood_still_reports_when_it_goes_on():
    timeline = Timeline()
    timeline.begin_pause(at(1100))
    timeline.end_pause(at(1690))
    record = make_record([], [report(1700, RUN)], beats=range(0, 1001, 50))
    assert broken(record, timeline) == []


def test_an_exception_in_the_gate_is_named_once():
    text = 'exception in the gate: ValueError: x'
    reports = [report(900, State.ESTOP, text), report(1000, State.ESTOP, text)]
    assert broken(make_record([], reports)) == ['10']


def test_the_clock_is_known_to_within_the_tolerance():
    timeline = Timeline(steps=[(at(1000), 5_000 * MS), (at(2000), -300 * MS)])
    assert timeline.offset_ns(at(999)) == 0
    assert timeline.span_ns(at(500)) == (at(400), at(500))
    assert timeline.span_ns(at(1050)) == (at(950), at(6050))
    assert timeline.span_ns(at(1500)) == (at(6400), at(6500))
    assert timeline.span_ns(at(2050)) == (at(1650), at(7050))


def test_what_was_decided_before_a_pause_may_be_written_after_it():
    timeline = Timeline()
    timeline.begin_pause(at(1000))
    assert timeline.is_paused
    timeline.end_pause(at(1500))
    assert not timeline.is_paused
    assert timeline.acted_ns(at(1505), known_ns=at(999)) == at(1000)
    assert timeline.acted_ns(at(1505), known_ns=at(1001)) == at(1505)
    assert timeline.acted_ns(at(1700), known_ns=at(999)) == at(1700)


def test_the_wait_for_a_processor_is_counted_between_the_nearest_notes():
    timeline = Timeline(waits=[(at(0), 0), (at(20), 3 * MS), (at(40), 90 * MS), (at(60), 91 * MS)])
    assert timeline.waited_ns(at(25), at(35)) == 87 * MS
    assert timeline.waited_ns(at(45), at(55)) == 1 * MS
    assert timeline.waited_ns(at(65), at(95)) == 0
    assert Timeline().waited_ns(at(0), at(50)) == 0
