# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the gate says and does in one long day, word for word.

Reasons, words, counters and ages are what people act on, and no other test reads all of them. The
transcript is test/unit/gate_transcript.txt. After a wanted change write it again and read the
difference:  WRITE_GATE_TRANSCRIPT=1 python -m pytest test/unit/test_gate_transcript.py
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from gate_rig import MS, Rig, make_command, make_sample, make_setpoint

from wm_ros.datatypes import CommandInterface, Decision, Reason
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import CheckAnswered, Forward, Hold, PublishChunk, StateChanged
from wm_ros.gate.release import rule
from wm_ros.gate.values import Heartbeat

STORED = Path(__file__).with_name('gate_transcript.txt')
AGES = ('image_age_s', 'joint_age_s', 'verdict_age_s', 'heartbeat_age_s', 'decision_ms',
        'decision_ms_p99')


def numbers(values) -> str:
    """Write an array shortly."""
    return str([[f'{n:.4g}' for n in row] for row in values]).replace("'", '')


def describe(effect) -> str:
    """Write one effect on one line."""
    kind = type(effect).__name__
    if isinstance(effect, (Forward, PublishChunk)):
        trajectory = effect.chunk.trajectory if isinstance(effect, PublishChunk) else (
            effect.trajectory)
        chunk = effect.chunk if isinstance(effect, PublishChunk) else effect
        speeds = trajectory.velocities
        return (f'{kind} {chunk.chunk_id} {chunk.interface.name} {numbers(trajectory.positions)} '
                f'at {numbers([trajectory.times])}'
                + ('' if speeds is None else f' speeds {numbers(speeds)}') + ''.join(
                    f' {name} {getattr(chunk, name):.4g}' for name in (
                        'slow_factor', 'escape_factor') if getattr(chunk, name, 0.0)))
    if isinstance(effect, Hold):
        path = effect.braking
        return f'{kind} {effect.joint_names} {numbers([effect.positions])}' + (
            '' if path is None else f' braking {numbers(path.positions)} at '
            f'{numbers([path.times])} speeds {numbers(path.velocities)}')
    if isinstance(effect, CheckAnswered):
        decision = effect.verdict.decision.name if effect.verdict else None
        return f'{kind} {effect.chunk_id} {decision}: {effect.message}'
    if isinstance(effect, StateChanged):
        return (f'{kind} {effect.previous.name} to {effect.state.name} {effect.would_hold} '
                f'{int(effect.reasons)}: {effect.message}')
    reasons = int(getattr(effect, 'reasons', 0))
    return f'{kind} {reasons}: {effect.message}'


class Day:
    """A rig that writes down everything."""

    def __init__(self, name: str, **changes) -> None:
        self.rig = Rig(**changes)
        self.lines = [f'== {name}']

    def write(self, title: str, answer) -> list:
        """Write down an event, what came of it and the state after it."""
        self.lines.append(f'-- {title}')
        effects = answer
        if not isinstance(answer, list):
            self.lines.append(f'   answer {answer.success} {answer.chunk_id}: {answer.message}')
            effects = answer.effects
        self.lines += [f'   {describe(effect)}' for effect in effects]
        status = self.rig.gate.status(self.rig.now)
        ages = ' '.join(f'{getattr(status, name):.3f}' for name in AGES)
        counts = [getattr(status.counters, name) for name in (
            'forwarded', 'vetoed', 'deadline_missed', 'dropped', 'rejected', 'holds',
            'verdicts_ignored')]
        self.lines.append(f'   {status.state.name} {status.is_enforcing} {status.would_hold} '
                          f'{int(status.reasons)} [{ages}] {counts}: {status.message}')
        return effects

    def ask(self, title: str, command=None):
        """Send a command; return the chunk that the gate asks about, if it does."""
        effects = self.write(title, self.rig.gate.take_command(
            command or make_command(), self.rig.now))
        chunks = [e.chunk for e in effects if isinstance(e, PublishChunk)]
        return chunks[0] if chunks else None

    def answer(self, title: str, chunk, decision=Decision.OK, **changes):
        """Answer a chunk; without one there is nothing to say."""
        if chunk is None:
            return
        self.write(title, self.rig.gate.take_verdict(
            self.rig.verdict(chunk, decision, **changes), self.rig.now))

    def tick(self, title: str, ms: float = 10, **changes):
        """Let time pass and tick, twice, because a late tick is let off once."""
        self.rig.advance(ms, **changes)
        self.rig.gate.tick(self.rig.now)
        self.write(title, self.rig.gate.tick(self.rig.now))

    def call(self, title: str, name: str, *arguments):
        """Call a method of the gate."""
        self.write(title, getattr(self.rig.gate, name)(*arguments, self.rig.now))

    def rearm(self):
        """Bring the gate back to RUNNING by a command that is allowed."""
        self.rig.run(60)
        chunk = [e.chunk for e in self.rig.gate.take_command(make_command(), self.rig.now)
                 if isinstance(e, PublishChunk)]
        if chunk:
            self.answer('allowed again', chunk[0])


