# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Files of evidence as wm_evidence writes them, made without ROS.

The camera sees noise at 20 Hz, the arm stands still, and a judge says what is recorded.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
from bag_rig import NOTHING, header, time
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from wm_ros.data.evidence_buffer import Sample
from wm_ros.data.evidence_writer import RECORD_VERSION, write_evidence
from wm_ros.data.messages import message_to_chunk, message_to_trajectory
from wm_ros.data.pictures import resize
from wm_ros.datatypes import CommandInterface
from wm_ros.gate.digest import digest_trajectory
from wm_ros.inference.history import ObservationHistory
from wm_ros.inference.rebuild import history_config

ROOT = Path(__file__).resolve().parents[1]
MS, START_NS = 1_000_000, 1_700_000_000_000_000_000
OWN = ('ActionChunk', 'Verdict', 'GateState', 'Prediction', 'PredictorStatus')
PREDICTOR = {
    'engine': 'onnxruntime', 'device': 'cpu', 'num_threads': 1, 'checkpoint_path': 'default',
    'image_timeout': 0.3, 'joint_state_timeout': 0.2, 'context_slop': 0.05,
    'max_future_skew': 0.02, 'frozen_frames': 10, 'frozen_motion': 0.0}
TOPICS = {'cameras': {'front': '/camera/image_raw'}, 'joint_states': '/joint_states',
          'chunk': '/wm_gate/action_chunk', 'verdict': '/wm_predictor/verdict'}


@lru_cache(maxsize=1)
def store():
    """Return Jazzy's types and this package's, from msg/."""
    found = get_typestore(Stores.ROS2_JAZZY)
    for name in OWN:
        text = (ROOT / 'msg' / f'{name}.msg').read_text()
        found.register(get_types_from_msg(text, f'wm_ros/msg/{name}'))
    return found


def new(kind, **fields):
    """Make a message; fields that are not given are zero or empty."""
    cls = store().types[kind]
    values = {}
    for name, hint in cls.__annotations__.items():
        if name.isupper():
            continue
        text = str(hint)
        values[name] = fields.get(name, '' if 'str' in text else NOTHING if 'ndarray' in text
                                  else [] if 'list' in text else 0.0 if 'float' in text else 0)
    return cls(**values)


def definition(kind):
    """Return a type's definition with all that it is made of."""
    return store().generate_msgdef(kind, ros_version=2)[0]


def sample(topic, kind, at_ns, message):
    """Serialize a message."""
    return Sample(topic, kind, at_ns, bytes(store().serialize_cdr(message, kind)))


