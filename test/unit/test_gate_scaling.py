# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A controller that scales commands itself: told first, and never slowed twice."""

import pytest
from gate_rig import Rig, make_command

from wm_ros.datatypes import Decision, Reason
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import Forward, Hold, ScaleSpeed
from wm_ros.gate.values import State

TOPIC = '/arm_controller/speed_scaling_input'
AWAY = Reason.RISK | Reason.ESCAPE


def scaled_rig(**changes) -> Rig:
    """Make a gate that runs, with a controller that listens."""
    rig = Rig(speed_scaling_topic=TOPIC, **changes).arm()
    rig.gate.note_scaling_listener(True)
    return rig


def told(rig) -> list[float]:
    """Return every factor that went out."""
    return [effect.factor for effect in rig.effects if isinstance(effect, ScaleSpeed)]


def slow(rig, factor=0.5, **changes):
    """Answer a new command with SLOW."""
    return rig.answer(rig.ask(), Decision.SLOW, speed_factor=factor, **changes)


def test_the_controller_is_told_first_and_then_nothing_is_stretched():
    rig = scaled_rig()
    assert told(rig) == [1.0], 'whatever it was before'
    slow(rig)
    assert told(rig) == [1.0, 0.5]
    assert not rig.forwards(), 'the factor may not be there yet'
    assert 'just told 0.5' in rig.message
    rig.run(40)
    slow(rig)
    assert not rig.forwards()
    rig.run(20)
    slow(rig)
    (forward,) = rig.forwards()
    assert forward.trajectory.times == pytest.approx([0.1, 0.2]), 'its own speed: scaled there'
    assert told(rig) == [1.0, 0.5], 'told once'
    assert rig.state is State.SLOW


def test_scaled_or_stretched_the_same_part_of_the_path_goes_out():
    path = make_command(((0.1, 0.0), (0.2, 0.0), (0.3, 0.0)), (200, 400, 600))
    ends = []
    for rig in (scaled_rig(), Rig().arm()):
        rig.answer(rig.ask(path), Decision.SLOW, speed_factor=0.5, horizon_s=0.7)
        rig.run(60)
        rig.answer(rig.ask(path), Decision.SLOW, speed_factor=0.5, horizon_s=0.7)
        ends.append(rig.forwards()[-1].trajectory)
    # By hand: in 0.7 s at half its speed it comes to 0.35 s of its own, 0.175 rad far.
    assert ends[0].positions[-1] == pytest.approx([0.175, 0.0])
    assert ends[1].positions[-1] == pytest.approx([0.175, 0.0])
    assert (ends[0].times[-1], ends[1].times[-1]) == pytest.approx((0.35, 0.7))


@pytest.mark.parametrize('how', ['ok', 'veto', 'stop', 'deactivate'])
def test_leaving_slow_gives_the_speed_back_before_anything_else_moves(how):
    rig = scaled_rig()
    slow(rig)
    rig.run(60)
    slow(rig)
    rig.effects.clear()
    if how == 'ok':
        rig.answer(rig.ask())
    elif how == 'veto':
        rig.answer(rig.ask(), Decision.VETO)
    elif how == 'stop':
        rig.note(rig.gate.stop('test', rig.now).effects)
    else:
        rig.note(rig.gate.deactivate(rig.now))
    moving = [e for e in rig.effects if isinstance(e, (ScaleSpeed, Forward, Hold))]
    assert moving[0] == ScaleSpeed(factor=1.0)
    assert isinstance(moving[1], Forward if how == 'ok' else Hold)


def test_nobody_listens_so_nothing_that_must_be_slow_goes_out():
    rig = scaled_rig()
    rig.gate.note_scaling_listener(False)
    for _ in range(3):
        slow(rig)
        rig.run(60)
    assert not rig.forwards()
    assert told(rig) == [1.0]
    assert f'nobody listens on {TOPIC}' in rig.message
    rig.answer(rig.ask())
    assert len(rig.forwards()) == 1, 'what needs no scaling does'


def test_an_escape_is_stretched_since_its_speed_is_new_each_time():
    rig = scaled_rig()
    rig.answer(rig.ask(), Decision.VETO)
    chunk = rig.ask()
    rig.answer(chunk, Decision.SLOW, reasons=AWAY, speed_factor=chunk.escape_factor)
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.8])
    assert told(rig) == [1.0]


def test_an_escape_after_another_speed_was_told_has_the_speed_it_was_judged_at():
    """The controller ran it at half of that: it had been told 0.5 for a command before."""
    rig = scaled_rig()
    rig.answer(rig.ask(), Decision.VETO)
    chunk = rig.ask()
    rig.answer(chunk, Decision.SLOW, reasons=AWAY, speed_factor=chunk.escape_factor)
    slow(rig, reasons=Reason.RISK)
    rig.run(60)
    rig.effects.clear()
    calm = make_command(((0.01, 0.0),), (100,))
    for _ in range(2):
        chunk = rig.ask(calm)
        assert chunk.escape_factor == 1.0
        rig.answer(chunk, Decision.SLOW, reasons=AWAY, speed_factor=1.0)
        assert told(rig) == [1.0]
        rig.run(60)
    (forward,) = rig.forwards()
    assert forward.trajectory.times == pytest.approx([0.1])


def test_an_ok_within_slow_waits_for_a_listener_too():
    rig = scaled_rig(release_count=3)
    slow(rig)
    rig.run(60)
    slow(rig)
    rig.gate.note_scaling_listener(False)
    rig.effects.clear()
    rig.answer(rig.ask(), speed_factor=0.5)
    assert not rig.forwards()
    assert f'nobody listens on {TOPIC}' in rig.message


def test_an_ok_within_slow_is_scaled_and_not_stretched():
    rig = scaled_rig(release_count=3)
    slow(rig)
    rig.run(60)
    slow(rig)
    rig.answer(rig.ask(), speed_factor=0.5)
    assert rig.state is State.SLOW
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.1, 0.2])
    assert told(rig) == [1.0, 0.5]


def test_shadow_and_a_gate_without_the_topic_tell_nothing():
    rig = Rig().arm()
    slow(rig)
    assert not told(rig)
    assert rig.forwards()[-1].trajectory.times == pytest.approx([0.2, 0.4])
    rig = scaled_rig(mode='shadow')
    slow(rig)
    assert not told(rig)


def test_a_controller_of_set_points_scales_nothing():
    with pytest.raises(ValueError, match='speed_scaling_topic is given, but command_out_type'):
        Rig(speed_scaling_topic=TOPIC, command_out_type=ARRAY_TYPE)


def test_a_new_activation_tells_the_speed_again():
    rig = scaled_rig()
    rig.note(rig.gate.deactivate(rig.now))
    rig.note(rig.gate.activate(rig.now))
    assert told(rig) == [1.0, 1.0]