def morning(**changes) -> Day:
    """Start up: what is missing is said one by one."""
    day = Day('start', **changes)
    gate, rig = day.rig.gate, day.rig
    day.call('a check while inactive', 'check', make_command())
    day.ask('a command while inactive')
    day.call('activate', 'activate')
    day.ask('a command too early')
    day.tick('nothing yet')
    day.write('joints of three names and two numbers', gate.take_joints(
        replace(make_sample(), names=('a', 'b', 'c')), rig.now))
    day.write('joints without b', gate.take_joints(
        make_sample((0.0,), (0.0,), rig.now.ros_ns, ('a',)), rig.now))
    day.write('joints that are nan', gate.take_joints(
        make_sample((0.0, float('nan')), stamp_ns=rig.now.ros_ns), rig.now))
    for ms in (60, -300):
        day.write(f'joints {ms} ms off', gate.take_joints(
            make_sample(stamp_ns=rig.now.ros_ns + ms * MS), rig.now))
    day.write('joints', gate.take_joints(make_sample(stamp_ns=rig.now.ros_ns - 5 * MS), rig.now))
    for beat in (Heartbeat(progress=7, is_calibrated=True, image_age_s=0.1),
                 Heartbeat(progress=1, is_calibrated=False, image_age_s=-1.0, message='no camera'),
                 Heartbeat(progress=2, is_calibrated=True, image_age_s=0.7),
                 Heartbeat(progress=3, is_calibrated=True, image_age_s=0.1)):
        day.write(f'a beat {beat.image_age_s}', gate.take_heartbeat(beat, rig.now))
    day.tick('a probe')
    day.call('the predictor is lost', 'lose_predictor', 'the lease ran out')
    rig.arm()
    day.tick('armed', 0)
    return day


