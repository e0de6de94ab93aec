# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The observer's ledger: every way in which a release can lack its permission is found."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from ledger_rig import MS, NAMES, SECOND, START, make_command, make_verdict

from wm_ros.datatypes import Decision, Trajectory
from wm_ros.gate.stretch import stretch
from wm_ros.gate.trim import trim
from wm_ros.ros.observer_holds import looks_like_hold
from wm_ros.ros.observer_ledger import Ledger


def seen(command, verdict, *, chunk=True):
    """Return a ledger that has seen a command and what was said of it."""
    ledger = Ledger()
    ledger.take_command(command, SECOND)
    if chunk:
        ledger.take_chunk(7, command, START, SECOND + MS)
    if verdict is not None:
        ledger.take_verdict(verdict, SECOND + 20 * MS)
    return ledger


def release(ledger, trajectory, at_ns=SECOND + 22 * MS):
    ledger.take_output(trajectory, at_ns)
    ledger.settle(is_final=True)
    return ledger


def test_a_release_of_the_very_command_is_verified_and_timed():
    command = make_command()
    ledger = release(seen(command, make_verdict(command)), command)
    assert ledger.unverified == []
    assert ledger.num_releases == 1
    assert ledger.passages[0].release_ms == pytest.approx(22.0)


@pytest.mark.parametrize('horizon_s', [0.05, 0.2, 0.25, 0.37, 0.5])
def test_a_release_that_was_cut_at_the_horizon_is_verified(horizon_s):
    command = make_command()
    ledger = seen(command, make_verdict(command, horizon_s=horizon_s))
    assert release(ledger, trim(command, horizon_s, START)).unverified == []


def test_a_release_at_the_allowed_speed_is_verified():
    command = make_command()
    verdict = make_verdict(command, decision=Decision.SLOW, speed_factor=0.5, horizon_s=1.0)
    assert release(seen(command, verdict), stretch(command, 0.5)).unverified == []


@pytest.mark.parametrize(('verdict', 'words'), [
    (None, 'without a verdict'),
    ({'decision': Decision.VETO}, 'on a verdict VETO'),
    ({'decision': Decision.ABSTAIN}, 'on a verdict ABSTAIN'),
    ({'decision': Decision.INVALID}, 'on a verdict INVALID'),
    ({'digest': bytes(16)}, 'on a verdict about digest 00000000'),
    ({'valid_until_ns': SECOND + 21 * MS}, '1.0 ms after its verdict had expired'),
    ({'chunk_id': 8}, 'without a verdict'),
])
def test_a_release_without_permission_is_found(verdict, words):
    command = make_command()
    made = None if verdict is None else make_verdict(command, **verdict)
    (problem,) = release(seen(command, made), command).unverified
    assert words in problem


def test_what_comes_late_to_the_listener_still_counts_whatever_the_order():
    """A listener that was busy read the release before the verdict, and called it unverified."""
    command = make_command()
    ledger = Ledger()
    ledger.take_verdict(make_verdict(command), SECOND + 20 * MS)
    ledger.take_output(command, SECOND + 22 * MS)
    ledger.settle()
    assert ledger.passages == []
    ledger.take_chunk(7, command, START, SECOND + MS)
    ledger.take_command(command, SECOND)
    ledger.settle()
    assert (ledger.num_releases, ledger.unverified) == (1, [])
    assert ledger.passages[0].release_ms == pytest.approx(22.0)


def test_a_verdict_given_long_after_the_release_is_no_permission():
    command = make_command()
    ledger = seen(command, None)
    ledger.take_output(command, SECOND + 22 * MS)
    ledger.take_verdict(make_verdict(command), SECOND + 200 * MS)
    ledger.settle(is_final=True)
    assert '178.0 ms before its verdict' in ledger.unverified[0]


def test_a_second_release_of_one_command_is_found():
    command = make_command()
    ledger = release(seen(command, make_verdict(command)), command)
    assert 'twice' in release(ledger, command, SECOND + 30 * MS).unverified[0]


