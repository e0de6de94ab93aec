# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A trajectory goal in the gate: judged window by window, let go piece by piece, ended once."""

from dataclasses import replace

import numpy as np
import pytest
from gate_rig import MS, Rig, make_command, make_config
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.datatypes import CommandInterface, Decision, Reason, Trajectory
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import (
    CancelGoal,
    Forward,
    GoalEnded,
    Hold,
    PublishChunk,
    Refused,
    ScaleSpeed,
)
from wm_ros.gate.goal import GOAL_SOURCE, advance
from wm_ros.gate.values import State


def long_command(seconds=3.0, speed=0.25):
    """Make a goal along joint a at constant speed, a point every 0.1 s."""
    count = round(seconds * 10)
    rows = tuple((speed * 0.1 * (k + 1), 0.0) for k in range(count))
    return make_command(rows, [100 * (k + 1) for k in range(count)])


class GoalRig(Rig):
    """A rig whose arm follows what was let go, and whose predictor answers goals as told."""

    decision = Decision.OK
    is_answering = True
    changes: dict = {}

    def goal(self, command=None, goal_id=1):
        """Send a goal and let the predictor answer."""
        return self.settle(self.note(
            self.gate.take_goal(goal_id, command or make_command(), self.now)))

    def settle(self, effects):
        """Answer what was asked about goals."""
        for effect in list(effects):
            if (isinstance(effect, PublishChunk) and effect.chunk.source == GOAL_SOURCE
                    and self.is_answering):
                effects += self.answer(effect.chunk, self.decision, **self.changes)
        return effects

    def tick(self):
        """Move the arm along, tick, and answer."""
        goal = self.gate.goal
        if goal is not None:
            at = goal.progress_s(self.now)
            knots = np.concatenate([[0.0], goal.path.times])
            self.positions = tuple(
                float(np.interp(at, knots, np.concatenate([[0.0], column])))
                for column in goal.path.positions.T)
        return self.settle(super().tick())

    def ended(self):
        """Return every goal that was ended."""
        return [e for e in self.effects if isinstance(e, GoalEnded)]

    def pieces(self):
        """Return what was let go of goals."""
        return [e for e in self.forwards() if e.piece is not None]


@pytest.fixture
def rig():
    rig = GoalRig().arm()
    rig.effects.clear()
    return rig


def test_a_short_goal_is_let_go_whole_after_its_verdict(rig):
    rig.is_answering = False
    effects = rig.goal()
    (asked,) = [e.chunk for e in effects if isinstance(e, PublishChunk)]
    assert asked.source == GOAL_SOURCE
    assert not rig.forwards()
    rig.answer(asked)
    (forward,) = rig.forwards()
    assert forward.chunk_id == asked.chunk_id
    assert (forward.piece.goal_id, forward.piece.begin_s, forward.piece.is_last) == (1, 0.0, True)
    assert forward.trajectory.positions.tolist() == [[0.1, 0.2], [0.2, 0.4]]


@pytest.mark.parametrize('decision', [Decision.VETO, Decision.ABSTAIN, Decision.INVALID])
def test_a_refused_goal_ends_with_the_reason_and_never_moves(rig, decision):
    rig.decision = decision
    rig.changes = {'message': 'risk 0.9 at step 3'}
    rig.goal()
    (ended,) = rig.ended()
    assert ended.message == f'{decision.name}: risk 0.9 at step 3'
    assert not rig.forwards()
    assert rig.state is State.HOLD
    rig.run(500)
    assert len(rig.ended()) == 1
    assert not rig.forwards()


@pytest.mark.parametrize(('command', 'words'), [
    (make_command(((1.5, 0.0),), (2000,)), 'a at point 0 is 1.5 rad'),
    (make_command(names=('a', 'c')), "unknown ['c']"), (make_command((), ()), 'empty'),
])
def test_a_goal_that_the_checks_refuse_is_never_asked_about(rig, command, words):
    effects = rig.goal(command)
    assert words in rig.ended()[0].message
    assert not any(isinstance(e, (PublishChunk, Forward)) for e in effects)
    assert rig.state is State.RUNNING


