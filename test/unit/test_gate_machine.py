# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The gate's states: how each is entered, what it puts on the wire, how it is left."""

import numpy as np
import pytest
from gate_rig import MS, Rig, make_command, make_sample, make_setpoint

from wm_ros.datatypes import CommandInterface, Decision, Reason
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import (
    CancelGoal,
    CheckAnswered,
    Forward,
    Hold,
    PublishChunk,
    Refused,
    StateChanged,
)
from wm_ros.gate.values import Heartbeat, State


def test_waiting_needs_fresh_cycles_and_a_verdict():
    rig = Rig(arm_cycles=5)
    rig.note(rig.gate.activate(rig.now))
    assert rig.state is State.WAITING
    assert 'no joint_states yet' in rig.message
    assert 'no predictor heartbeat yet' in rig.message
    # The first beat shows no progress yet.
    rig.run(50)
    assert rig.state is State.WAITING
    rig.run(10)
    assert rig.state is State.RUNNING
    assert not rig.forwards()
    assert not rig.holds()


def test_waiting_probes_until_a_verdict_comes():
    rig = Rig()
    rig.note(rig.gate.activate(rig.now))
    for _ in range(120):
        rig.advance(10)
        rig.feed()
        rig.note(rig.gate.tick(rig.now))
    probes = [e.chunk for e in rig.effects if isinstance(e, PublishChunk)]
    assert [p.source for p in probes] == ['probe'] * 3
    assert np.array_equal(probes[0].trajectory.positions, [[0.0, 0.0]])
    assert probes[0].trajectory.times == pytest.approx([0.1])
    rig.answer(probes[-1], Decision.INVALID)
    rig.run(20)
    assert rig.state is State.WAITING


def test_command_in_waiting_is_refused_in_words():
    rig = Rig()
    rig.note(rig.gate.activate(rig.now))
    effects = rig.command()
    assert [type(e) for e in effects] == [Refused]
    assert 'WAITING' in effects[0].message
    assert 'no joint_states yet' in effects[0].message


def test_a_release_that_is_carried_out_after_its_verdict_expired_is_a_hold():
    rig = Rig().arm()
    chunk = rig.ask()
    rig.advance(60)
    effects = rig.answer(chunk)
    (forward,) = [effect for effect in effects if isinstance(effect, Forward)]
    left_ms = (forward.valid_until_ns - rig.now.ros_ns) / MS
    for _ in range(10):
        rig.advance(left_ms / 10)
        rig.feed()
    decided = rig.now
    assert rig.gate.recall(effects, decided, rig.now) is effects
    counted = rig.gate.status(rig.now).counters.forwarded
    rig.feed()
    rig.advance(1)
    carried_out = rig.gate.recall(effects, decided, rig.now)
    assert not [effect for effect in carried_out if isinstance(effect, Forward)]
    assert [type(effect) for effect in carried_out if isinstance(effect, Hold)] == [Hold]
    assert (rig.state, rig.reasons & Reason.DEADLINE) == (State.HOLD, Reason.DEADLINE)
    assert 'expired 1.0 ms before the command could be published' in rig.message
    assert rig.gate.status(rig.now).counters.forwarded == counted - 1


def test_ok_releases_exactly_the_command():
    rig = Rig().arm()
    chunk = rig.ask()
    rig.advance(60)
    rig.answer(chunk)
    (forward,) = rig.forwards()
    assert forward.chunk_id == chunk.chunk_id
    assert np.array_equal(forward.trajectory.positions, [[0.1, 0.2], [0.2, 0.4]])
    status = rig.gate.status(rig.now)
    assert status.decision_ms == pytest.approx(60.0)
    assert status.counters.forwarded == 1


def test_second_verdict_for_the_same_chunk_releases_nothing():
    rig = Rig().arm()
    chunk = rig.ask()
    rig.answer(chunk)
    rig.answer(chunk)
    assert len(rig.forwards()) == 1


@pytest.mark.parametrize('changes', [
    {'digest': bytes(16)}, {'chunk_id': 5}, {'horizon_s': 0.0}, {'horizon_s': float('nan')},
    {'horizon_s': float('inf')}, {'risk': float('nan')}, {'risk': 0.6},
    {'speed_factor': 0.0}, {'speed_factor': 1.5}, {'speed_factor': float('nan')},
    {'reasons': Reason.UNCALIBRATED}, {'risk_threshold': float('inf')},
])
def test_odd_verdict_never_releases(changes):
    rig = Rig().arm()
    rig.answer(rig.ask(), **changes)
    assert not rig.forwards()


def test_wrong_digest_holds():
    rig = Rig().arm()
    rig.answer(rig.ask(), digest=bytes(16))
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.BAD_COMMAND


@pytest.mark.parametrize(('offsets', 'reason'), [
    ({'valid_until_ns': -1}, Reason.DEADLINE),
    ({'observation_stamp_ns': -501 * MS}, Reason.STALE_IMAGE),
    ({'observation_stamp_ns': 51 * MS}, Reason.TIME_SYNC),
    ({'stamp_ns': 51 * MS}, Reason.TIME_SYNC),
    ({'stamp_ns': -51 * MS}, Reason.TIME_SYNC),
])
def test_verdict_out_of_time_holds_with_its_reason(offsets, reason):
    rig = Rig().arm()
    chunk = rig.ask()
    rig.answer(chunk, **{name: rig.now.ros_ns + offset for name, offset in offsets.items()})
    assert not rig.forwards()
    assert rig.state is State.HOLD
    assert rig.reasons & reason