def noon(day: Day) -> None:
    """Judge: every kind of verdict, once."""
    now = day.rig.now.ros_ns
    for title, decision, changes in (
            ('allowed', Decision.OK, {}), ('allowed with words', Decision.OK, {'message': 'fine'}),
            ('slow', Decision.SLOW, {'speed_factor': 0.5, 'horizon_s': 0.3}),
            ('after slow', Decision.OK, {'speed_factor': 0.5}),
            ('veto', Decision.VETO, {'message': 'a cup'}),
            ('veto without words', Decision.VETO, {}),
            ('abstain', Decision.ABSTAIN, {'reasons': Reason.UNCERTAIN}),
            ('invalid', Decision.INVALID, {'reasons': Reason.MODEL_ERROR}),
            ('another digest', Decision.OK, {'digest': bytes(16), 'message': 'mine'}),
            ('another digest, no words', Decision.OK, {'digest': bytes(16)}),
            ('expired', Decision.OK, {'valid_until_ns': now - 2 * MS}),
            ('from before', Decision.OK, {'stamp_ns': now - 900 * MS}),
            ('frame from the future', Decision.OK, {'observation_stamp_ns': now + 9000 * MS}),
            ('old frame', Decision.OK, {'observation_stamp_ns': now - 900 * MS}),
            ('no horizon', Decision.OK, {'horizon_s': 0.0}),
            ('no speed', Decision.SLOW, {'speed_factor': 0.0}),
            ('nan', Decision.OK, {'risk': float('nan')}),
            ('risky', Decision.OK, {'risk': 0.6}),
            ('risk on the threshold', Decision.OK, {'risk': 0.5}),
            ('uncalibrated', Decision.OK, {'reasons': Reason.UNCALIBRATED}),
            ('another chunk', Decision.OK, {'chunk_id': 5})):
        chunk = day.ask(f'ask: {title}')
        day.rig.advance(7)
        day.answer(title, chunk, decision, **changes)
        day.rig.run(20)
    chunk = day.ask('ask: late')
    day.rig.advance(160)
    day.rig.feed()
    day.answer('late', chunk)
    day.rearm()
    day.ask('ask: nothing comes')
    day.rig.run(140)
    day.tick('still in time')
    day.tick('too late')
    day.rearm()
    day.ask('ask: under judgement')
    day.ask('a bad one meanwhile', make_command(((0.0, float('nan')), (0.0, 0.0))))
    day.rearm()
    chunk = day.ask('ask: the frame grows old meanwhile')
    day.rig.image_age_s = 0.6
    day.rig.progress += 1
    day.rig.gate.inputs.take_heartbeat(Heartbeat(
        progress=day.rig.progress, is_calibrated=False, image_age_s=0.6), day.rig.now)
    day.answer('allowed, but for the inputs', chunk)
    day.rig.image_age_s = 0.03
    for title, command in (
            ('empty', replace(make_command(), points=())),
            ('stranger', make_command(names=('a', 'x'))),
            ('twice', make_command(names=('a', 'a'))),
            ('nan', make_command(((0.0, float('nan')), (0.0, 0.0)))),
            ('backwards', make_command(times_ms=(200, 100))),
            ('early', make_command(times_ms=(-1, 100))), ('zero', make_command(((0, 0),), (0,))),
            ('long', make_command(times_ms=(100, 130_000))),
            ('outside', make_command(((0.1, 0.1), (0.1, 1.2)), (100, 900))),
            ('far', make_command(((0.9, 0.1), (0.9, 0.2)), (1, 900))),
            ('fast', make_command(((0.0, 0.1), (0.0, 0.9)), (100, 200))),
            ('fast speeds', make_command(velocities=((0.0, 3.0), (0.0, 0.0)))),
            ('half speeds', make_command(velocities=((0.0, 1.0), ()))),
            ('short', make_command(((0.0,), (0.0, 0.0)))),
            ('old', make_command(stamp_ns=day.rig.now.ros_ns - 600 * MS)),
            ('future', make_command(stamp_ns=day.rig.now.ros_ns + 60 * MS))):
        day.rearm()
        day.ask(f'refused: {title}', command)


def afternoon(day: Day) -> None:
    """People: stops, clears, engaging, the dead-man, checks."""
    rig = day.rig
    day.rearm()
    day.call('disengage', 'engage', False)
    day.ask('while disengaged')
    day.call('engage', 'engage', True)
    day.rearm()
    day.ask('one under judgement')
    day.ask('one waits')
    day.ask('a newer one')
    day.call('button', 'take_emergency_stop', True)
    day.ask('while stopped')
    day.call('engage while stopped', 'engage', True)
    day.call('clear too early', 'clear')
    day.call('button up', 'take_emergency_stop', False)
    day.call('clear', 'clear')
    day.call('clear again', 'clear')
    rig.run(200)
    day.rearm()
    day.call('stop', 'stop', 'by service')
    day.call('fault while stopped', 'fault', 'ValueError: x')
    day.call('clear', 'clear')
    rig.run(200)
    day.rearm()
    day.call('fault', 'fault', 'ValueError: x')
    day.call('clear', 'clear')
    rig.run(200)
    day.call('bypass', 'take_bypass', True)
    day.ask('unjudged', make_command(velocities=((0.1, 0.1), (0.1, 0.1))))
    day.ask('unjudged and bad', make_command(((0.0, 2.0), (0.0, 2.0))))
    day.rig.feed()
    day.tick('dead-man silent', 110)
    day.call('bypass that may have waited', 'take_bypass', True)
    day.ask('a command without a stamp', make_command())
    rig.run(60)
    day.call('bypass', 'take_bypass', True)
    day.call('bypass up', 'take_bypass', False)
    day.call('bypass up again', 'take_bypass', False)
    rig.gate.replace_config(replace(rig.config, allow_bypass=False))
    day.call('bypass not allowed', 'take_bypass', True)
    day.rearm()
    chunk = next(e.chunk for e in rig.gate.check(make_command(), rig.now).effects
                 if isinstance(e, PublishChunk))
    day.call('a second check', 'check', make_command())
    day.answer('the check', chunk, Decision.VETO, message='a cup')
    day.call('a bad check', 'check', make_command(((0.0, 2.0), (0.0, 2.0))))
    day.call('a check', 'check', make_command())
    rig.run(1000)
    day.tick('no answer')


