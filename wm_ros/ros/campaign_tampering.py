# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a man in the middle can do to a verdict, by the names of kind 'verdict'."""

import math
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Protocol

from wm_ros.datatypes import Decision, Reason
from wm_ros.gate.values import NS_PER_S
from wm_ros.msg import Verdict
from wm_ros.ros.gate_messages import ns_to_time, time_to_ns

_MOST_ID = 2**64 - 1

# What is sent in the place of a verdict, each with its delay, s.
Sends = list[tuple[float, Verdict]]


class Keeper(Protocol):
    """Who remembers verdicts and can keep one back."""

    def hold_back(self, verdict: Verdict) -> None: ...

    def past(self, count: int) -> Verdict | None: ...


def _drop(_keeper: Keeper, _verdict: Verdict, _value: float) -> Sends:
    return []


def _delay(_keeper: Keeper, verdict: Verdict, value: float) -> Sends:
    return [(value, verdict)]


def _double(_keeper: Keeper, verdict: Verdict, value: float) -> Sends:
    return [(0.0, verdict), (value, verdict)]


def _reorder(keeper: Keeper, verdict: Verdict, _value: float) -> Sends:
    keeper.hold_back(verdict)
    return []


def _again(keeper: Keeper, verdict: Verdict, value: float) -> Sends:
    before = keeper.past(int(value))
    return [(0.0, before if before is not None else verdict)]


def _again_after(keeper: Keeper, verdict: Verdict, value: float) -> Sends:
    before = keeper.past(int(value))
    return [(0.0, verdict), *([(0.01, before)] if before is not None else [])]


def _early(_keeper: Keeper, verdict: Verdict, _value: float) -> Sends:
    """Allow this command, and the next one before anybody has asked."""
    following = deepcopy(verdict)
    following.chunk_id = min(verdict.chunk_id + 1, _MOST_ID)
    return [(0.0, verdict), (0.0, following)]


def _zeroed(_keeper: Keeper, verdict: Verdict, _value: float) -> Sends:
    return [(0.0, Verdict(chunk_id=verdict.chunk_id, digest=verdict.digest))]


def _change(act: Callable[[Verdict, float], Any]) -> Callable[[Keeper, Verdict, float], Sends]:
    """Make a tampering of one that changes fields of a copy."""
    def tamper(_keeper: Keeper, verdict: Verdict, value: float) -> Sends:
        changed = deepcopy(verdict)
        act(changed, value)
        return [(0.0, changed)]

    return tamper


def _set(**fields: Any) -> Callable[[Keeper, Verdict, float], Sends]:
    """Make a tampering that sets fields; None stands for the action's value."""
    def act(verdict: Verdict, value: float) -> None:
        for name, new in fields.items():
            setattr(verdict, name, value if new is None else new)

    return _change(act)


def _flip_bit(verdict: Verdict, _value: float) -> None:
    verdict.digest[7] ^= 1


def _move_id(verdict: Verdict, value: float) -> None:
    verdict.chunk_id = max(0, min(verdict.chunk_id + int(value), _MOST_ID))


def _moved(stamp: Any, value: float) -> Any:
    return ns_to_time(min(time_to_ns(stamp) + round(value * NS_PER_S), 2**61))


def _expire(verdict: Verdict, value: float) -> None:
    verdict.valid_until = _moved(verdict.header.stamp, -value)


def _move_stamp(verdict: Verdict, value: float) -> None:
    verdict.header.stamp = _moved(verdict.header.stamp, value)


def _move_frame(verdict: Verdict, value: float) -> None:
    verdict.observation_stamp = _moved(verdict.observation_stamp, value)


def _unstamp(verdict: Verdict, _value: float) -> None:
    verdict.header.stamp = verdict.observation_stamp = verdict.valid_until = ns_to_time(0)


def _decide(verdict: Verdict, value: float) -> None:
    verdict.decision = int(value)
    if verdict.decision == Decision.VETO:
        verdict.reasons = int(Reason.RISK)


def _slow_down(verdict: Verdict, value: float) -> None:
    verdict.decision, verdict.speed_factor = int(Decision.SLOW), value


TAMPERS: dict[str, Callable[[Any, Verdict, float], Sends]] = {
    'drop': _drop, 'delay': _delay, 'double': _double, 'reorder': _reorder, 'again': _again,
    'again_after': _again_after, 'early': _early, 'zeroed': _zeroed,
    'digest_bit': _change(_flip_bit), 'digest_zero': _set(digest=[0] * 16),
    'chunk_id': _change(_move_id), 'chunk_zero': _set(chunk_id=0),
    'expired': _change(_expire), 'stamp': _change(_move_stamp), 'frame': _change(_move_frame),
    'no_stamps': _change(_unstamp), 'decision': _change(_decide), 'slow': _change(_slow_down),
    'risk_high': _set(risk=0.9, risk_threshold=0.5), 'risk_nan': _set(risk=math.nan),
    'threshold_nan': _set(risk_threshold=math.nan), 'horizon': _set(horizon=None),
    'horizon_nan': _set(horizon=math.nan), 'horizon_inf': _set(horizon=math.inf),
    'speed': _set(speed_factor=None), 'speed_nan': _set(speed_factor=math.nan),
    'uncalibrated': _set(reasons=int(Reason.UNCALIBRATED)),
    'words': _change(lambda verdict, value: setattr(verdict, 'message', 'x' * int(value))),
}
