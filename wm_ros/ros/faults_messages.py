# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults that are a change of messages on their way, for a graph that is somebody else's."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.datatypes import Reason

CAMERA, JOINTS, COMMAND = 'camera', 'joints', 'command'
_SLOW_DIVISOR = 5
_AGE_S = 10
_CAMERA_REASONS = Reason.STALE_IMAGE | Reason.TIME_SYNC
_COMMAND_REASONS = Reason.BAD_COMMAND | Reason.TIME_SYNC | Reason.LIMIT


@dataclass(frozen=True, slots=True)
class Injection:
    """
    A change of one stream of messages.

    :param stream: CAMERA, JOINTS or COMMAND.
    :param change: gives what is sent in the place of a message, or None for nothing.
    :param reasons: any of them shows that the gate has seen it.
    """

    stream: str
    change: Callable[[Any], Any]
    reasons: Reason


def _freeze() -> Callable[[Image], Image]:
    kept: list[Image] = []

    def change(message: Image) -> Image:
        kept.append(message) if not kept else None
        return Image(header=message.header, height=kept[0].height, width=kept[0].width,
                     encoding=kept[0].encoding, is_bigendian=kept[0].is_bigendian,
                     step=kept[0].step, data=kept[0].data)

    return change


def _slow() -> Callable[[Image], Image | None]:
    count = 0

    def change(message: Image) -> Image | None:
        nonlocal count
        count += 1
        return message if count % _SLOW_DIVISOR == 0 else None

    return change


def _age(message: Any) -> Any:
    stamp = message.header.stamp
    message.header.stamp = Time(sec=max(1, stamp.sec - _AGE_S), nanosec=stamp.nanosec)
    return message


def _spoil_step(message: Image) -> Image:
    message.step += 1
    return message


def _crop(message: Image) -> Image:
    height = message.height // 2
    message.height, message.data = height, message.data[:height * message.step]
    return message


def _spoil_joints(message: JointState) -> JointState:
    message.position[0] = math.nan
    return message


def _spoil_command(message: JointTrajectory) -> JointTrajectory:
    for point in message.points[-1:]:
        point.positions[0] = math.nan
    return message


def _rename(message: JointTrajectory) -> JointTrajectory:
    message.joint_names[0] = 'no_such_joint'
    return message


def _nothing(_message: Any) -> None:
    return None


def make_injection(name: str) -> Injection:
    """
    Begin a fault by its name in the catalogue.

    :raises ValueError: if it is not a change of messages, listing those that are.
    """
    made: dict[str, Callable[[], Injection]] = {
        'camera-stops': lambda: Injection(CAMERA, _nothing, _CAMERA_REASONS),
        'camera-frozen': lambda: Injection(CAMERA, _freeze(), _CAMERA_REASONS),
        'camera-slow': lambda: Injection(CAMERA, _slow(), _CAMERA_REASONS),
        'camera-stamps': lambda: Injection(CAMERA, _age, _CAMERA_REASONS),
        'camera-malformed': lambda: Injection(CAMERA, _spoil_step, _CAMERA_REASONS),
        'camera-changes': lambda: Injection(CAMERA, _crop, _CAMERA_REASONS),
        'joints-stop': lambda: Injection(JOINTS, _nothing, Reason.STALE_JOINTS),
        'joints-nan': lambda: Injection(JOINTS, _spoil_joints, Reason.STALE_JOINTS),
        'command-not-finite': lambda: Injection(COMMAND, _spoil_command, _COMMAND_REASONS),
        'command-malformed': lambda: Injection(COMMAND, _rename, _COMMAND_REASONS),
    }
    if name not in made:
        raise ValueError(f'fault is {name!r}; a graph of your own can be given '
                         f'{", ".join(made)}; the others need a graph of their own: '
                         "'wm-ros faults run'")
    return made[name]()
