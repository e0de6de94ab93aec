# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Judge recorded commands again and compare with what was decided then.

The main rule: on the same engine every figure must be equal to the bit; on another one it may
differ by what the arithmetic of engines differs by, and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from wm_ros.data.evidence import Evidence
from wm_ros.data.messages import message_to_chunk
from wm_ros.data.messages import stamp_to_ns as stamp_to_ns
from wm_ros.datatypes import Decision, Reason, Verdict
from wm_ros.errors import CalibrationError, DatasetError, ObservationError
from wm_ros.gate.digest import digest_trajectory
from wm_ros.gate.stretch import stretch
from wm_ros.inference.judge import Judge
from wm_ros.inference.rebuild import PREDICTOR, rebuild_observation

# Largest difference of a risk or an uncertainty between two engines on 32-bit floats.
ENGINE_TOLERANCE = 1e-4
_EXACT = ('chunk_id', 'digest', 'model_id', 'first_unsafe_step', 'risk_threshold', 'horizon')
_CLOSE = ('risk', 'uncertainty')
# Given by the predictor after the model: for too late, for drift, for a missing calibration.
_NOT_THE_MODEL = Reason.OOD | Reason.UNCALIBRATED | Reason.DEADLINE


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure that is not as it was."""

    what: str
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """
    One command, judged then and now.

    :param recorded: decision and risk then.
    :param replayed: decision and risk now; None if it was not judged again.
    :param differences: what is not as it was.
    :param note: why it could not be judged again, or what was left out of the comparison.
    :param was_judged: whether a model had judged it then; otherwise there is nothing to compare.
    """

    chunk_id: int
    recorded: tuple[str, float]
    replayed: tuple[str, float] | None = None
    differences: tuple[Difference, ...] = field(default_factory=tuple)
    note: str = ''
    was_judged: bool = True

    @property
    def is_equal(self) -> bool:
        """Whether it was judged again and nothing differs."""
        return self.replayed is not None and not self.differences


def are_equal(found: Sequence[Comparison]) -> bool:
    """Whether something was judged again, and all that a model had judged came out as it was."""
    return any(item.is_equal for item in found) and all(
        item.is_equal or not item.was_judged for item in found)


def recorded_engine(evidence: Evidence) -> tuple[str, str, int]:
    """
    Return engine, device and number of threads that the predictor ran with.

    :raises DatasetError: if the evidence does not say.
    """
    parameters = evidence.parameters(PREDICTOR)
    try:
        return (str(parameters['engine']), str(parameters['device']),
                int(parameters['num_threads']))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f'{evidence.path}: the parameters of {PREDICTOR} do not say what ran '
                           f'the model ({error!r})') from error


def triggering_chunks(evidence: Evidence) -> list[int]:
    """Return the commands whose verdicts made wm_evidence write the file."""
    found = []
    for trigger in evidence.record.get('triggers', ()):
        chunk_id = trigger.get('chunk_id', 0) if isinstance(trigger, dict) else 0
        if isinstance(chunk_id, int) and chunk_id:
            found.append(chunk_id)
    return list(dict.fromkeys(found))


def replay(evidence: Evidence, judge: Judge, chunk_ids: Sequence[int], *, tolerance: float
           ) -> list[Comparison]:
    """
    Judge commands again.

    :param judge: the checkpoint on an engine.
    :param chunk_ids: which of the evidence's commands.
    :param tolerance: allowed difference of risk and uncertainty; 0: equal to the bit.
    :returns: one comparison each; what cannot be judged says why.
    :raises EngineError: if the engine broke.
    """
    return [_replay_one(evidence, judge, chunk_id, tolerance) for chunk_id in chunk_ids]


def _replay_one(evidence: Evidence, judge: Judge, chunk_id: int, tolerance: float) -> Comparison:
    verdict = evidence.verdicts.get(chunk_id)
    if verdict is None:
        return Comparison(chunk_id, ('none', 0.0), note='there is no verdict on it in the file')
    recorded = _decision(verdict.decision), float(verdict.risk)
    message = evidence.chunks.get(chunk_id)
    if message is None:
        return Comparison(chunk_id, recorded, note='the command is not in the file')
    if not stamp_to_ns(verdict.observation_stamp):
        return Comparison(chunk_id, recorded, was_judged=False,
                          note=f'no model judged it then: {verdict.message}')
    try:
        chunk = message_to_chunk(message)
        digest = digest_trajectory(chunk.trajectory, chunk.interface)
        if _was_slowed(verdict):
            chunk = replace(
                chunk, trajectory=stretch(chunk.trajectory, float(verdict.speed_factor)))
        observation = rebuild_observation(evidence, verdict, judge.config)
    except (DatasetError, ObservationError, ValueError) as error:
        return Comparison(chunk_id, recorded, note=str(error))
    try:
        found = judge.judge(
            chunk, observation, stamp_ns=stamp_to_ns(verdict.header.stamp),
            num_steps=getattr(verdict, 'num_steps', 0) or None).verdict
    except (ValueError, CalibrationError) as error:
        return Comparison(chunk_id, recorded, note=f'this checkpoint cannot judge it: {error}')
    differences, note = _compare(verdict, found, digest, tolerance)
    return Comparison(chunk_id, recorded, (found.decision.name, found.risk), differences, note)


def _compare(message: Any, found: Verdict, digest: bytes, tolerance: float
             ) -> tuple[tuple[Difference, ...], str]:
    """Return what differs, and what could not be compared."""
    now: dict[str, Any] = {
        'chunk_id': found.chunk_id, 'digest': digest.hex(), 'model_id': found.model_id,
        'first_unsafe_step': found.first_unsafe_step, 'horizon': np.float32(found.horizon_s),
        **{name: np.float32(getattr(found, name)) for name in (*_CLOSE, 'risk_threshold')}}
    then = {name: getattr(message, name) for name in now} | {
        'digest': bytes(message.digest).hex(),
        **{name: np.float32(getattr(message, name)) for name in (
            *_CLOSE, 'risk_threshold', 'horizon')}}
    is_slowed = _was_slowed(message)
    close = {name for name in _CLOSE if abs(float(then[name]) - float(now[name])) <= tolerance}
    is_on_edge = 0 < abs(float(found.risk) - found.risk_threshold) <= tolerance
    loose = {'first_unsafe_step'} if is_on_edge else set()
    # A slowed command has a lower threshold, an escape none; the figures are the model's.
    loose |= {'risk_threshold'} if is_slowed else set()
    different = [name for name in (*_EXACT, *_CLOSE)
                 if then[name] != now[name] and name not in close | loose]
    differences = [Difference(name, _text(then[name]), _text(now[name])) for name in different]
    if Reason(int(message.reasons)) & _NOT_THE_MODEL and message.decision != found.decision:
        return tuple(differences), ('the decision is not compared: it was '
                                    f'{_decision(message.decision)} for {message.message!r}')
    if is_slowed and message.decision != found.decision:
        return tuple(differences), ('the decision is not compared: it was '
                                    f'{_decision(message.decision)} at another speed')
    if message.decision != found.decision and not is_on_edge:
        differences.append(Difference(
            'decision', _decision(message.decision), found.decision.name))
    return tuple(differences), ''


def _was_slowed(verdict: Any) -> bool:
    return 0.0 < float(verdict.speed_factor) < 1.0


def _decision(value: int) -> str:
    return Decision(value).name if value in Decision._value2member_map_ else str(value)


def _text(value: Any) -> str:
    # Nine digits tell two 32-bit floats apart.
    return f'{value:.9g}' if isinstance(value, (float, np.floating)) else str(value)
