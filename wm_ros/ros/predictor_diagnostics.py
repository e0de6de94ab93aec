# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What wm_predictor reports on /diagnostics, once a second."""

import time
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from wm_ros.ros import conversions, diagnostics
from wm_ros.ros.diagnostics import ERROR, OK, WARN
from wm_ros.ros.predictor_worker import PredictorWorker


class PredictorDiagnostics:
    """
    Turn the worker's figures into a report.

    :param name: the node's name.
    :param camera_topics: full name of each camera's.
    :param joint_topic: full name of that of the joint states.
    :param min_rate_hz: below this rate of frames the history has gaps, Hz.
    """

    def __init__(self, name: str, *, camera_topics: Sequence[str], min_rate_hz: float,
                 joint_topic: str = '/joint_states') -> None:
        self._name, self._joint_topic = name, joint_topic
        self._camera_topics = camera_topics
        self._min_rate_hz = min_rate_hz
        self._image_counts: tuple[int, ...] = (0,) * len(camera_topics)
        self._reported_at = time.monotonic()

    def report(self, worker: PredictorWorker, stamp: Time, *, is_active: bool) -> DiagnosticArray:
        """
        Make one report.

        :param worker: read only; its figures may be a turn old.
        :param stamp: ROS time of the report.
        :param is_active: the node's state.
        :returns: one status each for the model, for what it sees, for whether that fits and for
            each topic that it sees by.
        """
        return diagnostics.array(stamp, self._model(worker, is_active), self._inputs(worker),
                                 self._drift(worker), *self._topics(worker))

    def _topics(self, worker: PredictorWorker) -> list[DiagnosticStatus]:
        intake = worker.intake
        for rate, topic in zip(intake.rates, self._camera_topics, strict=True):
            rate.topic, rate.expected_hz = topic, self._min_rate_hz
        intake.joint_rate.topic = self._joint_topic
        return [rate.status(self._name) for rate in (*intake.rates, intake.joint_rate)]

    def _model(self, worker: PredictorWorker, is_active: bool) -> DiagnosticStatus:
        judge = worker.judge
        if judge is None or not worker.is_alive:
            return diagnostics.status(f'{self._name}: model', ERROR,
                                      'the inference thread has ended')
        level, text = OK, 'ok' if is_active else 'inactive'
        if worker.trust.shadow_reason:
            level, text = WARN, f'{worker.trust.shadow_reason}: shadow mode only'
        if worker.problem:
            level, text = ERROR, worker.problem
        latencies = tuple(worker.latencies_ms) or (0.0,)
        return diagnostics.status(f'{self._name}: model', level, text, values={
            'model_id': judge.model_id, 'engine': judge.engine.name, 'device': judge.engine.device,
            'checks': len(worker.latencies_ms), 'latency_p50_ms': float(np.median(latencies)),
            'latency_p99_ms': float(np.percentile(latencies, 99)), 'errors': worker.num_errors,
            'dropped_chunks': worker.mailbox.dropped_chunks})

    def _inputs(self, worker: PredictorWorker) -> DiagnosticStatus:
        intake, now_s = worker.intake, time.monotonic()
        counts, elapsed_s = intake.image_counts, max(1e-3, now_s - self._reported_at)
        rates_hz = {topic: (new - old) / elapsed_s for topic, new, old in zip(
            self._camera_topics, counts, self._image_counts, strict=True)}
        self._image_counts, self._reported_at = counts, now_s
        level, text = OK, 'ok'
        slowest = min(rates_hz, key=lambda topic: rates_hz[topic])
        if rates_hz[slowest] < self._min_rate_hz:
            level = WARN
            text = f'{slowest}: {rates_hz[slowest]:.1f} Hz; need {self._min_rate_hz:.1f} Hz'
        problem = (intake.refusal('camera') or intake.refusal('joint states')
                   or worker.observation_problem)
        if problem:
            level, text = ERROR, problem
        main, *others = self._camera_topics
        return diagnostics.status(f'{self._name}: inputs', level, text, values={
            'camera_topic': main, 'camera_rate_hz': rates_hz[main],
            **{f'{topic}_rate_hz': rates_hz[topic] for topic in others},
            'image_converter': conversions.BACKEND, 'refused_images': intake.num_refused_images,
            'refused_joint_states': intake.num_refused_joints,
            'dropped_images': worker.mailbox.dropped_images})

    def _drift(self, worker: PredictorWorker) -> DiagnosticStatus:
        name, monitor = f'{self._name}: drift', worker.trust.monitor
        if monitor is None:
            return diagnostics.status(name, WARN, worker.trust.monitor_off_reason)
        test = monitor.test
        values = {
            'statistic': test.statistic, 'threshold': test.threshold,
            'false_alarms_per_hour': monitor.false_alarms_per_hour, 'alarms': test.num_alarms,
            'unscored_predictions': monitor.num_skipped}
        for kind, p_value in test.p_values.items():
            values |= {f'{kind}_p_value': p_value, f'{kind}_scores': test.num_scores[kind]}
        return diagnostics.status(name, ERROR if monitor.is_alarmed else OK,
                                  monitor.message or 'ok', values=values)