def evening(day: Day) -> None:
    """Silence: each input falls away, and the arm does not obey."""
    rig = day.rig
    day.rearm()
    rig.run(80, beat=False)
    rig.run(100, beat=False)
    day.tick('no beat', 40)
    day.rearm()
    rig.run(140, joints=False)
    day.tick('joints grow old', 20)
    day.ask('without joints')
    day.rearm()
    rig.image_age_s = 0.6
    rig.run(10)
    day.tick('old frame')
    rig.image_age_s = 0.03
    day.rearm()
    rig.is_calibrated = False
    rig.run(10)
    day.tick('uncalibrated')
    rig.is_calibrated = True
    day.rearm()
    day.tick('joints gone at once', 600)
    day.ask('a command that may have waited')
    day.call('clear without joints', 'clear')
    rig.feed()
    day.call('clear', 'clear')
    rig.run(300)
    day.rearm()
    rig.advance(400, ros_ms=100)
    day.write('joints that waited while the clock was set back', rig.gate.take_joints(
        make_sample(stamp_ns=rig.now.ros_ns - 70 * MS), rig.now))
    day.tick('joints may be old', 10)
    rig.run(60)
    day.call('clear', 'clear')
    rig.run(300)
    day.rearm()
    chunk = day.ask('ask')
    day.answer('veto', chunk, Decision.VETO)
    rig.positions = (0.0, 0.6)
    rig.run(980)
    day.tick('not due')
    rig.feed()
    day.tick('not obeyed')
    day.write('moving', rig.gate.take_joints(
        make_sample((0.0, 0.6), (0.0, 0.4), rig.now.ros_ns), rig.now))
    day.call('clear while it moves', 'clear')
    rig.feed()
    day.call('clear', 'clear')
    rig.positions = (0.0, 0.0)
    rig.run(300)
    rig.gate.replace_config(replace(rig.config, max_consecutive_vetoes=4))
    for _ in range(5):
        chunk = day.ask('ask again')
        day.answer('vetoes in a row', chunk, Decision.VETO)
        rig.run(10)
    day.call('deactivate', 'deactivate')
    day.call('activate', 'activate')
    day.call('clear', 'clear')
    rig.run(300)
    day.rearm()
    day.ask('under judgement')
    day.call('deactivate while it runs', 'deactivate')


def speeds() -> Day:
    """Velocity set-points: zeros when the time is over."""
    day = Day('speeds', command_out_type=ARRAY_TYPE, command_interface='velocity')
    day.rig.arm()
    for title, command in (
            ('a speed', make_setpoint((0.1, -0.1), CommandInterface.VELOCITY)),
            ('a nan', make_setpoint((0.1, float('nan')), CommandInterface.VELOCITY)),
            ('too many', make_setpoint((0.1, 0.1, 0.1), CommandInterface.VELOCITY)),
            ('a trajectory', make_command())):
        chunk = day.ask(title, command)
        day.answer('allowed', chunk)
    day.rig.run(60)
    chunk = day.ask('again', make_setpoint((0.1, -0.1), CommandInterface.VELOCITY))
    day.answer('allowed', chunk, horizon_s=0.3)
    day.rig.run(290)
    day.tick('its time is over', 10)
    return day


