# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Many trajectories for a planner, over real DDS: ~/check_candidates of wm_predictor."""

import pytest
from fake_judge import JOINTS, FakeJudge, stuck
from harness import Harness
from lifecycle_msgs.msg import Transition
from predictor_bench import Bench
from trajectory_msgs.msg import JointTrajectory

from wm_ros.errors import EngineError
from wm_ros.msg import Verdict
from wm_ros.srv import CheckCandidates

DEACTIVATE = Transition.TRANSITION_DEACTIVATE



@pytest.fixture
def judge():
    return FakeJudge()


@pytest.fixture
def make(judge):
    with Harness() as harness:
        yield lambda **parameters: Bench(
            harness, lambda config: judge, joints=JOINTS, **parameters)


@pytest.fixture
def bench(make):
    return make().start()


def ask_candidates(bench, trajectories):
    client = bench.harness.tester.create_client(CheckCandidates, 'wm_predictor/check_candidates')
    assert client.wait_for_service(5.0)
    answer = client.call_async(CheckCandidates.Request(trajectories=trajectories))
    bench.harness.spin_until(answer.done, 10.0, 'no answer to check_candidates')
    return answer.result()


def test_candidates_of_a_planner_are_judged_in_their_order(bench, judge):
    bench.feed()
    trajectories = [bench.chunk().trajectory for _ in range(6)]
    answer = ask_candidates(bench, trajectories)
    assert (answer.success, answer.message) == (True, '')
    assert [verdict.chunk_id for verdict in answer.verdicts] == list(range(6))
    assert {verdict.decision for verdict in answer.verdicts} == {Verdict.OK}
    assert len({bytes(verdict.digest) for verdict in answer.verdicts}) == 1
    # A few in a turn, all of them by one observation.
    assert [text for text in judge.events if text.startswith('candidates')] == [
        'candidates 4', 'candidates 2']
    assert len({id(one) for one in judge.observations}) == 1
    # No verdict on the gate's topic: nothing of this may release anything.
    assert not bench.verdicts.received


def test_a_command_comes_before_the_candidates_that_wait(bench, judge):
    bench.feed()
    trajectories = [bench.chunk().trajectory for _ in range(12)]
    client = bench.harness.tester.create_client(CheckCandidates, 'wm_predictor/check_candidates')
    assert client.wait_for_service(5.0)
    with stuck(judge, 'judge_candidates') as entered:
        answer = client.call_async(CheckCandidates.Request(trajectories=trajectories))
        bench.harness.spin_until(entered.is_set, 5.0, 'no candidate was looked at')
        message = bench.chunk()
        bench.chunks.publish(message)
        mailbox = bench.node._worker.mailbox
        bench.harness.spin_until(lambda: mailbox.queue == 1, 5.0, 'the command did not arrive')
    verdict = bench.verdicts.expect(lambda v: v.chunk_id == message.chunk_id)
    assert verdict.decision == Verdict.OK
    bench.harness.spin_until(answer.done, 10.0, 'no answer to check_candidates')
    assert len(answer.result().verdicts) == 12
    # Judged after the first four candidates and before the others.
    order = [chunk.chunk_id for chunk in judge.chunks]
    assert order.index(message.chunk_id) == 4


def test_candidates_that_cannot_be_judged_are_refused_in_words(bench, judge):
    stale = ask_candidates(bench, [bench.chunk().trajectory])
    assert not stale.success
    assert 'no camera frame yet' in stale.message
    bench.feed()
    for count in (0, 257):
        answer = ask_candidates(bench, [JointTrajectory()] * count)
        assert (answer.success, answer.message) == (
            False, f'{count} trajectories; give 1 to 256')
    broken = bench.chunk().trajectory
    broken.points[1].positions = [0.0]
    answer = ask_candidates(bench, [bench.chunk().trajectory, broken])
    assert not answer.success
    assert answer.message.startswith('trajectory 1:')
    judge.error = EngineError('out of memory')
    answer = ask_candidates(bench, [bench.chunk().trajectory])
    assert (answer.success, answer.message) == (False, 'out of memory')
    judge.error = None
    assert ask_candidates(bench, [bench.chunk().trajectory]).success
    bench.harness.change_state('wm_predictor', DEACTIVATE)
    answer = ask_candidates(bench, [bench.chunk().trajectory])
    assert (answer.success, answer.message) == (False, 'the predictor is not active')
