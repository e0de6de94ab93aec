# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""`wm-ros faults campaign` around its walks: which are made, what is kept, what is said."""

import json
from contextlib import contextmanager

import pytest

from wm_ros.cli import main
from wm_ros.faults.campaign_judge import Violation
from wm_ros.faults.campaign_report import WalkResult
from wm_ros.verbs import campaign


class FakeRunner:
    """
    Make no walk; 30 faults each.

    :param bad_seeds: walks of these break a promise; so does each walk of one action.
    """

    def __init__(self, bad_seeds=()):
        self.bad_seeds = bad_seeds
        self.walks = []

    def run(self, walk):
        self.walks.append(walk)
        is_bad = walk.seed in self.bad_seeds
        return WalkResult(
            walk=walk, counts={'command nan': 30}, last_action=0 if is_bad else None,
            violations=(Violation(invariant='4', words='no hold'),) if is_bad else (),
            released_after_s=0.1, duration_s=2.0)

    def shrink(self, result):
        return result.walk.actions[:1]


@pytest.fixture
def play(monkeypatch, tmp_path):
    """Run the command; returns its exit code, the runner and what is in the file."""
    path = tmp_path / 'out.json'

    def run(*arguments, bad_seeds=(), writes=True):
        runner = FakeRunner(bad_seeds)

        @contextmanager
        def open_runner(logs):
            yield runner

        monkeypatch.setattr(campaign, 'open_runner', open_runner)
        file = ['--json', str(path)] if writes else []
        code = main(['faults', 'campaign', *arguments, *file])
        return code, runner, json.loads(path.read_text()) if path.exists() else None

    run.path = path
    return run


def test_a_range_of_seeds_is_run_and_kept(play):
    code, runner, data = play('--seeds', '3:6')
    assert code == 0
    assert [walk.seed for walk in runner.walks] == [3, 4, 5]
    assert (data['injected'], data['violations']) == (90, 0)


def test_what_was_finished_is_not_run_again(play):
    play('--seeds', '3:6')
    code, runner, data = play('--seeds', '2:7')
    assert code == 0
    assert [walk.seed for walk in runner.walks] == [2, 6]
    assert sorted(walk['seed'] for walk in data['walks']) == [2, 3, 4, 5, 6]


def test_it_ends_when_so_many_faults_were_injected(play):
    _, runner, data = play('--faults', '100')
    assert [walk.seed for walk in runner.walks] == [0, 1, 2, 3]
    assert data['injected'] == 120
    _, runner, data = play('--faults', '150')
    assert [walk.seed for walk in runner.walks] == [4]


def test_the_seeds_of_a_file_are_run(play, tmp_path):
    (tmp_path / 'seeds.json').write_text('{"generator": 1, "seeds": [9, 4, 9]}')
    _, runner, _ = play('--seed-file', str(tmp_path / 'seeds.json'))
    assert [walk.seed for walk in runner.walks] == [9, 4]


def test_a_broken_promise_is_code_1_and_is_kept_with_few_actions(play, capsys):
    code, runner, data = play('--seeds', '3:6', bad_seeds=(4,))
    assert code == 1
    assert [walk.seed for walk in runner.walks] == [3, 4, 5], 'the others are run all the same'
    [failure] = data['failures']
    assert (failure['seed'], failure['invariant'], len(failure['actions'])) == (4, '4', 1)
    found = capsys.readouterr()
    assert 'promise 4: no hold' in found.out
    assert '1 promises were broken' in found.err


def test_a_failure_is_played_again(play, capsys):
    _, before, data = play('--seeds', '3:6', bad_seeds=(4,))
    code, runner, _ = play('--replay', str(play.path), '--times', '2', bad_seeds=(4,),
                           writes=False)
    assert code == 1
    assert len(runner.walks) == 2
    assert runner.walks[0].actions == before.walks[1].actions[:1]
    assert 'seed 4, promise 4: broken 2 of 2 times' in capsys.readouterr().out


def test_a_failure_that_was_repaired_is_code_0(play, capsys):
    play('--seeds', '3:6', bad_seeds=(4,))
    code, runner, _ = play('--replay', str(play.path), writes=False)
    assert code == 0
    assert len(runner.walks) == 3
    assert 'broken 0 of 3 times' in capsys.readouterr().out


def test_a_file_of_other_walks_is_not_gone_on_with(play, capsys):
    play.path.write_text('{"generator": 0, "walks": [], "failures": []}')
    code, runner, _ = play('--seed', '3')
    assert code == 2
    assert runner.walks == []
    assert 'begin another file' in capsys.readouterr().err
