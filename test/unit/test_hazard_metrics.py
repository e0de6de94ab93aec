# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision, calibration error and curves against cases worked by hand."""

import numpy as np
import pytest

from wm_ros.training.hazard_metrics import (
    average_precision,
    calibration_error,
    ranking_figures,
    reliability,
    roc_curve,
)


def test_average_precision_by_hand():
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    labels = np.array([False, False, True, True])
    # Hit at rank 1 (precision 1) and at rank 3 (2/3), each half of the recall.
    assert average_precision(scores, labels) == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_takes_equal_scores_together():
    # One threshold catches both positives among five: precision 2/5, in any order of the input.
    labels = np.array([True, False, False, True, False])
    assert average_precision(np.ones(5), labels) == pytest.approx(0.4)
    assert average_precision(np.ones(5), labels[::-1]) == pytest.approx(0.4)
    assert np.isnan(average_precision(np.ones(3), np.zeros(3, bool)))


def test_calibration_error_by_hand():
    probability = np.array([0.1, 0.3, 0.7, 0.9, 0.9])
    labels = np.array([False, True, True, True, False])
    low, high = reliability(probability, labels, num_bins=2)
    assert (low.low, low.high, low.windows) == (0, 0.5, 2)
    assert (low.risk, low.observed) == (pytest.approx(0.2), pytest.approx(0.5))
    assert (high.windows, high.risk) == (3, pytest.approx(2.5 / 3))
    # 2/5 * |0.5 - 0.2| + 3/5 * |2/3 - 2.5/3|
    assert calibration_error(probability, labels, num_bins=2) == pytest.approx(0.12 + 0.1)


def test_bins_hold_their_upper_edge_and_the_ends_of_the_range():
    bins = reliability(np.array([0.0, 0.5, 1.0]), np.array([False, True, True]), num_bins=2)
    assert [item.windows for item in bins] == [2, 1]
    assert len(reliability(np.array([0.9]), np.array([True]))) == 1
    assert np.isnan(calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_curve_by_hand():
    false, recall, precision = roc_curve(
        np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    np.testing.assert_allclose(false, [0, 0.5, 1])
    np.testing.assert_allclose(recall, [0.5, 1, 1])
    np.testing.assert_allclose(precision, [1, 2 / 3, 0.5])
    false, recall, _ = roc_curve(np.array([0.9, 0.1]), np.array([False, False]))
    assert np.isnan(recall).all()
    np.testing.assert_allclose(false, [0.5, 1])


def test_ranking_figures_have_their_names():
    labels = np.arange(20) >= 10
    found = ranking_figures(np.arange(20.0), labels)
    assert found == {'auroc': 1, 'average_precision': 1, 'false_veto_at_90_recall': 0,
                     'false_veto_at_95_recall': 0, 'false_veto_at_99_recall': 0}
