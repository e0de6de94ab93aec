# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_visualizer over real DDS: draws for an audience, costs nothing without one."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from harness import Harness
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from wm_ros.msg import Prediction
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image, array_to_jpeg, image_to_rgb
from wm_ros.ros.visualizer_node import VisualizerNode

STAMP = Time(sec=5, nanosec=7)
RED, BLUE = (200, 30, 30), (30, 30, 200)


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


@pytest.fixture
def node(harness):
    return harness.add(VisualizerNode(context=harness.context))


def _picture(colour):
    return np.broadcast_to(np.array(colour, np.uint8), (72, 96, 3))


def _prediction(frames):
    return Prediction(
        header=Header(stamp=STAMP, frame_id='optical'), chunk_id=3, risk=[0.1, 0.9],
        offsets=[0.1, 0.2], frames=frames, uncertainty=[0.0, 0.0])


def test_nobody_watches_so_nothing_is_asked_for(harness, node):
    predictions = harness.publisher('wm_predictor/prediction', Prediction, qos.PREDICTION)
    harness.spin_for(0.8)
    assert predictions.get_subscription_count() == 0
    images = harness.mailbox('wm_visualizer/image', Image, qos.PREDICTED_IMAGE)
    harness.wait_matched()
    harness.close_mailbox(images)
    harness.spin_until(lambda: predictions.get_subscription_count() == 0, 5.0)


def test_the_strip_shows_what_was_seen_and_what_is_predicted(harness, node):
    images = harness.mailbox('wm_visualizer/image', Image, qos.PREDICTED_IMAGE)
    camera = harness.publisher('camera/image_raw', Image, qos.CAMERA_OUT)
    predictions = harness.publisher('wm_predictor/prediction', Prediction, qos.PREDICTION)
    harness.wait_matched()
    camera.publish(array_to_image(_picture(RED), stamp=STAMP, frame_id='optical'))
    harness.spin_until(lambda: node._frames, 5.0, 'the picture did not arrive')
    jpeg = array_to_jpeg(_picture(BLUE), stamp=STAMP, frame_id='optical')
    predictions.publish(_prediction([jpeg, jpeg]))
    image = images.expect()
    assert (image.header.stamp, image.header.frame_id) == (STAMP, 'optical')
    rgb = image_to_rgb(image).astype(int)

    def columns_of(colour):
        return np.flatnonzero((np.abs(rgb - colour).max(axis=2) < 12).sum(axis=0) > 100)

    assert len(columns_of(RED)) > 150
    assert len(columns_of(BLUE)) > 300
    assert columns_of(RED).max() < columns_of(BLUE).min()


def test_a_prediction_that_cannot_be_drawn_is_survived(harness, node):
    images = harness.mailbox('wm_visualizer/image', Image, qos.PREDICTED_IMAGE)
    predictions = harness.publisher('wm_predictor/prediction', Prediction, qos.PREDICTION)
    harness.wait_matched()
    predictions.publish(_prediction([]))
    predictions.publish(_prediction([CompressedImage(format='jpeg')] * 2))
    images.expect_none(duration_s=0.5)
    jpeg = array_to_jpeg(_picture(BLUE), stamp=STAMP, frame_id='optical')
    predictions.publish(_prediction([jpeg, jpeg]))
    images.expect()
