# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Carry out what the gate wants: publish, log, report. Every publisher of the gate is here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Bool, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import (
    Effect,
    Forward,
    Hold,
    PublishChunk,
    Refused,
    ScaleSpeed,
    StateChanged,
)
from wm_ros.gate.values import GateStatus, State
from wm_ros.msg import ActionChunk, GateState
from wm_ros.ros import diagnostics, qos
from wm_ros.ros import gate_messages as convert
from wm_ros.ros.gate_requests import load_speed_scaling
from wm_ros.ros.qos import HEARTBEAT_PERIOD_S
from wm_ros.ros.topic_rate import TopicRate

_LOG_PERIOD_S = 1.0
_LEVELS = {
    State.INACTIVE: diagnostics.OK, State.RUNNING: diagnostics.OK, State.SLOW: diagnostics.WARN,
    State.WAITING: diagnostics.WARN, State.HOLD: diagnostics.WARN, State.ESTOP: diagnostics.ERROR,
    State.BYPASS: diagnostics.ERROR,
}


class GateOutputs:
    """
    The gate's publishers, from configure to cleanup.

    Commands and chunks go through lifecycle publishers, which are mute unless the node is active.

    :param node: the gate's node.
    :param config: the gate's settings.
    :raises ValueError: if ``speed_scaling_topic`` is set and control_msgs is not installed.
    """

    def __init__(self, node: LifecycleNode, config: GateConfig) -> None:
        self._node = node
        self._config = config
        self.num_heartbeat_deadlines = 0
        # Before any publisher is made: what raises here must leave none behind.
        self._scaling_type: Any = load_speed_scaling() if config.speed_scaling_topic else None
        self._scaling: Any = None
        out_type = Float64MultiArray if config.is_array_out else JointTrajectory
        self._command = node.create_lifecycle_publisher(
            out_type, config.command_out_topic, qos.COMMAND_OUT)
        self._chunk = node.create_lifecycle_publisher(
            ActionChunk, '~/action_chunk', qos.ACTION_CHUNK)
        if self._scaling_type is not None:
            self._scaling = node.create_lifecycle_publisher(
                self._scaling_type, config.speed_scaling_topic, qos.SPEED_SCALING)
        self._state = node.create_publisher(GateState, '~/state', qos.GATE_STATE)
        self._veto = node.create_publisher(Bool, '~/veto', qos.VETO)
        self._markers = node.create_publisher(MarkerArray, '~/markers', qos.MARKERS)
        self._diagnostics = node.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._last_veto: bool | None = None
        self.rates: dict[str, TopicRate] = {}

    def close(self) -> None:
        """Destroy every publisher."""
        for publisher in filter(None, (self._command, self._chunk, self._scaling)):
            self._node.destroy_lifecycle_publisher(publisher)
        for publisher in (self._state, self._veto, self._markers, self._diagnostics):
            self._node.destroy_publisher(publisher)

    @property
    def has_scaling_listener(self) -> bool:
        """Tell whether anybody listens for the factor on speed."""
        return self._scaling is not None and self._scaling.get_subscription_count() > 0

    def counted(self, topic: str, handle: Callable) -> Callable:
        """Return a callback that counts a topic for diagnostics and then calls ``handle``."""
        expected_hz = 1 / HEARTBEAT_PERIOD_S if topic.endswith('/heartbeat') else 0.0
        full = self._node.resolve_topic_name(topic)
        rate = self.rates[full] = TopicRate(full, expected_hz=expected_hz)
        return rate.counted(handle, lambda: self._node.get_clock().now().nanoseconds)

    def carry_out(self, effects: Sequence[Effect], read_status: Callable[[], GateStatus]) -> None:
        """
        Carry out effects in order; one that fails does not keep the next, perhaps a hold, back.

        :param effects: as the gate returned them.
        :param read_status: gives the status, asked only when a state changed.
        :raises Exception: the first error, after all effects were tried.
        """
        errors: list[Exception] = []
        for effect in effects:
            try:
                self._carry_out_one(effect, read_status)
            except Exception as error:  # noqa: B902  named guard: callback, raised again below
                errors.append(error)
        if errors:
            raise errors[0]

    def publish_state(self, status: GateStatus) -> None:
        """Publish ~/state, ~/veto when it changes, and ~/markers while somebody looks."""
        stamp = self._node.get_clock().now().to_msg()
        self._state.publish(convert.status_to_message(status, stamp))
        has_veto = status.state in (State.HOLD, State.ESTOP)
        if has_veto != self._last_veto:
            self._veto.publish(Bool(data=has_veto))
            self._last_veto = has_veto
        # A verdict may be waiting meanwhile.
        if self._markers.get_subscription_count():
            self._markers.publish(convert.status_to_markers(
                status, self._config.marker_frame_id))

    def publish_diagnostics(self, status: GateStatus) -> None:
        """Publish the state, its figures, and who else writes the controller's topic."""
        level = diagnostics.WARN if status.would_hold else _LEVELS[status.state]
        message = status.message or status.state.name.lower()
        others = self._node.count_publishers(self._command.topic_name) - 1
        if others > 0:
            level = diagnostics.ERROR
            message = f'{others} other publishers write {self._command.topic_name}; {message}'
        counters = status.counters
        values = {
            'state': status.state.name, 'mode': self._config.mode,
            'would_hold': status.would_hold, 'reasons': int(status.reasons),
            'joint_age_s': status.joint_age_s, 'image_age_s': status.image_age_s,
            'heartbeat_age_s': status.heartbeat_age_s, 'verdict_age_s': status.verdict_age_s,
            'decision_ms': status.decision_ms, 'decision_ms_p99': status.decision_ms_p99,
            'forwarded': counters.forwarded, 'vetoed': counters.vetoed,
            'deadline_missed': counters.deadline_missed, 'dropped': counters.dropped,
            'rejected': counters.rejected, 'holds': counters.holds,
            'verdicts_ignored': counters.verdicts_ignored,
            'heartbeat_deadlines_missed': self.num_heartbeat_deadlines,
            'other_command_publishers': others,
        }
        name = f'{self._node.get_name()}: gate'
        self._diagnostics.publish(diagnostics.array(
            self._node.get_clock().now().to_msg(),
            diagnostics.status(name, level, message, hardware_id=self._command.topic_name,
                               values=values),
            *(rate.status(self._node.get_name()) for rate in self.rates.values()
              if rate.count or rate.expected_hz)))

    def _carry_out_one(self, effect: Effect, read_status: Callable[[], GateStatus]) -> None:
        if isinstance(effect, Forward) and effect.piece is None:
            self._command.publish(convert.forward_to_message(effect, self._config))
        elif isinstance(effect, Hold):
            self._command.publish(convert.hold_to_message(effect, self._config))
        elif isinstance(effect, ScaleSpeed) and self._scaling is not None:
            self._scaling.publish(self._scaling_type(factor=effect.factor))
        elif isinstance(effect, PublishChunk):
            self._chunk.publish(convert.chunk_to_message(effect.chunk))
        elif isinstance(effect, StateChanged):
            self._report_change(effect)
            self.publish_state(_as_of(effect, read_status()))
        elif isinstance(effect, Refused):
            self._node.get_logger().warning(
                effect.message, throttle_duration_sec=_LOG_PERIOD_S)

    def _report_change(self, effect: StateChanged) -> None:
        logger: Any = self._node.get_logger()
        words = f'{effect.previous.name} -> {effect.state.name}: {effect.message}'
        if effect.would_hold:
            words += ' (shadow: enforce would hold)'
        if effect.state in (State.ESTOP, State.BYPASS):
            logger.error(words)
        elif effect.state is State.HOLD or effect.would_hold:
            logger.warning(words)
        else:
            logger.info(words)


def _as_of(change: StateChanged, status: GateStatus) -> GateStatus:
    """
    Return the status at a change that others have followed already.

    One event may release a command and then hold: the state must not say so before the hold is
    out.
    """
    if (change.state, change.would_hold) == (status.state, status.would_hold):
        return status
    return replace(status, state=change.state, would_hold=change.would_hold,
                   reasons=change.reasons, message=change.message)
