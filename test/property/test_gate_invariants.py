# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The gate's ten invariants under any order of events, judged by an observer that knows no state.

The observer sees what goes in and what comes out. Invariants 7 (durability), 9 (simulated time)
and 6 (timeouts) are about settings and are in test_gate_pieces.py and test_gate_node.py.
"""

from dataclasses import replace

import numpy as np
import pytest
from arm_urdf import planar_urdf
from gate_rig import MS, Rig, make_command, make_sample
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from wm_ros.datatypes import ActionChunk, Decision, JointSample, Reason
from wm_ros.gate.effects import Effect, Forward, GoalEnded, Hold, PublishChunk, StateChanged
from wm_ros.gate.goal import GOAL_SOURCE
from wm_ros.gate.requests import ActionTargets, Jog, Twist
from wm_ros.gate.values import MOVING_STATES, Heartbeat, Now, State

POSITIONS = st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
ODD = st.sampled_from([float('nan'), float('inf'), 1e308, -1e308, 5.0])
SPEEDS = st.floats(-1.0, 1.0) | ODD
REQUESTS = st.one_of(
    st.builds(Jog, source=st.just('test'), joint_names=st.sampled_from([('b',), ('a', 'b'), ()]),
              velocities=st.lists(SPEEDS, max_size=2).map(tuple),
              displacements=st.lists(SPEEDS, max_size=1).map(tuple)),
    st.builds(Twist, source=st.just('test'), frame_id=st.sampled_from(['', 'base', 'tip', 'x']),
              linear=st.tuples(SPEEDS, SPEEDS, st.just(0.0)),
              angular=st.just((0.0, 0.0, 0.0))),
    st.builds(ActionTargets, source=st.just('test'), action_space=st.sampled_from(['', 'x']),
              action_size=st.sampled_from([2, 2, 3]), step_s=st.sampled_from([0.0, 0.2, -1.0]),
              actions=st.lists(SPEEDS, max_size=6).map(tuple)))
MUTE_STATES = (State.UNCONFIGURED, State.INACTIVE, State.WAITING)


class Observer(RuleBasedStateMachine):
    """Drive a gate with anything, in any order, and judge every output."""

    is_shadow = False

    @initialize(
        release=st.integers(1, 3), trigger=st.integers(1, 3), cycles=st.integers(1, 4),
        vetoes=st.integers(2, 5), bypass=st.booleans(), policy=st.sampled_from(['hold', 'drop']))
    def build(self, release, trigger, cycles, vetoes, bypass, policy):
        """Build a gate with drawn hysteresis and start it."""
        self.rig = Rig(
            mode='shadow' if self.is_shadow else 'enforce', release_count=release,
            trigger_count=trigger, arm_cycles=cycles, max_consecutive_vetoes=vetoes,
            allow_bypass=bypass, abstain_policy=policy, urdf=planar_urdf(),
            robot_description_file='x', tip_link='tip', cartesian_axes=('tx', 'ty'),
            acceleration_limit=(200.0, 200.0), workspace_lower=(-0.9, -0.9, -0.1),
            workspace_upper=(0.9, 0.9, 0.1))
        self.chunks = []
        self.samples: list[tuple[JointSample, Now]] = []
        self.forwarded: set[int] = set()
        self.num_goals = 0
        self.living: set[int] = set()
        self.moved: set[int] = set()
        self.verdict = None
        self.last_beat_ns = None
        self.last_bypass_ns = None
        self.judge(self.rig.gate.activate(self.rig.now), before=State.INACTIVE)

    def state(self) -> State:
        """Return the reported state."""
        return self.rig.gate.status(self.rig.now).state

    def do(self, event, *arguments):
        """Feed one event and judge what comes out."""
        before = self.state()
        result = event(*arguments, self.rig.now)
        self.judge(result if isinstance(result, list) else result.effects, before=before)
        return result

    def judge(self, effects: list[Effect], *, before: State) -> None:
        """Check every invariant that one event can break."""
        outputs = [e for e in effects if isinstance(e, (Forward, Hold))]
        self.chunks += [e.chunk for e in effects if isinstance(e, PublishChunk)]
        after = self.state()
        if before in MUTE_STATES:
            assert not outputs or (before is State.WAITING and after in MOVING_STATES), 'inv. 1'
        for output in outputs:
            if isinstance(output, Forward):
                self.judge_forward(output, before)
            else:
                self.judge_hold(output)
        if before in MOVING_STATES and after not in MOVING_STATES:
            if outputs:
                assert isinstance(outputs[-1], Hold), 'invariant 4: the hold is the last message'
            else:
                assert after in (State.ESTOP, State.INACTIVE), 'invariant 5: no hold, so e-stop'
                assert self.youngest_joints_s() >= self.rig.config.joint_state_timeout
        self.judge_goals(effects, after)
        for effect in effects:
            if isinstance(effect, StateChanged):
                assert effect.message, 'every change says why'

    def judge_goals(self, effects: list[Effect], after: State) -> None:
        """Check that a goal ends once, before the hold, and that nothing of it goes out after."""
        has_held = False
        for effect in effects:
            if isinstance(effect, GoalEnded):
                assert effect.goal_id in self.living, 'a goal ends once'
                assert effect.message, 'every end says why'
                assert not has_held or effect.goal_id not in self.moved, 'cancelled, then held'
                self.living.discard(effect.goal_id)
            elif isinstance(effect, Forward) and effect.piece is not None:
                assert effect.piece.goal_id in self.living, 'nothing of a goal that is over'
                self.moved.add(effect.piece.goal_id)
            elif isinstance(effect, Hold):
                has_held = True
        assert self.living <= {self.rig.gate.goal_id}, 'at most one goal, and none forgotten'
        if after in (State.ESTOP, State.INACTIVE, State.WAITING) and not self.is_shadow:
            assert not self.living, 'no goal outlives what holds'

    def judge_forward(self, forward: Forward, before: State) -> None:
        """Check a forwarded command: finite, at rest at the end, and by which right it went."""
        trajectory = forward.trajectory
        assert np.isfinite(trajectory.positions).all()
        assert np.isfinite(trajectory.times).all()
        if self.is_shadow:
            return
        assert np.abs(trajectory.positions).max() <= 1.0 + 1e-5, 'within the limits'
        if trajectory.velocities is not None:
            assert not trajectory.velocities[-1].any(), 'invariant 3: ends at rest'
        if before is State.BYPASS:
            silence = self.rig.now.steady_ns - self.last_bypass_ns
            assert silence <= self.rig.config.bypass_timeout * 1e9
            return
        verdict, now = self.verdict, self.rig.now
        (chunk,) = [c for c in self.chunks if c.chunk_id == forward.chunk_id]
        assert verdict is not None, 'invariant 2: only a verdict releases'
        assert (verdict.chunk_id, verdict.digest) == (chunk.chunk_id, chunk.digest)
        assert verdict.decision in (Decision.OK, Decision.SLOW)
        assert now.ros_ns <= min(verdict.valid_until_ns, chunk.decide_by_ns)
        assert chunk.source in ('test', GOAL_SOURCE), 'probes and checks are never released'
        if forward.piece is not None:
            self.judge_piece(forward, chunk)
        assert chunk.chunk_id not in self.forwarded, 'one release for one command'
        self.forwarded.add(chunk.chunk_id)
        assert trajectory.times[-1] <= verdict.horizon_s, 'invariant 3'
        assert now.steady_ns - self.last_beat_ns < self.rig.config.heartbeat_timeout * 1e9
        assert self.youngest_joints_s() < self.rig.config.joint_state_timeout

    def judge_piece(self, forward: Forward, chunk: ActionChunk) -> None:
        """Check that a piece is on the path that was judged, where and when that has it."""
        goal = self.rig.gate.goal
        skipped = forward.piece.begin_s - goal.window_s
        knots = np.concatenate([[0.0], chunk.trajectory.times])
        times = skipped + goal.factor * forward.trajectory.times[:-1]
        for joint in range(2):
            start = chunk.start.positions[joint]
            path = np.concatenate([[start], chunk.trajectory.positions[:, joint]])
            expected = np.interp(times, knots, path)
            found = forward.trajectory.positions[:-1, joint]
            assert np.allclose(found, expected, atol=1e-6)

    def judge_hold(self, hold: Hold) -> None:
        """Check that a hold is where the arm was measured, lately."""
        now = self.rig.now
        limit_ns = self.rig.config.joint_state_timeout * 1e9
        assert any(
            np.array_equal(hold.positions, sample.positions)
            and now.steady_ns - at.steady_ns < limit_ns for sample, at in self.samples), 'inv. 5'

    def youngest_joints_s(self) -> float:
        """Return the age of the newest joints that were sent, s."""
        if not self.samples:
            return float('inf')
        return (self.rig.now.steady_ns - self.samples[-1][1].steady_ns) / 1e9

    @rule(ms=st.sampled_from([1, 10, 10, 10, 40, 60, 160, 210, 600]),
          ros=st.sampled_from([1, 1, 1, 1, 0, -3]))
    def wait(self, ms, ros):
        """Let steady time pass; ROS time may stand still or jump."""
        self.rig.advance(ms, ros_ms=ms * ros)
        self.tick_twice()

    def tick_twice(self):
        """Tick; after a second tick without a beat or joints nothing may move."""
        self.do(self.rig.gate.tick)
        self.do(self.rig.gate.tick)
        now, config = self.rig.now, self.rig.config
        if self.is_shadow or self.state() is State.BYPASS:
            return
        if self.state() in MOVING_STATES:
            assert now.steady_ns - self.last_beat_ns < config.heartbeat_timeout * 1e9, 'inv. 8'
            assert self.youngest_joints_s() < config.joint_state_timeout, 'invariant 8'

    @rule(position=POSITIONS, ms=st.sampled_from([20, 100]))
    def flow(self, position, ms):
        """Let the robot and the predictor run well for a while."""
        self.flow_for(position, ms)

    def flow_for(self, position, ms):
        """Feed fresh inputs every 20 ms."""
        for _ in range(ms // 20):
            self.rig.advance(20)
            self.send_joints(position)
            self.send_beat(0.03, True)
            self.tick_twice()
            probe = self.rig.gate.docket.probe
            if probe is not None:
                self.answer_chunk(probe.chunk, Decision.OK, {})

    @rule(position=POSITIONS)
    def joints(self, position):
        """Send joints."""
        self.send_joints(position)

    def send_joints(self, position):
        """Send joints and remember them."""
        sample = make_sample(position, stamp_ns=self.rig.now.ros_ns)
        self.do(self.rig.gate.take_joints, sample)
        self.samples.append((sample, self.rig.now))
        del self.samples[:-40]

    @rule(value=ODD, offset_ms=st.sampled_from([0, -1000, 1000]), short=st.booleans())
    def odd_joints(self, value, offset_ms, short):
        """Send joints that cannot be used."""
        stamp = self.rig.now.ros_ns + offset_ms * MS
        if short:
            self.do(self.rig.gate.take_joints,
                    make_sample((0.0,), (0.0,), stamp_ns=stamp, names=('a',)))
        elif not np.isfinite(value) or offset_ms:
            self.do(self.rig.gate.take_joints, make_sample((value, 0.0), stamp_ns=stamp))

    @rule(image_age=st.sampled_from([0.0, 0.03, 0.03, 0.6, -1.0, float('nan')]),
          calibrated=st.sampled_from([True, True, True, False]))
    def beat(self, image_age, calibrated):
        """Send a heartbeat with progress."""
        self.send_beat(image_age, calibrated)

    def send_beat(self, image_age, calibrated):
        """Send a heartbeat and remember it."""
        self.rig.progress += 1
        self.last_beat_ns = self.rig.now.steady_ns
        self.do(self.rig.gate.take_heartbeat, Heartbeat(
            progress=self.rig.progress, is_calibrated=calibrated, image_age_s=image_age))

    @rule()
    def beat_without_progress(self):
        """Send a heartbeat of a predictor that hangs."""
        if self.last_beat_ns is not None:
            self.do(self.rig.gate.take_heartbeat, Heartbeat(
                progress=self.rig.progress, is_calibrated=True, image_age_s=0.0))

    @rule(one=POSITIONS, two=POSITIONS, times=st.sampled_from([(500, 1000), (300, 2000)]),
          speed=st.sampled_from([None, 0.5]))
    def command(self, one, two, times, speed):
        """Send a command that may well be good."""
        self.send_command(one, two, times, speed)

    def send_command(self, one, two, times, speed):
        """Send a command."""
        velocities = None if speed is None else ((speed, speed),) * 2
        self.do(self.rig.gate.take_command, make_command((one, two), times,
                                                         velocities=velocities))

    @rule(request=REQUESTS)
    def request(self, request):
        """Send a jog, a twist or a chunk; what it means depends on where the arm is."""
        self.do(self.rig.gate.take_command, request)

    @rule(one=POSITIONS, two=POSITIONS, seconds=st.sampled_from([0.3, 2.0, 5.0]),
          value=st.just(0.0) | st.just(0.0) | ODD)
    def goal(self, one, two, seconds, value):
        """Send a trajectory goal that may well be good."""
        self.num_goals += 1
        self.living.add(self.num_goals)
        rows = (one, (two[0] + value, two[1]), one)
        self.do(lambda now: self.rig.gate.take_goal(self.num_goals, make_command(
            rows, [1000 * seconds, 2000 * seconds, 3000 * seconds]), now))

    @rule(offset=st.sampled_from([0, 0, 1]))
    def drop_goal(self, offset):
        """Let the client cancel a goal, or one that is over."""
        goal_id = self.num_goals - offset
        self.living.discard(goal_id)
        self.do(lambda now: self.rig.gate.drop_goal(goal_id, now))

    @rule()
    def lose_controller(self):
        """Let the controller fail."""
        self.do(lambda now: self.rig.gate.lose_controller('gone', now))
        if not self.is_shadow:
            assert self.state() not in MOVING_STATES

    @rule()
    def work_on_a_goal(self):
        """Let a goal run as a healthy graph does, so that deep states are reached."""
        self.flow_for((0.0, 0.0), 100)
        self.num_goals += 1
        self.living.add(self.num_goals)
        self.do(lambda now: self.rig.gate.take_goal(self.num_goals, make_command(
            ((0.05, 0.05), (0.1, 0.1), (0.2, 0.2)), (500, 1000, 2000)), now))
        for _ in range(3):
            if self.rig.gate.docket.judged is not None:
                self.answer_chunk(self.rig.gate.docket.judged.chunk, Decision.OK, {})
            self.flow_for((0.0, 0.0), 260)

    @rule(value=ODD, names=st.sampled_from([('a', 'b'), ('b', 'a'), ('a', 'x'), ('a', 'a')]),
          stamp_ms=st.sampled_from([None, 0, 1000, -1000]))
    def odd_command(self, value, names, stamp_ms):
        """Send a command that must not go out."""
        stamp = 0 if stamp_ms is None else self.rig.now.ros_ns + stamp_ms * MS
        num_before = self.rig.gate.counters.forwarded
        self.do(self.rig.gate.take_command, make_command(
            ((0.0, value),), (100,), names=names, stamp_ns=stamp))
        if not (self.is_shadow and np.isfinite(value)):
            assert self.rig.gate.counters.forwarded == num_before

    @precondition(lambda self: self.chunks)
    @rule(pick=st.integers(0, 3), decision=st.sampled_from(
              [Decision.OK] * 4 + [Decision.SLOW, Decision.VETO, *Decision]),
          change=st.sampled_from([{}] * 8 + [
              {'digest': bytes(16)}, {'speed_factor': 0.3}, {'speed_factor': 0.0},
              {'horizon_s': 0.4}, {'horizon_s': float('nan')}, {'risk': float('nan')},
              {'chunk_id': 7}, {'valid_until_ns': 0}, {'observation_stamp_ns': 0},
              {'stamp_ns': 0}, {'reasons': Reason.UNCALIBRATED}]))
    def answer(self, pick, decision, change):
        """Answer one of the last chunks; the same may be answered again and again."""
        self.answer_chunk(self.chunks[-1 - pick % len(self.chunks)], decision, change)

    def answer_chunk(self, chunk, decision, change):
        """Deliver one verdict."""
        self.verdict = self.rig.verdict(chunk, decision)
        if change:
            self.verdict = replace(self.verdict, **change)
        self.do(self.rig.gate.take_verdict, self.verdict)
        self.verdict = None

    @rule()
    def work(self):
        """Do what a healthy graph does, so that deep states are reached."""
        self.flow_for((0.0, 0.0), 100)
        self.send_command((0.1, 0.1), (0.2, 0.2), (100, 600), None)
        if self.rig.gate.docket.judged is not None:
            self.answer_chunk(self.rig.gate.docket.judged.chunk, Decision.OK, {})

    @rule(is_pressed=st.booleans())
    def emergency_stop(self, is_pressed):
        """Press or release the button."""
        before = self.state()
        self.do(self.rig.gate.take_emergency_stop, is_pressed)
        if is_pressed and before is not State.INACTIVE:
            assert self.state() is State.ESTOP

    @rule()
    def clear(self):
        """Ask to clear the e-stop."""
        before = self.state()
        answer = self.do(self.rig.gate.clear)
        if before is State.ESTOP:
            assert answer.success == (self.state() is not State.ESTOP)
        if self.rig.gate.stance.latch.is_topic_active and before is State.ESTOP:
            assert not answer.success

    @rule(is_wanted=st.booleans())
    def engage(self, is_wanted):
        """Engage or disengage."""
        answer = self.do(self.rig.gate.engage, is_wanted)
        if not is_wanted:
            assert answer.success
            assert self.state() not in MOVING_STATES

    @rule(is_pressed=st.booleans())
    def bypass(self, is_pressed):
        """Press or release the dead-man."""
        self.last_bypass_ns = self.rig.now.steady_ns
        self.do(self.rig.gate.take_bypass, is_pressed)
        assert is_pressed or self.state() is not State.BYPASS

    @rule()
    def lose_predictor(self):
        """Let the middleware report the predictor's death."""
        self.last_beat_ns = -10**18
        self.do(lambda now: self.rig.gate.lose_predictor('gone', now))
        if not self.is_shadow:
            assert self.state() not in (State.RUNNING, State.SLOW)

    @rule()
    def fault(self):
        """Let something in the gate raise."""
        before = self.state()
        self.do(lambda now: self.rig.gate.fault('test', now))
        if before is not State.INACTIVE:
            assert self.state() is State.ESTOP, 'invariant 10'

    @rule()
    def restart(self):
        """Deactivate and activate."""
        self.do(self.rig.gate.deactivate)
        assert self.state() is State.INACTIVE
        self.send_command((0.1, 0.1), (0.2, 0.2), (500, 1000), None)
        self.tick_twice()
        self.do(self.rig.gate.activate)
        assert self.is_shadow or self.state() in (State.WAITING, State.ESTOP)

    @rule()
    def check(self):
        """Ask for a judgement without release."""
        answer = self.do(lambda now: self.rig.gate.check(
            replace(make_command(), source='check_trajectory'), now))
        assert answer.message


