# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
How much of a command to look at in the time that is left: a few prepared plans, the largest first.

No clock is read here; times are arguments. Owned by one thread.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# What a check takes follows the load of the machine: so many of the last ones tell it.
_REMEMBERED = 20
_CAUTION_PERCENT = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """
    How a command is looked at.

    :param num_steps: of the model, from the first on; what is forwarded ends with them.
    :param num_futures: sampled futures to draw besides the mean one, after the verdict.
    :param sampler_steps: of the sampler, for those.
    """

    num_steps: int
    num_futures: int = 0
    sampler_steps: int = 4

    def __str__(self) -> str:
        """Say it in words."""
        text = f'{self.num_steps} steps'
        if self.num_futures:
            text += f', {self.num_futures} futures of {self.sampler_steps} sampler steps'
        return text


def make_plans(horizon: int, *, shares: Sequence[float], futures: Sequence[int] = (),
               sampler_steps: Sequence[int] = ()) -> tuple[Plan, ...]:
    """
    Make plans from settings.

    :param horizon: of the model, steps.
    :param shares: of the horizon, falling, in (0, 1].
    :param futures: of each plan; none if empty.
    :param sampler_steps: of each plan; 4 if empty.
    :returns: the plans, the largest first; those that come out with the same number of steps as
        the one before are left out.
    """
    plans: list[Plan] = []
    for place, share in enumerate(shares):
        steps = max(1, round(share * horizon))
        if not plans or steps < plans[-1].num_steps:
            plans.append(Plan(
                num_steps=steps, num_futures=futures[place] if futures else 0,
                sampler_steps=sampler_steps[place] if sampler_steps else 4))
    return tuple(plans)


class PlanChooser:
    """
    Chooses the largest plan that fits.

    :param plans: the largest first.
    :param usual_ms: what a check of each takes on a machine at rest, ms.
    """

    def __init__(self, plans: Sequence[Plan], usual_ms: Sequence[float]) -> None:
        if not plans or len(plans) != len(usual_ms):
            raise ValueError(f'{len(plans)} plans and {len(usual_ms)} times; give one time for '
                             'each of at least 1 plan')
        self.plans = tuple(plans)
        self._usual_ms = dict(zip(self.plans, usual_ms, strict=True))
        # Relative to the usual: a load that was met with one plan is known for the others too.
        self._slowdowns: deque[float] = deque(maxlen=_REMEMBERED)

    def estimate_ms(self, plan: Plan) -> float:
        """Say how long a check by a plan will take, ms; nine in ten of the last did not exceed."""
        slowdown = np.percentile(self._slowdowns, _CAUTION_PERCENT) if self._slowdowns else 1.0
        return float(self._usual_ms[plan] * slowdown)

    def choose(self, left_ms: float) -> Plan:
        """
        Choose a plan.

        :param left_ms: until the verdict must be there, ms.
        :returns: the largest that is expected to fit; the smallest if none is, for an estimate
            may be wrong and only a check can tell.
        """
        for plan in self.plans:
            if self.estimate_ms(plan) <= left_ms:
                return plan
        return self.plans[-1]

    def note(self, plan: Plan, took_ms: float) -> None:
        """Learn how long a check by a plan took, ms."""
        self._slowdowns.append(took_ms / self._usual_ms[plan])
