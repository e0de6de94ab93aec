# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A gate over real DDS, and a tester that plays robot driver, predictor and policy."""

import subprocess
import sys
from pathlib import Path

import yaml
from harness import Harness
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.gate.values import NS_PER_S
from wm_ros.msg import ActionChunk, GateState, PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.gate_messages import ns_to_time
from wm_ros.ros.gate_node import GateNode

ROOT = Path(__file__).resolve().parents[1]
JOINTS = ['a', 'b']
OUT = '/controller/joint_trajectory'
# The steady clock of a busy machine: generous where the test is not about time.
PATIENT = {'joint_state_timeout': 2.0, 'image_timeout': 5.0, 'heartbeat_timeout': 2.0,
           'decision_timeout': 2.0, 'check_timeout': 5.0}


class Bench:
    """
    A gate, and a tester that plays everyone else.

    :param is_beating: the tester plays the predictor's heartbeat; else another process does.
    :param params_file: run the gate in a process of its own, with settings that go there.
    :param parameters: settings that differ from the patient ones.
    """

    def __init__(self, harness: Harness, *, is_beating: bool = True,
                 params_file: Path | None = None, **parameters) -> None:
        self.harness = harness
        values = {'joint_names': JOINTS, 'command_out_topic': OUT, 'arm_cycles': 3,
                  'probe_period': 0.5, **PATIENT, **parameters}
        self.node = self.process = None
        if params_file is None:
            self.node = harness.add(GateNode(context=harness.context, parameter_overrides=[
                Parameter(name, value=value) for name, value in values.items()]))
        else:
            params_file.write_text(yaml.safe_dump({'/wm_gate': {'ros__parameters': values}}))
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'wm_ros.ros.gate_node', '--ros-args', '--params-file',
                 str(params_file)], cwd=ROOT)
        self.positions = [0.1, -0.2]
        self.velocities = [0.0, 0.0]
        self.decision = Verdict.OK
        self.is_answering = True
        self.change_verdict = lambda verdict: None
        self.progress = 0
        out_type = (Float64MultiArray if 'Array' in values.get('command_out_type', '')
                    else JointTrajectory)
        self.output = harness.mailbox(OUT, out_type, qos.COMMAND_OUT)
        self.states = harness.mailbox('/wm_gate/state', GateState, qos.GATE_STATE)
        self.chunks = harness.mailbox('/wm_gate/action_chunk', ActionChunk, 10)
        harness.tester.create_subscription(
            ActionChunk, '/wm_gate/action_chunk', self._answer, qos.ACTION_CHUNK)
        self.commands = harness.publisher(
            '/wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_IN)
        self.arrays = harness.publisher('/wm_gate/commands', Float64MultiArray, qos.COMMAND_IN)
        self.joints = harness.publisher('/joint_states', JointState, qos.JOINT_STATES_OUT)
        self.verdicts = harness.publisher('/wm_predictor/verdict', Verdict, qos.VERDICT)
        self.stop = harness.publisher('/emergency_stop', Bool, qos.EMERGENCY_STOP)
        self.bypass = harness.publisher('/wm_gate/bypass', Bool, qos.BYPASS)
        self.timers = [harness.tester.create_timer(0.02, self._publish_joints)]
        if is_beating:
            self.beats = harness.publisher(
                '/wm_predictor/heartbeat', PredictorStatus, qos.HEARTBEAT)
            self.timers.append(harness.tester.create_timer(0.05, self._publish_beat))

    def now_ns(self) -> int:
        """Return the tester's ROS time."""
        return self.harness.tester.get_clock().now().nanoseconds

    def start(self) -> 'Bench':
        """Configure, match and activate."""
        assert self.harness.change_state('wm_gate', Transition.TRANSITION_CONFIGURE, 30.0)
        self.harness.wait_matched()
        assert self.harness.change_state('wm_gate', Transition.TRANSITION_ACTIVATE)
        return self

    def arm(self) -> 'Bench':
        """Start and wait for RUNNING."""
        self.start()
        self.expect_state(GateState.RUNNING, timeout_s=10.0)
        return self

    def stop_process(self) -> None:
        """Kill the gate's process, if it has one that still lives."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def expect_state(self, state: int, timeout_s: float = 5.0) -> GateState:
        """Wait for a state."""
        return self.states.expect(lambda m: m.state == state, timeout_s=timeout_s)

    def expect_chunk(self) -> ActionChunk:
        """Wait for the chunk of a command."""
        return self.chunks.expect(lambda m: m.source != 'probe')

    def send(self, positions=((0.15, -0.2), (0.2, -0.2)), names=JOINTS) -> None:
        """Publish a trajectory with points 0.1 s apart."""
        message = JointTrajectory(joint_names=list(names))
        for index, row in enumerate(positions):
            point = JointTrajectoryPoint(positions=[float(p) for p in row])
            point.time_from_start.nanosec = (index + 1) * 100_000_000
            message.points.append(point)
        self.commands.publish(message)

    def verdict_for(self, chunk: ActionChunk) -> Verdict:
        """Make a verdict of the decision in force."""
        now = self.now_ns()
        verdict = Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, horizon=0.8, risk=0.1,
            risk_threshold=0.5, speed_factor=1.0, first_unsafe_step=-1,
            decision=Verdict.OK if chunk.source == 'probe' else self.decision,
            valid_until=ns_to_time(now + 5 * NS_PER_S))
        verdict.header.stamp = verdict.observation_stamp = ns_to_time(now)
        if verdict.decision == Verdict.VETO:
            verdict.reasons, verdict.risk = Verdict.RISK, 0.9
            verdict.message = 'risk 0.9 at step 3'
        return verdict

    def _answer(self, chunk: ActionChunk) -> None:
        if not self.is_answering and chunk.source != 'probe':
            return
        verdict = self.verdict_for(chunk)
        if chunk.source != 'probe':
            self.change_verdict(verdict)
        self.verdicts.publish(verdict)

    def _publish_joints(self) -> None:
        message = JointState(name=JOINTS, position=self.positions, velocity=self.velocities)
        message.header.stamp = ns_to_time(self.now_ns())
        self.joints.publish(message)

    def _publish_beat(self) -> None:
        self.progress += 1
        self.beats.publish(PredictorStatus(
            progress=self.progress, calibrated=True, image_age=0.03, joint_age=0.01))
