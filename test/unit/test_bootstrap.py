# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Intervals come from resampling whole episodes, never windows."""

import numpy as np
import pytest

from wm_ros.training.bootstrap import bootstrap, group_rows


def test_groups_keep_their_rows():
    rows = group_rows(np.array([7, 3, 7, 3, 3]))
    assert [part.tolist() for part in rows] == [[1, 3, 4], [0, 2]]
    assert group_rows(np.zeros(0, int)) == []


def test_one_episode_has_no_spread_however_many_windows_it_has():
    values = np.arange(100.0)
    found = bootstrap(lambda rows: {'mean': values[rows].mean()}, np.zeros(100, int))
    assert found == {'mean': [49.5, 49.5]}


def test_two_episodes_are_drawn_whole():
    # Episodes of zeros and of ones: a draw has mean 0, 1/2 or 1, never anything else.
    values = np.repeat([0.0, 1.0], 50)
    seen = set()

    def figures(rows):
        seen.add(float(values[rows].mean()))
        return {'mean': values[rows].mean()}

    found = bootstrap(figures, np.repeat([0, 1], 50), repeats=200)
    assert seen == {0.0, 0.5, 1.0}
    assert found == {'mean': [0.0, 1.0]}


def test_the_interval_is_as_wide_as_the_theory_says():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, 400)
    low, high = bootstrap(lambda rows: {'mean': values[rows].mean()}, np.arange(400))['mean']
    # A mean of 400 standard normals: +- 1.96 / 20.
    assert high - low == pytest.approx(2 * 1.96 / 20, rel=0.15)
    assert low < values.mean() < high


def test_lists_get_a_list_for_each_end_and_infinities_stay():
    def figures(rows):
        return {'steps': np.array([1.0, np.inf, np.nan]), 'none': np.nan}

    found = bootstrap(figures, np.arange(4), repeats=10)
    low, high = found['steps']
    assert low[:2] == high[:2] == [1.0, np.inf]
    assert np.isnan(low[2])
    assert np.isnan(found['none']).all()
    assert bootstrap(figures, np.zeros(0, int)) == {}


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(30.0)

    def ends(seed):
        return bootstrap(lambda rows: {'m': values[rows].mean()}, np.arange(30), repeats=50,
                         seed=seed)['m']

    assert ends(1) == ends(1)
    assert ends(1) != ends(2)
