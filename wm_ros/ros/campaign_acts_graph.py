# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What happens in a walk to processes, lifecycle, parameters, and what people press."""

import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from wm_ros.faults.campaign_action import Action
from wm_ros.faults.campaign_judge import Violation
from wm_ros.faults.campaign_timeline import Window
from wm_ros.ros.campaign_stage import Stage
from wm_ros.ros.faults_calls import CONFIGURE, DEACTIVATE
from wm_ros.srv import CheckTrajectory

_TIMEOUTS = ('joint_state_timeout', 'image_timeout', 'heartbeat_timeout', 'decision_timeout',
             'check_timeout', 'bypass_timeout', 'max_command_age', 'hold_settle')
_BAD = {'zero': 0.0, 'negative': -1.0, 'nan': float('nan'), 'infinite': float('inf')}
_THUMB_MS = 30


def pause(stage: Stage, action: Action) -> bool:
    """SIGSTOP of the gate, and SIGCONT after a while."""
    if stage.timeline.is_paused or stage.is_gate_away:
        return False
    stage.timeline.begin_pause(time.time_ns())
    stage.rig.pause('wm_gate', is_on=True)
    stage.end_later(action.for_ms, lambda: _go_on(stage))
    return True


def _go_on(stage: Stage) -> None:
    """SIGCONT of the gate; harmless where it does not stand still."""
    stage.rig.pause('wm_gate', is_on=False)
    stage.timeline.end_pause(time.time_ns())


def kill(stage: Stage, action: Action) -> bool:
    """Kill -9 of the gate; another is started after a while."""
    begin_ns = stage.rig.kill('wm_gate')
    stage.timeline.end_pause(begin_ns)
    stage.forget_gate(begin_ns)
    time.sleep(action.for_ms / 1e3)
    stage.rig.start('wm_gate')
    stage.rig.calls.bring_to(stage.rig.gate_name, 'active')
    stage.timeline.restarts.append((begin_ns, time.time_ns()))
    return True


def predictor(stage: Stage, action: Action) -> bool:
    """SIGSTOP or kill -9 of the predictor's process."""
    rig = stage.rig
    if action.variant == 'pause':
        rig.pause('wm_predictor', is_on=True)
        # Another action may have killed it meanwhile.
        stage.end_later(action.for_ms, lambda: rig.is_started('wm_predictor') and rig.pause(
            'wm_predictor', is_on=False))
        return True
    rig.kill('wm_predictor')
    stage.wait(action.for_ms / 1e3)
    rig.start('wm_predictor')
    rig.calls.bring_to(rig.predictor_name, 'active')
    return True


def stop(stage: Stage, action: Action) -> bool:
    """Press the emergency stop, by topic or service; release and clear it after a while."""
    stage.is_stop_wanted = True
    if action.variant == 'topic':
        stage.rig.button.publish(Bool(data=True))
        # A gate that is being configured hears the button only when it is found.
        if not stage.is_gate_away:
            stage.timeline.open(Window(_from(stage), 'stopped', 'the emergency stop'))
    else:
        stage.ask(Trigger, 'emergency_stop', Trigger.Request(), _opens(
            stage, 'stopped', 'the emergency stop', lambda: stage.is_stop_wanted))
    stage.end_later(action.for_ms, lambda: _unstop(stage))
    return True


def _unstop(stage: Stage) -> None:
    stage.is_stop_wanted = False
    stage.rig.button.publish(Bool(data=False))
    stage.ask_to_clear()


def _opens(stage: Stage, invariant: str, words: str, is_wanted: Callable[[], bool]
           ) -> Callable[[Any], None]:
    """Make what opens a window when the gate has answered that it will release nothing."""
    life = stage.life

    def begin(answer: Any) -> None:
        # Whoever asked knows only now; it may have been taken back in between.
        if answer.success and is_wanted() and stage.life == life:
            stage.timeline.open(Window(time.time_ns(), invariant, words))

    return begin


def _from(stage: Stage) -> int:
    """Return from when the gate can know something; one that stands still cannot yet."""
    # Its pause has a planned end, but a window that begins too late only sees less.
    return time.time_ns() + (700_000_000 if stage.timeline.is_paused else 0)