@pytest.mark.parametrize(('offsets', 'reason'), [
    ({'valid_until_ns': 0}, None), ({'observation_stamp_ns': -500 * MS}, None),
    ({'observation_stamp_ns': 50 * MS}, None), ({'stamp_ns': 50 * MS}, None),
])
def test_verdict_just_in_time_releases(offsets, reason):
    rig = Rig().arm()
    chunk = rig.ask()
    rig.answer(chunk, **{name: rig.now.ros_ns + offset for name, offset in offsets.items()})
    assert len(rig.forwards()) == 1


def test_verdict_at_decide_by_releases_and_one_ns_later_does_not():
    rig = Rig().arm()
    chunk = rig.ask()
    rig.advance(150)
    rig.feed()
    rig.answer(chunk)
    assert len(rig.forwards()) == 1
    chunk = rig.ask()
    rig.advance(150 + 1e-6)
    rig.feed()
    rig.answer(chunk)
    assert len(rig.forwards()) == 1
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.DEADLINE
    assert rig.gate.status(rig.now).counters.deadline_missed == 1


@pytest.mark.parametrize(('steady_ms', 'ros_ms'), [(151, 0), (0, 151)])
def test_either_clock_makes_a_verdict_late(steady_ms, ros_ms):
    rig = Rig().arm()
    chunk = rig.ask()
    rig.advance(steady_ms, ros_ms=ros_ms)
    rig.feed()
    rig.answer(chunk)
    assert not rig.forwards()
    assert rig.reasons & Reason.DEADLINE


def test_missing_verdict_holds_by_itself():
    rig = Rig().arm()
    rig.ask()
    rig.run(160)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.DEADLINE
    assert len(rig.holds()) == 1


def test_veto_holds_once_at_the_measured_position():
    rig = Rig().arm()
    rig.positions = (0.25, -0.5)
    rig.feed()
    chunk = rig.ask(make_command(((0.25, -0.5), (0.3, -0.5))))
    effects = rig.answer(chunk, Decision.VETO)
    kinds = [type(e) for e in effects]
    assert kinds.index(CancelGoal) < kinds.index(Hold)
    rig.answer(rig.ask(make_command(((0.25, -0.5), (0.3, -0.5)))), Decision.VETO)
    rig.run(500)
    (hold,) = rig.holds()
    assert np.array_equal(hold.positions, [0.25, -0.5])
    assert rig.gate.status(rig.now).counters.vetoed == 2


def test_hold_is_released_by_an_ok_for_a_new_command_only():
    rig = Rig().arm()
    first = rig.ask()
    second = rig.command()
    assert not any(isinstance(e, PublishChunk) for e in second), 'one at a time'
    rig.answer(first, Decision.VETO)
    rig.run(100)
    assert rig.state is State.HOLD
    assert not rig.forwards(), 'the command that waited was dropped'
    rig.answer(rig.ask())
    assert rig.state is State.RUNNING
    assert len(rig.forwards()) == 1


def test_release_count_withholds_the_first_permissions():
    rig = Rig(release_count=3).arm()
    rig.answer(rig.ask(), Decision.VETO)
    for expected in (0, 0, 1):
        rig.answer(rig.ask())
        assert len(rig.forwards()) == expected
    rig.answer(rig.ask(), Decision.VETO)
    rig.answer(rig.ask())
    rig.answer(rig.ask(), Decision.VETO)
    rig.answer(rig.ask())
    rig.answer(rig.ask())
    assert len(rig.forwards()) == 1, 'a veto starts the count again'


def test_trigger_count_drops_a_vetoed_command_but_keeps_running():
    rig = Rig(trigger_count=2).arm()
    rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.RUNNING
    assert not rig.forwards()
    rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.HOLD


def test_trigger_count_does_not_delay_a_missing_verdict():
    rig = Rig(trigger_count=5).arm()
    rig.ask()
    rig.run(160)
    assert rig.state is State.HOLD


def test_abstain_follows_its_policy():
    rig = Rig().arm()
    rig.answer(rig.ask(), Decision.ABSTAIN)
    assert rig.state is State.HOLD
    rig = Rig(abstain_policy='drop').arm()
    rig.answer(rig.ask(), Decision.ABSTAIN)
    assert rig.state is State.RUNNING
    assert not rig.forwards()


def test_vetoes_in_a_row_latch_the_estop():
    rig = Rig(max_consecutive_vetoes=3).arm()
    for _ in range(2):
        rig.answer(rig.ask(), Decision.VETO)
    rig.answer(rig.ask())
    for _ in range(2):
        rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.HOLD
    rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.ESTOP
    assert '3 vetoes in a row' in rig.message


def test_slow_stretches_and_returns_to_running_after_an_ok():
    rig = Rig().arm()
    rig.answer(rig.ask(), Decision.SLOW, speed_factor=0.5)
    assert rig.state is State.SLOW
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.2, 0.4])
    rig.answer(rig.ask())
    assert rig.state is State.RUNNING
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.1, 0.2])


