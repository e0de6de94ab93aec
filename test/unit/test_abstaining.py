# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The limit on the ensemble's disagreement: order statistic, decisions, and when there is none."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.calibration.episode_scores import EpisodeScores
from wm_ros.calibration.thresholds import (
    Calibration,
    Promise,
    calibration_from_dict,
    calibration_to_dict,
)
from wm_ros.datatypes import Decision
from wm_ros.training.abstaining import doubt_limit

CALIBRATION = Calibration(
    lower=0.3, upper=0.9, alpha_miss=0.05, alpha_veto=0.05, num_hazards=100, num_safe=100,
    abstain_rate=0.0, weights_sha256='a', data_sha256='b', date='2026-01-01T00:00:00+00:00')


def make_scores(hazard, safe, hazard_doubt, safe_doubt):
    nothing = np.full(len(hazard), np.nan)
    return EpisodeScores(
        hazard=np.array(hazard), safe=np.array(safe), moving_hazard=nothing, moving_safe=nothing,
        timely=nothing, kind=('',) * len(hazard), hazard_doubt=np.array(hazard_doubt),
        safe_doubt=np.array(safe_doubt))


def ranked_scores(number=99):
    """Return safe commands of rising risk and doubt, and hazards that are sure."""
    rising = np.arange(1, number + 1) / 1000
    return make_scores(np.full(number, 0.95), rising, np.full(number, 0.0005), rising)


def test_the_limit_is_the_order_statistic_of_commands_that_would_be_ok():
    # 99 safe commands at risks 0.001 to 0.099 are OK, the hazards are vetoes and do not count:
    # k = ceil(100 * 0.99) = 99, the largest; at 10 % k = 90.
    scores = ranked_scores()
    assert doubt_limit(scores, CALIBRATION, 0.01)['uncertainty_limit'] == pytest.approx(0.099)
    found = doubt_limit(scores, CALIBRATION, 0.1)
    assert found['uncertainty_limit'] == pytest.approx(0.090)
    assert found['alpha_abstain'] == 0.1
    # Nine of 198 commands are above it.
    assert found['abstain_rate'] == pytest.approx(9 / 198)
    assert found['uncertainty_ause'] < found['uncertainty_ause_chance']


def test_too_few_commands_or_a_doubt_that_ranks_nothing_give_no_limit():
    assert 'uncertainty_limit' not in doubt_limit(ranked_scores(50), CALIBRATION, 0.01)
    scores = ranked_scores()
    backwards = dataclasses.replace(
        scores, safe_doubt=scores.safe_doubt[::-1].copy(), hazard_doubt=scores.hazard_doubt + 1)
    found = doubt_limit(dataclasses.replace(backwards, hazard=np.full(99, 0.9999)), CALIBRATION,
                        0.1)
    assert found['uncertainty_spearman'] < 0
    assert 'uncertainty_limit' not in found
    assert doubt_limit(dataclasses.replace(scores, safe_doubt=None), CALIBRATION, 0.1) == {}


def test_a_disagreement_turns_ok_into_abstain_and_nothing_else():
    calm = dataclasses.replace(CALIBRATION, uncertainty_limit=0.2)
    assert calm.decide(0.1, 0.2) is Decision.OK
    assert calm.decide(0.1, 0.201) is Decision.ABSTAIN
    assert calm.decide(0.95, 0.5) is Decision.VETO
    assert calm.decide(0.5, 0.5) is Decision.ABSTAIN
    assert calm.decide(0.1, float('nan')) is Decision.INVALID
    assert CALIBRATION.decide(0.1, 0.5) is Decision.OK


def test_older_files_load_without_a_limit():
    stored = calibration_to_dict(dataclasses.replace(CALIBRATION, uncertainty_limit=0.2))
    assert calibration_from_dict(stored).uncertainty_limit == 0.2
    old = {key: value for key, value in stored.items()
           if 'uncertainty' not in key and key not in ('alpha_abstain', 'shorter', 'episodes')}
    assert calibration_from_dict({**old, 'version': 2}).uncertainty_limit is None


def test_a_promise_of_nothing_is_refused():
    with pytest.raises(ValueError, match='alpha_abstain = 0'):
        Promise(alpha_abstain=0.0)


@given(st.integers(0, 2 ** 32 - 1), st.sampled_from([0.02, 0.1, 0.3]))
def test_no_more_ok_commands_are_doubted_than_promised(seed, alpha):
    """On average over exchangeable commands: here of as many new ones as there were."""
    rng = np.random.default_rng(seed)
    doubt = rng.permutation(np.linspace(0.001, 0.2, 400))
    known, new = doubt[:200], doubt[200:]
    scores = make_scores(np.full(200, 0.95), known, np.full(200, 0.0005), known)
    limit = doubt_limit(scores, CALIBRATION, alpha)['uncertainty_limit']
    # Of 400 exchangeable ones; five standard deviations of the hypergeometric count.
    assert (new > limit).mean() <= alpha + 5 * np.sqrt(2 * alpha / 200)
    assert (known > limit).mean() <= alpha
