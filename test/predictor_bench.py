# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The predictor's surroundings for its tests: a camera, joints and a gate's side of the wire."""

import numpy as np
from builtin_interfaces.msg import Duration
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from wm_ros.datatypes import CommandInterface
from wm_ros.gate.digest import digest_trajectory
from wm_ros.msg import ActionChunk, PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg
from wm_ros.ros.predictor_messages import message_to_trajectory, ns_to_stamp
from wm_ros.ros.predictor_node import PredictorNode

NS_PER_S = 1_000_000_000


class Bench:
    """
    A predictor on a harness, with everything that it listens to.

    :param harness: owns the context.
    :param make_judge: loads the model.
    :param joints: names of the joints, in the order of the model.
    :param parameters: of the node, over generous limits of age.
    """

    def __init__(self, harness, make_judge, *, joints, **parameters):
        self.harness, self.make_judge, self.names = harness, make_judge, tuple(joints)
        self.positions = [(i + 1) / 10 for i in range(len(joints))]
        # Generous limits: this machine may be busy. Tests of staleness set their own.
        parameters = {'checkpoint_path': 'fake', 'image_timeout': 2.0, 'joint_state_timeout': 2.0,
                      **parameters}
        self.node = harness.add(PredictorNode(
            make_judge=lambda config: self.make_judge(config), context=harness.context,
            parameter_overrides=[Parameter(k, value=v) for k, v in parameters.items()]))
        self.is_compressed = parameters.get('image_transport') == 'compressed'
        self.camera = harness.publisher(
            'camera/image_raw' + ('/compressed' if self.is_compressed else ''),
            CompressedImage if self.is_compressed else Image, qos.CAMERA_OUT)
        self.info = harness.publisher('camera/camera_info', CameraInfo, qos.CAMERA_INFO)
        self.joints = harness.publisher('joint_states', JointState, qos.JOINT_STATES_OUT)
        self.chunks = harness.publisher('wm_gate/action_chunk', ActionChunk, qos.ACTION_CHUNK)
        self.verdicts = harness.mailbox('wm_predictor/verdict', Verdict, qos.VERDICT)
        self.beats = harness.mailbox('wm_predictor/heartbeat', PredictorStatus, qos.HEARTBEAT)
        self.num_frames = 0
        self.next_id = 1

    def start(self):
        self.harness.configure_and_activate('wm_predictor')
        self.harness.wait_matched()
        return self

    def now_ns(self):
        return self.harness.tester.get_clock().now().nanoseconds

    def send_frame(self, *, age_s=0.0, size=(48, 64), value=None, now_ns=None):
        self.num_frames += 1
        value = self.num_frames % 250 if value is None else value
        rgb = np.full((*size, 3), value, np.uint8)
        make = array_to_jpeg if self.is_compressed else array_to_image
        stamp = ns_to_stamp((now_ns or self.now_ns()) - round(age_s * NS_PER_S))
        self.camera.publish(make(rgb, stamp=stamp, frame_id='optical'))
        return stamp

    def send_joints(self, names=None, positions=None):
        message = JointState(name=list(names or self.names),
                             position=list(positions or self.positions))
        message.header.stamp = ns_to_stamp(self.now_ns())
        self.joints.publish(message)

    def feed(self, *, now_ns=None, **kwargs):
        """Send what one check needs; returns the newest stamp."""
        node = self.node
        before = node._worker.intake.num_images
        now_ns = now_ns or self.now_ns()
        self.send_frame(age_s=0.1, now_ns=now_ns, **kwargs)
        stamp = self.send_frame(now_ns=now_ns, **kwargs)
        self.send_joints()
        self.harness.spin_until(lambda: node._worker.intake.num_images == before + 2, 5.0,
                                'frames did not arrive')
        progress = node._worker.progress
        self.harness.spin_until(lambda: node._worker.progress > progress + 2, 5.0)
        return stamp

    def chunk(self, *, decide_by_s=10.0):
        points = [JointTrajectoryPoint(positions=[0.1 * k, *self.positions[1:]],
                                       time_from_start=Duration(nanosec=100_000_000 * k))
                  for k in range(1, 6)]
        message = ActionChunk(chunk_id=self.next_id, source='test')
        message.trajectory = JointTrajectory(joint_names=list(self.names), points=points)
        digest = digest_trajectory(message_to_trajectory(message.trajectory),
                                   CommandInterface.JOINT_TRAJECTORY)
        message.digest = np.frombuffer(digest, np.uint8)
        message.start_state = JointState(name=list(self.names), position=self.positions)
        now_ns = self.now_ns()
        message.header.stamp = ns_to_stamp(now_ns)
        message.decide_by = ns_to_stamp(now_ns + round(decide_by_s * NS_PER_S))
        self.next_id += 1
        return message

    def ask(self, message=None):
        message = self.chunk() if message is None else message
        self.chunks.publish(message)
        return self.verdicts.expect(lambda v: v.chunk_id == message.chunk_id)
