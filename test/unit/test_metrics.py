# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of merit against cases worked by hand."""

import numpy as np
import pytest

from wm_ros.training.metrics import auroc, bootstrap_interval, false_veto_at_recall, psnr


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


def test_psnr_of_a_tenth_is_twenty_decibels():
    assert psnr(0.01) == pytest.approx(20.0)
    assert psnr(0.0) == float('inf')


def test_bootstrap_interval_holds_the_mean():
    low, high = bootstrap_interval(np.linspace(0, 1, 101))
    assert low < 0.5 < high
    assert high - low < 0.2
