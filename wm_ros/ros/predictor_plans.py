# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the predictor can do in which time, measured before it may become active."""

from typing import Any

import numpy as np

from wm_ros.errors import CalibrationError, EngineError
from wm_ros.inference.plans import Plan, PlanChooser, make_plans
from wm_ros.ros.predictor_config import PredictorConfig

# The 99th percentile of so few is nearly their maximum, which is what a deadline cares for.
NUM_CHECKS = 30
# While a graph starts, everything starts: one round that other processes disturbed is no verdict.
NUM_ROUNDS = 3


def measure_plans(judge: Any, config: PredictorConfig, logger: Any) -> PlanChooser:
    """
    Time the plans of the settings; runs on the inference thread.

    A plan without thresholds is left out with a warning: the larger ones need none of it.

    :param judge: the loaded model, warm.
    :returns: the plans that may be used, with what they take.
    :raises CalibrationError: if no plan has thresholds.
    :raises EngineError: if the largest plan takes longer than ``latency_budget_ms`` and
        ``strict_budget`` is set, with the number and what can be done.
    """
    plans = usable_plans(judge, config, logger)
    p99_ms, usual_ms = _time_largest(judge, plans[0], config.latency_budget_ms)
    text = f'a check of {plans[0]} takes {usual_ms:.1f} ms, {p99_ms:.1f} ms at the 99th percentile'
    if p99_ms <= config.latency_budget_ms:
        logger.info(text)
    else:
        text += (f'; latency_budget_ms is {config.latency_budget_ms:g}. Give the engine more '
                 'threads or another device, use a smaller model or plan_horizons, or raise '
                 "latency_budget_ms together with the gate's decision_timeout")
        if config.strict_budget:
            raise EngineError(f'{text}; strict_budget: false lets it run all the same')
        logger.warning(text)
    others = [float(np.median(judge.time_checks(plan.num_steps, NUM_CHECKS // 3)))
              for plan in plans[1:]]
    return PlanChooser(plans, [usual_ms, *others])


def usable_plans(judge: Any, config: PredictorConfig, logger: Any) -> tuple[Plan, ...]:
    """
    Return the plans of the settings that there are thresholds for, the largest first.

    :raises CalibrationError: if there is none.
    """
    usable, problem = [], ''
    for plan in make_plans(judge.config.horizon, shares=config.plan_horizons,
                           futures=config.plan_futures, sampler_steps=config.plan_sampler_steps):
        try:
            judge.check_steps(plan.num_steps)
            usable.append(plan)
        except CalibrationError as error:
            problem = str(error)
            logger.warning(f'plan of {plan} is left out: {problem}')
    if not usable:
        raise CalibrationError(f'none of plan_horizons {list(config.plan_horizons)} can be used: '
                               f'{problem}')
    return tuple(usable)


def _time_largest(judge: Any, plan: Plan, budget_ms: float) -> tuple[float, float]:
    """Return the 99th percentile and the median of the best round, ms."""
    found = []
    for _ in range(NUM_ROUNDS):
        times_ms = judge.time_checks(plan.num_steps, NUM_CHECKS)
        found.append((float(np.percentile(times_ms, 99)), float(np.median(times_ms))))
        if found[-1][0] <= budget_ms:
            break
    return min(found)
