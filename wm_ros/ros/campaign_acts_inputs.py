# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a walk with joints, heartbeats, pictures, models and clocks."""

import math
import time
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import Image, JointState

from wm_ros.faults.campaign_action import Action
from wm_ros.gate.values import NS_PER_S
from wm_ros.ros.campaign_middleman import beat_change, pass_on
from wm_ros.ros.campaign_observer import WRONG
from wm_ros.ros.campaign_stage import Stage
from wm_ros.ros.gate_messages import ns_to_time, time_to_ns

# Wrong joints also lie about where the arm is, so that a hold that is made of them is seen.
_LIE_RAD = 0.4
_SIGN = {'old': -1, 'ahead': 1, 'zero_stamp': -1}


def beat(stage: Stage, action: Action) -> bool:
    """Change heartbeats on their way."""
    middleman = stage.rig.middleman
    change = middleman.change_beat = beat_change(
        action.variant, middleman.last_progress)

    def end() -> None:
        if middleman.change_beat is change:
            middleman.change_beat = pass_on

    stage.end_later(action.for_ms, end)
    return True


def joints(stage: Stage, action: Action) -> bool:
    """Spoil the joints, or send them in an unusual way."""
    robot = stage.rig.robot

    def change(message: JointState) -> JointState | None:
        if action.variant == 'silent':
            return None
        if action.variant in _UNUSUAL:
            _UNUSUAL[action.variant](message)
            return message
        message.header.frame_id = WRONG
        message.position = [value + _LIE_RAD for value in message.position]
        if action.variant in _SIGN:
            _restamp(message, action)
        else:
            _BROKEN[action.variant](message)
        return message

    robot.change_joints = change

    def end() -> None:
        if robot.change_joints is change:
            robot.change_joints = lambda message: message

    stage.end_later(action.for_ms, end)
    return True


def camera(stage: Stage, action: Action) -> bool:
    """Spoil the pictures of the real predictor."""
    robot = stage.rig.robot

    def change(message: Image) -> Image | None:
        if action.variant == 'silent':
            return None
        if action.variant in _SIGN:
            _restamp(message, action)
        else:
            _SPOIL_PICTURE[action.variant](message)
        return message

    robot.change_picture = change

    def end() -> None:
        if robot.change_picture is change:
            robot.change_picture = lambda message: message

    stage.end_later(action.for_ms, end)
    return True


def model(stage: Stage, action: Action) -> bool:
    """Let the model's stand-in in the real predictor misbehave."""
    words = 'raise CUDA out of memory' if action.variant == 'raise' else action.variant
    stage.rig.behave(words)
    stage.end_later(action.for_ms, lambda: stage.rig.behave('ok'))
    return True


def clock(stage: Stage, action: Action) -> bool:
    """Step the wall clock of gate, robot and predictor; the host's stays."""
    stepped = stage.rig.clock
    if stepped is None:
        return False
    stepped.step(action.value)
    at_ns = time.time_ns()
    stage.timeline.steps.append((at_ns, stepped.now_ns() - at_ns))
    return True


def _restamp(message: Any, action: Action) -> None:
    offset_ns = round(_SIGN[action.variant] * action.value * NS_PER_S)
    is_zero = action.variant == 'zero_stamp'
    message.header.stamp = ns_to_time(
        0 if is_zero else time_to_ns(message.header.stamp) + offset_ns)


def _set_position(value: float) -> Callable[[JointState], None]:
    def spoil(message: JointState) -> None:
        message.position[1] = value

    return spoil


def _miss(message: JointState) -> None:
    for values in (message.name, message.position, message.velocity):
        values.pop()


def _cut(message: JointState) -> None:
    message.position.pop()


def _empty(message: JointState) -> None:
    message.name, message.position, message.velocity = [], [], []


def _rename(message: JointState) -> None:
    message.name = [f'other_{name}' for name in message.name]


def _race(message: JointState) -> None:
    message.velocity[0] = math.nan


def _permute(message: JointState) -> None:
    message.name = list(reversed(message.name))
    message.position, message.velocity = message.position[::-1], message.velocity[::-1]


def _extend(message: JointState) -> None:
    message.name = ['neck', *message.name]
    message.position, message.velocity = [9.0, *message.position], [0.0, *message.velocity]


_BROKEN: dict[str, Callable[[JointState], None]] = {
    'nan': _set_position(math.nan), 'inf': _set_position(math.inf), 'missing': _miss,
    'sizes': _cut, 'empty': _empty, 'renamed': _rename, 'velocity_nan': _race,
}
# A gate must take these; so they are not marked as wrong.
_UNUSUAL: dict[str, Callable[[JointState], None]] = {'permuted': _permute, 'extra': _extend}


def _shear(message: Image) -> None:
    message.step += 1


def _strip(message: Image) -> None:
    message.height = message.width = message.step = 0
    message.data = b''


def _miscall(message: Image) -> None:
    message.encoding = '8UC77'


# No other size: that is refused until the predictor is configured again (camera-changes).
_SPOIL_PICTURE: dict[str, Callable[[Image], None]] = {
    'step': _shear, 'empty': _strip, 'encoding': _miscall}

ACTS = {'beat': beat, 'joints': joints, 'camera': camera, 'model': model, 'clock': clock}
