# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Every QoS profile of the package, by name, each with its reason.

The main rule: a subscription that *requests* a deadline or a lease hears nothing at all from a
publisher that offers none. Only this package's own topics (heartbeat and gate state) carry them;
third-party topics get age checks on the steady clock instead. No command is ever transient_local:
a late joiner would be handed an old command.
"""

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

HEARTBEAT_PERIOD_S = 0.05
HEARTBEAT_DEADLINE_S = 0.1
HEARTBEAT_LEASE_S = 0.2
GATE_STATE_PERIOD_S = 0.1
GATE_STATE_DEADLINE_S = 0.2
GATE_STATE_LEASE_S = 0.3


def _profile(*, reliable: bool = True, latched: bool = False, depth: int = 1,
             **extra) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        **extra)


def _seconds(value: float) -> Duration:
    return Duration(nanoseconds=round(value * 1e9))


# Commands from the policy and to the controller: every one counts, only the newest matters, and
# nobody who joins late may receive one.
COMMAND_IN = _profile()
COMMAND_OUT = _profile()

# The factor on speed is latched, because joint_trajectory_controller asks for it: a volatile
# publisher would not be heard. It moves nothing by itself.
SPEED_SCALING = _profile(latched=True)

# Between gate and predictor: as commands. Depth 1 is "latest wins" on the wire.
ACTION_CHUNK = _profile()
VERDICT = _profile()

# Sensors: fresh beats complete. Joint states are only ever read as "the newest"; camera frames
# keep a few, because the history needs frames 0.1 s apart even when the executor is late once.
JOINT_STATES = _profile(reliable=False)
CAMERA_IN = _profile(reliable=False, depth=5)

# What a driver offers. Reliable, so that reliable and best-effort subscribers both match.
CAMERA_OUT = _profile(depth=5)
CAMERA_INFO = _profile(depth=5)
JOINT_STATES_OUT = _profile(depth=5)

# The only topic whose silence is itself the alarm: the middleware reports a missed deadline after
# 100 ms and a lost publisher after 200 ms. MANUAL_BY_TOPIC, because with AUTOMATIC a process
# whose inference thread hangs would still count as alive.
HEARTBEAT = _profile(
    deadline=_seconds(HEARTBEAT_DEADLINE_S),
    liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
    liveliness_lease_duration=_seconds(HEARTBEAT_LEASE_S))

# A late joiner must learn the state at once; it is a fact about now, not a command.
GATE_STATE = _profile(
    latched=True,
    deadline=_seconds(GATE_STATE_DEADLINE_S),
    liveliness=LivelinessPolicy.MANUAL_BY_TOPIC,
    liveliness_lease_duration=_seconds(GATE_STATE_LEASE_S))

# For listeners that want the state without asking for deadlines (tools, the visualiser).
GATE_STATE_IN = _profile(latched=True)
VETO = _profile(latched=True)

# As robot_state_publisher offers it; reliable and latched, so that a late gate gets it too.
ROBOT_DESCRIPTION = _profile(latched=True)

# A pressed button stays pressed for whoever starts later.
EMERGENCY_STOP = _profile(latched=True)

# A dead-man counts only while it is being re-published, so nothing may be retained.
BYPASS = _profile()

# Consequences, for people and recorders.
PREDICTION = _profile()
# Several messages belong to one command.
FUTURES = _profile(depth=16)
REFUSED_PREDICTION = _profile(depth=10)
PREDICTED_IMAGE = _profile()
MARKERS = _profile()
CONTACTS = _profile(depth=10)
DIAGNOSTICS = _profile(depth=10)
