# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of merit against cases worked by hand."""

import numpy as np
import pytest

from wm_ros.training.metrics import auroc, false_veto_at_recall, psnr, recall_threshold


def test_auroc_by_hand():
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    labels = np.array([False, False, True, True])
    # Pairs (positive, negative) won: (.35,.1) (.8,.1) (.8,.4) of four.
    assert auroc(scores, labels) == pytest.approx(0.75)
    assert auroc(-scores, labels) == pytest.approx(0.25)


def test_auroc_counts_ties_one_half_and_needs_both_classes():
    assert auroc(np.ones(7), np.arange(7) < 3) == pytest.approx(0.5)
    assert np.isnan(auroc(np.ones(3), np.zeros(3, bool)))


def test_false_veto_at_recall_by_hand():
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.75, 0.3, 0.1, 0.05])
    labels = np.array([True, True, True, True, False, False, False, False])
    assert false_veto_at_recall(scores, labels, 0.75) == pytest.approx(0.25)
    assert false_veto_at_recall(scores, labels, 1.0) == pytest.approx(0.5)
    assert np.isnan(false_veto_at_recall(scores, labels | True, 0.75))


def test_a_recall_that_binary_fractions_blur_catches_no_more_than_it_must():
    # 0.55 * 20 is 11.000000000000002 in floating point: 11 are enough, not 12.
    scores, labels = np.arange(20.0), np.ones(20, bool)
    assert recall_threshold(scores, labels, 0.55) == 9
    assert np.isnan(recall_threshold(scores, ~labels, 0.55))


def test_psnr_of_a_tenth_is_twenty_decibels():
    assert psnr(0.01) == pytest.approx(20.0)
    assert psnr(0.0) == float('inf')
