# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The adversarial campaign on real graphs: the listed seeds, and gates that are broken on purpose.

A campaign that finds nothing proves something only if it can find something, so every promise is
broken once (test/broken_gate.py) and must be missed.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

from wm_ros.demo.main import gate_arguments, predictor_arguments
from wm_ros.demo.processes import Processes
from wm_ros.faults.campaign_action import KINDS, Action
from wm_ros.faults.campaign_walk import Walk, make_walk
from wm_ros.faults.fault import Graph
from wm_ros.ros import campaign_acts_commands, campaign_acts_inputs
from wm_ros.ros.campaign_runner import ACTS, LIVENESS_S
from wm_ros.ros.campaign_session import campaign_session
from wm_ros.ros.campaign_tampering import TAMPERS
from wm_ros.verbs.campaign import read_seeds

TEST = Path(__file__).resolve().parents[1]
SEEDS = read_seeds(TEST / 'campaign_seeds.json')
COMMANDS = {'wm_gate': gate_arguments('enforce'),
            'wm_predictor': predictor_arguments('default', 'onnxruntime')}
MOVE = Action(kind='move', variant='short', gap_ms=60)


def act(kind, variant, gap_ms=60, for_ms=0, value=0.0):
    return Action(kind=kind, variant=variant, gap_ms=gap_ms, for_ms=for_ms, value=value)


@contextmanager
def open_runner(path, *gate_through):
    path_list = os.pathsep.join((str(TEST), os.environ.get('PYTHONPATH', '')))
    with Processes(path / 'logs', {**os.environ, 'PYTHONPATH': path_list}) as processes, (
            campaign_session(processes, COMMANDS, path, gate_through=gate_through,
                             liveness_s=3.0 if gate_through else LIVENESS_S)) as runner:
        yield runner


@pytest.fixture
def runner(tmp_path):
    """Run walks on the gate as it is; two graphs of one domain would answer for each other."""
    with open_runner(tmp_path) as runner:
        yield runner


def test_everything_that_can_be_drawn_can_be_done():
    assert set(ACTS) == set(KINDS)
    assert set(TAMPERS) == set(KINDS['verdict'].variants)
    assert set(campaign_acts_commands._SPOIL) | set(campaign_acts_commands._ODD) == set(
        KINDS['command'].variants)
    others = {'silent', *campaign_acts_inputs._SIGN}
    assert {*campaign_acts_inputs._BROKEN, *campaign_acts_inputs._UNUSUAL, *others} == set(
        KINDS['joints'].variants)
    assert {*campaign_acts_inputs._SPOIL_PICTURE, *others} == set(KINDS['camera'].variants)


@pytest.mark.timeout(400)
def test_the_listed_seeds_break_nothing(runner):
    num_injected, kinds = 0, set()
    for seed in SEEDS:
        result = runner.run(make_walk(seed))
        assert not result.violations, f'seed {seed}: {result.violations}'
        num_injected += result.num_injected
        kinds |= {name.split()[0] for name in result.counts}
    assert num_injected >= 300
    assert kinds == set(KINDS) - {'move'}


def test_a_walk_ends_with_a_release_and_begins_anew(runner):
    """A stop that is latched by one walk is no matter to the next."""
    stop = Walk(seed=-1, graph=Graph.GATE, actions=(act('stop', 'service', for_ms=100),))
    for _ in range(2):
        result = runner.run(stop)
        assert result.counts == {'stop service': 1}
        assert result.violations == ()
        assert 0.0 < result.released_after_s < LIVENESS_S


BROKEN = {
    'any_digest': ('2', [act('verdict', 'digest_bit')]),
    'no_verdict': ('2', [MOVE]),
    'zeros': ('2', [MOVE, act('command', 'nan')]),
    'expired': ('2', [act('verdict', 'expired', value=2.0)]),
    'replays': ('2', [act('verdict', 'delay', value=0.1), act('command', 'nan', 20), MOVE]),
    'chatty': ('1', [act('lifecycle', 'cleanup', for_ms=100), MOVE]),
    'no_hold': ('4', [act('move', 'short', 500), act('command', 'nan'), MOVE]),
    'old_joints': ('5', [MOVE, act('joints', 'silent', for_ms=900),
                         act('command', 'nan', 600)]),
    'no_limit_to_timeouts': ('6', [act('parameter', 'zero', value=2.0)]),
    'latched': ('7', [MOVE]),
    'no_watchdog': ('8', [MOVE, act('beat', 'silent', for_ms=1200), act(
        'move', 'short', 900), MOVE]),
    'forgets_progress': ('2', [act('beat', 'stuck', for_ms=900), *[
        act('move', 'short', gap_ms) for gap_ms in (400, 30, 30, 30)]]),
    'trusts_first_beat': ('8', [
        act('beat', 'frozen', for_ms=2500), act('lifecycle', 'cleanup', 500, for_ms=100),
        act('move', 'short', 300), MOVE]),
    'sim_time': ('9', [act('lifecycle', 'sim_time', for_ms=100)]),
    'raises': ('10', [act('command', 'nan'), MOVE]),
    'deaf': ('stopped', [act('stop', 'topic', for_ms=600), act('move', 'short', 300)]),
    'holds_for_ever': ('liveness', [act('command', 'nan')]),
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize('way', BROKEN)
def test_a_broken_promise_is_seen(tmp_path, way):
    invariant, actions = BROKEN[way]
    with open_runner(tmp_path, 'broken_gate', way) as runner:
        result = runner.run(Walk(seed=-1, graph=Graph.GATE, actions=tuple(actions)))
    assert result.breaks(invariant), result.violations


@pytest.mark.timeout(300)
@pytest.mark.parametrize('way', ['no_verdict', 'zeros'])
def test_a_walk_that_breaks_a_promise_is_shrunk_to_few_actions(tmp_path, way):
    with open_runner(tmp_path, 'broken_gate', way) as runner:
        result = runner.run(make_walk(SEEDS[0]))
        assert result.violations
        actions = runner.shrink(result, most_tries=25)
        assert 1 <= len(actions) <= 4, actions
        again = [runner.run(Walk(seed=-1, graph=result.walk.graph, actions=actions))
                 for _ in range(3)]
    assert any(each.breaks(result.violations[0].invariant) for each in again)