def test_a_long_goal_goes_out_in_pieces_that_were_looked_at(rig):
    command = long_command()
    rig.goal(command)
    rig.run(3200)
    pieces = rig.pieces()
    asked = {e.chunk.chunk_id: e.chunk for e in rig.effects if isinstance(e, PublishChunk)}
    assert 5 <= len(pieces) <= 14
    for forward in pieces:
        assert forward.trajectory.times[-1] <= 0.8
        assert forward.chunk_id in asked
        # Where and when each point is, is as the goal has it.
        times = forward.trajectory.times + forward.piece.begin_s
        assert forward.trajectory.positions[:, 0] == pytest.approx(0.25 * times, abs=1e-9)
    assert [f.piece.is_last for f in pieces] == [False] * (len(pieces) - 1) + [True]
    reach = [f.piece.begin_s + f.trajectory.times[-1] for f in pieces]
    assert reach[-1] == pytest.approx(3.0)
    assert np.all(np.diff(reach) > 0)
    # No piece came so late that the arm had to rest between.
    assert all(f.piece.begin_s < r for f, r in zip(pieces[1:], reach, strict=False))
    assert not rig.ended()
    assert rig.state is State.RUNNING


def test_the_way_ahead_is_looked_at_until_the_goal_is_over(rig):
    rig.goal(long_command(0.7))
    rig.run(600)
    looks = [e for e in rig.effects
             if isinstance(e, PublishChunk) and e.chunk.source == GOAL_SOURCE]
    assert len(looks) == 3
    assert len(rig.pieces()) == 1, 'what is out already is not sent again'


def test_a_model_that_looks_a_short_way_is_asked_more_often(rig):
    """With a period longer than the horizon the arm would rest between the pieces."""
    rig.changes = {'horizon_s': 0.2}
    rig.goal(long_command(1.0))
    rig.run(1100)
    pieces = rig.pieces()
    assert all(f.trajectory.times[-1] <= 0.2 for f in pieces)
    assert pieces[-1].piece.is_last
    reach = [f.piece.begin_s + f.trajectory.times[-1] for f in pieces]
    assert all(f.piece.begin_s < r for f, r in zip(pieces[1:], reach, strict=False))


def test_the_last_half_millisecond_is_let_go_too(rig):
    rig.goal(make_command(((0.1, 0.0), (0.2, 0.0)), (400, 800.5)))
    rig.run(1200)
    assert [f.piece.is_last for f in rig.pieces()][-1]
    assert rig.pieces()[-1].trajectory.positions[-1].tolist() == [0.2, 0.0]


def test_a_later_part_that_turns_dangerous_cancels_then_holds(rig):
    rig.goal(long_command())
    rig.run(1000)
    rig.decision = Decision.VETO
    rig.effects.clear()
    rig.run(400)
    kinds = [type(e) for e in rig.effects if isinstance(e, (GoalEnded, CancelGoal, Hold, Forward))]
    assert kinds == [GoalEnded, CancelGoal, Hold]
    assert 'VETO' in rig.ended()[0].message
    assert rig.holds()[0].positions[0] == pytest.approx(rig.positions[0], abs=0.01)
    rig.decision = Decision.OK
    rig.run(1000)
    assert not rig.forwards(), 'the old goal is never replayed'
    rig.goal(goal_id=2)
    assert rig.pieces()[0].piece.goal_id == 2


def test_a_look_that_is_not_answered_in_time_ends_the_goal(rig):
    rig.goal(long_command())
    rig.run(300)
    rig.is_answering = False
    rig.run(500)
    (ended,) = rig.ended()
    assert ended.reasons & Reason.DEADLINE
    assert rig.state is State.HOLD


