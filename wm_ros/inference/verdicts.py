# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a model's numbers to a verdict; pure arithmetic, times are arguments."""

from dataclasses import dataclass

import numpy as np

from wm_ros.calibration.thresholds import Calibration
from wm_ros.datatypes import ActionChunk, Decision, Observation, Reason, Verdict
from wm_ros.inference.engine import CheckOutput


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictWriter:
    """
    Writes verdicts of one model.

    :param model_id: its name and weights hash.
    :param step_s: its step, s.
    :param ttl_ns: how long a verdict may release its command, ns.
    """

    model_id: str
    step_s: float
    ttl_ns: int

    def decide(self, chunk: ActionChunk, observation: Observation, output: CheckOutput,
               calibration: Calibration | None, *, stamp_ns: int, lead_s: float,
               stage_ms: tuple[float, ...]) -> Verdict:
        """
        Compare a model's numbers with thresholds.

        :param calibration: for as many steps as ``output`` has; None if there are no thresholds.
        :param stamp_ns: now, ns of the ROS clock.
        :param lead_s: how long after the newest frame the command starts, s.
        :param stage_ms: wall time of each stage, ms.
        :returns: the verdict; numbers that are not finite give INVALID.
        """
        if not all(np.isfinite(values).all() for values in (
                output.risk, output.uncertainty, output.joint_positions)):
            return self.invalid(chunk, observation, Reason.MODEL_ERROR, stamp_ns=stamp_ns,
                                text='the model returned values that are not finite')
        risk, worst = float(output.risk.max()), int(output.risk.argmax())
        uncertainty = float(output.uncertainty[worst])
        if calibration is None:
            decision, reasons, threshold = Decision.ABSTAIN, Reason.UNCALIBRATED, 1.0
            message = (f'risk {risk:.3f}, but {self.model_id} has no calibration; '
                       "run 'wm-ros calibrate'")
        else:
            decision, threshold = calibration.decide(risk, uncertainty), calibration.lower
            reasons = {Decision.OK: Reason.NONE, Decision.VETO: Reason.RISK,
                       Decision.ABSTAIN: Reason.UNCERTAIN}[decision]
            message = f'risk {risk:.3f}, thresholds {calibration.lower:.3f} to ' \
                      f'{calibration.upper:.3f}'
            if decision == Decision.ABSTAIN and risk < threshold:
                message += (f'; but the ensemble disagrees: {uncertainty:.3f}, limit '
                            f'{calibration.uncertainty_limit:.3f}')
        over = np.flatnonzero(output.risk >= threshold)
        return Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=decision, reasons=reasons,
            stamp_ns=stamp_ns, observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns + self.ttl_ns,
            horizon_s=len(output.risk) * self.step_s - lead_s, num_steps=len(output.risk),
            risk=risk, risk_threshold=threshold, uncertainty=uncertainty,
            first_unsafe_step=int(over[0]) if len(over) else -1, model_id=self.model_id,
            context_stamps_ns=observation.image_stamps_ns,
            joint_stamp_ns=observation.joints.stamp_ns, stage_ms=stage_ms, message=message)

    def invalid(self, chunk: ActionChunk, observation: Observation, reason: Reason, *,
                stamp_ns: int, text: str) -> Verdict:
        """Refuse a chunk that cannot be judged, with the reason in words."""
        return Verdict(
            chunk_id=chunk.chunk_id, digest=chunk.digest, decision=Decision.INVALID,
            reasons=reason, stamp_ns=stamp_ns,
            observation_stamp_ns=observation.image_stamps_ns[-1],
            valid_until_ns=stamp_ns, horizon_s=0.0, risk=1.0, risk_threshold=0.0,
            model_id=self.model_id, message=text)
