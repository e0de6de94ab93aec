# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From which disagreement of the ensemble on a chunk is not believed, however low its risk.

Only an uncertainty that ranks the error may make the gate hold. The spread of sampled futures is
measured in the evaluation and cannot be one of them here: it takes longer than a verdict may.
"""

from typing import Any

import numpy as np

from wm_ros.calibration.conformal import veto_threshold
from wm_ros.calibration.episode_scores import EpisodeScores
from wm_ros.calibration.thresholds import Calibration
from wm_ros.errors import CalibrationError
from wm_ros.training.doubt import doubt_figures, earned_by


def doubt_limit(scores: EpisodeScores, calibration: Calibration, alpha: float
                ) -> dict[str, Any]:
    """
    Return what a calibration says of the uncertainty, by the names of its fields.

    With n exchangeable chunks whose risk is OK the limit is the k-th smallest uncertainty,
    k = ceil((n + 1)(1 - alpha)): P(a new one is doubted) <= alpha. None where the uncertainty
    does not rank the error, or n is too small for alpha.

    :param scores: with the doubts of hazards and safe chunks.
    :param calibration: whose ``lower`` says which chunks are OK.

    Source: as ``calibration.conformal.veto_threshold``.
    """
    if scores.hazard_doubt is None or scores.safe_doubt is None:
        return {}
    risk = np.concatenate([scores.hazard, scores.safe])
    doubt = np.concatenate([scores.hazard_doubt, scores.safe_doubt])
    truth = np.repeat([1.0, 0.0], len(scores))
    there = ~np.isnan(risk)
    risk, doubt, error = risk[there], doubt[there], np.abs(risk - truth)[there]
    figures = doubt_figures({'ensemble': doubt}, {'hazard': error}, np.arange(len(risk)))
    found: dict[str, float | None] = {
        'uncertainty_spearman': figures['ensemble.hazard.spearman'],
        'uncertainty_ause': figures['ensemble.hazard.ause'],
        'uncertainty_ause_chance': figures['chance.hazard.ause']}
    found = {name: value if value is not None and np.isfinite(value) else None
             for name, value in found.items()}
    if earned_by(figures) != 'ensemble':
        return found
    passing = risk < calibration.lower
    try:
        limit = veto_threshold(doubt[passing], alpha)
    except CalibrationError:
        return found
    held = (risk >= calibration.lower) & (risk < calibration.upper)
    held |= passing & (doubt > limit)
    return {**found, 'uncertainty_limit': limit, 'alpha_abstain': alpha,
            'abstain_rate': float(held.mean())}
