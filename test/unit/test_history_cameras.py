# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The observation of several cameras: which frames belong together, and whose fault it is."""

import numpy as np
import pytest

from wm_ros.datatypes import Reason
from wm_ros.inference.history import ObservationHistory, UnusableObservation
from wm_ros.inference.history_config import HistoryConfig

MS = 1_000_000
START = 5_000 * MS
FRONT, WRIST, TOP = 0, 1, 2


def history_of(*cameras, **changes):
    return ObservationHistory(HistoryConfig(joint_names=('a', 'b'), cameras=cameras, **changes))


def feed(history, camera, *ages_ms, now=START, content=None):
    """Give frames that are filled with their age in ms; 255 is the future."""
    for age in ages_ms:
        stamp, value = now - age * MS, age if age >= 0 else 255
        history.add_image(np.full((2, 3, 3), value, np.uint8), stamp, now, camera=camera,
                          content=stamp if content is None else content)


def joints(history, now=START):
    history.add_joints(('a', 'b'), (0.1, 0.2), (), now, now)


def refusal(history, now=START):
    with pytest.raises(UnusableObservation) as caught:
        history.observe(now)
    return caught.value.reason, str(caught.value)


def shown(observation):
    """Return the fill of each camera's picture at each moment."""
    assert observation.images.shape[2:] == (3, 3)
    return observation.images[:, ::2, 0, 0].tolist()


def test_pictures_stand_above_each_other_in_the_order_of_the_model():
    history = history_of('front', 'wrist', 'top')
    feed(history, TOP, 108, 9)
    feed(history, FRONT, 110, 10)
    feed(history, WRIST, 140, 100, 40, 20)
    joints(history)
    observation = history.observe(START)
    assert observation.images.shape == (2, 6, 3, 3)
    assert shown(observation) == [[110, 100, 108], [10, 20, 9]]
    # The stamps are those of the main camera.
    assert observation.image_stamps_ns == (START - 110 * MS, START - 10 * MS)


def test_a_frame_whose_partner_is_still_on_its_way_waits_for_it():
    history = history_of('front', 'wrist')
    feed(history, FRONT, 200, 100, 0)
    feed(history, WRIST, 200, 100)
    joints(history)
    assert shown(history.observe(START)) == [[200, 200], [100, 100]]
    feed(history, WRIST, 0)
    assert shown(history.observe(START)) == [[100, 100], [0, 0]]


def test_a_context_frame_without_a_partner_is_not_taken():
    history = history_of('front', 'wrist')
    feed(history, FRONT, 130, 100, 0)
    feed(history, WRIST, 170, 0)
    joints(history)
    # 100 is nearer to its time, but only 130 has a frame of the wrist within 50 ms.
    assert shown(history.observe(START)) == [[130, 170], [0, 0]]


def test_no_frame_of_the_future_is_shown():
    history = history_of('front', 'wrist')
    feed(history, FRONT, 100, 0)
    feed(history, WRIST, 130, 30, -10)
    joints(history)
    assert shown(history.observe(START))[-1] == [0, 30]


def test_each_camera_is_waited_for():
    history = history_of('front', 'wrist')
    joints(history)
    feed(history, FRONT, 100, 0)
    assert refusal(history) == (Reason.STALE_IMAGE, "camera 'wrist': no camera frame yet")
    assert history.image_age_s(START) == -1
    feed(history, WRIST, 100, 40)
    history.observe(START)
    assert history.image_age_s(START) == pytest.approx(0.04)


@pytest.mark.parametrize(('camera', 'name'), [(FRONT, 'front'), (WRIST, 'wrist')])
def test_a_camera_that_stops_is_named(camera, name):
    history = history_of('front', 'wrist')
    for each in (FRONT, WRIST):
        feed(history, each, 100, 0)
    for late in range(50, 350, 50):
        feed(history, 1 - camera, 0, now=START + late * MS)
    now = START + 301 * MS
    joints(history, now)
    assert refusal(history, now) == (
        Reason.STALE_IMAGE, f'camera {name!r}: newest frame is 0.301 s old; allowed is 0.3 s')
    assert history.image_age_s(now) == pytest.approx(0.301)


def test_cameras_that_never_meet_are_refused():
    history = history_of('front', 'wrist', slop_s=0.02)
    feed(history, FRONT, 200, 100, 0)
    feed(history, WRIST, 250, 150, 50)
    joints(history)
    assert refusal(history) == (
        Reason.STALE_IMAGE, "cameras 'front', 'wrist' have taken no frames within 0.02 s of each "
        'other for 0.3 s')


def test_a_bad_stamp_and_a_bad_picture_are_of_their_camera_until_it_sends_a_good_one():
    history = history_of('front', 'wrist')
    for each in (FRONT, WRIST):
        feed(history, each, 100, 0)
    joints(history)
    with pytest.raises(UnusableObservation, match="camera 'wrist': image has stamp 0; the driver"):
        history.add_image(np.zeros((2, 3, 3), np.uint8), 0, START, content=1, camera=WRIST)
    feed(history, FRONT, 0, now=START + 10 * MS)
    reason, text = refusal(history, START + 10 * MS)
    assert (reason, text[:16]) == (Reason.TIME_SYNC, "camera 'wrist': ")
    feed(history, WRIST, 0, now=START + 10 * MS)
    history.observe(START + 10 * MS)
    assert str(history.refuse_image('image step is 3 bytes', WRIST)) == (
        "camera 'wrist': image step is 3 bytes")
    assert refusal(history, START + 10 * MS) == (
        Reason.STALE_IMAGE, "camera 'wrist': image step is 3 bytes")


def test_one_frozen_camera_is_enough():
    history = history_of('front', 'wrist', frozen_frames=3)
    for each in (FRONT, WRIST):
        feed(history, each, 150, 50)
    for step in range(3):
        now = START + 50 * step * MS
        joints(history, now)
        history.observe(now)
        feed(history, FRONT, 0, now=now)
        feed(history, WRIST, 0, now=now, content=7)
    assert refusal(history, now) == (
        Reason.STALE_IMAGE,
        "camera 'wrist': camera is frozen: 3 equal pictures with fresh stamps")
    assert history.image_age_s(now) == pytest.approx(0.1)


def test_a_clock_that_goes_back_empties_all_cameras():
    history = history_of('front', 'wrist')
    for each in (FRONT, WRIST):
        feed(history, each, 100, 0)
    feed(history, FRONT, 100, 0, now=START - 1_000 * MS)
    assert refusal(history, START - 1_000 * MS)[1] == "camera 'wrist': no camera frame yet"


@pytest.mark.parametrize('cameras', [(), ('front', 'front')])
def test_cameras_have_names_of_their_own(cameras):
    with pytest.raises(ValueError, match='cameras are .*; name at least one, each once'):
        history_of(*cameras)
