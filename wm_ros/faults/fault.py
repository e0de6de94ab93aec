# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One fault of the catalogue, and what came of injecting it."""

from dataclasses import dataclass
from enum import Enum

from wm_ros.errors import WorldModelError


class NotMeasured(WorldModelError):
    """A fault cannot be injected on this host; the text says what it would take."""


class PromiseBroken(WorldModelError):
    """A promise was measured and not kept, or something was released that no verdict allowed."""


class Graph(Enum):
    """
    What has to run for a fault.

    GATE: wm_gate, and a predictor that speaks the protocol only, so that each verdict can be
    chosen. PREDICTOR: wm_gate and wm_predictor, all of it but the model, which a rule replaces,
    so that each answer of a model can be chosen. MODEL: wm_predictor with the shipped
    checkpoint, and wm_gate where it matters. OWN: the row starts what it needs by
    itself. NONE: nothing can be started for it yet.
    """

    GATE = 'gate, protocol-only predictor'
    PREDICTOR = 'gate and predictor, model replaced by a rule'
    MODEL = 'predictor with the shipped checkpoint'
    OWN = 'one of its own'
    NONE = 'not run'


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """
    A row of the catalogue.

    :param number: of the row, 1 to 41.
    :param name: for the command line.
    :param injected: what is done, in words.
    :param promise: what must come of it, in words.
    :param graph: what has to run.
    :param is_slow: takes longer than about ten seconds.
    :param missing: why it cannot be run here, in words; empty if it can.
    """

    number: int
    name: str
    injected: str
    promise: str
    graph: Graph
    is_slow: bool = False
    missing: str = ''


@dataclass(frozen=True, slots=True)
class Timing:
    """
    How long something took.

    :param what: took so long, in words.
    :param took_s: measured, s.
    :param limit_s: promised, s.
    """

    what: str
    took_s: float
    limit_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """
    What was measured.

    :param held: whether the promise was kept; None if it could not be measured.
    :param measured: the figures, or the reason for None, in words.
    :param unsafe_releases: commands on the controller's topic that no verdict allowed.
    :param duration_s: of the row with what it had to start, s.
    :param times: each time that was measured and has a promise.
    """

    held: bool | None
    measured: str
    unsafe_releases: int = 0
    duration_s: float = 0.0
    times: tuple[Timing, ...] = ()
