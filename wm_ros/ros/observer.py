# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A listener that checks on the wire what the gate promises. It sends nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from wm_ros.msg import ActionChunk, GateState, Prediction, Verdict
from wm_ros.ros.gate_messages import message_to_verdict
from wm_ros.ros.observer_ledger import Ledger
from wm_ros.ros.predictor_messages import message_to_trajectory

# A listener must not lose what a depth of 1 would replace, not even while it is flooded.
_LISTEN = QoSProfile(depth=5000)
_LISTEN_SENSOR = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_LISTEN_LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Observer(Node):
    """
    Keep a ledger of what a gate forwards and why.

    Times are those at which the middleware received a message in this process, so that a busy
    interpreter does not add to them.

    **Subscribes**
    - **wm_gate/joint_trajectory**, **arm_controller/joint_trajectory**
      (trajectory_msgs/JointTrajectory, reliable): before and behind the gate.
    - **wm_gate/action_chunk** (wm_ros/ActionChunk), **wm_predictor/verdict** (wm_ros/Verdict),
      **wm_predictor/prediction** (wm_ros/Prediction), **joint_states**
      (sensor_msgs/JointState), **wm_gate/state** (wm_ros/GateState).

    **Threads** one, the executor's, which owns ``ledger``.
    """

    def __init__(self, *, name: str = 'wm_observer', wants_frames: bool = True,
                 **node_arguments: Any) -> None:
        super().__init__(name, **node_arguments)
        self.ledger = Ledger()
        self.state: GateState | None = None
        self.state_ns = 0
        self.verdict: Verdict | None = None
        self.predictions: dict[int, Prediction] = {}
        self.num_unreadable = 0
        # When the message in hand was published, ns; 0 where the middleware does not say.
        self.source_ns = 0
        # Whether its publisher sent others since the one before it that did not come: a writer
        # that keeps one message for late readers may have replaced them.
        self.has_missed = False
        self._listen(JointTrajectory, 'wm_gate/joint_trajectory', self._on_command)
        self._listen(JointTrajectory, 'arm_controller/joint_trajectory', self._on_output)
        self._listen(ActionChunk, 'wm_gate/action_chunk', self._on_chunk)
        self._listen(Verdict, 'wm_predictor/verdict', self._on_verdict)
        self._listen(JointState, 'joint_states', self._on_joints, _LISTEN_SENSOR)
        self._listen(GateState, 'wm_gate/state', self._on_state, _LISTEN_LATCHED)
        if wants_frames:
            self._listen(Prediction, 'wm_predictor/prediction', self._on_prediction)

    def clear(self) -> None:
        """Begin a new ledger."""
        self.ledger = self.ledger.successor()
        self.predictions.clear()

    def settle(self, *, is_final: bool = False) -> None:
        """
        Judge what came on the controller's topic.

        :param is_final: nothing is on its way any more (see ``Ledger.settle``).
        """
        self.ledger.settle(is_final=is_final)

    def _listen(self, kind: type, topic: str, take: Callable[[Any, int], None],
                profile: QoSProfile = _LISTEN) -> None:
        last = 0

        def callback(message: Any, info: Mapping[str, int | None]) -> None:
            nonlocal last
            self.source_ns = info['source_timestamp'] or 0
            # A publisher that is new begins to count anew.
            number = info.get('publication_sequence_number') or 0
            self.has_missed, last = 0 < last < number - 1, number
            try:
                take(message, info['received_timestamp'] or time.time_ns())
            except ValueError as error:
                self.num_unreadable += 1
                self.get_logger().warning(
                    f'unreadable message on {topic}: {error}', throttle_duration_sec=5.0)
        self.create_subscription(kind, topic, callback, profile)

    def _on_command(self, message: JointTrajectory, at_ns: int) -> None:
        self.ledger.take_command(message_to_trajectory(message), at_ns)

    def _on_output(self, message: JointTrajectory, at_ns: int) -> None:
        try:
            self.ledger.take_output(message_to_trajectory(message), at_ns)
        except ValueError as error:
            self.ledger.unverified.append(f'a command that cannot be read: {error}')

    def _on_chunk(self, message: ActionChunk, at_ns: int) -> None:
        trajectory, start = message_to_trajectory(message.trajectory), message.start_state
        columns = [start.name.index(name) for name in trajectory.joint_names]
        self.ledger.take_chunk(
            message.chunk_id, trajectory, np.array(start.position, np.float64)[columns], at_ns)

    def _on_verdict(self, message: Verdict, at_ns: int) -> None:
        self.verdict = message
        self.ledger.take_verdict(message_to_verdict(message), at_ns)

    def _on_prediction(self, message: Prediction, at_ns: int) -> None:
        self.ledger.take_prediction(message.chunk_id, len(message.frames), at_ns)
        self.predictions[message.chunk_id] = message
        while len(self.predictions) > 8:
            self.predictions.pop(next(iter(self.predictions)))

    def _on_joints(self, message: JointState, at_ns: int) -> None:
        if len(message.position) != len(message.name):
            raise ValueError(f'{len(message.position)} positions for {len(message.name)} joints')
        has_speeds = len(message.velocity) == len(message.name)
        self.ledger.take_joints(
            tuple(message.name), np.array(message.position, np.float64), at_ns,
            np.array(message.velocity, np.float64) if has_speeds else None)

    def _on_state(self, message: GateState, at_ns: int) -> None:
        self.state, self.state_ns = message, at_ns