def request(stage: Stage, action: Action) -> bool:
    """Disengage for a while; hold a dead-man that is not allowed; ask for a check; clear."""
    if action.variant == 'disengage':
        stage.is_disengage_wanted = True
        stage.ask(SetBool, 'engage', SetBool.Request(data=False), _opens(
            stage, 'engaged', 'the gate was disengaged', lambda: stage.is_disengage_wanted))
        stage.end_later(action.for_ms, lambda: _engage(stage))
    elif action.variant == 'bypass':
        for begin_ms in range(0, action.for_ms, _THUMB_MS):
            stage.end_later(begin_ms, lambda: stage.rig.thumb.publish(Bool(data=True)))
        stage.end_later(action.for_ms, lambda: stage.rig.thumb.publish(Bool(data=False)))
    elif action.variant == 'check':
        stage.ask(CheckTrajectory, 'check_trajectory', CheckTrajectory.Request(
            trajectory=stage.rig.path()))
    else:
        stage.ask_to_clear()
    return True


def _engage(stage: Stage) -> None:
    stage.is_disengage_wanted = False
    stage.engage()


def parameter(stage: Stage, action: Action) -> bool:
    """Invariant 6: try to switch a timeout off, alone or beside a good value."""
    name = _TIMEOUTS[int(action.value) % len(_TIMEOUTS)]
    values: dict[str, Any] = {name: _BAD.get(action.variant, 0.0)}
    if action.variant == 'structural':
        values = {'mode': 'shadow'}
    elif action.variant == 'beside':
        values = {'hold_tolerance': 0.2, name: 0.0}

    def judge(answer: Any) -> Violation | None:
        if not answer.result.successful:
            return None
        return Violation(invariant='6', words=f'{values} was taken while the gate was active')

    stage.ask(SetParametersAtomically, 'set_parameters_atomically',
              SetParametersAtomically.Request(parameters=[
                  Parameter(key, value=value).to_parameter_msg()
                  for key, value in values.items()]), judge)
    return True


def lifecycle(stage: Stage, action: Action) -> bool:
    """Take the gate out of the active state for a while, or try what is impossible."""
    if action.variant == 'impossible':
        stage.ask(ChangeState, 'change_state', ChangeState.Request(
            transition=Transition(id=CONFIGURE)), _judge_impossible)
        return True
    if stage.is_gate_away:
        return False
    stage.is_gate_away = True
    _go_on(stage)
    calls, name = stage.rig.calls, stage.rig.gate_name
    if action.variant == 'deactivate':
        calls.change_state(name, DEACTIVATE)
    else:
        calls.bring_to(name, 'unconfigured')
        stage.forget_gate(time.time_ns())
    window = stage.timeline.open(Window(
        time.time_ns(), '1', 'the gate had left the active state', is_silent=True))
    if action.variant == 'sim_time':
        _try_sim_time(stage)
    stage.end_later(action.for_ms, lambda: _come_back(stage, window))
    return True


def _judge_impossible(answer: Any) -> Violation | None:
    if not answer.success:
        return None
    return Violation(invariant='10', words='the gate was configured while it was active')


def _try_sim_time(stage: Stage) -> None:
    """Invariant 9: enforce on a clock that can stop must not be configured."""
    calls, name = stage.rig.calls, stage.rig.gate_name
    calls.set_together(name, use_sim_time=True)
    if calls.change_state(name, CONFIGURE):
        stage.violations.append(Violation(
            invariant='9', words='enforce was configured with use_sim_time'))
    calls.set_together(name, use_sim_time=False)


def _come_back(stage: Stage, window: Window) -> None:
    # It may have been killed meanwhile, which has ended the window.
    window.end_ns = min(window.end_ns, time.time_ns())
    stage.rig.calls.bring_to(stage.rig.gate_name, 'active')
    stage.is_gate_away = False


ACTS = {'pause': pause, 'kill': kill, 'predictor': predictor, 'stop': stop, 'request': request,
        'parameter': parameter, 'lifecycle': lifecycle}
