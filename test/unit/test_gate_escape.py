# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Motion away from a risk: when the gate asks about it, and what it lets through."""

import numpy as np
import pytest
from gate_rig import Rig, make_command, make_sample, make_setpoint

from wm_ros.datatypes import CommandInterface, Decision, Reason, Trajectory
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import Forward
from wm_ros.gate.speeds import as_sent, highest_speed
from wm_ros.gate.values import State

AWAY = Reason.RISK | Reason.ESCAPE
# 0.1 rad of a and 0.2 of b in each tenth of a second: b moves at 2 rad/s.
FASTEST = 2.0


def held_rig(**changes) -> Rig:
    """Make a gate that holds for a risk."""
    rig = Rig(**changes).arm()
    rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.HOLD
    rig.effects.clear()
    return rig


def escape(rig, chunk=None, **changes):
    """Answer that a command leads away."""
    chunk = chunk or rig.ask()
    return rig.answer(chunk, Decision.SLOW, **{
        'reasons': AWAY, 'speed_factor': chunk.escape_factor, 'risk': 0.7,
        'message': 'leads away', **changes})


def test_it_asks_only_while_it_holds_for_a_risk():
    rig = Rig().arm()
    assert rig.ask().escape_factor == 0.0, 'it runs'
    rig.answer(rig.gate.docket.judged.chunk, Decision.VETO)
    assert rig.ask().escape_factor == 0.25 / FASTEST


@pytest.mark.parametrize('reasons', [
    Reason.UNCERTAIN | Reason.OOD, Reason.MODEL_ERROR, Reason.RISK | Reason.DEADLINE,
    Reason.NONE])
def test_a_hold_that_is_not_for_a_risk_has_no_escape(reasons):
    rig = Rig().arm()
    rig.answer(rig.ask(), Decision.VETO, reasons=reasons)
    assert rig.state is State.HOLD
    assert rig.ask().escape_factor == 0.0


def test_doubt_between_does_not_lock_it_in():
    rig = held_rig()
    rig.answer(rig.ask(), Decision.ABSTAIN, reasons=Reason.UNCERTAIN)
    assert rig.ask().escape_factor > 0.0


def test_an_escape_is_released_at_once_slowly_and_as_it_was_judged():
    rig = held_rig(release_count=5)
    escape(rig)
    assert rig.state is State.SLOW
    assert rig.reasons == AWAY
    assert rig.message == 'leads away'
    (forward,) = rig.forwards()
    # b would be at 0.2 rad after 0.1 s; at an eighth of the speed after 0.8 s.
    assert forward.trajectory.times == pytest.approx([0.8])
    assert highest_speed(forward.trajectory, make_sample()) <= 0.25 + 1e-9


def test_it_goes_on_until_it_is_refused_and_then_holds_again():
    rig = held_rig(release_count=2)
    escape(rig)
    escape(rig)
    assert len(rig.forwards()) == 2
    assert not rig.holds(), 'no stop and go'
    rig.answer(rig.ask(), Decision.VETO)
    assert rig.state is State.HOLD
    assert len(rig.holds()) == 1
    assert rig.ask().escape_factor > 0.0


def test_out_of_the_risk_the_usual_hysteresis_ends_slow():
    rig = held_rig(release_count=2)
    escape(rig)
    chunk = rig.ask()
    assert chunk.slow_factor == chunk.escape_factor == 0.125
    rig.answer(chunk, speed_factor=0.125)
    assert rig.state is State.SLOW
    assert rig.ask().escape_factor == 0.0, 'it was allowed by its own risk'
    rig.answer(rig.gate.docket.judged.chunk)
    assert rig.state is State.RUNNING


def test_a_command_that_need_not_be_slowed_is_not_withheld_for_its_speed():
    """An OK at its own speed is an OK at that of SLOW, where the two are one."""
    rig = held_rig(release_count=3)
    calm = make_command(((0.01, 0.0), (0.02, 0.0)), (100, 200))
    escape(rig, rig.ask(calm))
    chunk = rig.ask(calm)
    assert chunk.slow_factor == 1.0
    rig.answer(chunk)
    assert rig.state is State.SLOW
    assert len(rig.forwards()) == 2


