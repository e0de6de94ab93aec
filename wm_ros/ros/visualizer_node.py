# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node that draws: what the camera sees, what is predicted, and how risky each step is.

The main rule: it has a process of its own and nothing waits for it, so that a crash in drawing
can touch neither gate nor predictor. It costs them nothing while nobody watches.
"""

import sys
import time
from collections import deque
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from wm_ros.errors import ObservationError
from wm_ros.msg import GateState, Prediction, Verdict
from wm_ros.ros import conversions, diagnostics, qos
from wm_ros.ros.contact_strip import draw_strip
from wm_ros.ros.lifecycle import run
from wm_ros.ros.parameters import ConfigParameters
from wm_ros.ros.predictor_messages import stamp_to_ns
from wm_ros.ros.topic_rate import TopicRate
from wm_ros.ros.visualizer_config import VisualizerConfig

_NUM_FRAMES = 12
_DIAGNOSTICS_PERIOD_S = 1.0
_STATES = {getattr(GateState, name): name for name in (
    'UNCONFIGURED', 'INACTIVE', 'WAITING', 'RUNNING', 'SLOW', 'HOLD', 'ESTOP', 'BYPASS')}
_DECISIONS = {getattr(Verdict, name): name for name in (
    'INVALID', 'OK', 'SLOW', 'VETO', 'ABSTAIN')}


class VisualizerNode(Node):
    """
    wm_visualizer: one annotated picture for rviz or Foxglove.

    **Subscribes** (the first two only while somebody watches ~/image)

    * camera_topic (sensor_msgs/Image or CompressedImage, sensor data)
    * wm_predictor/prediction (wm_ros/Prediction, reliable, depth 1)
    * wm_predictor/verdict (wm_ros/Verdict, reliable, depth 1)
    * wm_gate/state (wm_ros/GateState, reliable, transient_local)

    **Publishes** ~/image (sensor_msgs/Image, reliable, depth 1), stamped as the source image, and
    /diagnostics (diagnostic_msgs/DiagnosticArray, 1 Hz).

    **Parameters**: see VisualizerConfig; all structural.

    **Threads**: the executor thread alone.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('wm_visualizer', **kwargs)
        self._config = ConfigParameters(self, VisualizerConfig).build()
        self._frames: deque[Any] = deque(maxlen=_NUM_FRAMES)
        self._verdict = Verdict()
        self._state = GateState()
        self._watched: list[Any] = []
        self._image = self.create_publisher(Image, '~/image', qos.PREDICTED_IMAGE)
        self.create_subscription(Verdict, 'wm_predictor/verdict', self._on_verdict, qos.VERDICT)
        self.create_subscription(GateState, 'wm_gate/state', self._on_state, qos.GATE_STATE_IN)
        self._rate: TopicRate | None = None
        self._num_drawn = self._num_failed = 0
        self._draw_ms = 0.0
        self._diagnostics = self.create_publisher(
            DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self.create_timer(self._config.idle_period, self._follow_the_audience)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._report,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _follow_the_audience(self) -> None:
        """Listen to pictures only while somebody watches: drawing them costs the predictor."""
        is_watched = self._image.get_subscription_count() > 0
        if is_watched and not self._watched:
            is_raw = self._config.image_transport == 'raw'
            topic = self._config.camera_topic + ('' if is_raw else '/compressed')
            self._rate = TopicRate(self.resolve_topic_name(topic))
            self._watched = [
                self.create_subscription(
                    Image if is_raw else CompressedImage, topic,
                    self._rate.counted(self._on_frame, self._now_ns), qos.CAMERA_IN),
                self.create_subscription(Prediction, 'wm_predictor/prediction',
                                         self._on_prediction, qos.PREDICTION)]
        if not is_watched and self._watched:
            for subscription in self._watched:
                self.destroy_subscription(subscription)
            self._watched, self._rate = [], None
            self._frames.clear()

    def _on_frame(self, message: Any) -> None:
        self._frames.append(message)

    def _on_verdict(self, message: Verdict) -> None:
        self._verdict = message

    def _on_state(self, message: GateState) -> None:
        self._state = message

    def _on_prediction(self, message: Prediction) -> None:
        begin = time.monotonic()
        try:
            strip = self._draw(message)
        except (ObservationError, ValueError) as error:
            self._num_failed += 1
            self.get_logger().warning(f'prediction {message.chunk_id} cannot be drawn: {error}',
                                      throttle_duration_sec=5.0)
            return
        self._image.publish(conversions.array_to_image(
            strip, stamp=message.header.stamp, frame_id=message.header.frame_id))
        self._num_drawn += 1
        self._draw_ms = 1e3 * (time.monotonic() - begin)

    def _report(self) -> None:
        is_watched = bool(self._watched)
        statuses = [diagnostics.status(
            f'{self.get_name()}: drawing', diagnostics.OK,
            'ok' if is_watched else 'nobody watches ~/image', values={
                'is_watched': is_watched, 'drawn': self._num_drawn, 'failed': self._num_failed,
                'draw_ms': self._draw_ms})]
        if self._rate is not None:
            statuses.append(self._rate.status(self.get_name()))
        self._diagnostics.publish(
            diagnostics.array(self.get_clock().now().to_msg(), *statuses))

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _draw(self, message: Prediction) -> NDArray[np.uint8]:
        title = f'gate {_STATES.get(self._state.state, self._state.state)}' + (
            '' if self._state.enforcing else ' (shadow)') + f'   chunk {message.chunk_id}'
        threshold = 1.0
        if self._verdict.chunk_id == message.chunk_id:
            title += f': {_DECISIONS.get(self._verdict.decision)}, {self._verdict.message}'
            threshold = self._verdict.risk_threshold
        return draw_strip(
            self._seen(stamp_to_ns(message.header.stamp)),
            np.array([conversions.image_to_rgb(frame) for frame in message.frames], np.uint8),
            risk=np.asarray(message.risk, np.float32), threshold=threshold, title=title,
            offsets=np.asarray(message.offsets, np.float64))

    def _seen(self, stamp_ns: int) -> NDArray[np.uint8]:
        """Give the picture that the prediction began with, or an empty one."""
        frames = [frame for frame in self._frames if stamp_to_ns(frame.header.stamp) == stamp_ns]
        return conversions.image_to_rgb(frames[-1]) if frames else np.zeros((0, 0, 3), np.uint8)


def main(args: list[str] | None = None) -> int:
    """Run wm_visualizer; returns the exit code."""
    return run(VisualizerNode, args)


if __name__ == '__main__':
    sys.exit(main())
