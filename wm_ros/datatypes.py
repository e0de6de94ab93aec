# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Values that cross the boundaries between sub-packages, without ROS and without torch.

Shapes: T context frames, H predicted steps, J joints, N trajectory points, h w image. Stamps are
integer nanoseconds of the ROS clock; durations are seconds; angles are radians.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray


class Decision(IntEnum):
    """
    What the predictor says of a command.

    A zeroed message must never read as a permission, so INVALID is zero.
    """

    INVALID = 0
    OK = 1
    SLOW = 2
    VETO = 3
    ABSTAIN = 4


class Reason(IntFlag):
    """Why a verdict is not OK, or why the gate holds; a bit mask."""

    NONE = 0
    RISK = 1
    UNCERTAIN = 2
    OOD = 4
    STALE_IMAGE = 8
    STALE_JOINTS = 16
    TIME_SYNC = 32
    BAD_COMMAND = 64
    LIMIT = 128
    DEADLINE = 256
    MODEL_ERROR = 512
    PREDICTOR_LOST = 1024
    ESTOP = 2048
    UNCALIBRATED = 4096
    NOT_ENGAGED = 8192
    ESCAPE = 16384


class CommandInterface(IntEnum):
    """The kind of controller command that a chunk was made from."""

    JOINT_TRAJECTORY = 0
    POSITION = 1
    VELOCITY = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trajectory:
    """
    Joint targets over time, as trajectory_msgs/JointTrajectory means them.

    :param joint_names: J names in the order of the columns.
    :param positions: targets, float64 (N, J), rad (m for prismatic joints).
    :param times: time from the start of each point, float64 (N,), s, increasing.
    :param velocities: float64 (N, J), rad/s, or None where the command gave none.
    """

    joint_names: tuple[str, ...]
    positions: NDArray[np.float64]
    times: NDArray[np.float64]
    velocities: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JointSample:
    """
    One measured joint state, in the order of ``names``.

    :param names: J names.
    :param positions: float64 (J,), rad.
    :param velocities: float64 (J,), rad/s; zeros where the driver gives none.
    :param stamp_ns: the driver's stamp, ns of the ROS clock.
    """

    names: tuple[str, ...]
    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    stamp_ns: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ActionChunk:
    """
    A command under judgement.

    :param chunk_id: counts up within one gate process.
    :param digest: BLAKE2b-128 of the canonical command, 16 bytes (gate/digest.py).
    :param source: who sent it, for people.
    :param interface: the controller interface it came in by.
    :param trajectory: the command as joint targets over time.
    :param start: measured joints when the gate took the command.
    :param stamp_ns: when the gate took the command.
    :param decide_by_ns: a verdict after this time counts as a veto.
    :param slow_factor: the gate is SLOW: it releases the command at this factor on speed, if it
        is judged so too; 0: it does not ask.
    :param escape_factor: the gate holds for a risk: at this factor on speed it releases the
        command if it leads away from it; 0: it does not ask.
    """

    chunk_id: int
    digest: bytes
    source: str
    interface: CommandInterface
    trajectory: Trajectory
    start: JointSample
    stamp_ns: int
    decide_by_ns: int
    slow_factor: float = 0.0
    escape_factor: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Observation:
    """
    What the robot saw and felt up to now.

    :param images: frames at the model's size, uint8 RGB (T, h, w, 3), oldest first.
    :param image_stamps_ns: stamp of each frame, (T,).
    :param joints: the last measured joints at or before the newest frame.
    """

    images: NDArray[np.uint8]
    image_stamps_ns: tuple[int, ...]
    joints: JointSample


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prediction:
    """
    The consequence of one chunk.

    :param offsets_s: time of each step after the start of the chunk, float64 (H,).
    :param risk: probability that a hazard has happened by each step, float32 (H,), not falling.
    :param uncertainty: spread of the ensemble's risk, float32 (H,).
    :param joint_positions: float32 (H, J), rad, in the model's joint order.
    :param joint_names: the model's joint order.
    :param model_id: name and weights hash of the checkpoint.
    """

    offsets_s: NDArray[np.float64]
    risk: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    joint_positions: NDArray[np.float32]
    joint_names: tuple[str, ...]
    model_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """
    The judgement of one chunk, as the gate sees it.

    :param chunk_id: the chunk that was judged.
    :param digest: digest of the command that was judged, 16 bytes.
    :param decision: see ``Decision``.
    :param reasons: see ``Reason``.
    :param stamp_ns: when the verdict was made.
    :param observation_stamp_ns: stamp of the newest frame that was used.
    :param valid_until_ns: the verdict releases nothing after this time.
    :param horizon_s: how much of the chunk was looked at.
    :param num_steps: how many of the model's steps that was; 0 if none.
    :param num_futures: sampled futures that may be drawn of it, besides the mean one.
    :param sampler_steps: of the sampler, for those futures.
    :param risk: highest risk over the horizon, 0 to 1.
    :param risk_threshold: veto from this risk on.
    :param uncertainty: spread of the ensemble at the riskiest step.
    :param speed_factor: the command was judged, and is released, at this factor on its speed,
        in (0, 1]; below 1 for SLOW, and for an OK where the gate asked for it.
    :param first_unsafe_step: index of the first step over the threshold, -1 if none.
    :param model_id: which model judged.
    :param context_stamps_ns: stamps of the frames that were used, oldest first.
    :param joint_stamp_ns: stamp of the joint state that was used, 0 if none was.
    :param stage_ms: wall time of each stage, ms.
    :param message: the reason in words.
    """

    chunk_id: int
    digest: bytes
    decision: Decision
    reasons: Reason
    stamp_ns: int
    observation_stamp_ns: int
    valid_until_ns: int
    horizon_s: float
    risk: float
    risk_threshold: float
    uncertainty: float = 0.0
    speed_factor: float = 1.0
    first_unsafe_step: int = -1
    model_id: str = ''
    context_stamps_ns: tuple[int, ...] = ()
    joint_stamp_ns: int = 0
    stage_ms: tuple[float, ...] = field(default_factory=tuple)
    message: str = ''
    num_steps: int = 0
    num_futures: int = 0
    sampler_steps: int = 0
