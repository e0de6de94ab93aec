# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Rebuild from evidence what the predictor saw when it judged a command.

The main rule: the predictor's own history does it, with the predictor's own settings. The verdict
says which frames and which joint state were used, and only those are fed where the choice was
open, because a listener hears other messages than the predictor did.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wm_ros.data.evidence import Evidence
from wm_ros.data.messages import stamp_to_ns
from wm_ros.data.pictures import picture_to_small_rgb
from wm_ros.datatypes import Observation
from wm_ros.errors import DatasetError
from wm_ros.inference.history import ObservationHistory
from wm_ros.inference.history_config import HistoryConfig
from wm_ros.world_model.config import ModelConfig

PREDICTOR = 'wm_predictor'
# Setting of the history: parameter of the predictor.
_SETTINGS = {
    'image_timeout_s': 'image_timeout', 'joint_timeout_s': 'joint_state_timeout',
    'slop_s': 'context_slop', 'max_future_s': 'max_future_skew',
    'frozen_frames': 'frozen_frames', 'frozen_motion_rad': 'frozen_motion'}


@dataclass(frozen=True, slots=True)
class _Moments:
    """
    The times of one verdict, ns.

    :param now: when the command was judged.
    :param frame: of the newest frame that was used.
    :param context: of all frames that were used; empty where the verdict does not say.
    :param joints: of the joint state that was used; 0 where the verdict does not say.
    """

    now: int
    frame: int
    context: frozenset[int]
    joints: int


def rebuild_observation(evidence: Evidence, verdict: Any, model: ModelConfig) -> Observation:
    """
    Return the observation that a verdict rests on.

    :param verdict: a wm_ros/Verdict of that evidence.
    :param model: of the checkpoint that is to judge.
    :raises DatasetError: if the evidence lacks a frame or the joints, or is of other cameras.
    :raises UnusableObservation: if the history refuses what there is.
    """
    if evidence.cameras != model.cameras:
        raise DatasetError(f'{evidence.path}: is of cameras {list(evidence.cameras)}, the model '
                           f'needs {list(model.cameras)}')
    moments = _moments(verdict)
    _require(evidence, moments)
    history = ObservationHistory(history_config(evidence.parameters(PREDICTOR), model))
    joints = {(stamp, -1) for stamp in evidence.joints if _is_used_joints(stamp, moments)}
    frames = {(stamp, place) for place, camera in enumerate(evidence.cameras)
              for stamp in evidence.picture_stamps(camera)
              if _is_used_frame(stamp, moments, is_main=place == 0)}
    # Each as if it came at once: its age is judged by observe, as it was then.
    for stamp, place in sorted(joints | frames):
        if place < 0:
            state = evidence.joints[stamp]
            history.add_joints(
                list(state.name), state.position, state.velocity, stamp, stamp)
            continue
        rgb, _size = picture_to_small_rgb(evidence.picture(evidence.cameras[place], stamp),
                                          model.image_height, model.image_width)
        # The stamp for a content that no other frame has: the camera was not found frozen then.
        history.add_image(rgb, stamp, stamp, content=stamp, camera=place)
    return history.observe(moments.now)


def history_config(parameters: Mapping[str, Any], model: ModelConfig) -> HistoryConfig:
    """
    Return the history's settings as the predictor made them.

    :param parameters: of the predictor.
    :raises DatasetError: naming what is missing or wrong.
    """
    try:
        return HistoryConfig(
            joint_names=tuple(model.joint_names), cameras=model.cameras,
            context_len=model.context_len, step_s=model.step_s,
            **{ours: parameters[theirs] for ours, theirs in _SETTINGS.items()})
    except KeyError as error:
        raise DatasetError(f'the recorded parameters of {PREDICTOR} lack {error}') from error
    except (ValueError, TypeError) as error:
        raise DatasetError(f'the recorded parameters of {PREDICTOR} do not fit the model: '
                           f'{error}') from error


def _moments(verdict: Any) -> _Moments:
    return _Moments(
        now=stamp_to_ns(verdict.header.stamp), frame=stamp_to_ns(verdict.observation_stamp),
        context=frozenset(map(stamp_to_ns, getattr(verdict, 'context_stamps', ()))),
        joints=stamp_to_ns(verdict.joint_stamp) if hasattr(verdict, 'joint_stamp') else 0)


def _require(evidence: Evidence, moments: _Moments) -> None:
    """Refuse evidence that lacks what was used; the nearest other frame would be no replay."""
    have = set(evidence.picture_stamps(evidence.cameras[0]))
    lacking = sorted((moments.context | {moments.frame}) - have)
    if lacking:
        ages = ', '.join(f'{(moments.now - stamp) / 1e9:.3f}' for stamp in lacking)
        raise DatasetError(f'{evidence.path}: lacks the frames that were {ages} s old; they did '
                           'not reach wm_evidence, or the file is damaged')
    if moments.joints and moments.joints not in evidence.joints:
        raise DatasetError(f'{evidence.path}: lacks the joint state that was '
                           f'{(moments.now - moments.joints) / 1e9:.3f} s old')


def _is_used_joints(stamp: int, moments: _Moments) -> bool:
    """Leave out what lies between the joints that were used and the frame: it came too late."""
    if stamp > moments.now:
        return False
    return not moments.joints or stamp <= moments.joints or stamp > moments.frame


def _is_used_frame(stamp: int, moments: _Moments, *, is_main: bool) -> bool:
    if is_main and moments.context:
        return stamp in moments.context
    # Frames of other cameras belong to the nearest one of the main camera.
    return stamp <= (moments.frame if is_main else moments.now)