def test_slow_lasts_until_release_count_oks():
    rig = Rig(release_count=3).arm()
    assert rig.ask().slow_factor == 0.0
    rig.answer(rig.gate.docket.judged.chunk, Decision.SLOW, speed_factor=0.5)
    chunk = rig.ask()
    assert chunk.slow_factor == 0.5, 'the predictor is asked about what would be released'
    rig.answer(chunk, speed_factor=0.5)
    assert rig.state is State.SLOW
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.2, 0.4])
    num_forwards = len(rig.forwards())
    rig.answer(rig.ask())
    assert rig.state is State.SLOW
    assert len(rig.forwards()) == num_forwards, 'it was not judged at that speed'
    assert 'not judged at that of SLOW: 2 of 3' in rig.message
    chunk = rig.ask()
    assert chunk.slow_factor == 0.0, 'one more OK ends SLOW'
    rig.answer(chunk)
    assert rig.state is State.RUNNING
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.1, 0.2])


def test_forwarded_horizon_is_the_predicted_one():
    rig = Rig().arm()
    command = make_command(((0.1, 0.0), (0.2, 0.0), (0.3, 0.0)), (400, 800, 1200))
    rig.answer(rig.ask(command), horizon_s=0.6)
    trajectory = rig.forwards()[-1].trajectory
    assert trajectory.times == pytest.approx([0.4, 0.6])
    assert trajectory.positions[:, 0] == pytest.approx([0.1, 0.15])


def test_latest_command_waits_and_the_one_under_judgement_stays():
    rig = Rig().arm()
    first = rig.ask()
    for step in range(5):
        rig.command(make_command(((0.01 * step, 0.0),), (100,)))
    assert rig.gate.status(rig.now).counters.dropped == 4
    effects = rig.answer(first)
    (chunk,) = [e.chunk for e in effects if isinstance(e, PublishChunk)]
    assert chunk.trajectory.positions[0, 0] == pytest.approx(0.04)
    rig.answer(chunk)
    assert len(rig.forwards()) == 2


def test_bad_command_holds_and_says_why():
    rig = Rig().arm()
    rig.command(make_command(((float('nan'), 0.0),), (100,)))
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.BAD_COMMAND
    assert 'position of a at point 0 is nan' in rig.message
    assert rig.gate.status(rig.now).counters.rejected == 1


def test_lost_predictor_holds_by_silence():
    rig = Rig().arm()
    rig.run(190, beat=False)
    assert rig.state is State.RUNNING
    rig.run(10, beat=False)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.PREDICTOR_LOST


def test_lost_predictor_holds_at_once_by_event():
    rig = Rig().arm()
    rig.note(rig.gate.lose_predictor('liveliness lost', rig.now))
    assert rig.state is State.HOLD
    assert 'liveliness lost' in rig.message


def test_heartbeat_without_progress_is_no_heartbeat():
    rig = Rig().arm()
    for _ in range(20):
        rig.advance(10)
        rig.feed(beat=False)
        rig.note(rig.gate.take_heartbeat(
            Heartbeat(progress=rig.progress, is_calibrated=True, image_age_s=0.0), rig.now))
        rig.tick()
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.PREDICTOR_LOST


def test_after_a_restart_of_the_predictor_arm_cycles_count_again():
    rig = Rig(arm_cycles=5).arm()
    rig.note(rig.gate.lose_predictor('gone', rig.now))
    rig.run(30)
    rig.answer(rig.ask())
    assert rig.state is State.HOLD
    assert not rig.forwards()
    rig.run(30)
    rig.answer(rig.ask())
    assert rig.state is State.RUNNING


@pytest.mark.parametrize(('age', 'is_held'), [(0.4, False), (0.6, True), (-1.0, True)])
def test_image_age_comes_from_the_predictor(age, is_held):
    rig = Rig().arm()
    rig.image_age_s = age
    rig.run(20)
    assert (rig.state is State.HOLD) == is_held
    assert bool(rig.reasons & Reason.STALE_IMAGE) == is_held


def test_uncalibrated_model_holds_in_enforce_and_runs_in_shadow():
    rig = Rig().arm()
    rig.is_calibrated = False
    rig.run(10)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.UNCALIBRATED
    rig = Rig(mode='shadow')
    rig.is_calibrated = False
    rig.arm()
    assert not rig.gate.status(rig.now).would_hold


def test_joints_going_silent_hold_while_they_still_serve():
    rig = Rig().arm()
    rig.run(140, joints=False)
    assert rig.state is State.RUNNING
    rig.run(20, joints=False)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.STALE_JOINTS
    assert len(rig.holds()) == 1
    rig.run(500, joints=False)
    assert rig.state is State.HOLD


def test_without_joints_a_hold_becomes_an_estop_that_publishes_nothing():
    rig = Rig().arm()
    rig.advance(200)
    rig.feed(joints=False)
    assert not rig.holds()
    assert rig.state is State.ESTOP
    assert any(isinstance(e, CancelGoal) for e in rig.effects)
    answer = rig.gate.clear(rig.now)
    assert not answer.success
    assert 'joint_states' in answer.message
    rig.feed()
    assert rig.gate.clear(rig.now).success
    assert rig.state is State.WAITING


