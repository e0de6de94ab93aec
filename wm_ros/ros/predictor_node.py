# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The node that looks ahead: camera and joints and a command in, a verdict out.

The main rule: callbacks only store; the inference thread does the work and sends the results.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

import wm_ros.msg as msg
from wm_ros.errors import EngineError
from wm_ros.inference.history import ObservationHistory
from wm_ros.inference.history_config import HistoryConfig
from wm_ros.inference.second_look import SecondLook
from wm_ros.ros import conversions, qos
from wm_ros.ros.lifecycle import GuardedLifecycleNode, run
from wm_ros.ros.parameters import ConfigParameters, ParameterError
from wm_ros.ros.predictor_candidates import CandidateRequest, count_problem
from wm_ros.ros.predictor_config import PredictorConfig, checkpoint_directory
from wm_ros.ros.predictor_diagnostics import PredictorDiagnostics
from wm_ros.ros.predictor_intake import Intake
from wm_ros.ros.predictor_plans import measure_plans
from wm_ros.ros.predictor_publishers import PredictorPublishers
from wm_ros.ros.predictor_trust import SelfTrust
from wm_ros.ros.predictor_worker import PredictorWorker
from wm_ros.srv import CheckCandidates

DIAGNOSTICS_PERIOD_S = 1.0


def load_judge(config: PredictorConfig) -> Any:
    """
    Load the model that the settings name.

    :raises WorldModelError: if the checkpoint, its thresholds or the engine are unusable.
    """
    # Imported on use: a graph without a model must be able to start the other nodes.
    from wm_ros.inference.judge import Judge
    try:
        return Judge.load(checkpoint_directory(config.checkpoint_path), engine=config.engine,
                          device=config.device, num_threads=config.num_threads,
                          ttl_s=config.verdict_ttl, settings=config.engine_settings(),
                          guidance=config.sampler_guidance)
    except ImportError as error:
        raise EngineError(f'engine {config.engine!r} needs {error.name}, which is not installed: '
                          f'pip install {error.name}') from error


def check_cameras(config: PredictorConfig, model: Any) -> None:
    """
    Refuse cameras that are not the model's; their order decides where their pictures stand.

    :raises ParameterError: naming what is missing.
    """
    if config.camera_names == tuple(model.cameras):
        return
    missing = [name for name in model.cameras if name not in config.camera_names]
    advice = (f'; add {missing} to camera_names and their topics to camera_topics'
              if missing and len(model.cameras) > 1 else '')
    raise ParameterError(f'camera_names is {list(config.camera_names)}; the model was trained on '
                         f"{', '.join(map(repr, model.cameras))}{advice}")


