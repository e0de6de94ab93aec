# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rank correlation and sparsification against cases worked by hand."""

import numpy as np
import pytest

from wm_ros.training.doubt import doubt_figures, earned_by
from wm_ros.training.uncertainty_metrics import (
    ause,
    ause_random,
    ranks,
    sparsification,
    spearman,
)


def test_spearman_with_ties_by_hand():
    first, second = np.array([1.0, 2.0, 2.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0])
    np.testing.assert_allclose(ranks(first), [1, 2.5, 2.5, 4])
    # Centred ranks (-1.5, 0, 0, 1.5) and (-1.5, .5, -.5, 1.5): 4.5 / sqrt(4.5 * 5).
    assert spearman(first, second) == pytest.approx(4.5 / np.sqrt(22.5))
    assert spearman(first, -second) == pytest.approx(-4.5 / np.sqrt(22.5))
    assert spearman(second, np.exp(second / 10)) == pytest.approx(1)


def test_spearman_of_a_constant_is_not_a_number():
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))


def test_sparsification_by_hand():
    uncertainty, error = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.0, 4.0, 0.0, 4.0])
    # Mean error left, over the whole mean of 2: all, without 4, without 0, only 0.
    np.testing.assert_allclose(sparsification(uncertainty, error), [1, 4 / 6, 1, 0])
    # Perfect order leaves 2, 4/3, 0, 0 of it.
    np.testing.assert_allclose(sparsification(error, error), [1, 4 / 6, 0, 0])
    assert ause(uncertainty, error) == pytest.approx(1 / 4)
    assert ause(error, error) == 0


def test_equal_uncertainties_stand_for_their_mean_in_any_order():
    error = np.array([3.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(sparsification(np.ones(4), error), np.ones(4))
    assert ause_random(error) == pytest.approx(1 - (1 + 1 / 3 + 0 + 0) / 4)
    assert ause(np.ones(4), error[::-1]) == pytest.approx(ause_random(error))


def test_without_any_error_there_is_no_area():
    assert np.isnan(ause(np.arange(3.0), np.zeros(3)))
    assert np.isnan(ause(np.zeros(0), np.zeros(0)))


def test_the_candidate_with_the_smaller_area_earns_abstain():
    error = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    rows = np.arange(5)
    good, fair, wrong = error, np.array([0.0, 2.0, 1.0, 3.0, 4.0]), -error
    figures = doubt_figures({'ensemble': fair, 'samples': good}, {'hazard': error}, rows)
    assert earned_by(figures) == 'samples'
    assert figures['samples_minus_ensemble.hazard.ause'] == pytest.approx(
        -figures['ensemble.hazard.ause'])
    assert figures['ensemble.hazard.ause'] > 0
    figures = doubt_figures({'ensemble': fair, 'samples': wrong}, {'hazard': error}, rows)
    assert earned_by(figures) == 'ensemble'
    assert earned_by(doubt_figures({'ensemble': wrong}, {'hazard': error}, rows)) == 'none'


def test_a_constant_earns_nothing_and_the_coin_is_no_candidate():
    error = np.array([0.0, 1.0, 2.0])
    figures = doubt_figures({'ensemble': np.ones(3), 'coin': error}, {'hazard': error},
                            np.arange(3))
    assert figures['coin.hazard.ause'] == 0
    assert earned_by(figures) == 'none'