class Scene:
    """
    Two seconds of a camera and joints, and one command that a judge has judged.

    :param judge: what judges.
    :param seed: of the pictures.
    """

    def __init__(self, judge, *, seed=3, num_frames=30):
        self.judge, self.config = judge, judge.config
        rng = np.random.default_rng(seed)
        self.images = {START_NS + 50 * MS * k: rng.integers(0, 255, (48, 64, 3), np.uint8)
                       for k in range(num_frames)}
        # Each further camera takes its pictures a little later.
        self.others = {name: {stamp + 7 * MS * place: rng.integers(0, 255, (48, 64, 3), np.uint8)
                              for stamp in self.images}
                       for place, name in enumerate(self.config.cameras[1:], 1)}
        self.joint_stamps = [START_NS + 20 * MS * k for k in range(num_frames * 50 // 20)]
        self.now_ns = max(self.images) + 30 * MS
        self.chunk = self.make_chunk()
        self.verdict = self.make_verdict()

    def positions(self, stamp_ns):
        """Return joints that tell their time."""
        size = len(self.config.joint_names)
        return 0.1 * np.arange(size) + (stamp_ns - START_NS) / 1e11

    def joints_message(self, stamp_ns):
        """Make a JointState."""
        return new('sensor_msgs/msg/JointState', header=header(stamp_ns),
                   name=list(self.config.joint_names), position=self.positions(stamp_ns),
                   velocity=np.full(len(self.config.joint_names), 0.05), effort=NOTHING)

    def make_chunk(self):
        """Make the ActionChunk."""
        start = self.joints_message(self.joint_stamps[-1])
        points = [new('trajectory_msgs/msg/JointTrajectoryPoint',
                      positions=start.position + 0.05 * k, velocities=NOTHING,
                      accelerations=NOTHING, effort=NOTHING,
                      time_from_start=time(100 * MS * k, 'Duration')) for k in range(1, 6)]
        trajectory = new('trajectory_msgs/msg/JointTrajectory', header=header(0),
                         joint_names=list(self.config.joint_names), points=points)
        digest = digest_trajectory(
            message_to_trajectory(trajectory), CommandInterface.JOINT_TRAJECTORY)
        return new('wm_ros/msg/ActionChunk', header=header(self.now_ns - 5 * MS), chunk_id=7,
                   digest=np.frombuffer(digest, np.uint8), source='test', trajectory=trajectory,
                   start_state=start, decide_by=time(self.now_ns + 100 * MS))

    def make_verdict(self):
        """Judge the chunk as the predictor does, and make the Verdict."""
        history = ObservationHistory(history_config(PREDICTOR, self.config))
        cameras = [self.images, *self.others.values()]
        events = sorted([*((stamp, place) for place, images in enumerate(cameras)
                           for stamp in images), *((stamp, -1) for stamp in self.joint_stamps)])
        for stamp, place in events:
            if place < 0:
                state = self.joints_message(stamp)
                history.add_joints(state.name, state.position, state.velocity, stamp, stamp)
            else:
                picture = resize(cameras[place][stamp], self.config.image_height,
                                 self.config.image_width)
                history.add_image(picture, stamp, stamp, content=stamp, camera=place)
        found = self.judge.judge(message_to_chunk(self.chunk), history.observe(self.now_ns),
                                 stamp_ns=self.now_ns).verdict
        return new('wm_ros/msg/Verdict', header=header(found.stamp_ns), chunk_id=7,
                   digest=self.chunk.digest, observation_stamp=time(found.observation_stamp_ns),
                   valid_until=time(found.valid_until_ns), horizon=found.horizon_s,
                   decision=int(found.decision), reasons=int(found.reasons), risk=found.risk,
                   risk_threshold=found.risk_threshold, uncertainty=found.uncertainty,
                   speed_factor=1.0, first_unsafe_step=found.first_unsafe_step,
                   model_id=found.model_id, message=found.message,
                   context_stamps=[time(stamp) for stamp in found.context_stamps_ns],
                   joint_stamp=time(found.joint_stamp_ns))

    def record(self, **changes):
        """Make the record."""
        topics = {**TOPICS, 'cameras': {**TOPICS['cameras'], **{
            name: f'/{name}/image_raw' for name in self.others}}}
        return {'version': RECORD_VERSION, 'topics': topics, 'model_id': self.judge.model_id,
                'triggers': [{'kind': 'veto', 'chunk_id': 7, 'stamp_ns': self.now_ns}],
                'parameters': {'wm_predictor': PREDICTOR, 'wm_gate': {'mode': 'enforce'}},
                **changes}

    def samples(self):
        """Make all messages."""
        cameras = {TOPICS['cameras']['front']: self.images, **{
            f'/{name}/image_raw': images for name, images in self.others.items()}}
        found = [sample(topic, 'sensor_msgs/msg/Image', stamp + MS, new(
            'sensor_msgs/msg/Image', header=header(stamp), height=48, width=64, encoding='rgb8',
            step=192, data=rgb.reshape(-1)))
            for topic, images in cameras.items() for stamp, rgb in images.items()]
        found += [sample(TOPICS['joint_states'], 'sensor_msgs/msg/JointState', stamp + MS,
                         self.joints_message(stamp)) for stamp in self.joint_stamps]
        return [*found,
                sample(TOPICS['chunk'], 'wm_ros/msg/ActionChunk', self.now_ns - MS, self.chunk),
                sample(TOPICS['verdict'], 'wm_ros/msg/Verdict', self.now_ns + MS, self.verdict)]

    def write(self, path, samples=None, **changes):
        """Write the file; returns its path."""
        samples = self.samples() if samples is None else samples
        write_evidence(path, self.record(**changes), samples,
                       {item.type: definition(item.type) for item in samples})
        return path