@pytest.mark.parametrize(('sample', 'words'), [
    (make_sample((0.0,), (0.0,), names=('a',)), "missing ['b']"),
    (make_sample((0.0, np.nan)), 'not finite'),
    (make_sample((0.0, 0.0, 0.0)), '3 positions'),
    (make_sample(stamp_ns=0), 'stamped'),
    (make_sample(stamp_ns=make_sample().stamp_ns + 10**12), 'in the future'),
])
def test_unusable_joints_are_refused_in_words(sample, words):
    rig = Rig()
    (effect,) = rig.gate.take_joints(sample, rig.now)
    assert words in effect.message
    assert rig.gate.inputs.fresh_joints(rig.now) is None


def test_joints_are_taken_by_name_and_extra_ones_ignored():
    rig = Rig()
    sample = make_sample((3.0, 2.0, 1.0), (0.0, 0.0, 0.0), names=('x', 'b', 'a'))
    assert not rig.gate.take_joints(sample, rig.now)
    assert np.array_equal(rig.gate.inputs.fresh_joints(rig.now).positions, [1.0, 2.0])


def test_a_starved_tick_lets_the_queues_speak_first():
    rig = Rig().arm()
    rig.advance(190)
    rig.tick()
    assert rig.state is State.RUNNING
    rig.feed()
    rig.tick()
    assert rig.state is State.RUNNING
    rig.advance(300)
    rig.tick()
    rig.advance(60)
    rig.tick()
    assert rig.state is State.ESTOP, 'only one tick of grace'


def test_progress_that_waited_while_the_gate_stood_still_may_be_as_old_as_that():
    # Campaign, seed 68: the predictor hung while the gate was suspended; the last beat with
    # progress waited in the queue and let a command through 0.4 s after it was made.
    rig = Rig().arm()
    rig.advance(400)
    rig.tick()
    rig.feed()
    assert rig.state is State.HOLD
    assert rig.gate.stance.reasons == Reason.PREDICTOR_LOST
    assert rig.gate.inputs.heartbeat_age_s(rig.now) == 0.4
    assert isinstance(rig.last_output(), Hold), 'the joints have stamps'
    rig.run(60)
    assert rig.gate.inputs.heartbeat_age_s(rig.now) == 0.0
    rig.run(20)
    rig.answer(rig.ask())
    assert rig.state is State.RUNNING


def test_the_first_beat_shows_how_far_the_predictor_is_and_not_that_it_goes_on():
    # Campaign, seed 309: a gate that was cleaned up and configured again beside a predictor that
    # hung took its first beat for progress, and armed.
    rig = Rig()
    rig.note(rig.gate.activate(rig.now))
    for _ in range(20):
        rig.advance(10)
        rig.progress = 700
        rig.feed()
        rig.tick()
    assert rig.state is State.WAITING
    assert rig.gate.inputs.heartbeat_age_s(rig.now) == -1.0
    assert 'no progress of the predictor yet' in rig.message
    rig.run(100)
    assert rig.state is State.RUNNING


def test_estop_topic_latches_and_clears_only_when_released():
    rig = Rig().arm()
    rig.note(rig.gate.take_emergency_stop(True, rig.now))
    assert rig.state is State.ESTOP
    assert isinstance(rig.last_output(), Hold)
    answer = rig.gate.clear(rig.now)
    assert not answer.success
    assert 'still true' in answer.message
    rig.note(rig.gate.take_emergency_stop(False, rig.now))
    assert rig.state is State.ESTOP
    assert rig.gate.clear(rig.now).success
    assert rig.state is State.WAITING
    rig.run(100)
    assert rig.state is State.RUNNING


def test_estop_before_activation_starts_in_estop():
    rig = Rig()
    rig.gate.stop('button', rig.now)
    rig.note(rig.gate.activate(rig.now))
    assert rig.state is State.ESTOP
    assert not rig.holds()


def test_disobeyed_hold_latches_the_estop_until_at_rest():
    rig = Rig().arm()
    rig.answer(rig.ask(), Decision.VETO)
    rig.positions = (0.19, 0.0)
    rig.run(1100)
    assert rig.state is State.HOLD
    rig.positions = (0.21, 0.0)
    rig.run(10)
    assert rig.state is State.ESTOP
    assert 'hold not obeyed: a is 0.21 rad' in rig.message
    rig.gate.take_joints(make_sample((0.2, 0.0), (0.1, 0.0), rig.now.ros_ns), rig.now)
    assert 'still moves at 0.1' in rig.gate.clear(rig.now).message
    rig.feed()
    assert rig.gate.clear(rig.now).success


def test_bypass_is_a_dead_man():
    rig = Rig(allow_bypass=True).arm()
    rig.note(rig.gate.take_bypass(True, rig.now))
    assert rig.state is State.BYPASS
    rig.command()
    assert len(rig.forwards()) == 1
    rig.command(make_command(((5.0, 0.0),), (100,)))
    assert len(rig.forwards()) == 1, 'limits hold in bypass'
    rig.run(100)
    assert rig.state is State.BYPASS
    rig.run(10)
    assert rig.state is State.HOLD
    assert isinstance(rig.last_output(), Hold)


