# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Values that go into the gate and come out as its status; the effects are in effects.py."""

from dataclasses import dataclass
from enum import IntEnum

from wm_ros.datatypes import CommandInterface, Reason

NS_PER_S = 1_000_000_000


class State(IntEnum):
    """State of the gate; the numbers are those of GateState.msg."""

    UNCONFIGURED = 0
    INACTIVE = 1
    WAITING = 2
    RUNNING = 3
    SLOW = 4
    HOLD = 5
    ESTOP = 6
    BYPASS = 7


MOVING_STATES = frozenset({State.RUNNING, State.SLOW, State.BYPASS})


@dataclass(frozen=True, slots=True)
class Now:
    """
    One moment on both clocks; read once per event and passed down.

    :param steady_ns: monotonic clock, ns: watchdogs and durations.
    :param ros_ns: ROS clock, ns: ages of stamped messages only.
    """

    steady_ns: int
    ros_ns: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandPoint:
    """
    One target as it came, with nothing checked.

    :param positions: rad; empty for a velocity set-point.
    :param velocities: rad/s; empty where none were given.
    :param time_ns: time from the start of the command, ns.
    """

    positions: tuple[float, ...]
    velocities: tuple[float, ...] = ()
    time_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """
    A command as it came from a policy, with nothing checked.

    :param source: topic it came from, for people.
    :param interface: POSITION and VELOCITY carry one point, the set-point.
    :param joint_names: order of the numbers in each point.
    :param stamp_ns: ROS time of the command; 0 means now.
    """

    source: str
    interface: CommandInterface
    joint_names: tuple[str, ...]
    points: tuple[CommandPoint, ...]
    stamp_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """
    What the gate needs of PredictorStatus.msg.

    :param progress: turns of the inference thread; a beat that does not change it is no beat.
    :param is_calibrated: False: the model may run in shadow only.
    :param image_age_s: s since the newest usable frame, -1 before any.
    """

    progress: int
    is_calibrated: bool
    image_age_s: float
    message: str = ''


@dataclass(slots=True)
class Counters:
    """Counts since the gate was configured."""

    forwarded: int = 0
    vetoed: int = 0
    deadline_missed: int = 0
    dropped: int = 0
    rejected: int = 0
    holds: int = 0
    verdicts_ignored: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStatus:
    """
    What ~/state reports; ages in s on the steady clock, -1 before any.

    :param would_hold: in shadow mode: enforce would hold now.
    """

    state: State
    is_enforcing: bool
    would_hold: bool
    reasons: Reason
    image_age_s: float
    joint_age_s: float
    verdict_age_s: float
    heartbeat_age_s: float
    decision_ms: float
    decision_ms_p99: float
    counters: Counters
    message: str
