# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Inject one fault into a copy of a running graph's inputs.

The main rule: nothing of the user's graph is changed. Its camera, joints and commands are heard
and sent on, with the fault, to a second guard in shadow mode, whose output goes nowhere.
"""

import sys
import time
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.faults.catalogue import find_fault
from wm_ros.faults.fault import Outcome
from wm_ros.faults.judging import reason_names
from wm_ros.faults.report import describe
from wm_ros.msg import GateState
from wm_ros.ros import qos
from wm_ros.ros.faults_injector_config import FaultInjectorConfig
from wm_ros.ros.faults_messages import CAMERA, COMMAND, JOINTS, make_injection
from wm_ros.ros.parameters import ConfigParameters, ParameterError
from wm_ros.ros.process import run_plain

_TICK_S = 0.05


class FaultInjector(Node):
    """
    fault_injector: relays a graph's inputs to a guard beside it, and spoils one of them.

    **Subscribes** camera_topic (sensor_msgs/Image), joint_states_topic (sensor_msgs/JointState),
    command_topic (trajectory_msgs/JointTrajectory); wm_gate/state (wm_ros/GateState) of the
    guard beside it.

    **Publishes** camera/image_raw, joint_states, wm_gate/joint_trajectory, in its namespace.

    **Parameters**: see FaultInjectorConfig; all structural.

    **Threads**: the executor's.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__('fault_injector', **arguments)
        self._config = ConfigParameters(self, FaultInjectorConfig).build()
        try:
            self._injection = make_injection(self._config.fault)
        except ValueError as error:
            raise ParameterError(f'parameter {error}') from error
        self.outcome: Outcome | None = None
        self._begin_s: float | None = None
        self._is_on = False
        self._relay(CAMERA, Image, self._config.camera_topic, 'camera/image_raw',
                    qos.CAMERA_IN, qos.CAMERA_OUT)
        self._relay(JOINTS, JointState, self._config.joint_states_topic, 'joint_states',
                    qos.JOINT_STATES, qos.JOINT_STATES_OUT)
        self._relay(COMMAND, JointTrajectory, self._config.command_topic,
                    'wm_gate/joint_trajectory', qos.COMMAND_IN, qos.COMMAND_OUT)
        self.create_subscription(
            GateState, 'wm_gate/state', self._on_state, qos.GATE_STATE_IN)
        self.create_timer(_TICK_S, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._say('waiting until the guard in shadow would release a command')

    def _relay(self, stream: str, kind: type, source: str, target: str, profile_in: Any,
               profile_out: Any) -> None:
        if self.resolve_topic_name(source) == self.resolve_topic_name(target):
            raise ParameterError(
                f'{source} is heard and written by this node; start it in a namespace')
        publisher = self.create_publisher(kind, target, profile_out)

        def pass_on(message: Any) -> None:
            if self._is_on and stream == self._injection.stream:
                message = self._injection.change(message)
            if message is not None:
                publisher.publish(message)

        self.create_subscription(kind, source, pass_on, profile_in)

    def _on_state(self, state: GateState) -> None:
        is_stopped = state.would_hold or state.state in (GateState.HOLD, GateState.ESTOP)
        if self._begin_s is None and state.state == GateState.RUNNING and not is_stopped:
            self._begin_s = time.monotonic() + self._config.after
            self._say(f'{self._config.fault} begins in {self._config.after:g} s')
        if self._is_on and self.outcome is None and is_stopped and (
                state.reasons & int(self._injection.reasons)):
            self._conclude(True, f'would hold after {time.monotonic() - self._since_s():.3f} s, '
                                 f'{reason_names(state.reasons)}: {state.message}')

    def _tick(self) -> None:
        if self._begin_s is None:
            return
        elapsed_s = time.monotonic() - self._begin_s
        was_on, self._is_on = self._is_on, 0.0 <= elapsed_s < self._config.duration
        if self._is_on and not was_on:
            self._say(f'{self._config.fault} begins')
        if was_on and not self._is_on:
            if self.outcome is None:
                self._conclude(False, f'no hold within {self._config.duration:g} s')
            self._say(f'{self._config.fault} is over; everything is passed on as it comes')

    def _since_s(self) -> float:
        assert self._begin_s is not None
        return self._begin_s

    def _conclude(self, held: bool, measured: str) -> None:
        self.outcome = Outcome(held=held, measured=measured)
        text = describe(find_fault(self._config.fault), self.outcome)
        (self.get_logger().info if held else self.get_logger().error)(text)

    def _say(self, text: str) -> None:
        self.get_logger().info(text)


def main(args: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    return run_plain(FaultInjector, args)


if __name__ == '__main__':
    sys.exit(main())
