# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Observation history: worked examples, refusals in words, frozen cameras, recovery."""

import numpy as np
import pytest

from wm_ros.datatypes import Reason
from wm_ros.inference.history import ObservationHistory, UnusableObservation
from wm_ros.inference.history_config import HistoryConfig

MS = 1_000_000
START = 5_000 * MS
IMAGE = np.zeros((2, 3, 3), np.uint8)


def _history(**changes):
    return ObservationHistory(HistoryConfig(joint_names=('a', 'b'), **changes))


def _feed(history, *ages_ms, now=START, content=None):
    for age in ages_ms:
        stamp = now - age * MS
        history.add_image(IMAGE, stamp, now, content=stamp if content is None else content)
    history.add_joints(('a', 'b'), (0.1, 0.2), (), now, now)


def _refusal(history, now=START):
    with pytest.raises(UnusableObservation) as caught:
        history.observe(now)
    return caught.value


def test_at_fifteen_hertz_the_nearest_frame_to_a_tenth_is_taken():
    history = _history()
    _feed(history, 215, 145, 77, 10)
    assert history.observe(START).image_stamps_ns == (START - 77 * MS, START - 10 * MS)


def test_three_frames_of_context():
    history = _history(context_len=3)
    _feed(history, 205, 150, 100, 50, 0)
    assert history.observe(START).image_stamps_ns == (
        START - 205 * MS, START - 100 * MS, START)


def test_a_frame_ahead_of_the_clock_waits_for_its_time():
    history = _history()
    _feed(history, 100, 90, 0, -15)
    assert history.observe(START).image_stamps_ns[-1] == START
    assert history.observe(START + 15 * MS).image_stamps_ns[-1] == START + 15 * MS


def test_the_joints_are_the_last_ones_up_to_the_newest_frame():
    history = _history()
    _feed(history, 140, 40)
    for age, value in ((65, 1.0), (41, 2.0), (39, 3.0), (0, 4.0)):
        stamp = START - age * MS
        history.add_joints(('a', 'b'), (value, 0.0), (), stamp, START)
    assert history.observe(START).joints.positions[0] == 2.0


def test_start_up_says_what_is_missing():
    history = _history()
    assert 'no camera frame yet' in str(_refusal(history))
    history.add_image(IMAGE, START, START, content=1)
    error = _refusal(history)
    assert (error.reason, str(error)) == (
        Reason.STALE_IMAGE,
        '1 of 2 frames: none within 0.05 s of 0.100 s before the newest')
    history.add_image(IMAGE, START - 100 * MS, START, content=2)
    error = _refusal(history)
    assert (error.reason, str(error)) == (Reason.STALE_JOINTS, 'no joint state yet')


@pytest.mark.parametrize(('stamp', 'text'), [
    (0, 'image has stamp 0'), (START + 30 * MS, '0.030 s in the future'),
    (START - 400 * MS, '0.400 s old when it came'),
])
def test_a_bad_image_stamp_refuses_until_a_good_frame(stamp, text):
    history = _history()
    _feed(history, 100, 0)
    with pytest.raises(UnusableObservation, match=text):
        history.add_image(IMAGE, stamp, START, content=3)
    error = _refusal(history)
    assert error.reason == Reason.TIME_SYNC
    assert text in str(error)
    history.add_image(IMAGE, START + MS, START + MS, content=4)
    history.observe(START + MS)


@pytest.mark.parametrize(('names', 'positions', 'velocities', 'text'), [
    (('a',), (1.0,), (), 'joint state lacks b; it has a'),
    (('a', 'b'), (1.0, float('nan')), (), 'not finite'),
    (('a', 'b'), (1.0, 2.0), (float('inf'), 0.0), 'not finite'),
    (('a', 'b'), (1.0,), (), '2 names, 1 positions and 0 velocities'),
    (('a', 'b'), (1.0, 2.0), (1.0,), '2 names, 2 positions and 1 velocities'),
    (('a', 'b', 'a'), (1.0, 2.0, 3.0), (), 'repeats a name'),
])
def test_a_bad_joint_state_refuses_until_a_good_one(names, positions, velocities, text):
    history = _history()
    _feed(history, 100, 0)
    with pytest.raises(UnusableObservation, match=text):
        history.add_joints(names, positions, velocities, START, START)
    error = _refusal(history)
    assert error.reason == Reason.STALE_JOINTS
    assert text in str(error)
    history.add_joints(('a', 'b'), (1.0, 2.0), (), START, START)
    history.observe(START)


def test_a_refused_picture_refuses_until_a_good_frame():
    history = _history()
    _feed(history, 100, 0)
    history.refuse_image('image step is 3 bytes')
    error = _refusal(history)
    assert (error.reason, str(error)) == (Reason.STALE_IMAGE, 'image step is 3 bytes')
    _feed(history, 0, now=START + 50 * MS)
    history.observe(START + 50 * MS)


def test_equal_pictures_with_fresh_stamps_are_a_frozen_camera():
    history = _history(frozen_frames=4)
    _feed(history, 100)
    for i in range(3):
        now = START + i * 50 * MS
        _feed(history, 0, now=now, content=7)
        history.observe(now)
    now = START + 150 * MS
    _feed(history, 0, now=now, content=7)
    error = _refusal(history, now)
    assert (error.reason, str(error)) == (
        Reason.STALE_IMAGE, 'camera is frozen: 4 equal pictures with fresh stamps')
    assert history.image_age_s(now) == pytest.approx(0.15)
    _feed(history, 0, now=now + 50 * MS, content=8)
    history.observe(now + 50 * MS)
    assert history.image_age_s(now + 50 * MS) == 0


def test_a_still_scene_without_noise_is_frozen_only_if_it_stays_equal_while_the_arm_moves():
    history = _history(frozen_frames=3, frozen_motion_rad=0.05)
    for i in range(10):
        _feed(history, 0, now=START + i * 50 * MS, content=7)
    now = START + 450 * MS
    history.observe(now)
    history.add_joints(('a', 'b'), (0.1, 0.26), (), now + 5 * MS, now + 5 * MS)
    history.observe(now + 5 * MS)
    history.add_image(IMAGE, now + 50 * MS, now + 50 * MS, content=7)
    error = _refusal(history, now + 50 * MS)
    assert error.reason == Reason.STALE_IMAGE
    assert 'camera is frozen' in str(error)


def test_the_same_stamp_again_is_no_new_frame():
    history = _history(frozen_frames=3)
    for _ in range(9):
        _feed(history, 100, 0, content=7)
    history.observe(START)


def test_ages_before_and_after_the_first_samples():
    history = _history()
    assert (history.image_age_s(START), history.joint_age_s(START)) == (-1.0, -1.0)
    _feed(history, 40)
    assert history.image_age_s(START) == pytest.approx(0.04)
    assert history.joint_age_s(START + 30 * MS) == pytest.approx(0.03)


@pytest.mark.parametrize(('change', 'text'), [
    ({'image_timeout_s': 0.0}, 'image_timeout_s is 0.0; must be above 0'),
    ({'joint_timeout_s': float('nan')}, 'joint_timeout_s is nan'),
    ({'slop_s': 0.06}, 'slop_s is 0.06; must be at most half'),
    ({'frozen_frames': 1}, 'frozen_frames is 1'), ({'max_future_s': -1.0}, 'negative'),
])
def test_no_check_can_be_switched_off(change, text):
    with pytest.raises(ValueError, match=text):
        _history(**change)