def test_slow_goes_on_slower_along_the_same_path(rig):
    rig.goal(long_command())
    rig.run(300)
    rig.decision, rig.changes = Decision.SLOW, {'speed_factor': 0.5}
    rig.run(300)
    assert rig.state is State.SLOW
    slow = rig.pieces()[-1]
    times = slow.piece.begin_s + 0.5 * slow.trajectory.times
    assert slow.trajectory.positions[:, 0] == pytest.approx(0.25 * times, abs=1e-9)
    assert slow.trajectory.times[-1] <= 0.8
    begin = rig.gate.goal.progress_s(rig.now)
    rig.run(200)
    assert rig.gate.goal.progress_s(rig.now) - begin == pytest.approx(0.1, abs=0.02)


def test_a_goal_is_slowed_by_the_gate_even_where_the_controller_could():
    rig = GoalRig(speed_scaling_topic='/scaling').arm()
    rig.gate.note_scaling_listener(True)
    rig.decision, rig.changes = Decision.SLOW, {'speed_factor': 0.5}
    # Something else was slowed before: the goal must not be slowed twice.
    rig.gate.stance.tell_speed(0.5, rig.now)
    rig.goal(long_command())
    assert not rig.pieces()
    rig.run(500)
    slow = rig.pieces()[-1]
    times = slow.piece.begin_s + 0.5 * slow.trajectory.times
    assert slow.trajectory.positions[:, 0] == pytest.approx(0.25 * times, abs=1e-9)
    assert [e.factor for e in rig.effects if isinstance(e, ScaleSpeed)] == [1.0, 0.5, 1.0]


def test_time_that_the_verdict_took_is_not_run_again(rig):
    rig.goal(long_command())
    rig.is_answering = False
    rig.effects.clear()
    rig.run(260)
    (asked,) = [e.chunk for e in rig.effects
                if isinstance(e, PublishChunk) and e.chunk.source == GOAL_SOURCE]
    rig.run(100)
    rig.answer(asked)
    (forward,) = rig.pieces()
    assert forward.piece.begin_s == pytest.approx(0.36, abs=0.02)
    assert forward.trajectory.times[-1] <= 0.7 + 1e-9, 'the model looked 0.8 s ahead, 0.1 s ago'
    times = forward.trajectory.times + forward.piece.begin_s
    assert forward.trajectory.positions[:, 0] == pytest.approx(0.25 * times, abs=1e-9)


def test_a_slower_look_lets_go_no_more_of_the_path_than_it_saw(rig):
    """
    The piece went on beyond what was judged.

    The path that was behind by then was taken off the horizon as if it had been judged at the
    goal's own speed; at half of that it had taken twice as long of what the model saw.
    """
    rig.goal(long_command())
    rig.is_answering = False
    rig.effects.clear()
    rig.run(260)
    (asked,) = [e.chunk for e in rig.effects
                if isinstance(e, PublishChunk) and e.chunk.source == GOAL_SOURCE]
    begin_s = rig.gate.goal.window_s
    rig.run(100)
    rig.answer(asked, Decision.SLOW, speed_factor=0.5)
    (forward,) = rig.pieces()
    # By hand: in 0.8 s at half the speed the model saw 0.4 s of the path.
    reach_s = forward.piece.begin_s + 0.5 * forward.trajectory.times[-1]
    assert reach_s == pytest.approx(begin_s + 0.4, abs=1e-6)


def test_a_verdict_that_looked_no_further_than_now_lets_nothing_go(rig):
    rig.goal(long_command())
    rig.is_answering = False
    rig.run(260)
    asked = [e.chunk for e in rig.effects if isinstance(e, PublishChunk)][-1]
    rig.run(100)
    before = len(rig.pieces())
    rig.answer(asked, horizon_s=0.1)
    assert len(rig.pieces()) == before
    assert not rig.ended()


