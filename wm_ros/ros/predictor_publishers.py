# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What the predictor sends.

The main rule: publishing is done on the inference thread; frames are drawn only for somebody who
listens.
"""

from collections.abc import Callable
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
    :param camera_name: whose picture is predicted.
    :param jpeg_quality: asked for each frame.
    """

    def __init__(self, node: LifecycleNode, *, camera_name: str,
                 jpeg_quality: Callable[[], int]) -> None:
        self._node = node
        self._camera_name = camera_name
        self._jpeg_quality = jpeg_quality
        create = node.create_lifecycle_publisher
        self._verdict = create(msg.Verdict, '~/verdict', qos.VERDICT)
        self._heartbeat = create(msg.PredictorStatus, '~/heartbeat', qos.HEARTBEAT)
        self._prediction = create(msg.Prediction, '~/prediction', qos.PREDICTION)
        self._image = create(Image, '~/predicted/image_raw', qos.PREDICTED_IMAGE)
        self._compressed = create(CompressedImage, '~/predicted/image_raw/compressed',
                                  qos.PREDICTED_IMAGE)
        self._info = create(CameraInfo, '~/predicted/camera_info', qos.PREDICTED_IMAGE)
        self.camera_info: CameraInfo | None = None

    def destroy(self) -> None:
        """Take all publishers off the graph."""
        for publisher in (self._verdict, self._heartbeat, self._prediction, self._image,
                          self._compressed, self._info):
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

    def wants_prediction(self) -> bool:
        """Tell whether anybody looks at predicted frames; runs on the inference thread."""
        return any(publisher.get_subscription_count() > 0 for publisher in (
            self._prediction, self._image, self._compressed))

    def publish_prediction(self, judgement: Any, header: Header,
                           frames: NDArray[np.uint8]) -> None:
        """
        Send the consequence of a chunk; runs on the inference thread.

        The pictures show one step: the first over the threshold, or the last. They carry the
        source image's stamp, because rviz would wait for the transform of a future one.

        :param judgement: the judge's answer.
        :param header: stamp and frame of the source image.
        :param frames: uint8 RGB (H, h, w, 3).
        """
        verdict, quality = judgement.verdict, self._jpeg_quality()
        jpegs = [conversions.array_to_jpeg(frame, stamp=header.stamp, frame_id=header.frame_id,
                                           quality=quality) for frame in frames]
        self._prediction.publish(prediction_to_message(
            judgement.prediction, header=header, chunk_id=verdict.chunk_id,
            camera_name=self._camera_name, frames=jpegs))
        step = verdict.first_unsafe_step if verdict.first_unsafe_step >= 0 else len(frames) - 1
        self._image.publish(conversions.array_to_image(
            frames[step], stamp=header.stamp, frame_id=header.frame_id))
        self._compressed.publish(jpegs[step])
        if self.camera_info is not None and self.camera_info.width > 0:
            info = conversions.scale_camera_info(self.camera_info, *frames.shape[1:3])
            info.header = header
            self._info.publish(info)
