# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clocks that stop, jump or step."""

import tempfile
import time
from pathlib import Path

from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage

from wm_ros.datatypes import Reason
from wm_ros.faults.judging import Findings
from wm_ros.msg import GateState
from wm_ros.ros.faults_calls import CONFIGURE
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_verdicts import predictor_of
from wm_ros.ros.faults_wall_clock import SteppedClock
from wm_ros.ros.gate_messages import ns_to_time

_S = 1_000_000_000
_VALID_S = 60.0


class _Clock:
    """A /clock that can be paused and moved; the rig's messages are stamped by it."""

    def __init__(self, rig: Rig) -> None:
        self._publisher = rig.node.create_publisher(ClockMessage, '/clock', QoSProfile(depth=1))
        self._rig = rig
        self._offset_ns, self._paused_ns = 0, 0
        self._timer = rig.node.create_timer(0.01, self._tick)
        predictor = predictor_of(rig)
        rig.robot.now_ns = predictor.now_ns = self.now_ns
        # The observer has the wall clock: after a jump back each verdict would look expired to it.
        predictor.answer = lambda chunk: [(0.0, predictor.verdict(chunk, valid_s=_VALID_S))]

    def now_ns(self) -> int:
        return self._paused_ns or time.time_ns() + self._offset_ns

    def jump(self, seconds: float) -> None:
        self._offset_ns += round(seconds * _S)

    def pause(self, *, is_on: bool) -> None:
        self._paused_ns = self.now_ns() if is_on else 0

    def close(self) -> None:
        self._rig.node.destroy_timer(self._timer)
        self._rig.node.destroy_publisher(self._publisher)

    def _tick(self) -> None:
        if not self._paused_ns:
            self._publisher.publish(ClockMessage(clock=ns_to_time(self.now_ns())))


def clock(rig: Rig, found: Findings) -> None:
    """Run the gate on /clock: absent, running, paused, back, ahead."""
    calls, name = rig.calls, rig.gate_name
    calls.bring_to(name, 'unconfigured')
    calls.set_together(name, use_sim_time=True)
    found.check(not calls.change_state(name, CONFIGURE),
                'enforce on simulated time is refused unless it is allowed')
    calls.set_together(name, allow_sim_time=True)
    calls.bring_to(name, 'active')
    since_ns = time.time_ns()
    time.sleep(1.0)
    states = [state for at_ns, state in list(rig.observer.states) if at_ns >= since_ns]
    found.check(len(states) >= 5 and all(s.state == GateState.WAITING for s in states),
                f'/clock absent: WAITING, {len(states)} states in 1 s')
    source = _Clock(rig)
    try:
        found.check(rig.releases(20.0), '/clock runs: released')
        source.pause(is_on=True)
        since_ns, rig.robot.change_joints = time.time_ns(), lambda message: None
        took_s, _ = rig.stop_after(since_ns)
        found.within(took_s, calls.parameter(name, 'joint_state_timeout'),
                     '/clock paused and joints silent: stop')
        source.pause(is_on=False)
        rig.robot.change_joints = lambda message: message
        for seconds in (-10.0, 10.0):
            _jump(rig, found, source, seconds)
    finally:
        source.close()
        rig.heal()
        calls.bring_to(name, 'unconfigured')
        calls.set_together(name, use_sim_time=False, allow_sim_time=False)


def _jump(rig: Rig, found: Findings, source: _Clock, seconds: float) -> None:
    if not found.need(rig.releases(20.0), f'running before a jump of {seconds:+g} s'):
        return
    since_ns = time.time_ns()
    source.jump(seconds)
    if seconds < 0:
        found.check(rig.stop_after(since_ns)[0] is not None, f'jump of {seconds:+g} s: stop')
        found.reason(rig.observer.reasons_since(since_ns), Reason.TIME_SYNC)
    else:
        found.check(rig.stop_after(since_ns, 1.0)[0] is None, f'jump of {seconds:+g} s: no stop')
    found.check(rig.releases(20.0), f'jump of {seconds:+g} s: released again')


def wall_clock(rig: Rig, found: Findings) -> None:
    """Step the wall clock of the gate, and that of the robot's and predictor's stamps with it."""
    predictor = predictor_of(rig)
    with tempfile.TemporaryDirectory() as scratch:
        stepped = SteppedClock(Path(scratch))
        rig.kill('wm_gate')
        rig.start('wm_gate', through=(
            'wm_ros.ros.faults_wall_clock', str(stepped.library), str(stepped.file)))
        rig.robot.now_ns = predictor.now_ns = stepped.now_ns
        # The observer's clock does not step.
        predictor.answer = lambda chunk: [(0.0, predictor.verdict(chunk, valid_s=_VALID_S))]
        try:
            rig.arm()
            for seconds in (10.0, -20.0, 0.3, -0.3):
                _step(rig, found, stepped, seconds)
        finally:
            rig.kill('wm_gate')
            rig.heal()
            rig.start('wm_gate')


def _step(rig: Rig, found: Findings, stepped: SteppedClock, seconds: float) -> None:
    if not found.need(rig.releases(20.0), f'running before a step of {seconds:+g} s'):
        return
    begin_ns = time.time_ns()
    stepped.step(seconds)
    took_s, state = rig.stop_after(begin_ns, 1.5)
    found.check(took_s is None, f'step of {seconds:+g} s: '
                + ('no stop' if state is None else f'stopped: {state.message}'))
    stamp = rig.observer.state.header.stamp if rig.observer.state else None
    error_s = abs(stamp.sec - stepped.now_ns() / _S) if stamp else 99.0
    found.check(error_s < 2.0, 'the gate has the new time')
    found.check(rig.releases(), f'step of {seconds:+g} s: released')


ROWS = (clock, wall_clock)
