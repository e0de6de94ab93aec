# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Transitions and parameters of the gate."""

import time

import numpy as np

from wm_ros.faults.judging import Findings
from wm_ros.ros.faults_calls import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.observer_holds import looks_like_hold

_ROUNDS = 100
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
                and looks_like_hold(rig.observer.outputs[-1][1]), 'the last message is a hold')
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
    if not found.check(bool(later) and looks_like_hold(later[-1]),
                       'the last message is a hold'):
        return
    error = np.abs(np.array(later[-1].points[-1].positions) - rig.robot.state()[0]).max()
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


ROWS = (lifecycle, deactivate_moving, parameters)
