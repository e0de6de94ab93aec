# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate wants done. The core returns these values in order; the node carries them out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import ActionChunk, CommandInterface, Reason, Trajectory, Verdict
from wm_ros.gate.values import State


@dataclass(frozen=True, kw_only=True, slots=True)
class GoalPiece:
    """
    Where a forwarded trajectory belongs in a goal.

    :param begin_s: where on the goal's path it begins, s.
    :param is_last: the goal is reached when the controller has reached its end.
    """

    goal_id: int
    begin_s: float
    is_last: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Forward:
    """
    Send a command to the controller.

    :param trajectory: stretched and trimmed; ends at rest.
    :param interface: the interface the command came in by.
    :param chunk_id: the chunk whose verdict releases it; 0 in shadow and bypass.
    :param piece: None: to the controller's topic; else to its action.
    :param valid_until_ns: ROS time at which the verdict that releases it expires; 0 without one.
    """

    trajectory: Trajectory
    interface: CommandInterface
    chunk_id: int
    valid_until_ns: int = 0
    piece: GoalPiece | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hold:
    """
    Publish the hold: measured positions, or zero velocities for a velocity controller.

    :param positions: measured joints, float64 (J,), rad, in the order of ``joint_names``.
    :param braking: how to come to rest from the measured motion, in place of the positions;
        None: the arm is at rest, or nothing is known of how it can brake.
    """

    joint_names: tuple[str, ...]
    positions: NDArray[np.float64]
    braking: Trajectory | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PublishChunk:
    """Ask the predictor for a verdict."""

    chunk: ActionChunk


@dataclass(frozen=True, kw_only=True, slots=True)
class StateChanged:
    """Publish ~/state now: the state, or in shadow the would-be state, has changed."""

    state: State
    previous: State
    would_hold: bool
    reasons: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleSpeed:
    """
    Tell a controller that scales commands itself how fast to run them.

    :param factor: on speed, in (0, 1].
    """

    factor: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelGoal:
    """Cancel a goal that runs through the gate; comes before the hold."""

    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GoalEnded:
    """
    End a goal: cancel what the controller has of it, and tell its client why.

    Comes before the hold, and at most once for each goal.
    """

    goal_id: int
    reasons: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Warn that a message was not used, in words."""

    reasons: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckAnswered:
    """
    Answer ~/check_trajectory.

    :param verdict: None if no verdict came in time.
    """

    chunk_id: int
    verdict: Verdict | None
    message: str


Effect = (
    Forward | Hold | PublishChunk | StateChanged | ScaleSpeed | CancelGoal | GoalEnded
    | Refused | CheckAnswered)
