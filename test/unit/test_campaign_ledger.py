# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ledger of a walk: which releases are allowed where verdicts are many and clocks step."""

import numpy as np
import pytest
from ledger_rig import MS, NAMES, SECOND, START, make_command, make_verdict

from wm_ros.datatypes import Decision, Reason, Trajectory
from wm_ros.gate.trim import trim
from wm_ros.ros.campaign_ledger import CampaignLedger

RELEASE = SECOND + 22 * MS


def make_ledger(command, *verdicts, chunk_id=7, up_to=SECOND + 400 * MS):
    """Return a ledger that has seen a live robot, a command, its chunk, and verdicts 20 ms on."""
    ledger = CampaignLedger()
    for at_ns in range(SECOND - 500 * MS, up_to, 20 * MS):
        ledger.take_joints(NAMES, START, at_ns)
        ledger.usable_joints.append(at_ns)
        ledger.beats.append(at_ns)
    ledger.take_command(command, SECOND)
    ledger.source_ns = SECOND + MS
    ledger.note_chunk_source(chunk_id)
    ledger.take_chunk(chunk_id, command, START, SECOND + MS)
    for verdict in verdicts:
        ledger.take_verdict(verdict, SECOND + 20 * MS)
    return ledger


def send_out(ledger, trajectory, at_ns=RELEASE, source_ns=None):
    ledger.source_ns = at_ns if source_ns is None else source_ns
    ledger.take_output(trajectory, at_ns)


def judged(ledger):
    ledger.settle(is_final=True)
    return [(violation.invariant, violation.words) for violation in ledger.violations]


def hold(position=START):
    return Trajectory(joint_names=NAMES, positions=np.array(position)[None], times=np.array([0.1]))


def test_an_allowed_release_breaks_nothing():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    send_out(ledger, command)
    assert judged(ledger) == []
    assert [(output.is_hold, output.source_ns) for output in ledger.outputs] == [(False, RELEASE)]


@pytest.mark.parametrize(('changes', 'words'), [
    ({'digest': bytes(16)}, 'about digest 00000000'),
    ({'decision': Decision.VETO}, 'on a verdict VETO'),
    ({'decision': Decision.INVALID}, 'on a verdict INVALID'),
    ({'valid_until_ns': SECOND - 200 * MS}, 'after its verdict had expired'),
    ({'observation_stamp_ns': SECOND - 700 * MS}, 'frame that was too old'),
    ({'observation_stamp_ns': SECOND + 300 * MS}, 'frame of the future'),
    ({'stamp_ns': SECOND + 300 * MS}, 'verdict of the future'),
    ({'horizon_s': float('inf')}, 'horizon of inf'),
    ({'risk': 0.6}, 'risk of 0.6 against 0.5'),
    ({'risk': float('nan')}, 'risk of nan'),
    ({'risk_threshold': float('nan')}, 'against nan'),
    ({'reasons': Reason.UNCALIBRATED}, 'not calibrated'),
])
def test_a_verdict_that_does_not_allow_it_is_no_permission(changes, words):
    command = make_command()
    ledger = make_ledger(command, make_verdict(command, **changes))
    send_out(ledger, command)
    [(invariant, text)] = judged(ledger)
    assert invariant == '2'
    assert words in text


@pytest.mark.parametrize('changes', [{'speed_factor': 0.0}, {'speed_factor': 2.0},
                                     {'horizon_s': 0.3}])
def test_a_release_that_goes_further_or_faster_is_none_that_was_allowed(changes):
    command = make_command()
    ledger = make_ledger(command, make_verdict(command, **changes))
    send_out(ledger, command)
    assert [invariant for invariant, _ in judged(ledger)] == ['2']


def test_one_verdict_of_several_is_enough_in_whatever_order():
    command = make_command()
    good, bad = make_verdict(command), make_verdict(command, digest=bytes(16))
    for verdicts in ((good, bad), (bad, good)):
        ledger = make_ledger(command, *verdicts)
        send_out(ledger, command)
        assert judged(ledger) == []


def test_a_release_is_cut_by_the_verdict_that_allowed_it():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command, horizon_s=0.25), make_verdict(
        command, decision=Decision.VETO))
    send_out(ledger, trim(command, 0.25, START))
    assert judged(ledger) == []


