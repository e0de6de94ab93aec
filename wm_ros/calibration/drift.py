# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Tell from a stream of scores that the world is no longer the one of the calibration.

Each score becomes a conformal p-value against scores of nominal data, each p-value the outcome
of a bet against "nothing has changed", and the gains are added up by an e-detector. Its mean
time to a false alarm has a proven lower bound, so the rate of false alarms an hour can be
stated. Pure numbers: no clock, no files.

Sources: Vovk, Gammerman and Shafer 2005, chapter 7 (conformal test martingales); Shin, Ramdas
and Rinaldo 2022, arXiv 2203.03532 (e-detectors); Bates et al. 2023, arXiv 2104.08279 (p-values
that hold given the calibration sample).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.adaptive import AdaptiveLevel
from wm_ros.calibration.binomial import upper_bound
from wm_ros.errors import CalibrationError

SECONDS_PER_HOUR = 3600.0
MIN_SAMPLE = 19
# How sure it is that all prices below are high enough for the sample at hand.
CONFIDENCE = 0.95
# Levels to bet on. EXTREME is blind to whatever is not among the rarest: a scene that stays as it
# is and is merely unusual wins nothing. GRADUAL also sees many small surprises, for scores that
# vary from one to the next.
EXTREME = (0.01,)
GRADUAL = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
# What each bet stakes of the evidence; with a half one surprise in five outweighs four losses.
_STAKE = 0.5
# A p-value above this speaks for the calibration's world; 19 nominal scores in 20 have one.
_GOOD_P = 0.05
_MOST_EVIDENCE = 1e12


class Nominal(NamedTuple):
    """
    What is nominal for one kind of score.

    :param scores: of the calibration, high where something is wrong, (n,).
    :param levels: p-values to bet on.
    """

    scores: NDArray[np.floating]
    levels: tuple[float, ...] = EXTREME


def check_sample(name: str, scores: NDArray[np.floating]) -> None:
    """
    Refuse a reference sample that no test can rest on.

    :raises CalibrationError: if it has too few or unusable scores, saying how many are needed.
    """
    if len(scores) < MIN_SAMPLE:
        raise CalibrationError(f'{len(scores)} nominal {name} scores cannot support a drift test: '
                               f'it takes {MIN_SAMPLE}, so calibrate on more episodes')
    if not np.isfinite(scores).all():
        raise CalibrationError(f'{name} scores of the calibration are not all finite')


class Bookmaker:
    """
    Sells bets on a new score being among the highest, at prices that are fair or dearer.

    A new nominal score has rank k or better with a probability that depends on the sample at
    hand: over samples it is distributed as Beta(k, n + 1 - k), on average k / (n + 1). A sample
    is used for many bets, so an average over samples is not enough. The price of rank k is a
    quantile of that distribution, and with ``confidence`` no price of any rank is too low.

    :param scores: nominal, float (n,).
    :param ranks: all that are ever bet on.
    :param confidence: that all prices are high enough.
    """

    def __init__(self, scores: NDArray[np.floating], *, ranks: tuple[int, ...],
                 confidence: float = CONFIDENCE) -> None:
        self._scores = np.sort(scores)
        self.size = len(scores) + 1
        doubt = (1 - confidence) / len(ranks)
        self._prices = {rank: upper_bound(rank - 1, len(scores), 1 - doubt) for rank in ranks}

    def rank(self, score: float) -> int:
        """
        Return how many of the n + 1 scores are at least as high as the new one, itself included.

        Divided by ``size`` it is the conformal p-value. What is not a number is highest of all.
        """
        if np.isnan(score):
            return 1
        return self.size - int(np.searchsorted(self._scores, score, side='left'))

    def e_value(self, rank: int, ranks: tuple[int, ...]) -> float:
        """
        Return what is left of 1 after bets in equal parts on ``ranks``; at most 1 on average.

        :param rank: of the new score.
        :param ranks: those that were bet on before it was known.
        """
        gains = [1 / self._prices[bet] if rank <= bet else 0.0 for bet in ranks]
        return 1 - _STAKE + _STAKE * sum(gains) / len(gains)


def level_rank(level: float, size: int) -> int:
    """Return the rank that a level stands for, at least 1: only the highest of all."""
    return max(1, int(level * size + 1e-9))


@dataclass(slots=True)
class _Stream:
    """One kind of score and how far it has come."""

    bookmaker: Bookmaker
    ranks: tuple[int, ...]
    level: AdaptiveLevel | None
    evidence: float = 0.0
    p_value: float = 1.0
    num_scores: int = 0
    num_good: int = 0
    is_guilty: bool = False

    def take(self, score: float) -> float:
        """Take a score and return the e-value of it."""
        size = self.bookmaker.size
        rank = self.bookmaker.rank(score)
        ranks = self.ranks
        if self.level is not None:
            ranks = (level_rank(self.level.value, size),)
            self.level.update(rank / size)
        self.p_value = rank / size
        self.num_scores += 1
        self.num_good = self.num_good + 1 if self.p_value > _GOOD_P else 0
        return self.bookmaker.e_value(rank, ranks)