def test_bypass_needs_permission_and_no_estop():
    rig = Rig().arm()
    (refused,) = rig.gate.take_bypass(True, rig.now)
    assert 'allow_bypass' in refused.message
    assert rig.state is State.RUNNING
    rig = Rig(allow_bypass=True).arm()
    rig.gate.stop('test', rig.now)
    rig.gate.take_bypass(True, rig.now)
    assert rig.state is State.ESTOP


def test_disengaged_gate_holds_and_forwards_nothing():
    rig = Rig().arm()
    rig.note(rig.gate.engage(False, rig.now).effects)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.NOT_ENGAGED
    rig.command()
    assert not rig.forwards()
    rig.note(rig.gate.engage(True, rig.now).effects)
    assert not rig.reasons & Reason.NOT_ENGAGED
    rig.answer(rig.ask())
    assert rig.state is State.RUNNING


def test_engage_on_start_false_waits_for_a_person():
    rig = Rig(engage_on_start=False)
    rig.note(rig.gate.activate(rig.now))
    rig.run(200)
    assert rig.state is State.WAITING
    assert '~/engage' in rig.message
    rig.gate.engage(True, rig.now)
    rig.run(20)
    assert rig.state is State.RUNNING


def test_deactivate_ends_with_the_hold():
    rig = Rig().arm()
    rig.answer(rig.ask())
    rig.note(rig.gate.deactivate(rig.now))
    assert isinstance(rig.last_output(), Hold)
    assert rig.state is State.INACTIVE
    rig.command()
    rig.tick()
    assert isinstance(rig.last_output(), Hold)


def test_fault_ends_in_hold_then_estop():
    rig = Rig().arm()
    effects = rig.note(rig.gate.fault('ZeroDivisionError', rig.now))
    assert rig.states()[-2:] == [State.HOLD, State.ESTOP]
    assert any(isinstance(e, Hold) for e in effects)
    assert rig.gate.clear(rig.now).success


def test_check_is_answered_and_never_releases():
    rig = Rig().arm()
    answer = rig.gate.check(make_command(), rig.now)
    (chunk,) = [e.chunk for e in answer.effects if isinstance(e, PublishChunk)]
    assert chunk.chunk_id == answer.chunk_id
    assert 'under way' in rig.gate.check(make_command(), rig.now).message
    (answered,) = rig.answer(chunk)
    assert isinstance(answered, CheckAnswered)
    assert answered.verdict.decision is Decision.OK
    assert not rig.forwards()


def test_check_waits_for_a_command_and_gives_up_in_time():
    rig = Rig().arm()
    chunk = rig.ask()
    answer = rig.gate.check(make_command(), rig.now)
    assert not answer.effects
    assert [type(e) for e in rig.answer(chunk)].count(PublishChunk) == 1
    (given_up,) = [e for e in rig.run(1100) if isinstance(e, CheckAnswered)]
    assert given_up.verdict is None
    assert 'no verdict within 1.0 s' in given_up.message
    assert not rig.gate.check(make_command(names=('a', 'c')), rig.now).success


def test_a_check_goes_out_after_all_commands_and_keeps_its_id():
    rig = Rig().arm()
    chunk = rig.ask()
    asked = rig.gate.check(make_command(), rig.now)
    rig.command()
    (later,) = [e.chunk for e in rig.answer(chunk) if isinstance(e, PublishChunk)]
    (check,) = [e.chunk for e in rig.answer(later) if isinstance(e, PublishChunk)]
    # Who asked knows it by the id that it was given then.
    assert chunk.chunk_id < check.chunk_id == asked.chunk_id < later.chunk_id
    assert isinstance(rig.answer(check)[0], CheckAnswered)


def test_shadow_forwards_everything_and_says_what_it_would_hold():
    rig = Rig(mode='shadow')
    rig.note(rig.gate.activate(rig.now))
    rig.command()
    assert len(rig.forwards()) == 1
    assert rig.gate.status(rig.now).would_hold
    rig.run(100)
    assert not rig.gate.status(rig.now).would_hold
    chunk = rig.ask()
    assert len(rig.forwards()) == 2
    rig.answer(chunk, Decision.VETO)
    assert len(rig.forwards()) == 2
    assert not rig.holds()
    status = rig.gate.status(rig.now)
    assert status.state is State.RUNNING
    assert status.would_hold
    assert status.reasons & Reason.RISK
    rig.answer(rig.ask())
    assert not rig.gate.status(rig.now).would_hold
    assert len(rig.forwards()) == 3
    rig.note(rig.gate.deactivate(rig.now))
    assert isinstance(rig.last_output(), Hold)


def test_shadow_refuses_what_no_controller_should_get_and_obeys_people():
    rig = Rig(mode='shadow').arm()
    rig.command(make_command(((float('inf'), 0.0),), (100,)))
    assert not rig.forwards()
    rig.command(make_command(((5.0, 0.0),), (100,)))
    assert len(rig.forwards()) == 1, 'limits are for enforce'
    rig.note(rig.gate.stop('button', rig.now).effects)
    assert rig.state is State.ESTOP
    assert isinstance(rig.last_output(), Hold)


