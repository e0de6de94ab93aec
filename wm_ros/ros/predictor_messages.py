# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Between the predictor's messages and values."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

import wm_ros.msg as msg
from wm_ros.data.messages import NS_PER_S
from wm_ros.data.messages import message_to_chunk as message_to_chunk
from wm_ros.data.messages import message_to_trajectory as message_to_trajectory
from wm_ros.data.messages import stamp_to_ns as stamp_to_ns
from wm_ros.datatypes import Decision, Prediction, Reason, Verdict


def ns_to_stamp(value_ns: int) -> Time:
    """Give a message's stamp from ns; what the message cannot hold becomes 0."""
    sec, nanosec = divmod(int(value_ns), NS_PER_S)
    return Time(sec=sec, nanosec=nanosec) if 0 <= sec < 2**31 else Time()


def refusal(message: msg.ActionChunk, *, digest: bytes, decision: Decision, reasons: Reason,
            text: str, now_ns: int, model_id: str, observation_stamp_ns: int = 0) -> Verdict:
    """
    Make the verdict on a chunk that no model looked at.

    :param message: the chunk as it came.
    :param digest: what was recomputed, 16 bytes.
    :param decision: INVALID or VETO.
    :param reasons: why.
    :param text: why, in words.
    :param now_ns: ns; also the end of its validity.
    :param model_id: which model would have judged.
    :param observation_stamp_ns: newest frame, 0 if there is none.
    :returns: the verdict with risk 1, so that no reader of the number alone is misled.
    """
    return Verdict(
        chunk_id=message.chunk_id, digest=digest, decision=decision, reasons=reasons,
        stamp_ns=now_ns, observation_stamp_ns=observation_stamp_ns, valid_until_ns=now_ns,
        horizon_s=0.0, risk=1.0, risk_threshold=0.0, model_id=model_id, message=text)


def distrust(verdict: Verdict, prediction: Prediction) -> Verdict:
    """
    Turn a verdict whose numbers are not finite into INVALID.

    :param verdict: the judge's verdict.
    :param prediction: what it rests on.
    :returns: the verdict itself, or INVALID with MODEL_ERROR.
    """
    values = (verdict.risk, verdict.risk_threshold, verdict.uncertainty, prediction.risk,
              prediction.uncertainty, prediction.joint_positions)
    if all(np.all(np.isfinite(value)) for value in values):
        return verdict
    return replace(verdict, decision=Decision.INVALID, reasons=Reason.MODEL_ERROR, risk=1.0,
                   uncertainty=1.0, valid_until_ns=verdict.stamp_ns,
                   message='the model gave numbers that are not finite')


def verdict_to_message(verdict: Verdict) -> msg.Verdict:
    """Write a verdict."""
    return msg.Verdict(
        header=Header(stamp=ns_to_stamp(verdict.stamp_ns)), chunk_id=verdict.chunk_id,
        digest=np.frombuffer(verdict.digest, np.uint8),
        observation_stamp=ns_to_stamp(verdict.observation_stamp_ns),
        valid_until=ns_to_stamp(verdict.valid_until_ns), horizon=float(verdict.horizon_s),
        decision=int(verdict.decision), reasons=int(verdict.reasons), risk=float(verdict.risk),
        risk_threshold=float(verdict.risk_threshold), uncertainty=float(verdict.uncertainty),
        speed_factor=float(verdict.speed_factor), first_unsafe_step=int(verdict.first_unsafe_step),
        model_id=verdict.model_id, stage_ms=[float(value) for value in verdict.stage_ms],
        context_stamps=[ns_to_stamp(value) for value in verdict.context_stamps_ns],
        joint_stamp=ns_to_stamp(verdict.joint_stamp_ns),
        message=verdict.message, num_steps=verdict.num_steps, num_futures=verdict.num_futures,
        sampler_steps=verdict.sampler_steps)


def prediction_to_message(prediction: Prediction, *, header: Header, chunk_id: int,
                          camera_name: str, frames: Sequence[CompressedImage], future: int = 0,
                          num_futures: int = 0) -> msg.Prediction:
    """
    Write a prediction.

    :param prediction: what the model foresees.
    :param header: stamp and frame of the source image.
    :param chunk_id: the chunk that was judged.
    :param camera_name: whose picture it is.
    :param frames: predicted frames, one per step, or none.
    :param future: 0 for the mean, else which sampled one.
    :param num_futures: sampled ones that are drawn of this chunk.
    :returns: the message.
    """
    return msg.Prediction(
        header=header, chunk_id=chunk_id, camera_name=camera_name, frames=list(frames),
        future=future, num_futures=num_futures,
        offsets=_doubles(prediction.offsets_s), joint_names=list(prediction.joint_names),
        joint_positions=_doubles(prediction.joint_positions), risk=_floats(prediction.risk),
        uncertainty=_floats(prediction.uncertainty), model_id=prediction.model_id)


def _doubles(values: NDArray) -> list[float]:
    return np.asarray(values, dtype=np.float64).ravel().tolist()


def _floats(values: NDArray) -> list[float]:
    return np.asarray(values, dtype=np.float32).ravel().tolist()