class DriftTest:
    """
    An alarm that is raised by surprising scores and latched until good ones come back.

    **False alarms.** Let nominal scores of a kind be independent draws from where its sample
    came from, at most ``tests_per_hour`` an hour. The evidence of a kind, R <- (R + 1) e, is
    then a Shiryaev-Roberts e-detector with R minus the number of tests never rising on average,
    and so is the mean over the kinds, whatever their dependence. An alarm is raised where that
    mean reaches ``threshold`` = tests_per_hour / false_alarms_per_hour. Hence the mean time to a
    false alarm is at least ``threshold`` tests, there are at most ``false_alarms_per_hour`` in
    the long run, and P(one within the first hour) is at most the same number. All of this holds
    with 95 % confidence over the calibration's sample.

    **After an alarm** the evidence starts again from zero. The alarm ends after
    ``recovery_count`` good scores in a row (p above 0.05) of every kind that raised it, or by
    ``reset``.

    :param nominal: what is nominal for each kind of score.
    :param tests_per_hour: most scores an hour of one kind.
    :param false_alarms_per_hour: the promise.
    :param recovery_count: good scores that end an alarm.
    :param adaptive_gain: above 0, the level of kinds that bet on a single one follows slow
        change, see ``AdaptiveLevel``; the promise stays.
    :raises CalibrationError: if a sample is too small.
    """

    def __init__(self, nominal: Mapping[str, Nominal], *, tests_per_hour: float,
                 false_alarms_per_hour: float, recovery_count: int = 10,
                 adaptive_gain: float = 0.0) -> None:
        if not (tests_per_hour > 0 and false_alarms_per_hour > 0 and recovery_count >= 1):
            raise ValueError(
                f'tests_per_hour = {tests_per_hour}, false_alarms_per_hour = '
                f'{false_alarms_per_hour} and recovery_count = {recovery_count} must be positive')
        self.threshold = tests_per_hour / false_alarms_per_hour
        self._recovery_count = recovery_count
        confidence = 1 - (1 - CONFIDENCE) / len(nominal)
        self._streams = {name: _make_stream(name, kind, confidence, adaptive_gain)
                         for name, kind in nominal.items()}
        self.is_alarmed = False
        self.num_alarms = 0

    @property
    def statistic(self) -> float:
        """Evidence against "nothing has changed": the mean over the kinds, 0 at the start."""
        return sum(stream.evidence for stream in self._streams.values()) / len(self._streams)

    @property
    def p_values(self) -> dict[str, float]:
        """The newest p-value of each kind; 1 before any."""
        return {name: stream.p_value for name, stream in self._streams.items()}

    @property
    def num_scores(self) -> dict[str, int]:
        """How many scores of each kind have come."""
        return {name: stream.num_scores for name, stream in self._streams.items()}

    @property
    def guilty(self) -> tuple[str, ...]:
        """The kinds that raised the alarm; empty without one."""
        return tuple(name for name, stream in self._streams.items() if stream.is_guilty)

    def add(self, name: str, score: float) -> bool:
        """
        Take one score.

        :param name: its kind.
        :param score: high where something is wrong; NaN counts as the highest.
        :returns: True if this score raised the alarm.
        """
        stream = self._streams[name]
        e_value = stream.take(score)
        if self.is_alarmed:
            if all(each.num_good >= self._recovery_count
                   for each in self._streams.values() if each.is_guilty):
                self.reset()
            return False
        stream.evidence = min((stream.evidence + 1) * e_value, _MOST_EVIDENCE)
        if self.statistic < self.threshold:
            return False
        self.is_alarmed = True
        self.num_alarms += 1
        for each in self._streams.values():
            # The mean has reached the threshold, so at least one of them has.
            each.is_guilty = each.evidence >= self.threshold
            each.evidence, each.num_good = 0.0, 0
        return True

    def reset(self) -> None:
        """End an alarm and forget the evidence."""
        self.is_alarmed = False
        for stream in self._streams.values():
            stream.evidence, stream.num_good, stream.is_guilty = 0.0, 0, False


def _make_stream(name: str, kind: Nominal, confidence: float, adaptive_gain: float) -> _Stream:
    check_sample(name, kind.scores)
    size = len(kind.scores) + 1
    ranks = tuple(sorted({level_rank(level, size) for level in kind.levels}))
    level = None
    sold = ranks
    if adaptive_gain > 0 and len(kind.levels) == 1:
        target = max(kind.levels[0], 1 / size)
        level = AdaptiveLevel(target, gain=adaptive_gain, lowest=1 / size, highest=4 * target)
        sold = tuple(range(1, level_rank(4 * target, size) + 1))
    return _Stream(Bookmaker(kind.scores, ranks=sold, confidence=confidence), ranks, level)
