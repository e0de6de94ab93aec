# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Compare the candidates for the uncertainty that makes the gate abstain.

The ensemble's spread and the spread of sampled futures are asked the same question on the same
windows: do they rank the error? ABSTAIN is about hazards, so the error of the risk decides, and
that of the frames is reported beside it. The variance of a coin with the predicted risk is shown
as well: an uncertainty that does no better than it adds nothing to the risk.

Letters: N windows.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from wm_ros.training.uncertainty_metrics import ause, ause_random, spearman

# What may feed ABSTAIN; 'coin' is there to compare with.
CANDIDATES = ('ensemble', 'samples')


def doubt_figures(candidates: Mapping[str, NDArray[np.floating]],
                  errors: Mapping[str, NDArray[np.floating]], rows: NDArray[np.int64]
                  ) -> dict[str, float]:
    """
    Return how well each candidate ranks each error, by dotted names.

    :param candidates: uncertainty by name, (N,).
    :param errors: error by name, not negative, (N,).
    :returns: ``candidate.error.spearman`` and ``.ause``; ``chance.error.ause``; and the
        difference of the candidates' areas, whose interval says whether it is one.
    """
    found = {}
    for error_name, error in errors.items():
        for name, doubt in candidates.items():
            found[f'{name}.{error_name}.spearman'] = spearman(doubt[rows], error[rows])
            found[f'{name}.{error_name}.ause'] = ause(doubt[rows], error[rows])
        found[f'chance.{error_name}.ause'] = ause_random(error[rows])
        if set(CANDIDATES) <= set(candidates):
            found[f'samples_minus_ensemble.{error_name}.ause'] = (
                found[f'samples.{error_name}.ause'] - found[f'ensemble.{error_name}.ause'])
    return found


def earned_by(figures: Mapping[str, float], *, error: str = 'hazard') -> str:
    """
    Return the candidate with the least area under the sparsification curve, or 'none'.

    It must rank the error better than chance does: a positive rank correlation and less area
    than an uncertainty that knows nothing.
    """
    areas = {name: figures[f'{name}.{error}.ause'] for name in CANDIDATES
             if f'{name}.{error}.ause' in figures and figures[f'{name}.{error}.spearman'] > 0
             and figures[f'{name}.{error}.ause'] < figures[f'chance.{error}.ause']}
    return min(areas, key=lambda name: areas[name]) if areas else 'none'
