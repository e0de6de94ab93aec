# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The campaign's walks, how they are shrunk, and what is kept of them."""

import argparse
import hashlib
import json
from pathlib import Path

import pytest

from wm_ros.cli import main
from wm_ros.faults.campaign_action import KINDS, Action, read_action
from wm_ros.faults.campaign_judge import Violation
from wm_ros.faults.campaign_report import (
    CampaignReport,
    WalkResult,
    read_failures,
    read_report,
)
from wm_ros.faults.campaign_shrinking import shrink
from wm_ros.faults.campaign_walk import GENERATOR, Walk, make_walk
from wm_ros.faults.fault import Graph
from wm_ros.verbs.campaign import read_seeds, seed_range

SEED_FILE = Path(__file__).resolve().parents[1] / 'campaign_seeds.json'
MOVE = Action(kind='move', variant='short', gap_ms=20)
NAN = Action(kind='command', variant='nan', gap_ms=30)
STEP = Action(kind='clock', variant='step', gap_ms=0, value=-0.3)


def make_result(seed=5, *violations, counts=None):
    return WalkResult(
        walk=Walk(seed=seed, graph=Graph.GATE, actions=(MOVE, NAN)), violations=violations,
        counts={'command nan': 1} if counts is None else counts, last_action=0,
        released_after_s=0.25, duration_s=2.0)


def test_a_seed_is_the_same_walk_everywhere():
    """Another walk for a seed needs another GENERATOR, or kept seeds mean something else."""
    text = json.dumps([[action.to_dict() for action in make_walk(seed).actions]
                       for seed in range(40)], sort_keys=True)
    assert (GENERATOR, hashlib.sha256(text.encode()).hexdigest()[:16]) == (1, '214bd74026df4058')
    assert make_walk(7) == make_walk(7)
    assert make_walk(7) != make_walk(8)


def test_walks_stay_within_their_bounds_and_leave_nothing_out():
    walks = [make_walk(seed) for seed in range(400)]
    assert all(25 <= walk.num_faults <= 45 for walk in walks)
    assert sum(walk.num_faults for walk in walks[:300]) > 10_000
    for walk in walks:
        for name, kind in KINDS.items():
            count = sum(action.kind == name for action in walk.actions)
            assert count <= kind.most
            assert not count or kind.graph in (None, walk.graph)
    drawn = {(action.kind, action.variant) for walk in walks for action in walk.actions}
    assert drawn == {(name, variant) for name, kind in KINDS.items()
                     for variant in kind.variants}
    graphs = [walk.graph for walk in walks]
    assert graphs.count(Graph.PREDICTOR) == 60
    assert sum(a is not b for a, b in zip(graphs, graphs[1:], strict=False)) <= 20


def test_a_walk_of_no_seed_is_refused():
    with pytest.raises(ValueError, match='seed is -1'):
        make_walk(-1)


@pytest.mark.parametrize(('change', 'text'), [
    ({'kind': 'magic'}, "kind is 'magic'; there is move"),
    ({'variant': 'sideways'}, "variant of move is 'sideways'; there is short"),
    ({'gap_ms': -1}, 'gap_ms is -1; allowed is 0 to 60000'),
    ({'for_ms': 60_001}, 'for_ms is 60001'),
    ({'value': None}, 'no action'),
])
def test_an_action_that_cannot_be_is_refused(change, text):
    with pytest.raises(ValueError, match=text):
        read_action({**MOVE.to_dict(), **change})


@pytest.mark.parametrize('data', [{}, [], 'move', {**MOVE.to_dict(), 'more': 1}])
def test_what_is_no_action_is_refused(data):
    with pytest.raises(ValueError, match='an action has for_ms, gap_ms, kind'):
        read_action(data)


@pytest.mark.parametrize('action', [MOVE, NAN, STEP])
def test_an_action_survives_the_file(action):
    assert read_action(json.loads(json.dumps(action.to_dict()))) == action


@pytest.mark.parametrize(('wanted', 'last'), [({3}, 3), ({3, 17}, 17), ({0, 9, 20}, None),
                                              ({40}, 40), ({0, 40}, 40)])
def test_only_what_is_needed_is_left(wanted, last):
    tried = []

    def fails(items):
        tried.append(list(items))
        return wanted <= set(items)

    assert shrink(list(range(41)), fails, last=last, most_tries=200) == sorted(wanted)
    assert all(items == sorted(items) for items in tried)
    assert len(tried) == len({tuple(items) for items in tried}), 'a list was tried twice'


