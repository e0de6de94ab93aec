# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Commands that say where to go from here, as they came, with nothing checked.

What they mean depends on where the arm is, so they become joint commands only when they are put
before the predictor (resolving.py), from the joints measured then.
"""

from dataclasses import dataclass

from wm_ros.datatypes import Trajectory
from wm_ros.gate.values import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class Jog:
    """
    Move some joints, as control_msgs/JointJog.

    :param joint_names: any of the gate's joints; the others stay.
    :param displacements: rad from the measured position; or empty.
    :param velocities: rad/s, or -1 to 1 by ``command_in_type``; or empty.
    :param stamp_ns: ROS time of the command; 0 means now.
    """

    source: str
    joint_names: tuple[str, ...]
    displacements: tuple[float, ...] = ()
    velocities: tuple[float, ...] = ()
    stamp_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Twist:
    """
    Move ``tip_link``, as geometry_msgs/TwistStamped.

    :param frame_id: link of the URDF along whose axes the twist is; empty: the root link.
    :param linear: x, y, z, m/s, or -1 to 1 by ``command_in_type``. :param angular: rad/s.
    :param stamp_ns: ROS time of the command; 0 means now.
    """

    source: str
    frame_id: str
    linear: tuple[float, ...]
    angular: tuple[float, ...]
    stamp_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionTargets:
    """
    Targets from a policy that looks ahead.

    :param action_space: name of the encoding; empty: the default one.
    :param action_size: numbers per target.
    :param actions: target after target; or empty. :param tokens: instead of actions; or empty.
    :param step_s: between targets, s; 0: that of the action space.
    :param stamp_ns: ROS time of the decision; 0 means now.
    """

    source: str
    action_space: str
    action_size: int
    actions: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()
    step_s: float = 0.0
    stamp_ns: int = 0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GoalWindow:
    """
    The part of a goal that comes next; the goal's limits were checked as a whole.

    :param trajectory: from where the arm should be, in the order of the gate's joints.
    """

    source: str
    trajectory: Trajectory


# What policies send, and what is put before the predictor.
Sent = Command | Jog | Twist | ActionTargets
Request = Sent | GoalWindow
