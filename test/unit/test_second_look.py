# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The second look: what it may allow, what it never does, and when there is no time for it."""

from dataclasses import replace

import numpy as np
import pytest
from fake_judge import JOINTS, FakeJudge

from wm_ros.datatypes import (
    ActionChunk,
    CommandInterface,
    Decision,
    JointSample,
    Observation,
    Prediction,
    Reason,
    Trajectory,
)
from wm_ros.gate.speeds import as_sent
from wm_ros.inference.escape import leads_away
from wm_ros.inference.plans import Plan, PlanChooser
from wm_ros.inference.second_look import Moment, SecondLook

DIGEST = bytes(range(16))
PLAN = Plan(num_steps=5)
START = np.array([0.4, 0.0, 0.0])


def make_chunk(to=0.9, **changes) -> ActionChunk:
    """Make a command that moves the first joint for half a second, from 0.4 rad."""
    share = np.arange(1, 6)[:, None] / 5
    start = JointSample(names=JOINTS, positions=START, velocities=np.zeros(3), stamp_ns=0)
    trajectory = Trajectory(
        joint_names=JOINTS, times=0.1 * np.arange(1, 6),
        positions=START + share * np.array([to - 0.4, 0.0, 0.0]))
    return ActionChunk(**{
        'chunk_id': 7, 'digest': DIGEST, 'source': 'test', 'trajectory': trajectory,
        'interface': CommandInterface.JOINT_TRAJECTORY, 'start': start, 'stamp_ns': 0,
        'decide_by_ns': 10**9, **changes})


def by_place(chunk) -> np.ndarray:
    """
    Foresee a hazard by where the first joint is at each step, from 0 rad on.

    By hand: to 0 rad at its speed the risk is 0.57; at 0.75 of it 0.70, of which 0.39 is the
    chance in the later half; to stay is 0.89.
    """
    times = np.append(0.0, chunk.trajectory.times)
    places = np.append(chunk.start.positions[0], chunk.trajectory.positions[:, 0])
    at = np.interp(0.1 * np.arange(1, 6), times, places)
    return 1.0 - np.cumprod((1.0 - np.clip(0.5 * at, 0.0, 0.5)) ** 2)


def by_speed(chunk) -> np.ndarray:
    """Foresee a hazard by how far the first joint gets."""
    times = np.append(0.0, chunk.trajectory.times)
    places = np.append(chunk.start.positions[0], chunk.trajectory.positions[:, 0])
    at = np.interp(0.1 * np.arange(1, 6), times, places)
    return np.maximum.accumulate(np.abs(at - 0.4))


def look(chunk, judge, *, left_ms=100.0, usual_ms=5.0, **settings):
    """Take both looks."""
    observation = Observation(
        images=np.zeros((2, 7, 11, 3), np.uint8), image_stamps_ns=(0, 1),
        joints=JointSample(names=JOINTS, positions=START, velocities=np.zeros(3), stamp_ns=0))
    first = judge.judge(chunk, observation, stamp_ns=5, num_steps=5)
    judge.events.clear()
    judge.chunks.clear()
    second = SecondLook(judge, PlanChooser([PLAN], [usual_ms]), **settings)
    return second.look(chunk, first, Moment(observation, 5, PLAN, left_ms)).verdict


def test_a_refused_command_is_allowed_slower_and_carries_its_digest():
    judge = FakeJudge(foresee=by_speed)
    # 0.5 rad away at its speed is a risk of 0.5; at 0.4 of it the arm gets 0.2 rad far.
    verdict = look(make_chunk(), judge, slow_factors=[0.75, 0.4])
    assert verdict.decision is Decision.SLOW
    assert verdict.speed_factor == as_sent(0.4), 'a message carries no more digits'
    assert verdict.digest == DIGEST
    assert verdict.reasons == Reason.RISK
    assert (verdict.risk, verdict.risk_threshold) == (pytest.approx(0.2), 0.25)
    assert judge.events[0] == 'candidates 2', 'both in one pass'
    assert judge.chunks[1].trajectory.times == pytest.approx(make_chunk().trajectory.times / 0.4)


def test_a_slowed_command_needs_less_risk_than_one_at_its_own_speed():
    # 0.6 of the speed is a risk of 0.3, below the threshold of 0.5, above half of it.
    assert look(make_chunk(), FakeJudge(foresee=by_speed),
                slow_factors=[0.6]).decision is Decision.VETO
    assert look(make_chunk(), FakeJudge(foresee=by_speed), slow_factors=[0.6],
                risk_share=1.0).decision is Decision.SLOW


@pytest.mark.parametrize(('left_ms', 'factor'), [(4.9, None), (5.1, None), (10.1, 0.4)])
def test_it_looks_as_often_as_there_is_time(left_ms, factor):
    verdict = look(make_chunk(), FakeJudge(foresee=by_speed), left_ms=left_ms,
                   slow_factors=[0.75, 0.4])
    expected = (Decision.VETO, 1.0) if factor is None else (Decision.SLOW, as_sent(factor))
    assert (verdict.decision, verdict.speed_factor) == expected


@pytest.mark.parametrize('chunk', [make_chunk(0.5), make_chunk(0.9)], ids=['allowed', 'refused'])
def test_without_settings_there_is_no_second_look(chunk):
    judge = FakeJudge(foresee=by_speed)
    look(chunk, judge)
    assert judge.events == []