@pytest.mark.parametrize('change', ['position', 'time', 'longer', 'beyond', 'other'])
def test_a_release_that_is_not_the_command_is_found(change):
    command = make_command()
    positions, times = command.positions.copy(), command.times.copy()
    horizon_s = 0.5
    if change == 'position':
        positions[2, 1] += 1e-4
    elif change == 'time':
        times[1] -= 0.01
    elif change == 'longer':
        positions, times = np.vstack([positions, positions[-1:]]), np.append(times, 0.6)
    elif change == 'beyond':
        horizon_s = 0.3
    else:
        positions = make_command(1).positions
    altered = Trajectory(joint_names=NAMES, positions=positions, times=times)
    ledger = seen(command, make_verdict(command, horizon_s=horizon_s))
    assert 'neither a hold nor' in release(ledger, altered).unverified[0]


def test_a_hold_is_one_point_where_the_arm_was_measured():
    ledger = Ledger()
    ledger.take_joints(('c', 'a', 'b'), START[[2, 0, 1]], SECOND)
    hold = Trajectory(joint_names=NAMES, positions=START[None] + 0.01, times=np.array([0.1]))
    release(ledger, hold, SECOND + 20 * MS)
    assert (ledger.num_holds, ledger.unverified) == (1, [])


def test_a_hold_is_recognised_long_after_the_joints_it_was_made_of():
    """Holds were judged after two seconds of newer joint states had replaced theirs."""
    ledger = Ledger()
    ledger.take_joints(NAMES, START, SECOND)
    hold = Trajectory(joint_names=NAMES, positions=START[None], times=np.array([0.1]))
    ledger.take_output(hold, SECOND + 20 * MS)
    for index in range(200):
        ledger.take_joints(NAMES, START + 1.0, SECOND + (index + 2) * 20 * MS)
    ledger.settle(is_final=True)
    assert (ledger.num_holds, ledger.unverified) == (1, [])


@pytest.mark.parametrize(('offset', 'late_ns'), [(0.2, 20 * MS), (0.0, 400 * MS)])
def test_one_point_elsewhere_or_long_after_is_no_hold(offset, late_ns):
    ledger = Ledger()
    ledger.take_joints(NAMES, START, SECOND)
    point = Trajectory(joint_names=NAMES, positions=START[None] + offset, times=np.array([0.1]))
    release(ledger, point, SECOND + late_ns)
    assert ledger.num_holds == 0
    assert len(ledger.unverified) == 1


def test_predicted_frames_are_counted_with_their_command():
    command = make_command()
    ledger = seen(command, make_verdict(command))
    ledger.take_prediction(7, 8, SECOND + 60 * MS)
    ledger.take_prediction(99, 8, SECOND + 60 * MS)
    passage = ledger.passages[0]
    assert (passage.num_frames, passage.prediction_ns - passage.chunk_ns) == (8, 59 * MS)


def test_a_verdict_about_no_chunk_belongs_to_no_command():
    """
    A verdict on chunk 0 was taken as the verdict on each command whose chunk was still to come.

    The right one then did not count, and its release looked like one without permission. Random
    messages found it: nobody else sends a verdict on chunk 0.
    """
    command, ledger = make_command(), Ledger()
    ledger.take_verdict(make_verdict(command, chunk_id=0, digest=bytes(16)), SECOND - MS)
    ledger.take_command(command, SECOND)
    ledger.take_chunk(7, command, START, SECOND + MS)
    ledger.take_verdict(make_verdict(command), SECOND + 20 * MS)
    assert release(ledger, command).unverified == []


