# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the predictor sends.

The main rule: publishing is done on the inference thread; frames are drawn only for somebody who
listens.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

import wm_ros.msg as msg
from wm_ros.ros import conversions, qos
from wm_ros.ros.predictor_messages import ns_to_stamp, prediction_to_message


class PredictorPublishers:
    """
    All publishers of wm_predictor.

    :param node: their owner.
    :param camera_names: whose pictures are predicted, the main camera first.
    :param jpeg_quality: asked for each frame.
    """

    def __init__(self, node: LifecycleNode, *, camera_names: Sequence[str],
                 jpeg_quality: Callable[[], int]) -> None:
        self._node = node
        self._camera_names = camera_names
        self._jpeg_quality = jpeg_quality
        create = node.create_lifecycle_publisher
        self._verdict = create(msg.Verdict, '~/verdict', qos.VERDICT)
        self._heartbeat = create(msg.PredictorStatus, '~/heartbeat', qos.HEARTBEAT)
        # A topic for each further camera: of two messages on one topic that keeps the newest, a
        # reader would get the second only.
        self._predictions = [
            create(msg.Prediction, f'~/prediction/{name}' if place else '~/prediction',
                   qos.PREDICTION) for place, name in enumerate(camera_names)]
        self._futures = create(msg.Prediction, '~/futures', qos.FUTURES)
        # Deep: all cameras of one command come at once.
        self._refused = create(msg.Prediction, '~/refused_prediction', qos.REFUSED_PREDICTION)
        self._image = create(Image, '~/predicted/image_raw', qos.PREDICTED_IMAGE)
        self._compressed = create(CompressedImage, '~/predicted/image_raw/compressed',
                                  qos.PREDICTED_IMAGE)
        self._info = create(CameraInfo, '~/predicted/camera_info', qos.PREDICTED_IMAGE)
        self.camera_info: CameraInfo | None = None

    def destroy(self) -> None:
        """Take all publishers off the graph."""
        for publisher in (self._verdict, self._heartbeat, *self._predictions, self._futures,
                          self._refused, self._image, self._compressed, self._info):
            self._node.destroy_lifecycle_publisher(publisher)

    def publish_verdict(self, message: msg.Verdict) -> None:
        """Send a verdict; runs on the inference thread."""
        self._verdict.publish(message)

    def publish_heartbeat(self, worker: Any) -> None:
        """Send a heartbeat, which also renews the lease; runs on the inference thread."""
        now_ns = self._node.get_clock().now().nanoseconds
        image_age_s, joint_age_s = worker.intake.ages_s(now_ns)
        latencies = worker.latencies_ms or (0.0,)
        problem = worker.problem or worker.observation_problem or worker.trust.drift_message
        p50, p99 = np.percentile(latencies, (50, 99))
        self._heartbeat.publish(msg.PredictorStatus(
            header=Header(stamp=ns_to_stamp(now_ns)), progress=worker.progress,
            engine=worker.judge.engine.name, device=worker.judge.engine.device,
            model_id=worker.judge.model_id, calibrated=not worker.trust.shadow_reason,
            queue=worker.mailbox.queue, dropped=worker.mailbox.dropped_chunks,
            image_age=image_age_s, joint_age=joint_age_s, latency_p50_ms=float(p50),
            latency_p99_ms=float(p99), message=problem))

    def wants_prediction(self, *, is_refused: bool) -> bool:
        """
        Tell whether anybody looks at predicted frames; runs on the inference thread.

        :param is_refused: the command is not released: who looks at such only looks now.
        """
        refused = (self._refused,) if is_refused else ()
        return any(publisher.get_subscription_count() > 0 for publisher in (
            *self._predictions, self._image, self._compressed, *refused))

    def publish_prediction(self, judgement: Any, headers: Sequence[Header],
                           frames: NDArray[np.uint8]) -> None:
        """
        Send the consequence of a chunk; runs on the inference thread.

        The pictures show one step of the main camera: the first over the threshold, or the last.
        They carry the source image's stamp, because rviz would wait for the transform of a future
        one.

        :param judgement: the judge's answer.
        :param headers: for each camera the stamp of the source image and the camera's frame.
        :param frames: uint8 RGB (H, V h, w, 3), V cameras above each other.
        """
        verdict, views = judgement.verdict, np.split(frames, len(headers), axis=1)
        jpegs: list[CompressedImage] = []
        # The main camera last, so that its frames are at hand below.
        for place in reversed(range(len(views))):
            jpegs = self._jpegs(views[place], headers[place])
            message = prediction_to_message(
                judgement.prediction, header=headers[place], chunk_id=verdict.chunk_id,
                camera_name=self._camera_names[place], frames=jpegs,
                num_futures=verdict.num_futures)
            self._predictions[place].publish(message)
            self._refused.publish(message)
        frames, header = views[0], headers[0]
        step = verdict.first_unsafe_step if verdict.first_unsafe_step >= 0 else len(frames) - 1
        self._image.publish(conversions.array_to_image(
            frames[step], stamp=header.stamp, frame_id=header.frame_id))
        self._compressed.publish(jpegs[step])
        if self.camera_info is not None and self.camera_info.width > 0:
            info = conversions.scale_camera_info(self.camera_info, *frames.shape[1:3])
            info.header = header
            self._info.publish(info)

    def wants_futures(self) -> bool:
        """Tell whether anybody looks at sampled futures; runs on the inference thread."""
        return self._futures.get_subscription_count() > 0

    def publish_future(self, judgement: Any, headers: Sequence[Header],
                       frames: NDArray[np.uint8], number: int) -> None:
        """
        Send one sampled future of the main camera; runs on the inference thread.

        :param judgement: the judge's answer.
        :param headers: see ``publish_prediction``.
        :param frames: uint8 RGB (H, V h, w, 3).
        :param number: which one, from 1.
        """
        main = np.split(frames, len(headers), axis=1)[0]
        self._futures.publish(prediction_to_message(
            judgement.prediction, header=headers[0], chunk_id=judgement.verdict.chunk_id,
            camera_name=self._camera_names[0], frames=self._jpegs(main, headers[0]),
            future=number, num_futures=judgement.verdict.num_futures))

    def _jpegs(self, frames: NDArray[np.uint8], header: Header) -> list[CompressedImage]:
        quality = self._jpeg_quality()
        return [conversions.array_to_jpeg(frame, stamp=header.stamp, frame_id=header.frame_id,
                                          quality=quality) for frame in frames]
