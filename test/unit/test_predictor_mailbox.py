# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The predictor's mailbox keeps the frames of each camera apart."""

from wm_ros.ros.predictor_mailbox import MAX_IMAGES, Mailbox


def test_a_fast_camera_does_not_push_out_the_frames_of_a_slow_one():
    mailbox = Mailbox()
    mailbox.put_image('slow', camera=1)
    for number in range(MAX_IMAGES + 3):
        mailbox.put_image(number)
    assert mailbox.dropped_images == 3
    images = mailbox.take(0.0).images
    assert [message for camera, message in images if camera == 1] == ['slow']
    assert [message for camera, message in images if camera == 0] == [*range(3, MAX_IMAGES + 3)]
    assert mailbox.take(0.0).images == ()


def test_a_frame_of_any_camera_wakes_the_reader():
    mailbox = Mailbox()
    mailbox.put_image('wrist', camera=1)
    assert mailbox.take(60.0).images == ((1, 'wrist'),)