def test_what_comes_after_the_failure_is_left_out_at_once():
    tried = []
    shrink(list(range(40)), lambda items: tried.append(items) or 11 in items, last=11,
           most_tries=1)
    assert tried == [[11]]


def test_a_failure_that_does_not_happen_again_keeps_everything():
    calls = []
    items = list(range(12))
    assert shrink(items, lambda some: bool(calls.append(some)), last=7, most_tries=9) == items
    assert len(calls) == 9


def test_the_file_grows_and_can_be_gone_on_with(tmp_path):
    path = tmp_path / 'out.json'
    report = CampaignReport()
    report.add(make_result(5))
    report.add(make_result(6, Violation(invariant='4', words='no hold')), (NAN,))
    report.write(path)
    assert list(tmp_path.iterdir()) == [path]
    data = json.loads(path.read_text())
    assert (data['injected'], data['violations'], data['num_walks']) == (2, 1, 2)
    assert data['injected_by_kind'] == {'command nan': 2}
    assert data['longest_to_release_s'] == 0.25
    again = read_report(path)
    assert again.to_dict() == report.to_dict()
    assert again.seeds == {5, 6}
    assert again.summary() == '2 faults in 2 walks, 0.5 a second; 1 violations'
    assert read_failures(path) == [('4', Walk(seed=6, graph=Graph.GATE, actions=(NAN,)))]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / 'out.json').mkdir()
    with pytest.raises(OSError, match=r'out\.json'):
        CampaignReport().write(tmp_path / 'out.json')
    assert [path.name for path in tmp_path.iterdir()] == ['out.json']


@pytest.mark.parametrize(('text', 'words'), [
    ('{', 'is not JSON'), ('[]', 'holds no report'),
    ('{"generator": 0}', 'generator is 0, and this version makes the walks of generator 1'),
    ('{"generator": 1, "walks": 3}', 'must be lists')])
def test_what_is_no_report_is_refused(tmp_path, text, words):
    path = tmp_path / 'out.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_report(path)


@pytest.mark.parametrize(('failures', 'words'), [
    ([], 'no failure'), (None, 'no failure'), ([{'invariant': '2'}], "no 'actions'"),
    ([{'invariant': '2', 'actions': [], 'seed': 1, 'graph': 'moon'}], "no 'MOON'"),
    ([{'invariant': '2', 'actions': [{}], 'seed': 1, 'graph': 'gate'}], 'an action has')])
def test_what_cannot_be_replayed_is_refused(tmp_path, failures, words):
    path = tmp_path / 'out.json'
    path.write_text(json.dumps({'failures': failures}))
    with pytest.raises(ValueError, match=words):
        read_failures(path)


def test_the_listed_seeds_are_enough_for_three_hundred_faults():
    walks = [make_walk(seed) for seed in read_seeds(SEED_FILE)]
    # A few take no effect: a command that is not judged any more has no verdict to tamper with.
    assert sum(walk.num_faults for walk in walks) > 380
    assert {walk.graph for walk in walks} == {Graph.GATE, Graph.PREDICTOR}
    kinds = {action.kind for walk in walks for action in walk.actions}
    assert kinds == set(KINDS)


@pytest.mark.parametrize(('text', 'words'), [
    ('{', 'not JSON'), ('[1]', "'generator' must be 1"), ('{"generator": 2}', 'must be 1'),
    ('{"generator": 1, "seeds": [-1]}', 'whole numbers from 0'),
    ('{"generator": 1, "seeds": [true]}', 'whole numbers from 0')])
def test_a_list_of_seeds_that_is_none_is_refused(tmp_path, text, words):
    path = tmp_path / 'seeds.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_seeds(path)


@pytest.mark.parametrize('text', ['5', '5:5', '7:3', 'a:b', ':3', '-1:4'])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match='must be A:B'):
        seed_range(text)


@pytest.mark.parametrize(('arguments', 'words'), [
    ([], '--seed, --seeds, --seed-file or --faults'),
    (['--seed', '1', '--json', '/nowhere/out.json'], 'there is no directory /nowhere'),
])
def test_wrong_usage_is_code_2_and_starts_nothing(capsys, arguments, words):
    assert main(['faults', 'campaign', *arguments]) == 2
    assert words in capsys.readouterr().err
