# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Between the gate's values and ROS messages.

Messages are taken apart without judging them; the checks of wm_ros.gate do that. No image library
is imported here, so that none can take the gate down.
"""

import numpy as np
from builtin_interfaces.msg import Duration, Time
from rclpy.time import Time as RosTime
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint
from visualization_msgs.msg import Marker, MarkerArray

from wm_ros.datatypes import (
    ActionChunk,
    CommandInterface,
    Decision,
    JointSample,
    Reason,
    Trajectory,
    Verdict,
)
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import Forward, Hold
from wm_ros.gate.hold import hold_trajectory
from wm_ros.gate.setpoint import trajectory_to_setpoint
from wm_ros.gate.values import NS_PER_S, Command, CommandPoint, GateStatus, Heartbeat, State
from wm_ros.msg import ActionChunk as ActionChunkMessage
from wm_ros.msg import GateState, PredictorStatus
from wm_ros.msg import Verdict as VerdictMessage

_COLOURS = {
    State.RUNNING: (0.1, 0.8, 0.1), State.SLOW: (0.9, 0.8, 0.1), State.WAITING: (0.6, 0.6, 0.6),
    State.BYPASS: (0.9, 0.3, 0.9),
}
_RED = (0.9, 0.1, 0.1)


def time_to_ns(stamp: Time) -> int:
    """Give a stamp in ns."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def ns_to_time(stamp_ns: int) -> Time:
    """Give ns as a stamp, at least zero."""
    return RosTime(nanoseconds=max(0, stamp_ns)).to_msg()


def trajectory_to_command(message: JointTrajectory, source: str) -> Command:
    """
    Take a trajectory message apart.

    Accelerations and efforts are left out here and go to no controller: the model has not
    judged them, and what is forwarded is made from what was judged.

    :param source: topic it came on.
    """
    points = tuple(
        CommandPoint(
            positions=tuple(point.positions), velocities=tuple(point.velocities),
            time_ns=point.time_from_start.sec * NS_PER_S + point.time_from_start.nanosec)
        for point in message.points)
    return Command(
        source=source, interface=CommandInterface.JOINT_TRAJECTORY,
        joint_names=tuple(message.joint_names), points=points,
        stamp_ns=time_to_ns(message.header.stamp))


def array_to_command(message: Float64MultiArray, source: str, config: GateConfig) -> Command:
    """Take a set-point apart; it has no stamp and no names, so its age is its receipt."""
    values = tuple(message.data)
    is_velocity = config.command_interface == 'velocity'
    point = CommandPoint(
        positions=() if is_velocity else values, velocities=values if is_velocity else ())
    return Command(
        source=source, joint_names=config.joint_names, points=(point,),
        interface=CommandInterface.VELOCITY if is_velocity else CommandInterface.POSITION)


def joint_state_to_sample(message: JointState) -> JointSample:
    """Take a joint state apart; velocities are zero where the driver gives none."""
    positions = np.array(message.position, dtype=np.float64)
    velocities = np.array(message.velocity, dtype=np.float64)
    if not velocities.size:
        velocities = np.zeros_like(positions)
    return JointSample(
        names=tuple(message.name), positions=positions, velocities=velocities,
        stamp_ns=time_to_ns(message.header.stamp))


def message_to_verdict(message: VerdictMessage) -> Verdict:
    """Take a verdict apart; a decision that nobody defined is INVALID."""
    is_known = message.decision in Decision._value2member_map_
    return Verdict(
        chunk_id=message.chunk_id, digest=bytes(message.digest),
        decision=Decision(message.decision) if is_known else Decision.INVALID,
        reasons=Reason(message.reasons), stamp_ns=time_to_ns(message.header.stamp),
        observation_stamp_ns=time_to_ns(message.observation_stamp),
        valid_until_ns=time_to_ns(message.valid_until), horizon_s=message.horizon,
        risk=message.risk, risk_threshold=message.risk_threshold,
        uncertainty=message.uncertainty, speed_factor=message.speed_factor,
        first_unsafe_step=message.first_unsafe_step, model_id=message.model_id,
        stage_ms=tuple(message.stage_ms), num_steps=message.num_steps,
        num_futures=message.num_futures, sampler_steps=message.sampler_steps,
        context_stamps_ns=tuple(map(time_to_ns, message.context_stamps)),
        joint_stamp_ns=time_to_ns(message.joint_stamp),
        message=message.message if is_known else f'unknown decision {message.decision}')