@pytest.mark.parametrize('changes', [
    {'speed_factor': 0.126}, {'speed_factor': 1.0}, {'decision': Decision.OK},
    {'decision': Decision.VETO}, {'valid_until_ns': 0}, {'digest': bytes(16)}])
def test_an_escape_that_the_gate_did_not_ask_for_so_is_not_released(changes):
    rig = held_rig()
    chunk = rig.ask()
    rig.note(rig.gate.take_verdict(rig.verdict(chunk, **{
        'decision': Decision.SLOW, 'reasons': AWAY, 'speed_factor': 0.125, **changes}), rig.now))
    assert not rig.forwards()
    assert rig.state is State.HOLD


def test_an_escape_in_running_is_not_released():
    rig = Rig().arm()
    escape(rig, speed_factor=0.125)
    assert not rig.forwards()
    assert rig.state is State.HOLD


def test_nothing_escapes_from_the_latched_stop():
    rig = held_rig()
    chunk = rig.ask()
    rig.note(rig.gate.stop('test', rig.now).effects)
    escape(rig, chunk)
    rig.command()
    assert rig.state is State.ESTOP
    assert not rig.forwards()


def test_fresh_inputs_are_needed_all_the_same():
    rig = held_rig()
    chunk = rig.ask()
    rig.image_age_s = 0.6
    rig.feed()
    escape(rig, chunk)
    assert not rig.forwards()


def test_shadow_asks_the_same_and_releases_nothing_of_it():
    rig = Rig(mode='shadow').arm()
    rig.answer(rig.ask(), Decision.VETO)
    chunk = rig.ask()
    assert chunk.escape_factor == 0.125, 'so its verdicts are those of enforce'
    assert not [effect for effect in escape(rig, chunk) if isinstance(effect, Forward)]


def test_a_controller_of_positions_has_no_slow_escape():
    rig = Rig(command_out_type=ARRAY_TYPE).arm()
    rig.answer(rig.ask(make_setpoint()), Decision.VETO)
    chunk = rig.ask(make_setpoint())
    assert chunk.escape_factor == 0.0
    rig.answer(chunk, Decision.SLOW, speed_factor=0.5)
    assert not rig.forwards()
    assert 'set-point of positions' in rig.message


def test_velocities_escape_slowly():
    rig = Rig(command_out_type=ARRAY_TYPE, command_interface='velocity').arm()
    speed = make_setpoint((1.0, -0.5), CommandInterface.VELOCITY)
    rig.answer(rig.ask(speed), Decision.VETO)
    chunk = rig.ask(speed)
    assert chunk.escape_factor == 0.25
    escape(rig, chunk)
    assert rig.forwards()[-1].trajectory.velocities[0] == pytest.approx([0.25, -0.125])


def test_zero_switches_it_off():
    assert held_rig(escape_max_velocity=0.0).ask().escape_factor == 0.0


def test_slow_commands_keep_their_speed_and_the_highest_counts():
    rig = held_rig()
    slow = make_command(((0.01, 0.0), (0.02, 0.0)), (100, 200))
    assert rig.ask(slow).escape_factor == 1.0
    # At its points it is slow, on the way from where the arm is it is not: 0.3 rad in 0.1 s.
    path = Trajectory(
        joint_names=('a', 'b'), positions=np.array([[0.3, 0.0], [0.31, 0.0]]),
        times=np.array([0.1, 0.2]))
    assert highest_speed(path, make_sample()) == pytest.approx(3.0)
    begins_here = Trajectory(
        joint_names=('a', 'b'), positions=np.array([[0.3, 0.0], [0.31, 0.0]]),
        times=np.array([0.0, 0.1]), velocities=np.array([[0.0, 0.4], [0.0, 0.0]]))
    assert highest_speed(begins_here, make_sample()) == pytest.approx(0.4)


@pytest.mark.parametrize('factor', [0.1, 1 / 3, 0.7, 0.999999, 1.0])
def test_a_factor_survives_a_message_and_is_never_rounded_up(factor):
    sent = as_sent(factor)
    assert float(np.float32(sent)) == sent
    assert 0.0 <= factor - sent < 1e-7
