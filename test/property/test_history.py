# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Observation history: sorted whatever the order, never from the future, stale iff too old."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm_ros.datatypes import Reason
from wm_ros.inference.history import ObservationHistory, UnusableObservation
from wm_ros.inference.history_config import HistoryConfig

MS = 1_000_000
START = 5_000 * MS
CONFIG = HistoryConfig(joint_names=('a', 'b'), context_len=2, frozen_frames=10_000)


def _image(stamp_ns):
    return np.full((2, 3, 3), stamp_ns // MS % 251, np.uint8)


def _add(history, stamp_ns, now_ns):
    try:
        history.add_image(_image(stamp_ns), stamp_ns, now_ns, content=stamp_ns)
    except UnusableObservation as error:
        return error
    return None


def _good_joints(history, now_ns):
    history.add_joints(('a', 'b'), (0.1, 0.2), (), now_ns, now_ns)


@given(st.permutations(range(14)), st.integers(20, 120), st.integers(2, 4), st.integers(0, 40))
def test_any_order_of_arrival_gives_the_same_sorted_frames(order, period_ms, length, lead_ms):
    config = HistoryConfig(joint_names=('a', 'b'), context_len=length, image_timeout_s=3.0)
    now = START + 14 * period_ms * MS - lead_ms * MS
    stamps = [START + i * period_ms * MS for i in range(14) if START + i * period_ms * MS <= now]
    results = []
    for sequence in (range(len(stamps)), [i for i in order if i < len(stamps)]):
        history = ObservationHistory(config)
        for i in sequence:
            assert _add(history, stamps[i], now) is None
        _good_joints(history, now)
        try:
            results.append(history.observe(now))
        except UnusableObservation as error:
            results.append(error)
    first, second = results
    if isinstance(first, UnusableObservation):
        assert str(first) == str(second)
        return
    assert first.image_stamps_ns == second.image_stamps_ns == tuple(sorted(first.image_stamps_ns))
    assert np.array_equal(first.images, second.images)
    assert first.images.shape == (length, 2, 3, 3)
    for stamp, image in zip(first.image_stamps_ns, first.images, strict=True):
        assert np.array_equal(image, _image(stamp))
    for k, stamp in enumerate(first.image_stamps_ns[::-1]):
        assert abs(stamp - (stamps[-1] - k * 100 * MS)) <= 50 * MS


@given(st.lists(st.tuples(st.integers(-50, 400), st.integers(0, 60)), max_size=30),
       st.integers(0, 500))
def test_never_newer_than_now_and_never_older_than_the_limit(arrivals, wait_ms):
    history, now = ObservationHistory(CONFIG), START
    for age_ms, step_ms in arrivals:
        now += step_ms * MS
        _add(history, now - age_ms * MS, now)
        _good_joints(history, now)
    now += wait_ms * MS
    try:
        observation = history.observe(now)
    except UnusableObservation:
        return
    assert observation.image_stamps_ns[-1] <= now
    assert now - observation.image_stamps_ns[-1] <= 300 * MS
    assert observation.joints.stamp_ns <= now


@given(st.integers(0, 600), st.integers(0, 400))
def test_stale_iff_older_than_the_limit(image_age_ms, joint_age_ms):
    history, now = ObservationHistory(CONFIG), START
    frame, joints = now - image_age_ms * MS, now - joint_age_ms * MS
    events = [(frame - 100 * MS, 'image'), (frame, 'image'), (joints, 'joints')]
    for stamp, kind in sorted(events):
        if kind == 'image':
            assert _add(history, stamp, stamp) is None
        else:
            _good_joints(history, stamp)
    reason = Reason.NONE
    try:
        history.observe(now)
    except UnusableObservation as error:
        reason = error.reason
    if image_age_ms > 300:
        assert reason == Reason.STALE_IMAGE
    elif joint_age_ms > 200:
        assert reason == Reason.STALE_JOINTS
    else:
        assert reason == Reason.NONE


@given(st.permutations(['a', 'b', 'x', 'y']), st.booleans())
def test_joints_are_found_by_name(names, has_velocities):
    values = {'a': 1.5, 'b': -2.5, 'x': 7.0, 'y': 8.0}
    history = ObservationHistory(CONFIG)
    for stamp in (START - 100 * MS, START):
        _add(history, stamp, START)
    positions = [values[name] for name in names]
    history.add_joints(names, positions, [10 * v for v in positions] if has_velocities else [],
                       START, START)
    joints = history.observe(START).joints
    assert joints.names == ('a', 'b')
    assert joints.positions.tolist() == [1.5, -2.5]
    assert joints.velocities.tolist() == ([15.0, -25.0] if has_velocities else [0.0, 0.0])


@given(st.lists(st.sampled_from(['a', 'b', 'c']), max_size=4),
       st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4),
       st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=4),
       st.integers(-2**63, 2**63 - 1))
def test_whatever_the_joint_state_nothing_else_is_raised(names, positions, velocities, stamp):
    history = ObservationHistory(CONFIG)
    error = None
    try:
        history.add_joints(names, positions, velocities, stamp, START)
    except UnusableObservation as caught:
        error = caught
    if error is None:
        assert {'a', 'b'} <= set(names)
    else:
        assert error.reason in (Reason.STALE_JOINTS, Reason.TIME_SYNC)


@given(st.integers(-2**63, 2**63 - 1))
def test_only_plausible_stamps_enter(stamp):
    history = ObservationHistory(CONFIG)
    error = _add(history, stamp, START)
    is_good = START - 300 * MS <= stamp <= START + 20 * MS
    assert (error is None) == is_good
    assert error is None or error.reason == Reason.TIME_SYNC


@settings(max_examples=20)
@given(st.integers(1, 10_000))
def test_memory_is_bounded(rate_ms):
    history = ObservationHistory(HistoryConfig(joint_names=('a', 'b'), image_timeout_s=10.0))
    for i in range(200):
        now = START + i * rate_ms * MS
        _add(history, now, now)
        _good_joints(history, now)
    assert len(history._cameras[0]) <= 128
    assert len(history._joints) <= 512


@pytest.mark.parametrize('jump_ms', [21, 100, 10_000])
def test_a_clock_that_goes_back_empties_the_history(jump_ms):
    history = ObservationHistory(CONFIG)
    for stamp in (START - 100 * MS, START):
        _add(history, stamp, START)
    _good_joints(history, START)
    history.observe(START)
    with pytest.raises(UnusableObservation, match='no camera frame yet'):
        history.observe(START - jump_ms * MS)