def test_position_setpoints_go_out_as_the_target():
    rig = Rig(command_out_type=ARRAY_TYPE).arm()
    chunk = rig.ask(make_setpoint((0.1, -0.1)))
    assert chunk.interface is CommandInterface.POSITION
    assert chunk.trajectory.times == pytest.approx(np.arange(1, 9) * 0.1)
    rig.answer(chunk)
    assert np.array_equal(rig.forwards()[-1].trajectory.positions[-1], [0.1, -0.1])


def test_velocity_setpoint_is_followed_by_zeros_when_its_time_is_over():
    rig = Rig(command_out_type=ARRAY_TYPE, command_interface='velocity').arm()
    chunk = rig.ask(make_setpoint((0.5, -0.5), CommandInterface.VELOCITY))
    assert chunk.trajectory.positions[-1] == pytest.approx([0.4, -0.4])
    rig.answer(chunk, horizon_s=0.5)
    rig.run(490)
    assert isinstance(rig.last_output(), Forward)
    rig.run(10)
    assert isinstance(rig.last_output(), Hold)
    assert rig.state is State.RUNNING


def test_trajectory_for_an_array_controller_is_refused():
    rig = Rig(command_out_type=ARRAY_TYPE).arm()
    rig.command()
    assert 'command_out_type' in rig.message


def test_sim_clock_jump_back_holds_and_forgets():
    rig = Rig(uses_sim_time=True).arm()
    rig.ask()
    rig.advance(10, ros_ms=-10_000)
    rig.tick()
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.TIME_SYNC
    assert rig.gate.docket.judged is None


def test_wall_clock_step_does_not_hold():
    rig = Rig().arm()
    rig.advance(10, ros_ms=-10_000)
    rig.run(200)
    assert rig.state is State.RUNNING


def test_config_swap_takes_effect_at_the_next_event():
    rig = Rig().arm()
    rig.gate.replace_config(Rig(decision_timeout=0.05).config)
    chunk = rig.ask()
    assert chunk.decide_by_ns - chunk.stamp_ns == 50 * MS


def test_time_on_the_way_counts_into_the_age_of_joints():
    rig = Rig()
    late = make_sample(stamp_ns=rig.now.ros_ns - 100 * MS)
    assert not rig.gate.take_joints(late, rig.now)
    assert rig.gate.status(rig.now).joint_age_s == pytest.approx(0.1)
    rig.advance(99)
    assert rig.gate.inputs.fresh_joints(rig.now) is not None
    rig.advance(1)
    assert rig.gate.inputs.fresh_joints(rig.now) is None


def suspended(gap_ms: float, step_ms: float) -> Rig:
    """Arm a gate, let it stand still while the wall clock is set by ``step_ms``."""
    rig = Rig().arm()
    rig.advance(gap_ms, ros_ms=gap_ms + step_ms)
    return rig


def test_joints_that_waited_while_the_clock_was_set_back_are_not_taken_for_fresh():
    # Campaign, seed 191: a sample of 0.37 s ago looked 0.07 s old and the hold was made of it.
    rig = suspended(400, -300)
    rig.note(rig.gate.take_joints(make_sample((0.5, 0.5), stamp_ns=rig.now.ros_ns - 70 * MS),
                                  rig.now))
    assert rig.effects[-1].message == (
        'joint_states are stamped 0.070 s ago, but the clock was set back while the gate stood '
        'still and may hide 0.300 s; joint_state_timeout is 0.2 s')
    assert rig.gate.inputs.fresh_joints(rig.now) is None
    rig.tick()
    rig.advance(10)
    rig.tick()
    assert not rig.holds()
    assert rig.state is State.ESTOP


def test_a_release_that_stood_still_while_the_clock_was_set_back_is_a_hold():
    rig = Rig().arm()
    chunk = rig.ask()
    effects = rig.answer(chunk)
    decided = rig.now
    rig.feed()
    rig.advance(400, ros_ms=-600)
    carried_out = rig.gate.recall(effects, decided, rig.now)
    assert not [effect for effect in carried_out if isinstance(effect, Forward)]
    assert rig.state is not State.RUNNING


def test_a_step_back_just_after_a_standstill_is_seen_as_well():
    rig = suspended(400, 0)
    rig.tick()
    rig.advance(1, ros_ms=-330)
    rig.note(rig.gate.take_joints(make_sample(stamp_ns=rig.now.ros_ns - 70 * MS), rig.now))
    assert rig.gate.inputs.fresh_joints(rig.now) is None


def test_simulated_time_that_follows_later_hides_nothing():
    rig = Rig(uses_sim_time=True, allow_sim_time=True).arm()
    rig.advance(250, ros_ms=0)
    rig.tick()
    rig.advance(1, ros_ms=251)
    rig.feed()
    assert rig.gate.inputs.joint_age_s(rig.now) == 0.0
    assert rig.state is not State.ESTOP