def test_a_release_without_a_verdict_is_seen():
    command = make_command()
    ledger = make_ledger(command)
    send_out(ledger, command)
    assert 'without a verdict' in judged(ledger)[0][1]


@pytest.mark.parametrize(('verdict', 'at_ms', 'words'), [
    ({}, 22, ''),
    ({'digest': bytes(16)}, 22, 'without a verdict'),
    ({'decision': Decision.VETO}, 22, 'on a verdict VETO'),
    # Of a chunk that was heard, and so not of this command.
    ({'chunk_id': 9}, 22, 'without a verdict'),
    # Twice the tolerance and more after its verdict, and so after its chunk.
    ({}, 300, 'ms after it was put to the predictor'),
])
def test_a_chunk_that_the_listener_missed_is_told_by_its_digest(verdict, at_ms, words):
    command, other = make_command(), make_command(seed=1)
    ledger = make_ledger(other, chunk_id=9)
    ledger.take_command(command, SECOND)
    ledger.take_verdict(make_verdict(command, **verdict), SECOND + 20 * MS)
    send_out(ledger, command, SECOND + at_ms * MS)
    found = judged(ledger)
    assert len(found) == (1 if words else 0)
    assert words in ''.join(text for _, text in found)


def test_a_second_release_of_one_command_is_seen():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    send_out(ledger, command)
    send_out(ledger, command, RELEASE + 30 * MS)
    assert 'released twice' in judged(ledger)[0][1]


def test_equal_commands_are_released_once_each():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command), make_verdict(command, chunk_id=8))
    ledger.take_command(command, SECOND + 2 * MS)
    ledger.take_chunk(8, command, START, SECOND + 3 * MS)
    send_out(ledger, command)
    send_out(ledger, command, RELEASE + 10 * MS)
    assert judged(ledger) == []


def test_a_command_that_was_wrong_on_purpose_must_not_go_out():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    ledger.forbid(SECOND, 'wrong on purpose: command far')
    send_out(ledger, command)
    assert 'wrong on purpose: command far' in judged(ledger)[0][1]


@pytest.mark.parametrize(('kept', 'words'), [('beats', 'usable joints'),
                                             ('usable_joints', 'usable heartbeat')])
def test_a_release_on_silence_is_seen(kept, words):
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    silent = 'usable_joints' if kept == 'beats' else 'beats'
    setattr(ledger, silent, [at for at in ledger.beats if at < SECOND - 300 * MS])
    send_out(ledger, command)
    assert words in judged(ledger)[0][1]


def test_a_release_long_after_the_question_is_seen():
    command = make_command()
    late = make_verdict(command, stamp_ns=SECOND + 250 * MS, valid_until_ns=3 * SECOND)
    ledger = make_ledger(command, late)
    send_out(ledger, command, SECOND + 260 * MS)
    assert '259 ms after it was put to the predictor' in judged(ledger)[0][1]


def test_times_are_judged_by_the_clock_of_the_stamps():
    command, offset_ns = make_command(), -10 * SECOND
    verdict = make_verdict(command, stamp_ns=SECOND + offset_ns, valid_until_ns=(
        SECOND + 320 * MS + offset_ns), observation_stamp_ns=SECOND + offset_ns)
    for steps, count in (([(SECOND - 400 * MS, offset_ns)], 0), ([], 1)):
        ledger = make_ledger(command, verdict)
        ledger.timeline.steps += steps
        send_out(ledger, command)
        assert len(judged(ledger)) == count


def test_what_waited_for_a_processor_was_decided_before():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command, valid_until_ns=SECOND + 50 * MS))
    send_out(ledger, command, SECOND + 200 * MS)
    ledger.timeline.waits += [(SECOND, 0), (SECOND + 210 * MS, 170 * MS)]
    assert judged(ledger) == []


def test_a_command_from_before_a_hold_must_not_come_after_it():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    send_out(ledger, hold(), SECOND + 10 * MS)
    send_out(ledger, command)
    assert 'released after a hold, and the gate had taken it before' in judged(ledger)[0][1]