def test_a_newer_goal_takes_the_place_of_the_one_that_runs(rig):
    rig.goal(long_command())
    rig.run(300)
    rig.effects.clear()
    effects = rig.goal(long_command(0.5), goal_id=2)
    assert [e.goal_id for e in rig.ended()] == [1]
    assert 'preempted' in rig.ended()[0].message
    kinds = [type(e) for e in effects if isinstance(e, (GoalEnded, Forward))]
    assert kinds == [GoalEnded, Forward]
    assert rig.pieces()[0].piece.goal_id == 2


def test_a_goal_that_was_dropped_is_not_let_go_by_a_late_verdict(rig):
    rig.is_answering = False
    (asked,) = [e.chunk for e in rig.goal() if isinstance(e, PublishChunk)]
    rig.note(rig.gate.drop_goal(1, rig.now))
    rig.answer(asked)
    assert not rig.forwards()
    assert not rig.ended(), 'who drops a goal ends it'
    assert rig.gate.counters.verdicts_ignored == 1
    rig.note(rig.gate.drop_goal(7, rig.now))


def test_while_a_goal_runs_it_is_the_only_command(rig):
    rig.goal(long_command())
    before = len(rig.forwards())
    rig.command()
    assert len(rig.forwards()) == before
    assert rig.gate.counters.rejected == 1
    assert not rig.ended()


@pytest.mark.parametrize(('event', 'state'), [
    (lambda rig: rig.gate.take_emergency_stop(True, rig.now), State.ESTOP),
    (lambda rig: rig.gate.stop('by service', rig.now).effects, State.ESTOP),
    (lambda rig: rig.gate.engage(False, rig.now).effects, State.HOLD),
    (lambda rig: rig.gate.deactivate(rig.now), State.INACTIVE),
    (lambda rig: rig.gate.lose_predictor('gone', rig.now), State.HOLD),
    (lambda rig: rig.gate.lose_controller('the controller is gone', rig.now), State.HOLD),
    (lambda rig: rig.gate.fault('test', rig.now), State.ESTOP),
])
def test_whatever_holds_ends_the_goal_first(rig, event, state):
    rig.goal(long_command())
    rig.run(100)
    effects = rig.note(event(rig))
    assert rig.state is state
    kinds = [type(e) for e in effects if isinstance(e, (GoalEnded, Hold))]
    assert kinds[:2] == [GoalEnded, Hold]
    assert len(rig.ended()) == 1
    rig.run(300)
    assert len(rig.ended()) == 1


def test_the_dead_man_ends_a_goal_and_may_run_one_unjudged():
    rig = GoalRig(allow_bypass=True).arm()
    rig.goal(long_command())
    rig.note(rig.gate.take_bypass(True, rig.now))
    assert rig.ended()[0].message == 'bypassed'
    rig.goal(long_command(), goal_id=2)
    assert rig.pieces()[-1].piece.is_last
    assert rig.pieces()[-1].chunk_id == 0
    rig.run(200)
    assert [e.goal_id for e in rig.ended()] == [1, 2]


def test_a_gate_that_forwards_nothing_refuses_goals_in_words():
    rig = GoalRig()
    rig.goal()
    assert 'the gate is INACTIVE' in rig.ended()[-1].message
    rig.note(rig.gate.activate(rig.now))
    rig.goal(goal_id=2)
    assert 'the gate is WAITING: no joint_states yet' in rig.ended()[-1].message
    rig.run(100)
    rig.note(rig.gate.engage(False, rig.now).effects)
    rig.goal(goal_id=3)
    assert 'not engaged' in rig.ended()[-1].message
    rig.note(rig.gate.stop('by service', rig.now).effects)
    rig.goal(goal_id=4)
    assert 'the gate is ESTOP' in rig.ended()[-1].message
    assert not rig.forwards()