@pytest.mark.parametrize('changes', [
    {'decision': Decision.INVALID, 'reasons': Reason.MODEL_ERROR},
    {'decision': Decision.ABSTAIN, 'reasons': Reason.UNCALIBRATED},
    {'decision': Decision.ABSTAIN, 'reasons': Reason.UNCERTAIN | Reason.OOD}])
def test_what_is_not_refused_for_its_risk_stays_refused(changes):
    judge = FakeJudge(foresee=by_speed)
    chunk = make_chunk(escape_factor=0.5)
    first = judge.judge(chunk, Observation(
        images=np.zeros(1), image_stamps_ns=(0,), joints=chunk.start), stamp_ns=0)
    first = first._replace(verdict=replace(first.verdict, **changes))
    second = SecondLook(judge, PlanChooser([PLAN], [1.0]), slow_factors=[0.4])
    assert not second.is_wanted(chunk, first)


def test_what_leads_away_from_a_risk_is_allowed_at_the_speed_that_the_gate_asked_for():
    chunk = make_chunk(to=0.0, escape_factor=0.75)
    judge = FakeJudge(foresee=by_place)
    assert by_place(chunk).max() >= 0.5, 'the first look refuses it'
    verdict = look(chunk, judge)
    assert verdict.decision is Decision.SLOW
    assert verdict.reasons == Reason.RISK | Reason.ESCAPE
    assert verdict.speed_factor == 0.75
    assert verdict.digest == DIGEST
    assert 'leads away' in verdict.message
    moving, staying = judge.chunks[-2:]
    assert moving.trajectory.times == pytest.approx(chunk.trajectory.times / 0.75)
    assert staying.trajectory.positions == pytest.approx(START[None])


@pytest.mark.parametrize(('to', 'left_ms', 'escape_factor'), [
    (0.7, 100.0, 0.75), (0.39, 100.0, 0.75), (0.0, 9.9, 0.75), (0.0, 100.0, 0.0)],
    ids=['further in', 'nowhere', 'no time', 'not asked'])
def test_what_does_not_lead_away_stays_refused(to, left_ms, escape_factor):
    judge = FakeJudge(foresee=by_place)
    verdict = look(make_chunk(to=to, escape_factor=escape_factor), judge, left_ms=left_ms)
    assert verdict.decision is Decision.VETO
    assert verdict.reasons == Reason.RISK


def test_an_allowed_command_is_looked_at_as_it_will_be_released():
    judge = FakeJudge(foresee=by_speed)
    verdict = look(make_chunk(0.5, slow_factor=0.5), judge)
    assert (verdict.decision, verdict.speed_factor) == (Decision.OK, 0.5)
    assert judge.events == ['candidates 1', 'judge']
    assert verdict.risk == pytest.approx(0.05)
    assert look(make_chunk(0.5, slow_factor=0.5), judge, left_ms=4.0).speed_factor == 1.0
    # Slower it would be worse: then it is not released slower.
    judge.foresee = lambda chunk: np.full(5, 0.1 if chunk.trajectory.times[0] < 0.15 else 0.9)
    verdict = look(make_chunk(0.5, slow_factor=0.5), judge)
    assert (verdict.decision, verdict.speed_factor) == (Decision.VETO, 1.0)


def predict(risk, uncertainty=0.0) -> Prediction:
    """Make a prediction of so many steps."""
    risk = np.asarray(risk, np.float32)
    return Prediction(
        offsets_s=np.arange(len(risk)), risk=risk, joint_names=(), model_id='',
        uncertainty=np.full(len(risk), uncertainty, np.float32),
        joint_positions=np.zeros((len(risk), 0), np.float32))


STAY = (0.4, 0.6, 0.7, 0.8)


@pytest.mark.parametrize(('moving', 'staying', 'uncertainty', 'expected'), [
    ((0.4, 0.5, 0.52, 0.53), STAY, 0.0, True),
    # A little worse on the way is within what two runs differ by, more is not.
    ((0.41, 0.5, 0.52, 0.53), STAY, 0.0, True),
    ((0.43, 0.5, 0.52, 0.53), STAY, 0.0, False),
    # By hand: 0.5 in the first half, then (0.69 - 0.5) / 0.5 = 0.38 against 0.35.
    ((0.4, 0.5, 0.6, 0.69), STAY, 0.0, False),
    # No gain, and a gain that is smaller than what the ensemble disagrees on.
    ((0.4, 0.6, 0.7, 0.76), STAY, 0.0, False),
    ((0.4, 0.5, 0.52, 0.53), STAY, 0.3, False),
    ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0), 0.0, False),
    ((0.5,), (0.9,), 0.0, False),
    ((float('nan'),) * 4, STAY, 0.0, False),
])
def test_when_a_motion_leads_away(moving, staying, uncertainty, expected):
    found = leads_away(predict(moving, uncertainty), predict(staying), 0.35)
    assert found is expected


def test_when_the_time_is_over_nothing_is_looked_at_again():
    """A time below zero counted from the end of the list: the slowest factors were left out."""
    judge = FakeJudge(foresee=by_speed)
    look(make_chunk(), judge, left_ms=-11.0, usual_ms=10.0, slow_factors=(0.75, 0.5, 0.25))
    assert not judge.chunks