def verdict_to_message(verdict: Verdict) -> VerdictMessage:
    """Put a verdict together again, for the answer to ~/check_trajectory."""
    message = VerdictMessage(
        chunk_id=verdict.chunk_id, observation_stamp=ns_to_time(verdict.observation_stamp_ns),
        valid_until=ns_to_time(verdict.valid_until_ns), horizon=verdict.horizon_s,
        decision=int(verdict.decision), reasons=int(verdict.reasons), risk=verdict.risk,
        risk_threshold=verdict.risk_threshold, uncertainty=verdict.uncertainty,
        speed_factor=verdict.speed_factor, first_unsafe_step=verdict.first_unsafe_step,
        model_id=verdict.model_id, stage_ms=list(verdict.stage_ms), message=verdict.message,
        num_steps=verdict.num_steps, num_futures=verdict.num_futures,
        sampler_steps=verdict.sampler_steps,
        context_stamps=[ns_to_time(stamp_ns) for stamp_ns in verdict.context_stamps_ns],
        joint_stamp=ns_to_time(verdict.joint_stamp_ns))
    message.header.stamp = ns_to_time(verdict.stamp_ns)
    message.digest = np.frombuffer(verdict.digest, np.uint8)
    return message


def message_to_heartbeat(message: PredictorStatus) -> Heartbeat:
    """Take the predictor's heartbeat apart."""
    return Heartbeat(
        progress=message.progress, is_calibrated=message.calibrated,
        image_age_s=message.image_age, message=message.message)


def trajectory_to_message(trajectory: Trajectory) -> JointTrajectory:
    """Make a trajectory message with stamp zero: it starts when the controller gets it."""
    message = JointTrajectory(joint_names=list(trajectory.joint_names))
    for index, time_s in enumerate(trajectory.times):
        sec, nanosec = divmod(round(float(time_s) * 1e9), NS_PER_S)
        point = JointTrajectoryPoint(
            positions=trajectory.positions[index].tolist(),
            time_from_start=Duration(sec=sec, nanosec=nanosec))
        if trajectory.velocities is not None:
            point.velocities = trajectory.velocities[index].tolist()
        message.points.append(point)
    return message


def chunk_to_message(chunk: ActionChunk) -> ActionChunkMessage:
    """Make the question to the predictor."""
    message = ActionChunkMessage(
        chunk_id=chunk.chunk_id, source=chunk.source, command_interface=int(chunk.interface),
        trajectory=trajectory_to_message(chunk.trajectory),
        decide_by=ns_to_time(chunk.decide_by_ns), slow_factor=chunk.slow_factor,
        escape_factor=chunk.escape_factor)
    message.header.stamp = ns_to_time(chunk.stamp_ns)
    message.digest = np.frombuffer(chunk.digest, np.uint8)
    message.start_state = JointState(
        name=list(chunk.start.names), position=chunk.start.positions.tolist(),
        velocity=chunk.start.velocities.tolist())
    message.start_state.header.stamp = ns_to_time(chunk.start.stamp_ns)
    return message


def forward_to_message(
        effect: Forward, config: GateConfig) -> JointTrajectory | Float64MultiArray:
    """Make the command for the controller."""
    if config.is_array_out:
        values = trajectory_to_setpoint(effect.trajectory, effect.interface)
        return Float64MultiArray(data=values.tolist())
    return trajectory_to_message(effect.trajectory)


def hold_to_message(effect: Hold, config: GateConfig) -> JointTrajectory | Float64MultiArray:
    """Make the hold: measured positions, how to brake, or zeros for a velocity controller."""
    if config.is_velocity_out:
        return Float64MultiArray(data=[0.0] * len(effect.joint_names))
    if config.is_array_out:
        return Float64MultiArray(data=effect.positions.tolist())
    if effect.braking is not None:
        return trajectory_to_message(effect.braking)
    return trajectory_to_message(
        hold_trajectory(effect.joint_names, effect.positions, config.hold_duration))


def status_to_message(status: GateStatus, stamp: Time) -> GateState:
    """Make ~/state."""
    counters = status.counters
    message = GateState(
        state=int(status.state), enforcing=status.is_enforcing, would_hold=status.would_hold,
        reasons=int(status.reasons), image_age=status.image_age_s, joint_age=status.joint_age_s,
        verdict_age=status.verdict_age_s, heartbeat_age=status.heartbeat_age_s,
        decision_ms=status.decision_ms, decision_ms_p99=status.decision_ms_p99,
        forwarded=counters.forwarded, vetoed=counters.vetoed,
        deadline_missed=counters.deadline_missed, dropped=counters.dropped,
        rejected=counters.rejected, message=status.message)
    message.header.stamp = stamp
    return message


def status_to_markers(status: GateStatus, frame_id: str) -> MarkerArray:
    """Make one text marker with the state and its reason; stamp zero means the newest frame."""
    marker = Marker(ns='wm_gate', id=0, type=Marker.TEXT_VIEW_FACING, action=Marker.ADD)
    marker.header.frame_id = frame_id
    marker.pose.position.z = 0.5
    marker.pose.orientation.w = 1.0
    marker.scale.z = 0.05
    colour = _COLOURS.get(status.state, _RED)
    marker.color.r, marker.color.g, marker.color.b = colour
    marker.color.a = 1.0
    prefix = 'would hold' if status.would_hold else status.state.name
    marker.text = f'{prefix}: {status.message}' if status.message else prefix
    return MarkerArray(markers=[marker])