def test_stamps_from_before_and_after_a_step_of_the_clock_have_no_order():
    # Seed 72: after a step of -1 s a command was taken 1 s after a hold, less 0.5 ms.
    command = make_command()
    for offset_ns, wanted in ((-SECOND, []), (0, ['2'])):
        ledger = make_ledger(command, make_verdict(
            command, stamp_ns=SECOND + offset_ns, observation_stamp_ns=SECOND + offset_ns,
            valid_until_ns=SECOND + 320 * MS + offset_ns))
        if offset_ns:
            ledger.timeline.steps.append((SECOND - 350 * MS, offset_ns))
        send_out(ledger, hold(), SECOND - 400 * MS, SECOND + 10 * MS)
        send_out(ledger, command)
        assert [invariant for invariant, _ in judged(ledger)] == wanted


def test_a_hold_where_the_arm_is_breaks_nothing():
    ledger = make_ledger(make_command())
    send_out(ledger, hold())
    assert judged(ledger) == []
    assert [output.is_hold for output in ledger.outputs] == [True]


def test_a_hold_elsewhere_is_a_release_of_nothing():
    ledger = make_ledger(make_command())
    send_out(ledger, hold(np.zeros(3)))
    [(invariant, words)] = judged(ledger)
    assert invariant == '2'
    assert 'neither a hold' in words


def test_the_obedience_of_the_arm_does_not_make_a_wrong_hold_right():
    ledger = make_ledger(make_command(), up_to=RELEASE)
    send_out(ledger, hold(np.zeros(3)))
    ledger.take_joints(NAMES, np.zeros(3), RELEASE + 100 * MS)
    assert [invariant for invariant, _ in judged(ledger)] == ['2']


def test_a_hold_at_joints_of_long_ago_is_seen():
    ledger = make_ledger(make_command(), up_to=SECOND)
    send_out(ledger, hold(), SECOND + 500 * MS)
    [(invariant, words)] = judged(ledger)
    assert invariant == '5'
    assert 'long ago' in words


@pytest.mark.parametrize('age_ms', [3, 200, 400, 560])
def test_a_process_that_waited_may_have_decided_on_a_hold_at_any_time_meanwhile(age_ms):
    """An arm at 0.2 rad/s; gate and observer waited for a processor for 500 ms before the hold."""
    ledger, at_ns = make_ledger(make_command(), up_to=SECOND - 480 * MS), SECOND + 1000 * MS
    ledger.timeline.waits += [(at_ns - 600 * MS, 0), (at_ns, 500 * MS)]
    for ms in range(0, 1001, 20):
        ledger.take_joints(NAMES, START + 2e-4 * ms, SECOND + ms * MS)
        ledger.usable_joints.append(SECOND + ms * MS)
    send_out(ledger, hold(START + 2e-4 * (1000 - age_ms)), at_ns)
    assert judged(ledger) == []


def test_a_hold_from_before_all_waiting_is_seen():
    ledger, at_ns = make_ledger(make_command(), up_to=SECOND - 480 * MS), SECOND + 2000 * MS
    ledger.timeline.waits += [(at_ns - 600 * MS, 0), (at_ns, 100 * MS)]
    for ms in range(0, 2001, 20):
        ledger.take_joints(NAMES, START + 2e-4 * ms, SECOND + ms * MS)
        ledger.usable_joints.append(SECOND + ms * MS)
    send_out(ledger, hold(START + 2e-4 * 1300), at_ns)
    [(invariant, words)] = judged(ledger)
    assert (invariant, words[:31]) == ('5', 'a hold at joints of long ago: a')


def test_a_hold_that_nobody_measured_lately_is_seen():
    """The place is right by chance: what could be used is older."""
    ledger = make_ledger(make_command())
    ledger.usable_joints = [at for at in ledger.usable_joints if at < SECOND - 350 * MS]
    send_out(ledger, hold())
    assert judged(ledger) == [('5', 'a hold went out and no usable joints had come for 0.3 s')]


def test_a_new_walk_knows_only_where_the_arm_was():
    command = make_command()
    ledger = make_ledger(command, make_verdict(command))
    new = ledger.successor()
    send_out(new, command)
    assert [invariant for invariant, _ in judged(new)] == ['2']
    assert new.timeline is not ledger.timeline