def test_standstills_one_after_the_other_count_together():
    rig = Rig().arm()
    for _ in range(4):
        rig.advance(150, ros_ms=100)
        rig.feed(beat=False)
    rig.feed(joints=False)
    assert rig.gate.inputs.heartbeat_age_s(rig.now) == 0.6
    # The last sample may be 0.2 s old and is refused; the one before may be 0.15 s older than it.
    assert rig.gate.inputs.joint_age_s(rig.now) == 0.3
    rig.run(60)
    assert rig.gate.inputs.heartbeat_age_s(rig.now) == rig.gate.inputs.joint_age_s(rig.now) == 0.0


def test_slow_ticks_are_no_standstill():
    rig = Rig(control_rate=10.0, joint_state_timeout=0.5, heartbeat_timeout=0.5)
    rig.note(rig.gate.activate(rig.now))
    for _ in range(20):
        rig.advance(100)
        rig.feed()
        rig.tick()
        assert rig.gate.inputs.waited_s(rig.now) == 0.0
    assert rig.state is State.RUNNING
    rig.advance(200)
    assert rig.gate.inputs.waited_s(rig.now) == 0.2


def test_a_dead_man_that_waited_while_the_gate_stood_still_is_not_heard():
    rig = Rig(allow_bypass=True).arm()
    rig.note(rig.gate.take_bypass(True, rig.now))
    assert rig.state is State.BYPASS
    rig.advance(5000)
    rig.feed()
    assert rig.state is State.HOLD
    rig.note(rig.gate.take_bypass(True, rig.now))
    assert rig.state is State.HOLD
    assert rig.effects[-1].message == (
        'the gate stood still for 5.000 s and the dead-man may be as old; bypass_timeout is 0.1 s')
    rig.run(60)
    rig.note(rig.gate.take_bypass(True, rig.now))
    assert rig.state is State.BYPASS


@pytest.mark.parametrize(('stamp_ms', 'step_ms', 'age'), [(0, 0, 0.6), (-100, -500, 0.6)])
def test_a_command_that_may_have_waited_too_long_is_not_taken(stamp_ms, step_ms, age):
    rig = Rig(heartbeat_timeout=2.0, joint_state_timeout=2.0).arm()
    rig.advance(600, ros_ms=600 + step_ms)
    rig.feed()
    stamp_ns = rig.now.ros_ns + stamp_ms * MS if stamp_ms else 0
    rig.command(make_command(stamp_ns=stamp_ns))
    assert rig.effects[-1].message == (
        f'the gate stood still and the command may be {age:.3f} s old; max_command_age is 0.5 s')
    assert rig.effects[-1].reasons == Reason.TIME_SYNC
    if not step_ms:
        rig.answer(rig.ask(make_command(stamp_ns=rig.now.ros_ns)))
    rig.run(60)
    rig.ask(make_command(stamp_ns=rig.now.ros_ns + stamp_ms * MS if stamp_ms else 0))


@pytest.mark.parametrize(('gap_ms', 'step_ms', 'age'), [
    (400, 0, 0.03), (400, 300, 0.03), (400, -100, 0.13), (150, -300, 0.18), (150, -9000, 0.18),
    (50, -9000, 0.08), (49, -9000, 0.03)])
def test_no_more_is_hidden_than_the_step_back_or_the_gap(gap_ms, step_ms, age):
    rig = suspended(gap_ms, step_ms)
    sample = make_sample(stamp_ns=rig.now.ros_ns - 30 * MS)
    assert not rig.gate.take_joints(sample, rig.now)
    assert rig.gate.inputs.joint_age_s(rig.now) == pytest.approx(age)


def test_joints_that_come_later_are_as_old_as_their_stamps_again():
    rig = suspended(400, -300)
    rig.feed()
    assert rig.gate.inputs.fresh_joints(rig.now) is None
    for _ in range(2):
        rig.tick()
        rig.advance(25)
    rig.feed()
    assert rig.gate.inputs.fresh_joints(rig.now) is None
    rig.advance(1)
    rig.feed()
    assert rig.gate.inputs.joint_age_s(rig.now) == 0.0


def test_the_tick_sees_a_step_before_the_joints_come():
    rig = suspended(400, -300)
    rig.tick()
    rig.advance(5)
    rig.feed()
    assert rig.gate.inputs.fresh_joints(rig.now) is None


def test_clear_without_an_estop_changes_nothing():
    rig = Rig().arm()
    answer = rig.gate.clear(rig.now)
    assert answer.success
    assert 'no e-stop' in answer.message
    assert rig.state is State.RUNNING


def test_a_fault_while_waiting_publishes_nothing():
    rig = Rig()
    rig.note(rig.gate.activate(rig.now))
    rig.feed()
    rig.note(rig.gate.fault('test', rig.now))
    assert rig.state is State.ESTOP
    assert not rig.holds()


def test_a_lost_predictor_must_answer_again_before_the_gate_arms():
    rig = Rig(engage_on_start=False)
    rig.note(rig.gate.activate(rig.now))
    rig.run(100)
    rig.note(rig.gate.lose_predictor('gone', rig.now))
    rig.gate.engage(True, rig.now)
    for _ in range(20):
        rig.advance(10)
        rig.feed()
        rig.note(rig.gate.tick(rig.now))
    assert rig.state is State.WAITING
    rig.run(600)
    assert rig.state is State.RUNNING