class ShadowObserver(Observer):
    """The same in shadow, where only form, holds and people count."""

    is_shadow = True


Observer.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
ShadowObserver.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestEnforce = Observer.TestCase
TestShadow = ShadowObserver.TestCase


def make_observer() -> Observer:
    """Start an observer by hand."""
    observer = Observer()
    observer.build(release=1, trigger=1, cycles=1, vetoes=3, bypass=False, policy='hold')
    return observer


def test_the_observer_reaches_a_release():
    observer = make_observer()
    observer.work()
    assert observer.forwarded
    assert observer.state() is State.RUNNING


def test_the_observer_reaches_pieces_of_a_goal():
    observer = make_observer()
    observer.work_on_a_goal()
    assert observer.moved == {1}
    assert len(observer.forwarded) >= 2
    assert observer.living == {1}


def test_the_observer_can_fail_on_goals():
    observer = make_observer()
    ended = GoalEnded(goal_id=1, reasons=Reason.NONE, message='x')
    with pytest.raises(AssertionError, match='a goal ends once'):
        observer.judge([ended], before=State.WAITING)
    observer.living.add(1)
    with pytest.raises(AssertionError, match='none forgotten'):
        observer.judge([], before=State.WAITING)


def test_the_observer_can_fail():
    observer = make_observer()
    observer.work()
    chunk = observer.chunks[-1]
    forward = Forward(trajectory=chunk.trajectory, interface=chunk.interface,
                      chunk_id=chunk.chunk_id)
    with pytest.raises(AssertionError, match='only a verdict releases'):
        observer.judge([forward], before=State.RUNNING)
    with pytest.raises(AssertionError, match=r'inv\. 1'):
        observer.judge([forward], before=State.INACTIVE)
    with pytest.raises(AssertionError, match=r'inv\. 5'):
        observer.judge([Hold(joint_names=('a', 'b'), positions=np.ones(2))],
                       before=State.RUNNING)
