# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Time every stage of a check in one process, with real messages and real pictures.

A process of its own in the benchmark. It writes the times of each stage, ms, as one JSON object
to its standard output.
"""

import json
import sys
import zlib
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from wm_ros.data.episode import Episode, read_episode
from wm_ros.datatypes import ActionChunk, CommandInterface, JointSample, Observation, Trajectory
from wm_ros.gate.digest import digest_trajectory
from wm_ros.inference.judge import Judge
from wm_ros.msg import Prediction, Verdict
from wm_ros.ros import conversions, qos
from wm_ros.ros.benchmark_robot import CHUNK_TIMES_S
from wm_ros.ros.benchmark_stopwatch import Stopwatch
from wm_ros.ros.predictor_config import checkpoint_directory
from wm_ros.ros.predictor_messages import prediction_to_message, verdict_to_message

JOINT_PERIOD_S = 0.01
# Where in the recording the first check begins, and how far apart the others are, in samples.
_AT, _NUM_MOMENTS = 50, 100
# Frames take ten times as long as all the rest.
_FRAMES_EVERY = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class StagesPlan:
    """
    What to time.

    :param recording: an episode with pictures at 30 Hz and joints at 100 Hz.
    :param threads: of the engine.
    :param rounds: how many checks.
    """

    recording: str
    checkpoint: str
    engine: str
    threads: int
    rounds: int


def time_stages(plan: StagesPlan, node: Node) -> dict[str, list[float]]:
    """
    Time receive, convert, encode, predict, hazard, publish, decode and draw.

    * receive: the bytes of a 640x480 picture to a message.
    * convert: to RGB, to the model's size, and the hash that finds frozen cameras.
    * encode, predict: the two graphs of a check.
    * hazard: all else from observation and command to the verdict.
    * publish: the verdict to a message and onto the wire, where somebody listens.
    * check: encode, predict and hazard together.
    * decode: all predicted frames, and within it draw_frame, what one takes.
    * publish_frames: frames to JPEGs, to a message and onto the wire.
    """
    episode = read_episode(Path(plan.recording))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    verdicts = node.create_publisher(Verdict, 'benchmark/verdict', qos.VERDICT)
    predictions = node.create_publisher(Prediction, 'benchmark/prediction', qos.PREDICTION)
    node.create_subscription(Verdict, 'benchmark/verdict', lambda message: None, qos.VERDICT)
    node.create_subscription(
        Prediction, 'benchmark/prediction', lambda message: None, qos.PREDICTION)
    watch = Stopwatch()
    with closing(Judge.load(checkpoint_directory(plan.checkpoint), engine=plan.engine,
                            num_threads=plan.threads)) as judge:
        judge.warm_up()
        spent = watch.watch(judge.engine)
        data = serialize_message(conversions.array_to_image(
            episode.decode(len(episode.frames) // 4), stamp=Time(), frame_id='camera'))
        for turn in range(plan.rounds):
            observation, chunk = moment(episode, judge.config, turn)
            message = watch.time('receive', partial(deserialize_message, data, Image))
            watch.time('convert', partial(convert, message, judge.config))
            spent.clear()
            judged = watch.time('check', partial(
                judge.judge, chunk, observation,
                stamp_ns=observation.image_stamps_ns[-1] + 20_000_000))
            watch.note('encode', spent.get('encode', 0.0))
            watch.note('predict', spent.get('predict', 0.0))
            watch.note('hazard', watch.times['check'][-1] - sum(spent.values()))
            watch.time('publish', partial(publish_verdict, verdicts, judged))
            if turn % _FRAMES_EVERY == 0:
                frames = watch.time('decode', partial(judge.frames, judged))
                watch.note('draw_frame', watch.times['decode'][-1] / len(frames))
                watch.time('publish_frames', partial(
                    publish_frames, predictions, judged, frames))
            # Whoever listens must take it, or the middleware would have nothing to do.
            executor.spin_once(timeout_sec=0.0)
    executor.shutdown(timeout_sec=1.0)
    return watch.times


def publish_verdict(publisher: Any, judged: Any) -> None:
    """Send a verdict as the predictor does."""
    publisher.publish(verdict_to_message(judged.verdict))


def publish_frames(publisher: Any, judged: Any, frames: Any) -> None:
    """Send frames as the predictor does."""
    jpegs = [conversions.array_to_jpeg(frame, stamp=Time(), frame_id='camera')
             for frame in frames]
    publisher.publish(prediction_to_message(
        judged.prediction, header=Header(), chunk_id=1, camera_name='front', frames=jpegs))


def convert(message: Image, config: Any) -> Any:
    """Do what the predictor does with a picture."""
    small = conversions.resize(
        conversions.image_to_rgb(message), config.image_height, config.image_width)
    return small, zlib.crc32(message.data)


def moment(episode: Episode, config: Any, turn: int) -> tuple[Observation, ActionChunk]:
    """Return what was seen at a moment of the recording and what was commanded then."""
    at, per_step = _AT + turn % _NUM_MOMENTS, round(config.step_s / JOINT_PERIOD_S)
    stamps = [int(episode.joint_stamps_ns[at - per_step * back])
              for back in reversed(range(config.context_len))]
    images = np.stack([conversions.resize(
        episode.decode(int(np.abs(episode.frame_stamps_ns - stamp).argmin())),
        config.image_height, config.image_width) for stamp in stamps])
    joints = JointSample(
        names=episode.joint_names, positions=episode.positions[at].astype(np.float64),
        velocities=episode.velocities[at].astype(np.float64), stamp_ns=stamps[-1])
    ahead = [at + round(time_s / JOINT_PERIOD_S) for time_s in CHUNK_TIMES_S]
    trajectory = Trajectory(
        joint_names=episode.joint_names, times=np.array(CHUNK_TIMES_S),
        positions=episode.setpoints[ahead].astype(np.float64))
    kind = CommandInterface.JOINT_TRAJECTORY
    chunk = ActionChunk(
        chunk_id=turn + 1, digest=digest_trajectory(trajectory, kind), source='benchmark',
        interface=kind, trajectory=trajectory, start=joints, stamp_ns=stamps[-1],
        decide_by_ns=stamps[-1] + 150_000_000)
    return Observation(images=images, image_stamps_ns=tuple(stamps), joints=joints), chunk


def main(args: list[str] | None = None) -> int:
    """Time what the JSON in the first argument says; returns the exit code."""
    plan = StagesPlan(**json.loads((sys.argv[1:] if args is None else args)[0]))
    rclpy.init(args=[])
    node = Node('benchmark_stages')
    try:
        sys.stdout.write(json.dumps(time_stages(plan, node)) + '\n')
        return 0
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    sys.exit(main())