class PredictorNode(GuardedLifecycleNode):
    """
    wm_predictor: judges each chunk by the future that the world model foresees.

    **Subscribes**

    * each of camera_topics (sensor_msgs/Image, or with compressed transport its /compressed
      sensor_msgs/CompressedImage; sensor data, depth 5), in the order of the model's cameras
    * camera_info_topics[0] (sensor_msgs/CameraInfo)
    * joint_states (sensor_msgs/JointState, sensor data, depth 1)
    * wm_gate/action_chunk (wm_ros/ActionChunk, reliable, depth 1)

    **Publishes**

    * ~/verdict (wm_ros/Verdict, reliable, depth 1): exactly one per chunk, unless a newer chunk
      replaced it
    * ~/heartbeat (wm_ros/PredictorStatus, 20 Hz, deadline 100 ms, lease 200 ms, manual)
    * ~/prediction (wm_ros/Prediction), ~/predicted/image_raw (sensor_msgs/Image),
      ~/predicted/image_raw/compressed (sensor_msgs/CompressedImage), ~/predicted/camera_info
      (sensor_msgs/CameraInfo): the main camera's future, drawn only while somebody listens,
      stamped as the source image; that of each further camera is on ~/prediction/CAMERA_NAME
    * ~/futures (wm_ros/Prediction, depth 16): sampled futures of the main camera, one message for
      each, as many as the plan has, drawn only while somebody listens
    * ~/refused_prediction (wm_ros/Prediction, depth 10): all cameras' futures of what was drawn;
      who listens to this alone has only the futures of refused commands drawn
    * /diagnostics (diagnostic_msgs/DiagnosticArray, 1 Hz)

    **Services**

    * ~/check_candidates (wm_ros/CheckCandidates): verdicts on many trajectories for what the
      camera shows now, for planners; commands of the gate go first

    **Parameters**: see PredictorConfig; jpeg_quality is tunable, all others are structural and
    checkpoint_path has no default.

    **Threads**: the executor thread runs callbacks and transitions; the inference thread, started
    by configure and ended by cleanup, owns the model, the history and what is published under ~.

    :param make_judge: loads the model; tests put a fake here.
    :param kwargs: for rclpy.node.Node.
    """

    def __init__(self, *, make_judge: Callable[[PredictorConfig], Any] = load_judge,
                 **kwargs: Any) -> None:
        super().__init__('wm_predictor', **kwargs)
        self._make_judge = make_judge
        self.parameters = ConfigParameters(self, PredictorConfig)
        self._worker: Any = None
        self._outputs: PredictorPublishers | None = None
        self._subscriptions_made: list[Any] = []
        self._candidates: Any = None
        self._report: PredictorDiagnostics | None = None
        self._is_working = False
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self._timer = self.create_timer(DIAGNOSTICS_PERIOD_S, self._publish_diagnostics,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def configure(self) -> None:
        """Load the model and listen; raises with the reason if anything does not fit."""
        config = self.parameters.build()
        self.get_logger().info(f'images are converted by {conversions.BACKEND}')
        cv2.setNumThreads(config.num_threads)
        self._outputs = PredictorPublishers(
            self, camera_names=config.camera_names,
            jpeg_quality=lambda: (self.parameters.config or config).jpeg_quality)
        self._worker = PredictorWorker(
            load_judge=partial(self._make_judge, config),
            make_intake=partial(self._make_intake, config), outputs=self._outputs,
            now_ns=self._now_ns, logger=self.get_logger(),
            make_trust=lambda judge: SelfTrust(judge, config, self.get_logger()),
            make_plans=lambda judge: measure_plans(judge, config, self.get_logger()),
            make_second_look=lambda judge, plans: SecondLook(
                judge, plans, slow_factors=config.slow_factors,
                risk_share=config.slow_risk_share),
            margin_s=config.decision_margin)
        self._worker.start()
        self._listen(config)
        # Of its own group: while it waits for the inference thread, everything else goes on.
        self._candidates = self.create_service(
            CheckCandidates, '~/check_candidates', self._check_candidates,
            callback_group=ReentrantCallbackGroup())
        judge = self._worker.judge
        self._report = PredictorDiagnostics(
            self.get_name(), camera_topics=[made.topic_name for made in self._subscriptions_made[
                :len(config.camera_names)]],
            min_rate_hz=1.0 / judge.config.step_s,
            joint_topic=self.resolve_topic_name('joint_states'))
        self.get_logger().info(f'model {judge.model_id} runs on {judge.engine.name} '
                               f'({judge.engine.device})')

    def activate(self) -> None:
        """Judge."""
        self._is_working = True
        self._worker.set_active(True)

    def deactivate(self) -> None:
        """Stop judging; the history goes on, so that a restart is ready at once."""
        self._is_working = False
        if self._worker is not None:
            self._worker.set_active(False)

    def release(self) -> None:
        """End the inference thread and take everything off the graph."""
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        if self._candidates is not None:
            self.destroy_service(self._candidates)
            self._candidates = None
        worker, self._worker = self._worker, None
        publishers, self._outputs = self._outputs, None
        self.parameters.release()
        try:
            if worker is not None:
                worker.stop(self.get_parameter('stop_timeout').value)
        finally:
            if publishers is not None:
                publishers.destroy()

    def _make_intake(self, config: PredictorConfig, model: Any) -> Intake:
        """Build the intake for a model; runs on the inference thread."""
        check_cameras(config, model)
        if not config.context_slop <= model.step_s / 2:
            raise ParameterError(f'context_slop is {config.context_slop}; the model takes frames '
                                 f'{model.step_s} s apart, so at most {model.step_s / 2}')
        history = ObservationHistory(HistoryConfig(
            joint_names=tuple(model.joint_names), cameras=config.camera_names,
            context_len=model.context_len,
            step_s=model.step_s, image_timeout_s=config.image_timeout,
            joint_timeout_s=config.joint_state_timeout, slop_s=config.context_slop,
            max_future_s=config.max_future_skew, frozen_frames=config.frozen_frames,
            frozen_motion_rad=config.frozen_motion))
        return Intake(history, (model.image_height, model.image_width), now_ns=self._now_ns,
                      logger=self.get_logger())

    def _listen(self, config: PredictorConfig) -> None:
        mailbox = self._worker.mailbox
        is_raw = config.image_transport == 'raw'
        kind, suffix = (Image, '') if is_raw else (CompressedImage, '/compressed')
        self._subscriptions_made = [
            *(self.create_subscription(kind, topic + suffix,
                                       partial(mailbox.put_image, camera=camera), qos.CAMERA_IN)
              for camera, topic in enumerate(config.camera_topics)),
            self.create_subscription(CameraInfo, config.camera_info_topics[0],
                                     self._on_camera_info, qos.CAMERA_IN),
            self.create_subscription(JointState, 'joint_states', mailbox.put_joints,
                                     qos.JOINT_STATES),
            self.create_subscription(msg.ActionChunk, 'wm_gate/action_chunk', self._on_chunk,
                                     qos.ACTION_CHUNK),
        ]

    async def _check_candidates(self, request: CheckCandidates.Request,
                                response: CheckCandidates.Response) -> CheckCandidates.Response:
        """Answer when the inference thread has; the executor goes on meanwhile."""
        worker, count = self._worker, len(request.trajectories)
        response.message = count_problem(count) or (
            '' if self._is_working and worker is not None else 'the predictor is not active')
        if not response.message:
            answer = Future(executor=self.executor)
            worker.candidates.ask(CandidateRequest(request.trajectories, lambda verdicts, text: (
                answer.set_result((verdicts, text)))))
            response.verdicts, response.message = await answer
        response.success = not response.message
        return response

    def _on_chunk(self, message: msg.ActionChunk) -> None:
        if self._is_working and self._worker is not None:
            self._worker.mailbox.put_chunk(message, time.monotonic())

    def _on_camera_info(self, message: CameraInfo) -> None:
        if self._outputs is not None:
            self._outputs.camera_info = message

    def _publish_diagnostics(self) -> None:
        if self._worker is not None and self._report is not None:
            self._diagnostics.publish(self._report.report(
                self._worker, self.get_clock().now().to_msg(), is_active=self._is_working))

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds


def main(args: list[str] | None = None) -> int:
    """Run wm_predictor; returns the exit code."""
    return run(PredictorNode, args)


if __name__ == '__main__':
    sys.exit(main())
