# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate's public methods in any order, against books that are kept apart from it.

test_gate_invariants.py walks through odd messages of every kind; here the settings change while
the gate runs, both clocks run as they like, and the judge (test/gate_ledger.py) knows only what
went in. Invariant 7 is about QoS and 9 about configure; both are in test/node.
"""

from dataclasses import replace

import pytest
from gate_ledger import Ledger
from gate_rig import MS, Rig, make_command, make_sample, make_setpoint
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from wm_ros.datatypes import CommandInterface, Decision, Reason
from wm_ros.gate.config import ARRAY_TYPE
from wm_ros.gate.effects import Forward, Hold, PublishChunk
from wm_ros.gate.values import Heartbeat, State

NUMBERS = st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
NEAR = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1))
FAR = st.tuples(st.floats(-1.1, 1.1), st.floats(-1.1, 1.1))
SPEEDS = st.just((0.0, 0.0)) | st.tuples(st.floats(-2.5, 2.5), st.floats(-2.5, 2.5))
TIMEOUTS = ('joint_state_timeout', 'image_timeout', 'heartbeat_timeout', 'decision_timeout',
            'check_timeout', 'bypass_timeout', 'max_command_age', 'hold_settle')
CHANGES = st.one_of(
    st.fixed_dictionaries({}, optional={
        'joint_state_timeout': st.sampled_from([0.05, 0.2, 0.5]),
        'heartbeat_timeout': st.sampled_from([0.05, 0.2, 0.5]),
        'image_timeout': st.sampled_from([0.1, 0.5]),
        'decision_timeout': st.sampled_from([0.02, 0.15, 0.5]),
        'release_count': st.integers(1, 3), 'trigger_count': st.integers(1, 3),
        'arm_cycles': st.integers(1, 4), 'max_consecutive_vetoes': st.integers(2, 5),
        'allow_bypass': st.booleans(), 'escape_max_velocity': st.sampled_from([0.0, 0.25, 5.0]),
        'abstain_policy': st.sampled_from(['hold', 'drop'])}))
FALSE_VERDICTS = st.sampled_from([
    {'digest': bytes(16)}, {'valid_until_ns': 0}, {'observation_stamp_ns': 0},
    {'stamp_ns': 0}, {'horizon_s': 0.0}, {'horizon_s': float('inf')}, {'speed_factor': 1.5},
    {'risk': 0.9}, {'risk': float('nan')}, {'reasons': Reason.UNCALIBRATED},
    {'speed_factor': 0.3}, {'reasons': Reason.ESCAPE, 'risk': 0.9}])
AWAY = Reason.RISK | Reason.ESCAPE


class GateMachine(RuleBasedStateMachine):
    """Trajectories in and out, in enforce."""

    wiring: dict = {}

    @initialize(changes=CHANGES)
    def build(self, changes):
        """Build a gate with drawn settings; it is inactive."""
        self.rig = Rig(**{'mode': 'enforce', **changes, **self.wiring})
        self.gate = self.rig.gate
        self.ledger = Ledger(self.rig.config)
        self.asked = []
        self.progress = 0

    @property
    def state(self) -> State:
        """Return the state that the gate reports."""
        return self.gate.status(self.rig.now).state

    def do(self, event, *arguments, verdict=None):
        """Feed one event and let the ledger judge what comes of it."""
        before = self.state
        answer = event(*arguments, self.rig.now)
        effects = answer if isinstance(answer, list) else answer.effects
        self.asked += [e.chunk for e in effects if isinstance(e, PublishChunk)]
        # A cause of its own may latch the stop; who may end it is the ledger's to say.
        if self.ledger.is_active and self.state is State.ESTOP:
            self.ledger.is_latched = True
        self.ledger.judge(effects, before, self.state, self.rig.now, verdict)
        return answer

    def tick(self):
        """Tick twice: one tick of grace is allowed to a gate that was starved."""
        self.do(self.gate.tick)
        self.do(self.gate.tick)
        self.ledger.judge_after_ticks(self.state, self.rig.now)

    @rule()
    def activate(self):
        """Activate, if it is not active."""
        if not self.ledger.is_active:
            self.ledger.is_active = True
            self.do(self.gate.activate)
            assert self.state in (State.WAITING, State.ESTOP)

    @rule(is_really=st.sampled_from([True, False, False]))
    def deactivate(self, is_really):
        """Deactivate, now and then."""
        if is_really and self.ledger.is_active:
            self.ledger.is_active = False
            self.do(self.gate.deactivate)

    @rule(ms=st.sampled_from([1, 5, 10, 20, 49, 51, 120, 200, 500]),
          ros_share=st.sampled_from([1.0, 1.0, 1.0, 0.0, 0.5, -2.0, 3.0]))
    def wait(self, ms, ros_share):
        """Let time pass; the ROS clock may stand, crawl, run or go back."""
        self.rig.advance(ms, ros_ms=ms * ros_share)
        self.tick()

    @rule(changes=CHANGES)
    def change_settings(self, changes):
        """Take new settings while it runs."""
        self.rig.config = replace(self.rig.config, **changes)
        self.ledger.config = self.rig.config
        self.gate.replace_config(self.rig.config)
        self.tick()

    @rule(name=st.sampled_from(TIMEOUTS),
          value=st.sampled_from([0.0, -1.0, float('nan'), float('inf')]))
    def switch_a_timeout_off(self, name, value):
        """Invariant 6: there is no setting for that."""
        with pytest.raises(ValueError, match=name):
            replace(self.rig.config, **{name: value})

    @rule(positions=NEAR | FAR, order=st.permutations(['a', 'b', 'x']), speeds=SPEEDS,
          fault=st.sampled_from([None] * 6 + ['nan', 'old', 'future', 'missing']))
    def joints(self, positions, order, fault, speeds=(0.0, 0.0)):
        """Measure the joints, in any order, with a joint of somebody else's."""
        values = {'a': positions[0], 'b': positions[1], 'x': 9.0}
        moving = {'a': speeds[0], 'b': speeds[1], 'x': 1.0}
        if fault == 'nan':
            values['b'] = float('nan')
        names = [name for name in order if not (fault == 'missing' and name == 'a')]
        offset_ms = {'old': -600, 'future': 60}.get(fault or '', -3)
        sample = make_sample([values[n] for n in names], [moving[n] for n in names],
                             self.rig.now.ros_ns + offset_ms * MS, names)
        self.ledger.note_joints(sample, self.rig.now)
        self.do(self.gate.take_joints, sample)

    @rule(image_age=st.sampled_from([0.03] * 5 + [0.0, 0.7, -1.0, float('nan')]),
          is_calibrated=st.sampled_from([True] * 6 + [False]), is_stuck=st.sampled_from([0, 0, 1]))
    def beat(self, image_age, is_calibrated, is_stuck):
        """Hear of the predictor, with progress or without."""
        self.progress += 1 - is_stuck
        beat = Heartbeat(
            progress=self.progress, is_calibrated=is_calibrated, image_age_s=image_age)
        self.ledger.note_beat(beat, self.rig.now)
        self.do(self.gate.take_heartbeat, beat)

    @rule()
    def lose_predictor(self):
        """Hear from the middleware that the predictor is gone."""
        self.ledger.beat = None
        self.do(lambda now: self.gate.lose_predictor('gone', now))
        assert self.state not in (State.RUNNING, State.SLOW)

    @rule(positions=NEAR, ms=st.sampled_from([30, 100]))
    def flow(self, positions, ms):
        """Let everything run well, and answer every probe."""
        for _ in range(ms // 10):
            self.rig.advance(10)
            self.joints(positions, ['a', 'b', 'x'], None)
            self.beat(0.03, True, 0)
            self.tick()
            if self.asked and self.asked[-1].source == 'probe':
                self.deliver(self.asked[-1], Decision.OK, {})

    def make(self, first, second, times):
        """Make a command of this machine's interface, and its first numbers."""
        return make_command((first, second), times), first

    def send(self, first, second, times):
        """Send a command and book it."""
        command, numbers = self.make(first, second, times)
        # The step that the gate's answer to it will have.
        self.ledger.sent.append((self.ledger.step + 1, numbers))
        self.do(self.gate.take_command, command)

    @rule(first=NEAR | NUMBERS, second=NUMBERS,
          times=st.sampled_from([(500, 1000), (300, 2000), (1, 400)]))
    def command(self, first, second, times):
        """Send a command that may be good."""
        self.send(first, second, times)

    @rule(value=st.sampled_from([float('nan'), float('inf'), 1e308, 5.0]))
    def bad_command(self, value):
        """Send one that cannot be."""
        num_wire = len([e for e in self.ledger.wire if isinstance(e, Forward)])
        self.send((0.0, value), (0.0, value), (300, 600))
        assert len([e for e in self.ledger.wire if isinstance(e, Forward)]) == num_wire

    @rule(command=NEAR)
    def check(self, command):
        """Ask for a judgement alone."""
        self.do(lambda now: self.gate.check(replace(
            make_command((command, command), (300, 600)), source='check_trajectory'), now))

    @precondition(lambda self: self.asked)
    @rule(back=st.sampled_from([0, 0, 0, 1, 2]), late_ms=st.sampled_from([0, 0, 0, 1, 30, 300]),
          decision=st.sampled_from([Decision.OK] * 5 + [Decision.SLOW, *Decision]),
          lie=st.just({}) | FALSE_VERDICTS)
    def answer(self, back, late_ms, decision, lie):
        """Answer one of the last chunks, in time or not, again or not, truly or not."""
        if late_ms:
            self.rig.advance(late_ms)
        self.deliver(self.asked[-1 - back % len(self.asked)], decision, lie)

    def deliver(self, chunk, decision, lie):
        """Deliver one verdict."""
        factor = {'speed_factor': 0.5} if decision is Decision.SLOW else {}
        if decision is Decision.OK and chunk.slow_factor and self.progress % 3:
            factor = {'speed_factor': chunk.slow_factor}
        verdict = self.rig.verdict(chunk, decision, **{**factor, **lie})
        self.do(self.gate.take_verdict, verdict, verdict=verdict)

    @precondition(lambda self: self.asked)
    @rule(share=st.sampled_from([1.0, 1.0, 0.5, 1.001, 2.0]),
          reasons=st.sampled_from([AWAY, AWAY, Reason.ESCAPE]),
          decision=st.sampled_from([Decision.SLOW] * 3 + [Decision.OK]))
    def answer_away(self, share, reasons, decision):
        """Say of the last chunk that it leads away from a risk, whoever asked."""
        chunk = self.asked[-1]
        self.deliver(chunk, decision, {
            'reasons': reasons, 'risk': 0.9, 'speed_factor': share * chunk.escape_factor or 0.2})

    @rule(num_escapes=st.integers(0, 2))
    def work_into_a_risk(self, num_escapes):
        """Be refused for a risk, and then move away from it."""
        self.work()
        for number in range(num_escapes + 1):
            self.send((0.05, 0.05), (0.1, 0.1), (300, 700))
            if not self.asked or self.asked[-1].source != 'test':
                return
            if number:
                self.answer_away(1.0, AWAY, Decision.SLOW)
            else:
                self.deliver(self.asked[-1], Decision.VETO, {'reasons': Reason.RISK})

    @rule()
    def work(self):
        """Do what a healthy robot does, so that deep states are reached."""
        self.activate()
        self.flow((0.0, 0.0), 100)
        self.send((0.05, 0.05), (0.1, 0.1), (300, 700))
        if self.asked and self.asked[-1].source == 'test':
            self.deliver(self.asked[-1], Decision.OK, {})

    @rule(is_down=st.booleans())
    def button(self, is_down):
        """Press or release the emergency stop."""
        self.ledger.is_button_down = is_down
        self.ledger.is_latched |= is_down
        self.do(self.gate.take_emergency_stop, is_down)

    @rule()
    def stop(self):
        """Stop by service."""
        self.ledger.is_latched = True
        self.do(lambda now: self.gate.stop('by service', now))

    @rule()
    def fault(self):
        """Invariant 10: an exception ends in the latched stop."""
        self.ledger.is_latched = True
        self.do(lambda now: self.gate.fault('test', now))

    @rule()
    def clear(self):
        """Clear the stop; not while the button is down."""
        was_latched, self.ledger.is_latched = self.ledger.is_latched, False
        before = self.state
        answer = self.gate.clear(self.rig.now)
        if not answer.success:
            self.ledger.is_latched = was_latched
            assert answer.message
        assert not (answer.success and self.ledger.is_button_down and was_latched)
        self.ledger.judge(answer.effects, before, self.state, self.rig.now)

    @rule(is_wanted=st.sampled_from([True, True, False]))
    def engage(self, is_wanted):
        """Engage or disengage."""
        was_engaged, self.ledger.is_engaged = self.ledger.is_engaged, is_wanted
        answer = self.do(self.gate.engage, is_wanted)
        if not answer.success:
            self.ledger.is_engaged = was_engaged

    @rule(is_down=st.sampled_from([True, True, False]))
    def bypass(self, is_down):
        """Hold or release the dead-man."""
        config, ledger = self.rig.config, self.ledger
        if not is_down:
            ledger.bypass_until_ns = -1.0
        elif config.allow_bypass and ledger.is_active and not ledger.is_latched:
            ledger.bypass_until_ns = self.rig.now.steady_ns + config.bypass_timeout * 1e9
        self.do(self.gate.take_bypass, is_down)
        assert is_down or self.state is not State.BYPASS


class VelocityMachine(GateMachine):
    """Velocity set-points, where nobody but the gate ends a motion."""

    wiring = {'command_out_type': ARRAY_TYPE, 'command_interface': 'velocity'}

    def make(self, first, second, times):
        """Make a set-point."""
        return make_setpoint(first, CommandInterface.VELOCITY), first


class BrakingMachine(GateMachine):
    """Trajectories, for an arm that is known to need time to come to rest."""

    wiring = {'acceleration_limit': (40.0, 8.0)}

    @rule(positions=NEAR, speeds=st.tuples(st.floats(0.1, 2.0), st.floats(-2.0, -0.1)),
          how=st.sampled_from(['stop', 'lose_predictor', 'deactivate']))
    def stop_while_it_moves(self, positions, speeds, how):
        """Release a command, move, and stop for one of the reasons there are."""
        self.work()
        self.joints(positions, ['a', 'b', 'x'], None, speeds)
        was_moving = self.state in (State.RUNNING, State.SLOW)
        num_holds = len([e for e in self.ledger.wire if isinstance(e, Hold)])
        if how == 'deactivate':
            self.deactivate(True)
        else:
            getattr(self, how)()
        holds = [e for e in self.ledger.wire if isinstance(e, Hold)][num_holds:]
        assert not was_moving or (holds and holds[-1].braking is not None), 'it brakes'


GateMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
VelocityMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None)
BrakingMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None)
TestTrajectories = GateMachine.TestCase
TestVelocities = VelocityMachine.TestCase
TestBraking = BrakingMachine.TestCase


