# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How far the predictor trusts its own model: before it starts, and while it runs.

Everything here belongs to the inference thread; diagnostics only read.
"""

import time
from dataclasses import replace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray

from wm_ros.datatypes import Decision, Observation, Reason, Verdict
from wm_ros.errors import CalibrationError, EngineError
from wm_ros.inference.drift_monitor import DriftMonitor
from wm_ros.ros import conversions
from wm_ros.ros.predictor_config import PredictorConfig

_CALIBRATE = "run 'wm-ros calibrate'"


class SelfTrust:
    """
    What a model may do.

    :param judge: the loaded model; it is run on its stored observations.
    :param config: the node's settings.
    :param logger: a ROS logger.
    :raises CalibrationError: if the model may not run at all, with the numbers and the fix.
    """

    def __init__(self, judge: Any, config: PredictorConfig, logger: Any) -> None:
        self._logger = logger
        self._shared_s = 0.0
        self.shadow_reason = (_check_calibration(judge, config) or _check_golden(judge, config)
                              or self._check_sensitivity(judge, config))
        self.monitor, self.monitor_off_reason = _make_monitor(judge, config)
        for reason in (self.shadow_reason and f'{self.shadow_reason}: shadow mode only',
                       self.monitor_off_reason):
            if reason:
                logger.warning(reason)

    @property
    def drift_message(self) -> str:
        """Say why verdicts are void; empty while they are not."""
        return self.monitor.message if self.monitor is not None else ''

    def reset(self) -> None:
        """Start afresh: the operator has activated the node again."""
        if self.monitor is not None:
            self.monitor.reset()

    def see(self, observation: Observation | None) -> None:
        """Take what the camera shows, or None while that is unusable."""
        if self.monitor is None:
            return
        was_alarmed = self.monitor.is_alarmed
        if observation is None:
            self.monitor.flush()
        else:
            self.monitor.see(observation)
        self._log_change(was_alarmed)

    def expect(self, judgement: Any, observation: Observation) -> None:
        """Keep a prediction until its future is there."""
        if self.monitor is not None and judgement.prediction is not None:
            self.monitor.expect(judgement, observation)

    def score_due(self, judge: Any) -> None:
        """
        Decode and score the prediction whose future is there, if any; takes long.

        In two calls, of which the first does what frames share: a command may come between them.
        """
        pending = self.monitor.due() if self.monitor is not None else None
        if self.monitor is None or pending is None:
            return
        was_alarmed, begin = self.monitor.is_alarmed, time.monotonic()
        try:
            frame = (None if judge.begin_frames(pending.judgement)
                     else judge.frame(pending.judgement, self.monitor.step))
        except BaseException:
            # Not again and again: the next prediction may do better.
            self.monitor.flush()
            raise
        took_s = time.monotonic() - begin
        if frame is None:
            self._shared_s = took_s
            return
        self.monitor.score(pending, frame, cost_s=self._shared_s + took_s)
        self._shared_s = 0.0
        self._log_change(was_alarmed)

    @property
    def has_due(self) -> bool:
        """Say whether ``score_due`` has anything to do."""
        return self.monitor is not None and self.monitor.has_due

    def void(self, verdict: Verdict) -> Verdict:
        """Turn an OK into ABSTAIN while the model does not fit the scene, and say so in each."""
        if self.shadow_reason:
            verdict = replace(verdict, reasons=verdict.reasons | Reason.UNCALIBRATED)
        text = self.drift_message
        if not text:
            return verdict
        is_release = verdict.decision in (Decision.OK, Decision.SLOW)
        return replace(
            verdict, decision=Decision.ABSTAIN if is_release else verdict.decision,
            reasons=verdict.reasons | Reason.OOD, speed_factor=1.0,
            message=text if is_release else f'{verdict.message}; {text}')

    def _check_sensitivity(self, judge: Any, config: PredictorConfig) -> str:
        """Give the reason for shadow mode, or raise if the model may not even run there."""
        found = judge.sensitivity()
        if found is None:
            text = (f'model {judge.model_id} has no stored observations to test whether it '
                    f'listens to its actions; {_CALIBRATE}')
            if config.require_action_sensitivity:
                return text
            self._logger.warning(text)
            return ''
        if not found.ignored:
            self._logger.info(f'action sensitivity: {found}')
            return ''
        text = (f"model {judge.model_id} ignores its actions ({', '.join(found.ignored)}): "
                f'{found}')
        if config.require_action_sensitivity:
            raise CalibrationError(f'{text}; train it longer or use another checkpoint, or set '
                                   'require_action_sensitivity: false to watch it in shadow mode')
        return text

    def _log_change(self, was_alarmed: bool) -> None:
        assert self.monitor is not None
        if self.monitor.is_alarmed and not was_alarmed:
            self._logger.error(self.monitor.message)
        if was_alarmed and not self.monitor.is_alarmed:
            self._logger.info('drift: the camera shows again what was calibrated')


def _check_calibration(judge: Any, config: PredictorConfig) -> str:
    if judge.is_calibrated:
        return ''
    text = f'model {judge.model_id} has no thresholds, so its verdicts mean nothing'
    if not config.allow_uncalibrated:
        raise CalibrationError(f'{text}; {_CALIBRATE}, or set allow_uncalibrated: true to watch '
                               'it in shadow mode')
    return text


def _check_golden(judge: Any, config: PredictorConfig) -> str:
    """Give the reason for shadow mode, or raise if the model does not run as it was made."""
    problems = judge.check_golden(through_message)
    if problems is None and config.require_golden_frame:
        return (f'model {judge.model_id} has no golden frames to show that it runs as it was '
                "made; export it again with 'wm-ros export'")
    if problems:
        raise EngineError(
            f"golden frames: {'; '.join(problems)}. Model {judge.model_id} on "
            f'{judge.engine.name} ({judge.engine.device}), pictures by {conversions.BACKEND}, '
            'does not see or compute what its weights did when it was made: wrong weights, '
            'colour order, normalisation, precision or a broken engine; build the engine and '
            'export the checkpoint again')
    return ''


def through_message(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """
    Send a picture through what a camera's pictures go through, once in each order of colours.

    :param image: RGB uint8 (h, w, 3).
    :returns: the picture, the left half of it sent as rgb8 and the right half as bgr8.
    """
    message = conversions.array_to_image(image, stamp=Time(), frame_id='')
    other = conversions.array_to_image(image[..., ::-1], stamp=Time(), frame_id='')
    other.encoding = 'bgr8'
    first, second = (conversions.resize(conversions.image_to_rgb(one), *image.shape[:2])
                     for one in (message, other))
    middle = image.shape[1] // 2
    return np.concatenate([first[:, :middle], second[:, middle:]], 1)


def _make_monitor(judge: Any, config: PredictorConfig) -> tuple[DriftMonitor | None, str]:
    """Give the monitor, or None and why there is none."""
    if not config.enable_drift_monitor:
        return None, 'drift monitor is switched off by enable_drift_monitor'
    reference = judge.drift_reference()
    if reference is None:
        return None, (f'drift monitor is off: model {judge.model_id} has no reference; '
                      f'{_CALIBRATE}')
    return DriftMonitor(
        reference, step_s=judge.config.step_s, period_s=config.drift_period,
        false_alarms_per_hour=config.drift_false_alarms_per_hour,
        recovery_count=config.drift_recovery, adaptive_gain=config.drift_adaptive_gain), ''
