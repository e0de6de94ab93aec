# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A predictor that looks at nothing and allows everything at once, to time the gate alone."""

import sys
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Header

from wm_ros.msg import ActionChunk, PredictorStatus, Verdict
from wm_ros.ros import qos
from wm_ros.ros.predictor_messages import ns_to_stamp
from wm_ros.ros.process import run_plain

_VALID_NS = 300_000_000
_HORIZON_S = 1.0


class BenchmarkPredictor(Node):
    """
    Stand in for wm_predictor in the benchmark, and never on a robot.

    **Subscribes**
    - **wm_gate/action_chunk** (wm_ros/ActionChunk).

    **Publishes**
    - **~/verdict** (wm_ros/Verdict): OK, as soon as a chunk is there.
    - **~/heartbeat** (wm_ros/PredictorStatus, 20 Hz).

    **Threads** one, the executor's.
    """

    def __init__(self, **node_arguments: Any) -> None:
        super().__init__('wm_predictor', **node_arguments)
        self._progress = 0
        self._verdicts = self.create_publisher(Verdict, '~/verdict', qos.VERDICT)
        self._beats = self.create_publisher(PredictorStatus, '~/heartbeat', qos.HEARTBEAT)
        self.create_subscription(
            ActionChunk, 'wm_gate/action_chunk', self._on_chunk, qos.ACTION_CHUNK)
        self.create_timer(qos.HEARTBEAT_PERIOD_S, self._beat,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _on_chunk(self, message: ActionChunk) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._verdicts.publish(Verdict(
            header=Header(stamp=ns_to_stamp(now_ns)), chunk_id=message.chunk_id,
            digest=message.digest, observation_stamp=ns_to_stamp(now_ns),
            valid_until=ns_to_stamp(now_ns + _VALID_NS), horizon=_HORIZON_S, decision=Verdict.OK,
            speed_factor=1.0, first_unsafe_step=-1, risk_threshold=1.0, model_id='benchmark'))

    def _beat(self) -> None:
        self._progress += 1
        self._beats.publish(PredictorStatus(
            header=Header(stamp=self.get_clock().now().to_msg()), progress=self._progress,
            engine='none', device='none', model_id='benchmark', calibrated=True))


def main(args: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; returns the exit code."""
    return run_plain(BenchmarkPredictor, args)


if __name__ == '__main__':
    sys.exit(main())
