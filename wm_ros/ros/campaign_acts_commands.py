# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a policy does in a walk: moves, moves whose verdict is tampered with, and bad commands."""

import math
import time
from collections.abc import Callable

from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from wm_ros.faults.campaign_action import Action
from wm_ros.gate.values import NS_PER_S
from wm_ros.msg import PolicyChunk
from wm_ros.ros.campaign_middleman import Plan
from wm_ros.ros.campaign_observer import WRONG
from wm_ros.ros.campaign_stage import Stage
from wm_ros.ros.gate_messages import ns_to_time

_SECONDS = {'short': 0.4, 'long': 0.8, 'beyond': 1.5}
_MOST_STAMP_NS = 2**61
_BURST_GAP_S = 0.001


def move(stage: Stage, action: Action) -> bool:
    """Send a command that is harmless; 'beyond' is longer than what is foreseen."""
    stage.rig.send_harmless(_SECONDS[action.variant])
    return True


def verdict(stage: Stage, action: Action) -> bool:
    """Have the next verdict tampered with, and send a command for it."""
    stage.rig.middleman.plan(Plan(action.variant, action.value, lambda: stage.count(action)))
    stage.rig.send_harmless()
    # Counted when it was done.
    return False


def command(stage: Stage, action: Action) -> bool:
    """Send a command that must not go out, or a harmless one in a way that is not usual."""
    if action.variant in _ODD:
        _ODD[action.variant](stage, action.value)
        return True
    message = stage.rig.path()
    _SPOIL[action.variant](message, action.value)
    if action.variant in ('ahead', 'old'):
        offset_ns = round((1 if action.variant == 'ahead' else -1) * action.value * NS_PER_S)
        message.header.stamp = ns_to_time(min(stage.rig.now_ns() + offset_ns, _MOST_STAMP_NS))
    message.header.frame_id = f'{WRONG}: {action}'
    stage.rig.send(message)
    return True


def _send_same(stage: Stage, _value: float) -> None:
    message = stage.rig.path()
    stage.rig.send(message)
    stage.rig.send(message)


def _burst(stage: Stage, value: float) -> None:
    for _ in range(int(value)):
        stage.rig.send_harmless()
        time.sleep(_BURST_GAP_S)


def _array(numbers: list[float]) -> Callable[[Stage, float], None]:
    return lambda stage, _value: stage.rig.set_points.publish(Float64MultiArray(data=numbers))


def _chunk(numbers: list[float]) -> Callable[[Stage, float], None]:
    return lambda stage, _value: stage.rig.policy_chunks.publish(PolicyChunk(
        actions=numbers, action_size=6, step=0.1))


def _each(message: JointTrajectory, value: float) -> None:
    message.points[-1].positions[2] = value


def _shift(message: JointTrajectory, value: float) -> None:
    for point in message.points:
        point.positions[1] += value


def _reach(message: JointTrajectory, value: float) -> None:
    # Slowly enough, so that only where it ends is wrong.
    message.points[-1].positions[0] = value
    message.points[-1].time_from_start.sec = 3


def _race(message: JointTrajectory, _value: float) -> None:
    for index, point in enumerate(message.points):
        point.time_from_start.sec, point.time_from_start.nanosec = 0, 1_000_000 * (index + 1)


def _swap(message: JointTrajectory, _value: float) -> None:
    message.points[0], message.points[1] = message.points[1], message.points[0]


def _repeat(message: JointTrajectory, value: float) -> None:
    first = message.points[0]
    message.points = [first for _ in range(int(value))]


def _negate(message: JointTrajectory, _value: float) -> None:
    message.points[0].time_from_start.sec = -1


def _freeze_time(message: JointTrajectory, _value: float) -> None:
    message.points[1].time_from_start = message.points[0].time_from_start


def _lengthen(message: JointTrajectory, _value: float) -> None:
    message.points[-1].time_from_start.sec = 100_000


def _speeds(values: list[float]) -> Callable[[JointTrajectory, float], None]:
    def spoil(message: JointTrajectory, _value: float) -> None:
        for point in message.points:
            point.velocities = values

    return spoil


# Spoilt in one way; none of these may ever go out.
_SPOIL: dict[str, Callable[[JointTrajectory, float], object]] = {
    'nan': lambda m, _: _each(m, math.nan), 'inf': lambda m, _: _each(m, math.inf),
    'huge': lambda m, _: _each(m, 1e308), 'far': _shift, 'limit': _reach, 'fast': _race,
    'name': lambda m, _: m.joint_names.__setitem__(0, 'nose'),
    'missing': lambda m, _: m.joint_names.pop(),
    'twice': lambda m, _: m.joint_names.__setitem__(0, m.joint_names[1]),
    'count': lambda m, _: m.points[1].positions.pop(),
    'swapped': _swap, 'equal_times': _freeze_time, 'negative_time': _negate, 'many': _repeat,
    'too_long': _lengthen, 'empty': lambda m, _: m.points.clear(),
    'no_names': lambda m, _: m.joint_names.clear(), 'velocity_nan': _speeds([math.nan] * 6),
    'velocity_count': _speeds([0.0] * 5), 'ahead': lambda m, _: None, 'old': lambda m, _: None,
}
# Sent in other ways; what of it may go out goes out with a verdict.
_ODD: dict[str, Callable[[Stage, float], None]] = {
    'same': _send_same, 'burst': _burst, 'array_nan': _array([math.nan] * 6),
    'array_size': _array([0.0] * 5), 'array_empty': _array([]),
    'chunk_nan': _chunk([math.nan] * 12), 'chunk_size': _chunk([0.1] * 7),
}

ACTS = {'move': move, 'verdict': verdict, 'command': command}
