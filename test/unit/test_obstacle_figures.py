# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The four figures of an obstacle episode, worked out by hand, and the stored episodes."""

import numpy as np
import pytest

from wm_ros.data.episode import EPISODE_GLOB, read_episode
from wm_ros.faults.judging import Findings
from wm_ros.faults.obstacle_figures import figures, judge, runs, together
from wm_ros.inference.checkpoint import resolve_checkpoint

EPISODES = sorted((resolve_checkpoint('default').parent / 'obstacles').glob(EPISODE_GLOB))
END_S = 15.0
IN_WAY = [(3.0, 6.0), (9.0, 12.0)]


def test_flags_become_intervals_until_the_next_of_another_kind():
    assert runs([False, True, True, False, True], [0.0, 1.0, 2.0, 3.0, 4.5], 6.0) == [
        (1.0, 3.0), (4.5, 6.0)]
    assert runs([], [], 6.0) == []


def test_a_gate_that_is_a_little_late():
    found = figures(IN_WAY, [(3.2, 6.1), (9.5, 12.4)], END_S)
    assert found.stops_s == pytest.approx((0.2, 0.5))
    assert found.resumes_s == pytest.approx((0.1, 0.4))
    assert found.hold_share == pytest.approx((2.8 + 2.5) / 6)
    # What it holds on within the time that it has to resume is no false stop.
    assert found.false_stop_share == 0.0
    assert found.clear_s == pytest.approx(3.0 + 2.4 + 2.4)


def test_a_gate_that_never_holds_and_one_that_always_does():
    never = figures(IN_WAY, [], END_S)
    assert (never.stops_s, never.hold_share) == ((None, None), 0.0)
    assert never.resumes_s == (0.0, 0.0)
    always = figures(IN_WAY, [(0.0, END_S)], END_S)
    assert (always.stops_s, always.hold_share) == ((0.0, 0.0), 1.0)
    assert (always.resumes_s, always.false_stop_share) == ((None, None), 1.0)


def test_a_stop_after_it_had_gone_is_none_and_is_false():
    found = figures([(3.0, 6.0)], [(6.3, 7.6)], END_S)
    assert (found.stops_s, found.resumes_s) == ((None,), (0.0,))
    assert found.false_s == pytest.approx(1.0)


def test_recordings_are_judged_as_one():
    one = figures(IN_WAY, [(3.0, 6.0), (9.0, 12.0)], END_S)
    two = figures([], [(1.0, 2.0)], 10.0)
    both = together([one, two])
    assert (both.stops_s, both.hold_share) == ((0.0, 0.0), 1.0)
    assert both.false_stop_share == pytest.approx(1.0 / (one.clear_s + 10.0))


@pytest.mark.parametrize(('held', 'words'), [
    ([(3.2, 6.1), (9.2, 12.4)], ''),
    ([(3.2, 6.1), (9.7, 12.4)], 'stop with something in the way after 700 ms'),
    ([(3.2, 6.1)], 'no stop with something in the way'),
    ([(3.2, 6.7), (9.2, 12.4)], 'release when it had gone after 700 ms'),
    ([(3.2, 5.0), (9.2, 12.4)], 'held 76.7 % of 6.0 s'),
    ([(1.0, 1.5), (3.2, 6.1), (9.2, 12.4)], 'held 6.4 % of 7.8 s with nothing in the way')])
def test_each_figure_can_break_the_promise(held, words):
    found = Findings()
    judge(found, figures(IN_WAY, held, END_S), 1)
    broken = [text for kept, text in found.parts if not kept]
    assert bool(broken) is bool(words)
    assert not words or words in ' '.join(broken)


@pytest.mark.parametrize('path', EPISODES, ids=lambda path: path.stem)
def test_a_stored_episode_has_its_truth_and_its_command(path):
    episode = read_episode(path)
    in_way = runs((episode.hazards > 0).tolist(), (
        episode.joint_stamps_ns - episode.joint_stamps_ns[0]) / 1e9, END_S)
    assert len(in_way) == 2
    assert all(2.5 < end - begin < 3.5 for begin, end in in_way)
    assert len(episode.frames) == len(episode.joint_stamps_ns) == 150
    assert np.shape(episode.info['positions']) == (len(episode.info['times']), 6)
    assert path.stat().st_size < 2**21


def test_there_are_several_of_them():
    assert len(EPISODES) == 3