def escape() -> Day:
    """Move away from a risk, and stop while moving."""
    day = Day('escape', acceleration_limit=(50.0, 50.0))
    day.rig.arm()
    away = {'reasons': Reason.RISK | Reason.ESCAPE, 'risk': 0.7}
    for title, decision, changes in (
            ('veto', Decision.VETO, {}), ('away', Decision.SLOW, {**away, 'speed_factor': 0.125}),
            ('on', Decision.SLOW, {**away, 'speed_factor': 0.1}),
            ('too fast', Decision.SLOW, {**away, 'speed_factor': 0.5}),
            ('not for a risk', Decision.SLOW, {**away, 'speed_factor': 0.1}),
            ('out', Decision.OK, {}), ('not asked', Decision.OK, {'speed_factor': 0.9})):
        day.answer(title, day.ask(f'ask: {title}'), decision, **changes)
    day.write('it moves', day.rig.gate.take_joints(
        make_sample((0.1, 0.2), (1.0, -0.5), day.rig.now.ros_ns), day.rig.now))
    day.call('stop', 'stop', 'by service')
    return day


def shadow() -> Day:
    """Shadow: everything goes out, and what would have held is said."""
    day = Day('shadow', mode='shadow', uses_sim_time=True)
    day.call('activate', 'activate')
    day.ask('before anything')
    day.rig.run(200)
    chunk = day.ask('a command')
    day.answer('veto', chunk, Decision.VETO)
    day.ask('bad', make_command(((0.0, float('nan')), (0.0, 0.0))))
    day.call('disengage', 'engage', False)
    day.call('engage', 'engage', True)
    day.rearm()
    day.tick('the clock jumps back', 10, ros_ms=-500)
    return day


def rulings() -> Iterator[str]:
    """Rule on verdicts by themselves, on and beside every border."""
    rig = Rig().arm()
    chunk, now = rig.ask(), rig.now
    yield '== rulings'
    for changes in (
            {}, {'message': 'fine'}, {'risk': 0.5}, {'horizon_s': float('inf')},
            {'decision': Decision.ABSTAIN}, {'decision': Decision.VETO, 'message': 'a cup'},
            {'decision': Decision.SLOW, 'risk': 0.6},
            {'decision': Decision.SLOW, 'risk': 0.6, 'reasons': Reason.ESCAPE},
            {'stamp_ns': now.ros_ns + 50 * MS}, {'stamp_ns': now.ros_ns + 51 * MS},
            {'stamp_ns': chunk.stamp_ns - 50 * MS}, {'stamp_ns': chunk.stamp_ns - 51 * MS},
            {'observation_stamp_ns': now.ros_ns + 51 * MS}, {'valid_until_ns': now.ros_ns},
            {'valid_until_ns': now.ros_ns - 1}, {'reasons': Reason.UNCALIBRATED}):
        verdict = replace(rig.verdict(chunk), **changes)
        yield f'   {rule(verdict, chunk, now, rig.config)}'
    for late_ns in (0, 1, 5 * MS):
        late = replace(now, ros_ns=chunk.decide_by_ns + late_ns)
        yield f'   {rule(rig.verdict(chunk), chunk, late, rig.config)}'


def transcript() -> Iterator[str]:
    """Yield the lines of the day."""
    day = morning(allow_bypass=True, release_count=2)
    noon(day)
    afternoon(day)
    evening(day)
    for part in (day, speeds(), escape(), shadow()):
        yield from part.lines
    yield from rulings()


def test_the_day_is_as_it_was():
    text = '\n'.join(transcript()) + '\n'
    if os.environ.get('WRITE_GATE_TRANSCRIPT'):
        STORED.write_text(text, encoding='utf-8')
    assert text.splitlines() == STORED.read_text(encoding='utf-8').splitlines()
