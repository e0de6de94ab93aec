# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Exact binomial tails, and what follows from them: bounds on a share, p-values, sample sizes.

Everything is summed from the binomial's own terms, no normal approximation: at the small error
rates that are promised here it would promise too much.
"""

import math
from collections.abc import Callable
from functools import lru_cache

_BISECTIONS = 60


@lru_cache(maxsize=65536)
def binomial_cdf(successes: int, trials: int, probability: float) -> float:
    """
    Return P(Bin(trials, probability) <= successes).

    :raises ValueError: if the probability is outside [0, 1] or there are no trials.
    """
    if not 0 <= probability <= 1:
        raise ValueError(f'probability = {probability} must be between 0 and 1')
    if trials < 1:
        raise ValueError(f'trials = {trials} must be at least 1')
    if successes < 0:
        return 0.0
    if successes >= trials or probability == 0:
        return 1.0
    if probability == 1:
        return 0.0
    # In logarithms, for a term may be below the smallest float while their sum is not.
    head = math.lgamma(trials + 1)
    log_yes, log_no = math.log(probability), math.log1p(-probability)
    terms = [head - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_yes
             + (trials - k) * log_no for k in range(successes + 1)]
    top = max(terms)
    return min(1.0, math.exp(top) * math.fsum(math.exp(term - top) for term in terms))


def hoeffding_bentkus(mean_loss: float, trials: int, alpha: float) -> float:
    """
    Return a p-value of "the expected loss is above alpha", for losses anywhere in [0, 1].

    For losses of 0 or 1 the exact tail ``binomial_cdf`` is smaller, so better.

    :param mean_loss: over the trials.

    Source: Angelopoulos et al. 2021, arXiv 2110.01052, proposition 5; Bates et al. 2021.
    """
    if not 0 <= mean_loss <= 1:
        raise ValueError(f'mean_loss = {mean_loss} must be between 0 and 1')
    hoeffding = math.exp(-trials * _divergence(min(mean_loss, alpha), alpha))
    # A mean of k / n must count as k, whatever its last bit says.
    bentkus = math.e * binomial_cdf(math.ceil(trials * mean_loss - 1e-9), trials, alpha)
    return min(1.0, hoeffding, bentkus)


def upper_bound(successes: int, trials: int, confidence: float) -> float:
    """
    Return the share that is not exceeded with ``confidence``, having seen successes in trials.

    The smallest p with P(Bin(trials, p) <= successes) <= 1 - confidence (Clopper and Pearson
    1934, one side). It is also the quantile of the miss rate of an order statistic: with the
    threshold at the (successes + 1)-th smallest of n scores the true rate is distributed as
    Beta(successes + 1, n - successes).
    """
    delta = 1 - confidence
    return _first_true(lambda p: binomial_cdf(successes, trials, p) <= delta)


def clopper_pearson(successes: float, trials: int, confidence: float = 0.95
                    ) -> tuple[float, float]:
    """
    Return the exact two-sided interval of a share.

    :param successes: a count, or a mean of counts: between whole numbers each end is that of
        the whole number which makes the interval wider.

    Source: Clopper and Pearson 1934.
    """
    tail = (1 - confidence) / 2
    least, most = math.floor(successes + 1e-9), math.ceil(successes - 1e-9)
    # P(Bin >= least) > tail, the mirror image of the upper end.
    low = 0.0 if least <= 0 else _first_true(
        lambda p: 1 - binomial_cdf(least - 1, trials, p) >= tail)
    return low, upper_bound(most, trials, 1 - tail)


def needed_trials(alpha: float, confidence: float, errors: int = 0) -> int:
    """
    Return the fewest trials that prove a rate of at most alpha with that many errors in them.

    Proving means P(Bin(n, alpha) <= errors) <= 1 - confidence.
    """
    delta = 1 - confidence
    low, high = errors, max(2 * errors, 1)
    while binomial_cdf(errors, high, alpha) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = ((low, middle) if binomial_cdf(errors, middle, alpha) <= delta
                     else (middle, high))
    return high


def likely_errors(trials: int, *, rank: int, number: int, confidence: float = 0.975) -> int:
    """
    Return the count of new scores below an order statistic that is not exceeded, given confidence.

    With the threshold at the ``rank``-th smallest of ``number`` scores, the count among ``trials``
    new ones is beta-binomial: chance enters with the calibration as well as with the new scores,
    so more than alpha of them may fall below without any promise being broken.
    """
    other = number + 1 - rank
    head = (math.lgamma(trials + 1) - math.lgamma(trials + number + 1) + math.lgamma(number + 1)
            - math.lgamma(rank) - math.lgamma(other))
    total = 0.0
    for count in range(trials):
        rest = trials - count
        total += math.exp(
            head - math.lgamma(count + 1) - math.lgamma(rest + 1)
            + math.lgamma(count + rank) + math.lgamma(rest + other))
        if total >= confidence:
            return count
    return trials


def likely_count(trials: int, probability: float, confidence: float = 0.975) -> int:
    """Return the count of a binomial that is not exceeded with confidence."""
    return next(count for count in range(trials + 1)
                if binomial_cdf(count, trials, probability) >= confidence)


def _divergence(first: float, second: float) -> float:
    """Return the Kullback-Leibler divergence of two coins, h1 of the source."""
    total = 0.0
    for one, other in ((first, second), (1 - first, 1 - second)):
        if one > 0:
            total += one * math.log(one / other)
    return total


def _first_true(holds: Callable[[float], bool]) -> float:
    """Return the p in [0, 1] from which a condition holds that, once true, stays so."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