def test_a_goal_after_a_hold_is_looked_at_until_enough_are_ok():
    rig = GoalRig(release_count=3).arm()
    rig.note(rig.gate.enter_hold(Reason.RISK, 'test', rig.now) or [])
    rig.goal(long_command(0.5))
    assert not rig.forwards()
    rig.run(600)
    assert len(rig.pieces()) == 1
    assert rig.gate.streaks.permits >= 3


def test_one_veto_under_hysteresis_leaves_the_approved_piece_running():
    rig = GoalRig(trigger_count=2).arm()
    rig.goal(long_command())
    rig.run(240)
    rig.decision = Decision.VETO
    rig.run(20)
    assert not rig.ended()
    rig.decision = Decision.OK
    rig.run(1500)
    assert not rig.ended()
    assert rig.gate.counters.vetoed == 1
    first = GoalRig(trigger_count=2).arm()
    first.decision = Decision.VETO
    first.goal()
    assert len(first.ended()) == 1, 'a goal that has not begun ends with its first refusal'


def test_shadow_forwards_the_whole_goal_and_reports_what_it_would_have_done():
    rig = GoalRig(mode='shadow').arm()
    rig.decision = Decision.VETO
    rig.goal(long_command())
    (forward,) = rig.pieces()
    assert forward.piece.is_last
    assert forward.trajectory.times[-1] == pytest.approx(3.0)
    rig.run(500)
    assert rig.gate.status(rig.now).would_hold
    assert not rig.ended()
    assert len(rig.pieces()) == 1
    rig.note(rig.gate.engage(False, rig.now).effects)
    assert len(rig.ended()) == 1


def test_a_clock_that_jumps_back_ends_the_goal():
    rig = GoalRig(uses_sim_time=True, allow_sim_time=True).arm()
    rig.goal(long_command())
    rig.advance(10, ros_ms=-5000)
    rig.note(rig.gate.tick(rig.now))
    assert rig.ended()[0].reasons & Reason.TIME_SYNC


@given(by=st.floats(0.0, 3.5), most=st.floats(0.1, 4.0),
       gaps=st.lists(st.integers(1, 1000), min_size=1, max_size=8))
def test_advancing_keeps_each_point_where_and_when_it_is(by, most, gaps):
    times = np.cumsum(gaps) * 1e-3
    whole = Trajectory(joint_names=('a',), positions=times[:, None] * 2.0, times=times)
    rest = advance(whole, by, at_most_s=most)
    if rest is None:
        assert times[-1] < by + 2e-3
        return
    assert rest.times[0] > 0.0
    assert rest.times[0] >= 0.05 - 1e-9 or by == 0.0 or len(rest.times) == 1
    assert np.all(np.diff(rest.times) > 0)
    assert rest.positions[:, 0] == pytest.approx(2.0 * (rest.times + by), abs=1e-8)
    assert len(rest.times) == 1 or rest.times[-2] <= max(most, 0.05) + 1e-9
    assert rest.times[-1] >= min(most, times[-1] - by) - 1e-9


def test_stale_joints_end_a_goal_without_a_position_to_hold_at(rig):
    rig.goal(long_command())
    rig.run(400, joints=False)
    assert len(rig.ended()) == 1
    assert 'joint_states' in rig.ended()[0].message
    assert rig.gate.goal_id == 0
    late = GoalRig().arm()
    late.is_answering = False
    (asked,) = [e.chunk for e in late.goal() if isinstance(e, PublishChunk)]
    assert late.gate.goal_id == 1
    late.advance(210)
    late.feed(joints=False)
    late.answer(asked)
    assert not late.forwards()
    assert len(late.ended()) == 1


def test_too_many_vetoes_end_the_goal_and_latch():
    rig = GoalRig(trigger_count=5, max_consecutive_vetoes=2).arm()
    rig.goal(long_command())
    rig.decision = Decision.VETO
    rig.run(1200)
    assert rig.state is State.ESTOP
    (ended,) = rig.ended()
    assert 'vetoes in a row' in ended.message
    assert ended.reasons & Reason.ESTOP


