# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Decide whether one verdict releases one command. The most restrictive answer wins.

Everything a verdict claims is checked, because what arrives on a topic may be late, repeated,
about another command, or wrong.
"""

import math
from typing import NamedTuple

from wm_ros.datatypes import ActionChunk, Decision, Reason, Verdict
from wm_ros.gate.config import GateConfig
from wm_ros.gate.speeds import can_slow
from wm_ros.gate.values import NS_PER_S, Now


class Ruling(NamedTuple):
    """
    What the gate makes of a verdict.

    :param decision: OK or SLOW release; VETO, ABSTAIN and INVALID do not.
    """

    decision: Decision
    reasons: Reason
    message: str


def rule(verdict: Verdict, chunk: ActionChunk, now: Now, config: GateConfig) -> Ruling:
    """
    Judge a verdict for a chunk that is waiting for one.

    :param verdict: as it came.
    :param chunk: the chunk under judgement; its deadline on the steady clock is kept elsewhere.
    :returns: OK or SLOW only if digest, times and figures all allow a release now.
    """
    objection = (
        _check_identity(verdict, chunk) or _check_times(verdict, chunk, now, config)
        or _check_decision(verdict) or _check_figures(verdict, config)
        or _check_speed(verdict, chunk, config))
    if objection is not None:
        return objection
    return Ruling(verdict.decision, Reason.NONE, verdict.message or 'allowed')


def is_escape(verdict: Verdict) -> bool:
    """Tell whether a verdict is one on a motion away from a risk."""
    return bool(verdict.reasons & Reason.ESCAPE)


def _check_identity(verdict: Verdict, chunk: ActionChunk) -> Ruling | None:
    if verdict.chunk_id == chunk.chunk_id and verdict.digest == chunk.digest:
        return None
    return Ruling(
        Decision.INVALID, Reason.BAD_COMMAND,
        f'the verdict is about another command: digest {verdict.digest.hex()}, expected '
        f'{chunk.digest.hex()}' + (f'; it says {verdict.message}' if verdict.message else ''))


def _check_times(
        verdict: Verdict, chunk: ActionChunk, now: Now, config: GateConfig) -> Ruling | None:
    late_ns = now.ros_ns - chunk.decide_by_ns
    if late_ns > 0:
        return Ruling(
            Decision.VETO, Reason.DEADLINE,
            f'the verdict came {late_ns / 1e6:.1f} ms after decide_by')
    # A refusal is not released, so it cannot expire: its own reason is what people need to see.
    permits = verdict.decision in (Decision.OK, Decision.SLOW)
    if permits and now.ros_ns > verdict.valid_until_ns:
        return Ruling(
            Decision.VETO, Reason.DEADLINE,
            f'the verdict expired {(now.ros_ns - verdict.valid_until_ns) / 1e6:.1f} ms ago')
    skew_ns = config.max_future_skew * NS_PER_S
    if not chunk.stamp_ns - skew_ns <= verdict.stamp_ns <= now.ros_ns + skew_ns:
        return Ruling(
            Decision.INVALID, Reason.TIME_SYNC,
            'the verdict is stamped before the command or in the future')
    if not permits:
        return None
    age_s = (now.ros_ns - verdict.observation_stamp_ns) / NS_PER_S
    if age_s < -config.max_future_skew:
        return Ruling(
            Decision.INVALID, Reason.TIME_SYNC,
            f'the verdict used a frame stamped {-age_s:.3f} s in the future')
    if age_s > config.image_timeout:
        return Ruling(
            Decision.INVALID, Reason.STALE_IMAGE,
            f'the verdict used a frame {age_s:.3f} s old; image_timeout is '
            f'{config.image_timeout} s')
    return None


def _check_decision(verdict: Verdict) -> Ruling | None:
    if verdict.decision in (Decision.OK, Decision.SLOW):
        return None
    words = verdict.message or f'{verdict.decision.name} without words'
    return Ruling(verdict.decision, verdict.reasons, words)


def _check_figures(verdict: Verdict, config: GateConfig) -> Ruling | None:
    """Refuse a permission whose own figures speak against it."""
    if not 0.0 < verdict.horizon_s < math.inf:
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict allows a horizon of {verdict.horizon_s} s')
    if not 0.0 < verdict.speed_factor <= 1.0:
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict allows a speed_factor of {verdict.speed_factor}; expected (0, 1]')
    if not (math.isfinite(verdict.risk) and math.isfinite(verdict.risk_threshold)):
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict allows a risk of {verdict.risk} under {verdict.risk_threshold}')
    # An escape is released for being better than to stay, by no threshold.
    if not is_escape(verdict) and verdict.risk > verdict.risk_threshold:
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict says {verdict.decision.name} at risk {verdict.risk:.3g} over its own '
            f'threshold {verdict.risk_threshold:.3g}')
    if config.is_enforcing and verdict.reasons & Reason.UNCALIBRATED:
        return Ruling(Decision.INVALID, Reason.UNCALIBRATED, 'the model is not calibrated')
    return None


def _check_speed(verdict: Verdict, chunk: ActionChunk, config: GateConfig) -> Ruling | None:
    """Refuse a speed that the gate did not ask for, or cannot give."""
    factor = verdict.speed_factor
    if is_escape(verdict) and not (
            verdict.decision is Decision.SLOW and 0.0 < factor <= chunk.escape_factor):
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict is {verdict.decision.name} at {factor:.3g} of the speed for an escape; '
            f'asked was {chunk.escape_factor:.3g}')
    if verdict.decision is Decision.OK and factor < 1.0 and factor != chunk.slow_factor:
        return Ruling(
            Decision.INVALID, Reason.MODEL_ERROR,
            f'the verdict says OK at {factor:.3g} of the speed; asked was {chunk.slow_factor:.3g}')
    if factor < 1.0 and not can_slow(chunk.interface, config):
        return Ruling(
            Decision.VETO, Reason.LIMIT,
            f'allowed at {factor:.3g} of its speed only, and a set-point of positions has none')
    return None
