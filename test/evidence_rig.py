# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole graph as processes, and commands that a model must refuse."""

import os

import numpy as np
from builtin_interfaces.msg import Duration
from lifecycle_msgs.msg import Transition
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.demo.main import gate_arguments, predictor_arguments
from wm_ros.demo.processes import Processes
from wm_ros.msg import GateState, Verdict
from wm_ros.ros import qos

# Down, to where things stand in the first scene of so101_sim. Training has hazards of that kind
# and none on the bare table, before which a model may as well abstain.
PLUNGE = {'shoulder_pan': 0.0, 'shoulder_lift': 1.0, 'elbow_flex': -0.3, 'wrist_flex': 0.8}


def start_graph(processes: Processes, checkpoint: str, *, mode: str = 'enforce',
                engine: str = 'onnxruntime') -> None:
    """Start simulation, predictor and gate in this test's ROS domain."""
    processes.start('so101_sim', 'wm_ros.ros.so101_sim_node')
    # How fast this machine is just now is no matter here.
    processes.start('wm_predictor', 'wm_ros.ros.predictor_node', [
        *predictor_arguments(checkpoint, engine), '-p', 'strict_budget:=false'])
    processes.start('wm_gate', 'wm_ros.ros.gate_node', gate_arguments(mode))


def start_evidence(processes: Processes, directory: os.PathLike, **parameters: object) -> None:
    """Start wm_evidence with parameters over its defaults."""
    values = {'directory': str(directory), **parameters}
    arguments = [part for name, value in values.items()
                 for part in ('-p', f'{name}:={value}')]
    processes.start('wm_evidence', 'wm_ros.ros.evidence_node', ['--ros-args', *arguments])


class Policy:
    """A policy on a harness that watches the verdicts on what it sends."""

    def __init__(self, harness):
        self.harness = harness
        self.joints = harness.mailbox('joint_states', JointState, qos.JOINT_STATES)
        self.state = harness.mailbox('wm_gate/state', GateState, qos.GATE_STATE_IN)
        self.verdicts = harness.mailbox('wm_predictor/verdict', Verdict, qos.VERDICT)
        self.commands = harness.publisher(
            'wm_gate/joint_trajectory', JointTrajectory, qos.COMMAND_IN)

    def arm(self):
        """Bring predictor and gate to RUNNING."""
        for name in ('/wm_predictor', '/wm_gate'):
            for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
                assert self.harness.change_state(name, transition, timeout_s=90.0)
        self.harness.wait_matched()
        self.state.expect(lambda state: state.state == GateState.RUNNING, timeout_s=60.0)

    def send(self, targets, *, duration_s=0.6, points=6):
        """Send straight lines from the measured joints to targets; others stay."""
        self.joints.clear()
        measured = self.joints.expect()
        start = np.array(measured.position)
        end = np.array([targets.get(name, value) for name, value in zip(
            measured.name, start, strict=True)])
        message = JointTrajectory(joint_names=list(measured.name))
        for k in range(1, points + 1):
            share = k / points
            message.points.append(JointTrajectoryPoint(
                positions=list(start + share * (end - start)),
                time_from_start=Duration(nanosec=int(share * duration_s * 1e9))))
        self.verdicts.clear()
        self.commands.publish(message)

    def send_until_veto(self, targets, *, tries=20):
        """Send the same until the model refuses it; returns the verdict."""
        for _ in range(tries):
            self.send(targets)
            verdict = self.verdicts.expect(timeout_s=10.0)
            if verdict.decision == Verdict.VETO:
                return verdict
        raise AssertionError(f'{tries} commands and no veto; the last: {verdict}')
