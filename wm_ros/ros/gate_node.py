# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS side of the gate: hands messages to wm_ros.gate and carries out what comes back."""

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from wm_ros.gate.config import GateConfig, check_clock
from wm_ros.gate.effects import Effect
from wm_ros.gate.machine import Answer, Gate
from wm_ros.gate.values import Now
from wm_ros.msg import PredictorStatus, Verdict
from wm_ros.ros import gate_messages as convert
from wm_ros.ros import qos
from wm_ros.ros.action_space_file import read_action_spaces
from wm_ros.ros.gate_action import TrajectoryProxy
from wm_ros.ros.gate_check import TrajectoryChecks
from wm_ros.ros.gate_inputs import description_inputs, request_inputs
from wm_ros.ros.gate_outputs import GateOutputs
from wm_ros.ros.gate_robot import read_urdf
from wm_ros.ros.lifecycle import GuardedLifecycleNode, run
from wm_ros.ros.parameters import ConfigParameters

_DIAGNOSTICS_PERIOD_S = 1.0


class GateNode(GuardedLifecycleNode):
    """
    Hold every command until the predictor has allowed it.

    **Subscribes** (QoS in wm_ros.ros.qos)

    * ``~/joint_trajectory`` (trajectory_msgs/JointTrajectory, rad)
    * ``~/commands`` (std_msgs/Float64MultiArray, rad or rad/s by ``command_interface``)
    * ``~/action_chunk_in`` (wm_ros/PolicyChunk; what its numbers mean: ``action_space_file``)
    * ``~/delta_twist_cmds`` (geometry_msgs/TwistStamped; only with ``tip_link``)
    * ``~/delta_joint_cmds`` (control_msgs/JointJog; only with ``enable_joint_jog``)
    * ``joint_states`` (sensor_msgs/JointState)
    * ``wm_predictor/verdict`` (wm_ros/Verdict)
    * ``wm_predictor/heartbeat`` (wm_ros/PredictorStatus; deadline 100 ms, lease 200 ms)
    * ``emergency_stop`` (std_msgs/Bool)
    * ``~/bypass`` (std_msgs/Bool; a dead-man)
    * ``robot_description_topic`` (std_msgs/String; a URDF, latched; only where it is set)

    **Publishes**

    * ``command_out_topic`` (``command_out_type``; volatile, only while active)
    * ``speed_scaling_topic`` (control_msgs/SpeedScalingFactor; only where it is set: the factor
      at which the controller runs commands; 1 but in SLOW)
    * ``~/action_chunk`` (wm_ros/ActionChunk)
    * ``~/state`` (wm_ros/GateState; 10 Hz and on every change)
    * ``~/veto`` (std_msgs/Bool; true while the gate holds)
    * ``~/markers`` (visualization_msgs/MarkerArray; ``marker_frame_id``; while somebody looks)
    * ``/diagnostics`` (diagnostic_msgs/DiagnosticArray; 1 Hz)

    **Services**

    * ``~/engage`` (std_srvs/SetBool), ``~/emergency_stop`` (std_srvs/Trigger),
      ``~/clear_emergency_stop`` (std_srvs/Trigger), ``~/check_trajectory``
      (wm_ros/CheckTrajectory; judged, never released)

    **Actions**

    * ``~/follow_joint_trajectory`` (control_msgs/FollowJointTrajectory; only with
      ``follow_joint_trajectory_action``; goals go on to that action once they are judged)

    **Parameters**: the fields of wm_ros.gate.config.GateConfig.

    **Threads**: one, the executor's. Timers run on the steady clock.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('wm_gate', **kwargs)
        self._settings = ConfigParameters(self, GateConfig)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._gate: Gate | None = None
        self._outputs: GateOutputs | None = None
        self._entities: list[tuple[Callable, Any]] = []
        self._tick_timer: Any = None
        self._checks: TrajectoryChecks | None = None
        self._proxy: TrajectoryProxy | None = None

    def configure(self) -> None:
        """Make the gate from the parameters and open every topic and service."""
        config = self._settings.build()
        uses_sim_time = bool(self.get_parameter('use_sim_time').value)
        check_clock(config, uses_sim_time=uses_sim_time)
        # Milliseconds since 1970 as the first id: no id of a gate that ran before comes again.
        self._gate = Gate(
            config, first_chunk_id=time.time_ns() // 1_000_000, uses_sim_time=uses_sim_time,
            urdf=read_urdf(config), spaces=read_action_spaces(config.action_space_file))
        self._outputs = GateOutputs(self, config)
        self._build_subscriptions(self._gate, self._outputs)
        self._build_services(self._gate)
        self._checks = TrajectoryChecks(self, self._gate, self._guarded, self._steady)
        if config.follow_joint_trajectory_action:
            self._proxy = TrajectoryProxy(self, self._gate, self._guarded)
            self._build_timer(qos.GATE_STATE_PERIOD_S, self._proxy.watch)
        self._build_timer(qos.GATE_STATE_PERIOD_S, self._publish_state)
        self._build_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics)
        self._publish_state(self._now())

    def activate(self) -> None:
        """Start the watchdog and wait for inputs."""
        assert self._gate is not None
        now = self._now()
        self._carry_out(self._gate.activate(now), now)
        self._tick_timer = self.create_timer(
            1.0 / self._gate.config.control_rate, self._guarded(self._tick), clock=self._steady)

    def deactivate(self) -> None:
        """End with the hold, while the publishers still speak."""
        if self._tick_timer is not None:
            self.destroy_timer(self._tick_timer)
            self._tick_timer = None
        if self._gate is not None:
            now = self._now()
            self._carry_out(self._gate.deactivate(now), now)

    def release(self) -> None:
        """Close every topic and service and forget the gate."""
        # The last first; whatever raises, the rest is closed all the same.
        with contextlib.ExitStack() as ends:
            ends.callback(self._settings.release)
            for part in (self._checks, self._outputs, self._proxy):
                if part is not None:
                    ends.callback(part.close)
            for destroy, entity in self._entities:
                ends.callback(destroy, entity)
            self._entities.clear()
            self._gate = self._outputs = self._checks = self._proxy = None

    def on_callback_error(self, error: Exception) -> None:
        """HOLD, then ESTOP: the gate no longer knows what it did."""
        self.report_error('callback', error)
        try:
            if self._gate is not None:
                now = self._now()
                text = f'{type(error).__name__}: {error}'
                self._carry_out(self._gate.fault(text, now), now)
        except Exception as second:  # noqa: B902  named guard: callback, last resort
            self.report_error('hold after an exception', second)

    def _build_subscriptions(self, gate: Gate, outputs: GateOutputs) -> None:
        """Subscribe; inputs come before commands, because the executor serves in this order."""
        events = SubscriptionEventCallbacks(
            deadline=self._guarded(self._on_heartbeat_deadline),
            liveliness=self._guarded(self._on_heartbeat_liveliness))
        for kind, topic, profile, handle in (
            (JointState, 'joint_states', qos.JOINT_STATES,
             lambda m, now: gate.take_joints(convert.joint_state_to_sample(m), now)),
            (PredictorStatus, 'wm_predictor/heartbeat', qos.HEARTBEAT,
             lambda m, now: gate.take_heartbeat(convert.message_to_heartbeat(m), now)),
            (Bool, 'emergency_stop', qos.EMERGENCY_STOP,
             lambda m, now: gate.take_emergency_stop(m.data, now)),
            (Bool, '~/bypass', qos.BYPASS, lambda m, now: gate.take_bypass(m.data, now)),
            (Verdict, 'wm_predictor/verdict', qos.VERDICT,
             lambda m, now: gate.take_verdict(convert.message_to_verdict(m), now)),
            (JointTrajectory, '~/joint_trajectory', qos.COMMAND_IN,
             lambda m, now: gate.take_command(
                 convert.trajectory_to_command(m, 'joint_trajectory'), now)),
            (Float64MultiArray, '~/commands', qos.COMMAND_IN,
             lambda m, now: gate.take_command(
                 convert.array_to_command(m, 'commands', gate.config), now)),
            *request_inputs(gate),
            *description_inputs(gate),
        ):
            extra = {'event_callbacks': events} if kind is PredictorStatus else {}
            subscription = self.create_subscription(
                kind, topic, self._guarded(outputs.counted(topic, handle)), profile, **extra)
            self._entities.append((self.destroy_subscription, subscription))

    def _build_services(self, gate: Gate) -> None:
        for kind, name, handle in (
                (SetBool, '~/engage', lambda r, now: gate.engage(r.data, now)),
                (Trigger, '~/emergency_stop', lambda r, now: gate.stop('by service', now)),
                (Trigger, '~/clear_emergency_stop', lambda r, now: gate.clear(now))):
            service = self.create_service(kind, name, self._answer_with(handle))
            self._entities.append((self.destroy_service, service))

    def _build_timer(self, period_s: float, handle: Callable[[Now], Any]) -> None:
        timer = self.create_timer(period_s, self._guarded(handle), clock=self._steady)
        self._entities.append((self.destroy_timer, timer))

    def _now(self) -> Now:
        return Now(time.monotonic_ns(), self.get_clock().now().nanoseconds)

    def _guarded(self, handle: Callable) -> Callable:
        """Make a callback of ``handle(*message, now)``; what it raises ends in HOLD and ESTOP."""
        def callback(*message: Any) -> None:
            try:
                now = self._now()
                self._carry_out(handle(*message, now) or (), now)
            except Exception as error:  # noqa: B902  named guard: callback
                self.on_callback_error(error)
        return callback

    def _carry_out(self, effects: Sequence[Effect], now: Now) -> None:
        gate = self._gate
        if gate is None or self._outputs is None:
            return
        effects = gate.recall(effects, now, self._now())
        if self._checks is not None:
            self._checks.settle(effects)
        try:
            if self._proxy is not None:
                self._proxy.carry_out(effects)
        finally:
            # The hold goes out whatever becomes of a goal.
            self._outputs.carry_out(effects, lambda: gate.status(now))

    def _tick(self, now: Now) -> list[Effect]:
        assert self._gate is not None
        config = self._settings.config
        if config is not None and config is not self._gate.config:
            self._gate.replace_config(config)
        return self._gate.tick(now)

    def _publish_state(self, now: Now) -> None:
        if self._gate is not None and self._outputs is not None:
            self._gate.note_scaling_listener(self._outputs.has_scaling_listener)
            self._outputs.publish_state(self._gate.status(now))

    def _publish_diagnostics(self, now: Now) -> None:
        if self._gate is not None and self._outputs is not None:
            self._outputs.publish_diagnostics(self._gate.status(now))

    def _on_heartbeat_deadline(self, event: Any, now: Now) -> None:
        if self._outputs is not None:
            self._outputs.num_heartbeat_deadlines = event.total_count

    def _on_heartbeat_liveliness(self, event: Any, now: Now) -> list[Effect]:
        if self._gate is None or event.alive_count > 0:
            return []
        return self._gate.lose_predictor('the predictor lost its liveliness', now)

    def _answer_with(self, handle: Callable[[Any, Now], Answer]) -> Callable:
        """Make a service callback that answers even when the gate raises."""
        def callback(request: Any, response: Any) -> Any:
            response.success, response.message = False, 'exception in the gate; see its log'

            def call(now: Now) -> list[Effect]:
                answer = handle(request, now)
                response.success, response.message = answer.success, answer.message
                return answer.effects

            self._guarded(call)()
            self._guarded(self._publish_state)()
            return response
        return callback


def main(args: list[str] | None = None) -> int:
    """Run wm_gate; the entry point of the executable."""
    return run(GateNode, args)


if __name__ == '__main__':
    sys.exit(main())