@pytest.mark.parametrize(('early_ns', 'is_justified'), [(SECOND, True), (50 * MS, False)])
def test_of_two_verdicts_the_first_after_the_chunk_counts(early_ns, is_justified):
    """A verdict on a chunk that is still to come was taken for the one that released it."""
    command, ledger = make_command(), Ledger()
    wrong = make_verdict(command, digest=bytes(16))
    ledger.take_verdict(wrong, SECOND + MS - early_ns)
    ledger.take_command(command, SECOND)
    ledger.take_chunk(7, command, START, SECOND + MS)
    ledger.take_verdict(make_verdict(command), SECOND + 20 * MS)
    assert (release(ledger, command).unverified == []) == is_justified


def test_a_new_ledger_knows_a_hold_that_is_made_of_joints_from_before():
    old = Ledger()
    old.take_joints(NAMES, START, SECOND)
    ledger = old.successor()
    hold = Trajectory(joint_names=NAMES, positions=START[None], times=np.array([0.1]))
    ledger.take_output(hold, SECOND + 20 * MS)
    ledger.settle(is_final=True)
    assert (ledger.num_holds, ledger.unverified) == (1, [])


def test_of_equal_commands_the_one_that_was_judged_was_released():
    command = make_command()
    ledger = seen(command, make_verdict(command))
    ledger.take_command(command, SECOND + 21 * MS)
    ledger = release(ledger, command)
    assert ledger.unverified == []
    assert ledger.passages[0].release_ns
    assert 'twice' in release(ledger, command, SECOND + 30 * MS).unverified[0]


@pytest.mark.parametrize(('late_ns', 'is_justified'), [(60 * MS, True), (200 * MS, False)])
def test_a_command_may_be_stamped_a_little_after_its_release(late_ns, is_justified):
    """Flooded with commands, the listener stamped some of them later than what came of them."""
    command, ledger = make_command(), Ledger()
    ledger.take_output(command, SECOND + 22 * MS)
    ledger.take_chunk(7, command, START, SECOND + MS)
    ledger.take_verdict(make_verdict(command), SECOND + 20 * MS)
    ledger.take_command(command, SECOND + 22 * MS + late_ns)
    ledger.settle(is_final=True)
    assert (ledger.unverified == []) == is_justified


def brake(positions=START, velocities=(0.8, 0.0, -0.4), deceleration=4.0):
    """Brake evenly from a motion, worked out by hand: points where a joint comes to rest."""
    velocities = np.asarray(velocities)
    rests = np.abs(velocities) / deceleration
    times = np.array([t for t in sorted(set(rests)) if t > 0.0])
    share = np.clip(1.0 - times[:, None] / np.where(rests > 0.0, rests, 1.0), 0.0, 1.0)
    moved = np.minimum(times[:, None], rests) * velocities * (1.0 + share) / 2.0
    return Trajectory(joint_names=NAMES, positions=positions + moved, times=times,
                      velocities=np.where(rests > 0.0, velocities * share, 0.0))


def moving(velocities=(0.8, 0.0, -0.4)):
    """Return a ledger that has seen the arm move."""
    ledger = Ledger()
    order = [2, 0, 1]
    ledger.take_joints(tuple(NAMES[i] for i in order), START[order], SECOND,
                       None if velocities is None else np.array(velocities)[order])
    return ledger


def test_a_path_that_only_brakes_is_a_hold_and_no_command():
    ledger = release(moving(), brake(), SECOND + 20 * MS)
    assert (ledger.num_holds, ledger.num_releases, ledger.unverified) == (1, 0, [])


def test_a_driver_that_measures_a_joint_too_many_tells_a_hold_all_the_same():
    ledger = Ledger()
    ledger.take_joints(('wheel', *NAMES), np.array([9.0, *START]), SECOND)
    point = Trajectory(joint_names=NAMES, positions=START[None], times=np.array([0.2]))
    assert release(ledger, point, SECOND + 20 * MS).num_holds == 1
    point = replace(point, joint_names=('a', 'b', 'd'))
    assert release(ledger, point, SECOND + 30 * MS).num_holds == 1