def start(kind=GateMachine) -> GateMachine:
    """Start a machine by hand."""
    machine = kind()
    machine.build({})
    return machine


@pytest.mark.parametrize('kind', [GateMachine, VelocityMachine, BrakingMachine])
def test_the_machine_reaches_a_release(kind):
    machine = start(kind)
    machine.work()
    assert machine.ledger.num_released == 1
    assert machine.state is State.RUNNING


@pytest.mark.parametrize('kind', [GateMachine, VelocityMachine])
def test_the_machine_reaches_an_escape(kind):
    machine = start(kind)
    machine.work_into_a_risk(2)
    assert machine.ledger.num_released == 3
    assert machine.state is State.SLOW


def test_the_ledger_catches_a_gate_that_lies():
    machine = start()
    machine.work()
    chunk, now = machine.asked[-1], machine.rig.now
    forward = Forward(
        trajectory=chunk.trajectory, interface=chunk.interface, chunk_id=chunk.chunk_id)
    verdict = machine.rig.verdict(chunk)
    running = (State.RUNNING, State.RUNNING, now)
    with pytest.raises(AssertionError, match='released without a verdict'):
        machine.ledger.judge([forward], *running)
    with pytest.raises(AssertionError, match='one release for one command'):
        machine.ledger.judge([forward], *running, verdict)
    machine.ledger.entries[chunk.chunk_id].is_used = False
    for lie, words in (({'horizon_s': 0.2}, 'further than foreseen'), ({'risk': 0.9}, 'own risk'),
                       ({'digest': bytes(16)}, 'invariant 2'), ({'valid_until_ns': 0}, 'expired')):
        with pytest.raises(AssertionError, match=words):
            machine.ledger.judge([forward], *running, machine.rig.verdict(chunk, **lie))
        machine.ledger.entries[chunk.chunk_id].is_used = False
    with pytest.raises(AssertionError, match='not where the arm is'):
        machine.ledger.judge([Hold(joint_names=('a', 'b'), positions=chunk.start.positions + 1)],
                             *running)
    with pytest.raises(AssertionError, match='the hold is the last word'):
        machine.ledger.judge([forward], State.RUNNING, State.HOLD, now, verdict)
    machine.rig.advance(700)
    with pytest.raises(AssertionError, match='stale inputs'):
        machine.ledger.judge_after_ticks(State.RUNNING, machine.rig.now)
