# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Hazard labellers on arrays, by hand, and on episodes with files of intervals."""

import json

import numpy as np
import pytest
from episode_rig import MS, make_episode

from wm_ros.data.hazard_labels import (
    Event,
    at_events,
    contact_kind,
    effort_spikes,
    in_intervals,
    label,
    last_seconds,
)
from wm_ros.data.intervals import read_intervals
from wm_ros.data.labelling import Labeller, LabelOptions
from wm_ros.data.problems import Problems
from wm_ros.errors import DatasetError

STAMPS = np.arange(100, 200, 10, np.int64) * MS  # 100, 110 ... 190 ms


def rows(mask):
    """Return the indices that are marked."""
    return np.flatnonzero(mask).tolist()


def test_effort_spikes_stand_out_from_a_slow_load():
    stamps = np.arange(100, dtype=np.int64) * 10 * MS
    efforts = np.stack([np.linspace(0, 5, 100), np.full(100, -2.0)], axis=1)
    efforts[40:43, 1] -= 1.5
    efforts[70, 0] += 0.9
    assert rows(effort_spikes(stamps, efforts, 1.0)) == [40, 41, 42]
    assert rows(effort_spikes(stamps, efforts, 0.8)) == [40, 41, 42, 70]
    assert rows(effort_spikes(stamps, efforts, 2.0)) == []


def test_efforts_that_say_nothing_are_refused():
    with pytest.raises(DatasetError, match='all efforts are zero'):
        effort_spikes(STAMPS, np.zeros((10, 2)), 1.0)
    efforts = np.ones((10, 2))
    efforts[4, 1] = np.nan
    with pytest.raises(DatasetError, match='effort is not finite at row 4'):
        effort_spikes(STAMPS, efforts, 1.0)


