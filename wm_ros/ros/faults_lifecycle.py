# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Transitions, parameters and clocks of the gate."""

import time

import numpy as np
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage

from wm_ros.datatypes import Reason
from wm_ros.faults.judging import Findings
from wm_ros.msg import GateState
from wm_ros.ros.faults_calls import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_verdicts import predictor_of
from wm_ros.ros.gate_messages import ns_to_time

_S = 1_000_000_000
_ROUNDS = 100
_VALID_S = 60.0
_VALID = {'unconfigured': (CONFIGURE, 5), 'inactive': (CLEANUP, ACTIVATE, 6),
          'active': (DEACTIVATE, 7), 'finalized': ()}
_IDS = (0, CONFIGURE, CLEANUP, ACTIVATE, DEACTIVATE, 5, 6, 7, 8, 77, 255)
_SHUTDOWN_ACTIVE = 7


def lifecycle(rig: Rig, found: Findings) -> None:
    """Ask for every transition in every state, configure a hundred times, shut down, restart."""
    name, calls = rig.gate_name, rig.calls
    _refuse_all(rig, found, 'active')
    for label in ('inactive', 'unconfigured'):
        calls.bring_to(name, label)
        _refuse_all(rig, found, label)
    sizes = []
    for _ in range(_ROUNDS):
        for transition in (CONFIGURE, CLEANUP):
            if not calls.change_state(name, transition):
                found.check(False, f'transition {transition} was refused')
                return
        sizes.append(rig.memory_mib('wm_gate'))
    # The first rounds fill pools.
    grown = sizes[-1] - sizes[_ROUNDS // 2]
    found.check(grown < 5.0, f'{_ROUNDS} rounds of configure and cleanup, {grown:.1f} MiB in the '
                             'second half')
    rig.arm()
    since_ns = time.time_ns()
    found.check(calls.change_state(name, _SHUTDOWN_ACTIVE), 'shut down while active')
    found.check(rig.wait(lambda: rig.observer.last_output_ns() > since_ns, 2.0)
                and len(rig.observer.outputs[-1][1].points) == 1, 'the last message is a hold')
    _refuse_all(rig, found, 'finalized')
    rig.kill('wm_gate')
    rig.start('wm_gate')
    rig.arm()
    found.check(True, 'a new one works')


def _refuse_all(rig: Rig, found: Findings, label: str) -> None:
    accepted = [number for number in _IDS if number not in _VALID[label]
                and rig.calls.change_state(rig.gate_name, number)]
    now = rig.calls.state(rig.gate_name)
    found.check(not accepted and now == label,
                f'{label}: {len(_IDS) - len(_VALID[label])} impossible transitions refused')


def deactivate_moving(rig: Rig, found: Findings) -> None:
    """Deactivate while the arm moves."""
    if not found.check(rig.was_released(rig.send_harmless(0.8)), 'a chunk was released'):
        return
    time.sleep(0.2)
    found.check(not rig.robot.is_at_rest, 'the arm moved')
    since_ns = time.time_ns()
    found.check(rig.calls.change_state(rig.gate_name, DEACTIVATE), 'deactivated')
    time.sleep(0.5)
    later = [message for at_ns, message in list(rig.observer.outputs) if at_ns >= since_ns]
    if not found.check(bool(later) and len(later[-1].points) == 1, 'the last message is a hold'):
        return
    error = np.abs(np.array(later[-1].points[0].positions) - rig.robot.state()[0]).max()
    found.check(error < 0.02, f'the hold is {error:.3f} rad from where the arm is')
    found.check(rig.robot.is_at_rest, 'the arm is at rest')


def parameters(rig: Rig, found: Findings) -> None:
    """Set values that are out of range, structural, unknown, and good beside bad."""
    calls, name = rig.calls, rig.gate_name
    before = calls.parameter(name, 'image_timeout')
    for text, values in (
            ('heartbeat_timeout', {'image_timeout': before + 0.1, 'heartbeat_timeout': 0.0}),
            ('nan', {'hold_tolerance': float('nan')}),
            ('abstain_policy', {'abstain_policy': 'hope'}),
            ('cannot change', {'control_rate': 50.0}),
            ('cannot change', {'mode': 'shadow'}),
            ('', {'no_such_setting': 1})):
        result = calls.set_together(name, **values)
        found.check(not result.successful, f'{values} refused: {result.reason!r}')
        if text:
            found.says(result.reason, text)
    found.check(calls.parameter(name, 'image_timeout') == before,
                'the good value beside the bad one was not taken')
    found.check(rig.releases(), 'released as before')


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


ROWS = (lifecycle, deactivate_moving, parameters, clock)