def test_the_predictors_own_words_explain_a_stale_image():
    rig = Rig().arm()
    rig.note(rig.gate.take_heartbeat(
        Heartbeat(progress=-1, is_calibrated=True, image_age_s=0.7, message='camera unplugged'),
        rig.now))
    assert 'frame is 0.70 s old' in rig.message
    assert '(camera unplugged)' in rig.message


def test_a_command_under_judgement_in_hold_is_dropped_by_disengaging():
    """
    Moved though disengaged: the OK for a command that was asked about in HOLD released it.

    Entering HOLD drops the queue, but a gate that holds already does not enter it. No test
    disengaged between question and answer in HOLD; the stateful one found it.
    """
    rig = Rig().arm()
    rig.answer(rig.ask(), Decision.VETO)
    chunk = rig.ask()
    rig.note(rig.gate.engage(False, rig.now).effects)
    rig.answer(chunk)
    assert not rig.forwards()
    assert rig.state is State.HOLD
    assert rig.gate.status(rig.now).counters.dropped == 1
    rig.note(rig.gate.engage(True, rig.now).effects)
    rig.answer(chunk)
    assert not rig.forwards(), 'nor once it is engaged again'


def test_a_lost_predictor_that_makes_no_progress_stays_lost():
    """
    A predictor that hung counted as alive for another heartbeat_timeout after its lease ran out.

    Its heartbeats without progress were told apart only from one that was still remembered, and
    the loss of the lease forgot it; so the next one counted, and a command could be released on
    it. Every test that lost the predictor let it come back with progress.
    """
    rig = Rig().arm()
    rig.note(rig.gate.lose_predictor('liveliness lost', rig.now))
    assert rig.state is State.HOLD
    stuck = Heartbeat(progress=rig.progress, is_calibrated=True, image_age_s=0.03)
    for _ in range(30):
        rig.note(rig.gate.take_heartbeat(stuck, rig.now))
        rig.run(10, beat=False)
        assert rig.reasons & Reason.PREDICTOR_LOST
        rig.command()
        for effect in [e for e in rig.effects if isinstance(e, PublishChunk)][-1:]:
            rig.answer(effect.chunk)
    assert not rig.forwards()
    rig.run(150)
    rig.answer(rig.ask())
    assert len(rig.forwards()) == 1


def test_a_bypassed_command_goes_out_as_it_is_and_ends_at_rest():
    rig = Rig(allow_bypass=True).arm()
    rig.note(rig.gate.take_bypass(True, rig.now))
    rig.command(make_command(velocities=((1.0, 2.0), (1.0, 2.0))))
    (forward,) = rig.forwards()
    assert (forward.chunk_id, forward.interface) == (0, CommandInterface.JOINT_TRAJECTORY)
    assert forward.trajectory.positions.tolist() == [[0.1, 0.2], [0.2, 0.4]]
    assert forward.trajectory.times.tolist() == [0.1, 0.2]
    assert forward.trajectory.velocities.tolist() == [[1.0, 2.0], [0.0, 0.0]]


def test_a_bypassed_command_is_too_old_by_its_own_stamp():
    rig = Rig(allow_bypass=True).arm()
    rig.note(rig.gate.take_bypass(True, rig.now))
    rig.command(make_command(stamp_ns=rig.now.ros_ns - 5000 * MS))
    assert not rig.forwards()
    assert rig.effects[-1].message == 'the command is 5.000 s old; max_command_age is 0.5 s'


def test_an_ok_in_hold_on_inputs_that_grew_old_says_all_that_is_old():
    rig = Rig(decision_timeout=5.0).arm()
    rig.answer(rig.ask(), Decision.VETO)
    chunk = rig.ask()
    for _ in range(10):
        rig.advance(40)
        rig.feed(joints=False)
    rig.image_age_s = 0.9
    rig.feed(joints=False)
    rig.answer(chunk)
    assert rig.state is State.HOLD
    assert not rig.forwards()
    assert rig.gate.stance.reasons == Reason.STALE_JOINTS
    assert rig.gate.stance.message == (
        'not released: joint_states are 0.40 s old; joint_state_timeout is 0.2 s; '
        'the newest camera frame is 0.90 s old; image_timeout is 0.5 s')


def test_without_joints_there_is_no_hold_and_the_latch_says_why():
    rig = Rig().arm()
    rig.advance(500)
    rig.effects = []
    rig.note(rig.gate.engage(False, rig.now).effects)
    assert rig.state is State.ESTOP
    assert rig.gate.stance.message == 'disengaged; no measured joints to hold at'
    assert rig.gate.stance.reasons == Reason.NOT_ENGAGED | Reason.STALE_JOINTS | Reason.ESTOP
    assert [type(e) for e in rig.effects] == [CancelGoal, StateChanged]
    assert not rig.gate.clear(rig.now).success


def test_as_many_fresh_cycles_as_are_asked_for_are_enough():
    for missing, withheld in ((1, ['withheld: inputs fresh for 2 of 3 cycles']), (0, [])):
        rig = Rig(arm_cycles=3).arm()
        chunk = rig.ask()
        rig.effects = []
        rig.gate.streaks.fresh = 3 - missing
        rig.answer(chunk)
        assert [e.message for e in rig.effects if isinstance(e, Refused)] == withheld
        assert len(rig.forwards()) == 1 - missing
