# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Listen to a running graph for some seconds and collect what the checks need.

The main rule: it only listens and asks for states and parameters; it changes nothing.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import get_rmw_implementation_identifier
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from wm_ros.gate.config import GateConfig
from wm_ros.msg import GateState, PredictorStatus
from wm_ros.ros import dds_profile, qos
from wm_ros.ros.doctor_checks import Finding, check_graph
from wm_ros.ros.doctor_ear import Ear
from wm_ros.ros.doctor_facts import Facts, Wire
from wm_ros.ros.graph_ends import full_name, make_wire, node_names, topics_of
from wm_ros.ros.predictor_config import PredictorConfig
from wm_ros.ros.remote_parameters import RemoteParameters
from wm_ros.ros.topic_types import type_name

_TICK_S = 0.5
# So long a graph needs to be discovered before what is missing is missing.
LEAST_DURATION_S = 1.0
_IMAGES = {type_name(kind): kind for kind in (Image, CompressedImage)}
_JOINTS = type_name(JointState)
_COMMANDS = {type_name(JointTrajectory), type_name(Float64MultiArray)}
_EVERY = QoSProfile(depth=50)
_FRAMES = QoSProfile(depth=30, reliability=qos.CAMERA_IN.reliability)
_LOSSY = QoSProfile(depth=100, reliability=qos.JOINT_STATES.reliability)


class Doctor(Node):
    """
    wm_doctor: collects facts about the gate and the predictor of one namespace.

    **Subscribes** to what the predictor and the gate subscribe to (cameras, joint states), and to
    wm_predictor/heartbeat, wm_gate/state, /diagnostics and /clock. Publishes nothing.

    **Threads** one, the executor's.

    :param namespace: of gate and predictor.
    """

    def __init__(self, *, namespace: str = '', **node_arguments: Any) -> None:
        super().__init__('wm_doctor', namespace=namespace, **node_arguments)
        own = self.get_namespace()
        self.gate, self.predictor = (full_name(own, name) for name in ('wm_gate', 'wm_predictor'))
        self._ear = Ear(self)
        self._begun_s = time.monotonic()
        self._statuses: dict[str, tuple[int, str, dict[str, str]]] = {}
        self._states: dict[str, str] = {}
        self._remote = {
            name: RemoteParameters(self, name, ['use_sim_time', *(
                item.name for item in fields(kind))])
            for name, kind in ((self.gate, GateConfig), (self.predictor, PredictorConfig))}
        self._state_clients = {name: self.create_client(GetState, f'{name}/get_state')
                         for name in (self.gate, self.predictor)}
        self.create_subscription(
            DiagnosticArray, '/diagnostics', self._on_diagnostics, QoSProfile(depth=100))
        self._ear.listen(PredictorStatus, f'{self.predictor}/heartbeat', _EVERY)
        self._ear.listen(GateState, f'{self.gate}/state', qos.GATE_STATE_IN)
        self._ear.listen(Clock, '/clock', _LOSSY, has_header=False)
        self.create_timer(_TICK_S, self._look)

    def facts(self) -> Facts:
        """Return what is known by now."""
        heard, out = self._ear.heard(), self._command_out()
        return Facts(
            gate=self.gate, predictor=self.predictor, nodes=node_names(self),
            duration_s=time.monotonic() - self._begun_s, states=dict(self._states),
            parameters={name: item.values for name, item in self._remote.items()},
            cameras=self._cameras(), joints=make_wire(
                self, self._joint_topic(), 'joint states', _JOINTS),
            chunk=make_wire(self, f'{self.gate}/action_chunk', 'commands to judge'),
            verdict=make_wire(self, f'{self.predictor}/verdict', 'verdicts'),
            heartbeat=make_wire(self, f'{self.predictor}/heartbeat', 'heartbeats'),
            state=make_wire(self, f'{self.gate}/state', 'the state of the gate'),
            command_out=make_wire(self, out, 'commands') if out else None,
            commands_in=[make_wire(self, topic, 'commands') for topic in topics_of(
                self, self.gate, _COMMANDS, is_written=False)],
            heard=heard, statuses=dict(self._statuses),
            clock_count=heard['/clock'].count, num_clocks=self.count_publishers('/clock'),
            middleware=get_rmw_implementation_identifier(), profile=dds_profile.profile_path(),
            segment_bytes=dds_profile.segment_bytes(dds_profile.profile_path()),
            topics={topic: kinds[0] for topic, kinds in self.get_topic_names_and_types()})

    def _look(self) -> None:
        """Ask what is not known yet, and listen to what is."""
        for name, client in self._state_clients.items():
            if self._remote[name].values == {}:
                self._remote[name].ask()
            if client.service_is_ready():
                future = client.call_async(GetState.Request())
                future.add_done_callback(lambda done, name=name: self._take_state(name, done))
        self._ear.listen(JointState, self._joint_topic(), _LOSSY)
        kinds = {topic: kinds[0] for topic, kinds in self.get_topic_names_and_types()}
        for topic in self._camera_topics():
            kind = _IMAGES.get(kinds.get(topic, ''))
            if kind is not None:
                self._ear.listen(kind, topic, _FRAMES, keeps_message=False)

    def _take_state(self, name: str, future: Any) -> None:
        if not future.cancelled() and future.result() is not None:
            self._states[name] = future.result().current_state.label

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self._statuses[status.name] = (
                int.from_bytes(status.level, 'little'), status.message,
                {item.key: item.value for item in status.values})

    def _camera_topics(self) -> list[str]:
        """Return what the predictor listens to; before it does, what its parameters say."""
        found = topics_of(self, self.predictor, _IMAGES, is_written=False)
        if found:
            return found
        values = self._remote[self.predictor].values
        suffix = '/compressed' if values.get('image_transport') == 'compressed' else ''
        return [self.resolve_topic_name(topic) + suffix
                for topic in values.get('camera_topics', ['camera/image_raw'])]

    def _cameras(self) -> list[Wire]:
        values = self._remote[self.predictor].values
        kind = type_name(
            CompressedImage if values.get('image_transport') == 'compressed' else Image)
        return [make_wire(self, topic, 'pictures', kind) for topic in self._camera_topics()]

    def _joint_topic(self) -> str:
        found = topics_of(self, self.gate, {_JOINTS}, is_written=False)
        return found[0] if found else self.resolve_topic_name('joint_states')

    def _command_out(self) -> str:
        """Return the controller's topic, '' if the gate is not there."""
        found = topics_of(self, self.gate, _COMMANDS, is_written=True)
        if found:
            return found[0]
        topic = self._remote[self.gate].values.get('command_out_topic', '')
        return self.resolve_topic_name(topic) if topic else ''


def examine(*, namespace: str, duration_s: float,
            on_progress: Callable[[float], None] = lambda share: None) -> list[Finding]:
    """
    Listen to the graph and return what is wrong with it.

    :param namespace: of gate and predictor.
    :param duration_s: how long to listen.
    :param on_progress: told the share of the time that is over.
    """
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    node = None
    try:
        node = Doctor(namespace=namespace)
        executor.add_node(node)
        begin = time.monotonic()
        while (passed := time.monotonic() - begin) < duration_s:
            on_progress(passed / duration_s)
            executor.spin_once(timeout_sec=0.05)
        return check_graph(node.facts())
    finally:
        executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def count(findings: Collection[Finding], level: str) -> int:
    """Count the findings of a level."""
    return sum(finding.level == level for finding in findings)