@pytest.mark.parametrize(('events', 'expected'), [
    ([], []), ([(130, None)], [3]), ([(131, None)], [4]), ([(95, None)], [0]),
    ([(80, None)], []), ([(191, None)], []), ([(131, None), (135, None)], [4]),
    ([(121, True), (151, False)], [3, 4, 5]), ([(50, True)], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ([(50, True), (90, False)], []), ([(150, False)], []),
    ([(121, True), (131, True), (135, False)], [3]), ([(171, True)], [8, 9]),
])
def test_events_mark_the_sample_after_them_and_levels_hold(events, expected):
    found = at_events(STAMPS, [Event(at_ms * MS, level) for at_ms, level in events])
    assert rows(found) == expected


@pytest.mark.parametrize(('start', 'end', 'expected'), [
    (120, 140, [2, 3, 4]), (121, 139, [3]), (131, 134, [4]), (190, 190, [9]),
    (100, 190, list(range(10))),
])
def test_intervals_mark_what_they_hold(start, end, expected):
    assert rows(in_intervals(STAMPS, [(start * MS, end * MS)])) == expected


@pytest.mark.parametrize(('start', 'end', 'text'), [
    (150, 240, 'reaches 0.050 s past the end'), (250, 300, 'reaches 0.110 s past the end'),
    (60, 120, 'starts 0.040 s before the recording'), (150, 140, 'ends 0.010 s before it starts'),
])
def test_intervals_outside_the_recording_are_refused(start, end, text):
    with pytest.raises(DatasetError, match=text):
        in_intervals(STAMPS, [(start * MS, end * MS)])


def test_the_end_of_a_failed_episode():
    assert rows(last_seconds(STAMPS, 0.02)) == [7, 8, 9]
    assert rows(last_seconds(STAMPS, 9.0)) == list(range(10))


@pytest.mark.parametrize(('pair', 'kind'), [
    ('gripper|object_1', 'object'), ('table|object_1', 'table'), ('wrist|table', 'table'),
    ('upper_arm|gripper', 'self')])
def test_simulated_contacts_have_kinds(pair, kind):
    assert contact_kind(pair) == kind


def test_labels_add_to_those_that_are_there():
    episode = make_episode(hazards=np.eye(26, dtype=np.uint8)[3])
    mask = np.arange(26) % 3 == 0
    labelled = label(episode, 'stop', mask)
    assert labelled.hazard_kinds == ('object', 'table', 'self', 'stop')
    assert labelled.hazards[:7].tolist() == [8, 0, 0, 9, 0, 0, 8]
    assert label(labelled, 'table', mask).hazards[:4].tolist() == [10, 0, 0, 11]
    assert episode.hazards.sum() == 1


def test_a_label_that_cannot_be_is_refused():
    episode = make_episode(hazard_kinds=tuple('abcdefgh'))
    mask = np.zeros(26, np.bool_)
    with pytest.raises(DatasetError, match="no room for hazard kind 'i'"):
        label(episode, 'i', mask)
    with pytest.raises(ValueError, match="hazard kind is 'a,b'"):
        label(episode, 'a,b', mask)
    with pytest.raises(ValueError, match=r'mask has shape \(9,\)'):
        label(episode, 'a', mask[:9])


def intervals(tmp_path, text, name='labels.csv'):
    """Read an interval file; returns its rows and the problems."""
    path = tmp_path / name
    path.write_text(text)
    problems = Problems()
    found = read_intervals(path, problems)
    return [(item.row, item.start_s, item.end_s, item.kind, item.episode)
            for item in found], problems.lines()


def test_csv_rows_that_cannot_be_used_are_named_and_the_others_kept(tmp_path):
    found, problems = intervals(
        tmp_path, 'start, end, kind, episode\n0.5,1,pinch,3\nx,2,pinch,3\n3,2,pinch,3\n4,5,,3\n'
        '6,inf,pinch,\n6,7,jam,\n')
    assert found == [(2, 0.5, 1.0, 'pinch', '3'), (7, 6.0, 7.0, 'jam', '')]
    assert [line.partition('labels.csv ')[2] for line in problems] == [
        "row 3: could not convert string to float: 'x'; left out",
        'row 4: it goes from 3 s to 2 s; expected an end after the start; left out',
        'row 5: kind is missing; left out',
        'row 6: it goes from 6 s to inf s; expected an end after the start; left out']


def test_json_rows(tmp_path):
    rows_ = [{'start': 0, 'end': 1.5, 'kind': 'pinch', 'episode': 7}, {'start': 1, 'kind': 'x'}]
    found, problems = intervals(tmp_path, json.dumps(rows_), 'labels.json')
    assert found == [(0, 0.0, 1.5, 'pinch', '7')]
    assert 'labels.json row 1: end is missing' in problems[0]


@pytest.mark.parametrize(('name', 'text', 'message'), [
    ('labels.csv', 'start,kind\n1,x\n', 'row 1: there is no column end'),
    ('labels.csv', '', 'there is no column start, end, kind'),
    ('labels.json', '[1', 'not JSON'), ('labels.json', '{"start": 1}', 'expected a list'),
])
def test_what_is_no_interval_file_is_named(tmp_path, name, text, message):
    with pytest.raises(DatasetError, match=message):
        intervals(tmp_path, text, name)
    with pytest.raises(DatasetError, match='cannot be read'):
        read_intervals(tmp_path / 'none.csv', Problems())


def apply(tmp_path, text, *episodes, **options):
    """Label episodes by an interval file; returns the rows marked 'jam' and the problems."""
    path = tmp_path / 'labels.csv'
    path.write_text(text)
    problems = Problems()
    labeller = Labeller(LabelOptions(intervals=path, **options), problems)
    found = []
    for number, episode in enumerate(episodes):
        labelled = labeller.apply(episode, name=f'episode_{number:09d}', number=number)
        found.append(rows(labelled.hazards & 8))
    labeller.finish()
    return found, problems.lines()


def test_intervals_of_episodes_by_number_and_name(tmp_path):
    found, problems = apply(
        tmp_path, 'start,end,kind,episode\n0.04,0.08,jam,1\n0.1,0.1,jam,episode_000000000\n',
        make_episode(start_ms=500), make_episode(start_ms=900))
    assert found == [[5], [2, 3, 4]]
    assert problems == []


def test_labels_past_the_end_are_told_and_the_others_kept(tmp_path):
    found, problems = apply(tmp_path, 'start,end,kind\n0.04,0.06,jam\n0.4,0.8,jam\n',
                            make_episode())
    assert found == [[2, 3]]
    assert len(problems) == 1
    assert 'labels.csv row 3: episode_000000000: the interval reaches 0.300 s past' in problems[0]


def test_intervals_of_the_ros_clock_find_their_episodes(tmp_path):
    found, problems = apply(
        tmp_path, 'start,end,kind\n10.46,20.04,jam\n40,41,jam\n',
        make_episode(start_ms=10_000), make_episode(start_ms=20_000), is_ros_clock=True)
    assert found == [[23, 24, 25], [0, 1, 2]]
    assert len(problems) == 1
    assert 'labels.csv row 3: its time is in none of the episodes' in problems[0]


def test_labels_for_no_episode_are_told(tmp_path):
    _, problems = apply(tmp_path, 'start,end,kind,episode\n0,0.1,jam,9\n', make_episode(),
                        failed_s=0.1, failed=('7', '0'))
    assert 'labels.csv row 2: episode 9 is in none of the episodes' in problems[0]
    assert problems[1] == '--failed 7: there is no such episode'


@pytest.mark.parametrize(('info', 'failed', 'expected'), [
    ({}, (), 0), ({'success': False}, (), 6), ({'success': True}, (), 0),
    ({'failed': True}, (), 6), ({}, ('3',), 6), ({}, ('all',), 6), ({}, ('4',), 0)])
def test_failed_episodes(info, failed, expected):
    labeller = Labeller(LabelOptions(failed_s=0.1, failed=failed), Problems())
    episode = labeller.apply(make_episode(info=info, hazards=np.zeros(26, np.uint8)), name='x',
                             number=3)
    assert np.count_nonzero(episode.hazards) == expected
    assert (episode.hazard_kinds[-1] == 'failure') == bool(expected)


def test_efforts_that_are_missing_are_told():
    problems = Problems()
    labeller = Labeller(LabelOptions(effort_nm=1.0), problems)
    episode = make_episode(efforts=np.zeros((26, 3), np.float32))
    assert np.array_equal(labeller.apply(episode, name='x', number=0).hazards, episode.hazards)
    assert problems.lines() == [
        'x: all efforts are zero: the driver gives none, so no spike can be found']