@pytest.mark.parametrize(('changes', 'words'), [
    ({'command_out_type': ARRAY_TYPE}, 'a controller with that action takes trajectories'),
    ({'goal_window': 0.3}, 'goal_window is 0.3; it must be at least twice'),
])
def test_settings_of_goals_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        make_config(follow_joint_trajectory_action='/arm', **changes)


def test_a_stamp_of_a_goal_has_both_bounds(rig):
    rig.goal(replace(make_command(), stamp_ns=rig.now.ros_ns + 1000 * MS))
    assert rig.ended()[0].reasons is Reason.TIME_SYNC


def swift_command(count=20):
    """Make a goal along joint a at 0.25 rad/s that says so, a point every 0.1 s."""
    return make_command(
        [(0.025 * (k + 1), 0.0) for k in range(count)], [100 * (k + 1) for k in range(count)],
        velocities=[(0.25, 0.0)] * count)


def refusals(rig):
    """Return what was refused, as reason and words."""
    return [(e.reasons, e.message) for e in rig.effects if isinstance(e, Refused)]


def test_pieces_of_a_goal_keep_their_velocities_and_end_at_rest(rig):
    rig.goal(swift_command())
    rig.run(1000)
    pieces = [e.trajectory for e in rig.pieces()]
    assert len(pieces) >= 3
    for piece in pieces:
        assert piece.velocities.shape == piece.positions.shape
        np.testing.assert_array_equal(piece.velocities[:-1, 0], 0.25)
        np.testing.assert_array_equal(piece.velocities[-1], 0.0)


def test_a_goal_that_the_checks_refuse_is_counted_and_told_twice(rig):
    rig.goal(make_command(((1.5, 0.0),), (2000,)), goal_id=7)
    (ended,) = rig.ended()
    ((reasons, message),) = refusals(rig)
    assert (ended.goal_id, ended.reasons, reasons) == (7, Reason.LIMIT, Reason.LIMIT)
    assert ended.message == f'goal refused: {message}'
    assert rig.gate.counters.rejected == 1


def test_a_goal_drops_the_commands_before_it(rig):
    rig.is_answering = False
    rig.gate.counters.dropped = 5
    rig.command()
    rig.command()
    rig.goal()
    assert rig.gate.counters.dropped == 7


def test_a_goal_under_the_dead_man_runs_at_its_own_speed():
    rig = GoalRig(allow_bypass=True).arm()
    rig.note(rig.gate.take_bypass(True, rig.now))
    rig.goal(swift_command())
    (piece,) = rig.pieces()
    assert (piece.interface, piece.piece.begin_s) == (CommandInterface.JOINT_TRAJECTORY, 0.0)
    np.testing.assert_array_equal(piece.trajectory.positions[:, 0], 0.025 * np.arange(1, 21))
    rig.advance(300)
    assert rig.gate.goal.progress_s(rig.now) == pytest.approx(0.3)


def test_a_verdict_whose_horizon_is_behind_lets_nothing_of_a_goal_go(rig):
    rig.goal(swift_command())
    assert rig.pieces()
    rig.is_answering = False
    asked = []
    while not asked:
        asked = [e.chunk for e in rig.run(10)
                 if isinstance(e, PublishChunk) and e.chunk.source == GOAL_SOURCE]
    rig.effects = []
    rig.advance(100)
    rig.feed()
    behind_s = rig.gate.goal.progress_s(rig.now) - rig.gate.goal.window_s
    assert behind_s > 0.09
    # Nine milliseconds are left, and ten are the least.
    rig.answer(asked[0], horizon_s=behind_s + 0.009)
    assert not rig.pieces()
    assert refusals(rig) == [(
        Reason.DEADLINE, f'the verdict looked {behind_s + 0.009:.2f} s ahead at 1 of the speed, '
        f'{behind_s:.2f} s of which are behind')]