@pytest.mark.parametrize(('changes', 'speeds', 'late_ns'), [
    ({'position': (0, 0, 0.2)}, (0.8, 0.0, -0.4), 20 * MS),
    ({'position': (-1, 0, 0.2)}, (0.8, 0.0, -0.4), 20 * MS),
    ({'velocity': (-1, 0, 0.01)}, (0.8, 0.0, -0.4), 20 * MS),
    ({'velocity': (0, 0, 0.9)}, (0.8, 0.0, -0.4), 20 * MS),
    ({'velocity': (0, 0, -0.5)}, (0.8, 0.0, -0.4), 20 * MS),
    ({'velocities': None}, (0.8, 0.0, -0.4), 20 * MS),
    ({'joint_names': ('a', 'b', 'd')}, (0.8, 0.0, -0.4), 20 * MS),
    ({}, None, 20 * MS),
    ({}, (-0.8, 0.0, 0.4), 20 * MS),
    ({}, (0.8, 0.0, -0.4), 400 * MS),
], ids=['elsewhere', 'further', 'not at rest', 'faster', 'back', 'no speeds', 'other joints',
        'not measured', 'measured the other way', 'long after'])
def test_a_path_that_does_more_than_brake_is_no_hold(changes, speeds, late_ns):
    path = brake()
    for name, table in (('position', path.positions), ('velocity', path.velocities)):
        if name in changes:
            row, column, by = changes.pop(name)
            table[row, column] += by
    ledger = release(moving(speeds), replace(path, **changes), SECOND + late_ns)
    assert ledger.num_holds == 0
    assert len(ledger.unverified) == 1


def test_a_command_that_only_brakes_needs_its_verdict_all_the_same():
    command = brake()
    ledger = seen(command, make_verdict(command, decision=Decision.VETO))
    ledger.take_joints(NAMES, START, SECOND, np.array([0.8, 0.0, -0.4]))
    (problem,) = release(ledger, command).unverified
    assert 'on a verdict VETO' in problem


def test_what_is_forgotten_was_judged_for_good_and_releases_nothing_later():
    command = make_command()
    ledger = seen(command, make_verdict(command))
    ledger.take_output(command, SECOND + 22 * MS)
    # Nothing leads to this one, and after a while nothing can still be on its way.
    ledger.take_output(make_command(1), SECOND + 30 * MS)
    ledger.settle()
    assert ledger.unverified == []
    ledger.forget(SECOND + 25 * MS)
    assert (ledger.unverified, ledger.passages) == ([], [])
    ledger.forget(SECOND + 40 * MS)
    (problem,) = ledger.unverified
    assert 'neither a hold nor' in problem
    release(ledger, command, SECOND + 50 * MS)
    assert len(ledger.unverified) == 2, 'a command that was forgotten cannot be released again'
    assert [len(kept) for kept in (ledger._judged, ledger._verdicts, ledger._chunks,
                                   ledger._alone, ledger._outputs)] == [0] * 5


def test_what_is_young_is_not_forgotten():
    command = make_command()
    ledger = seen(command, make_verdict(command))
    ledger.forget(SECOND - MS)
    release(ledger, command)
    assert (ledger.unverified, ledger.num_releases) == ([], 1)


@pytest.mark.parametrize(('velocities', 'expected'), [
    ([[]], True), ([[], []], False), ([[0.2, -0.1], [0.0, 0.0]], True),
    ([[0.3, -0.1], [0.1, 0.0], [0.0, 0.0]], True), ([[0.2, 0.0], [0.3, 0.0]], False),
    ([[0.2, 0.0], [0.1, 0.0]], False), ([[0.1, 0.0], [0.2, 0.0], [0.0, 0.0]], False)])
def test_a_hold_of_several_points_is_no_release(velocities, expected):
    """Rows of the catalogue told a hold by its one point; an arm that brakes has several."""
    message = SimpleNamespace(points=[SimpleNamespace(velocities=row) for row in velocities])
    assert looks_like_hold(message) is expected
