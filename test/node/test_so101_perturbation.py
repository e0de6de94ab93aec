# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pictures of the running simulation go wrong by parameter, and come right again."""

import numpy as np
import pytest
from harness import Harness
from rcl_interfaces.msg import Parameter as ParameterMessage
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from wm_ros.ros import qos
from wm_ros.ros.conversions import image_to_rgb
from wm_ros.ros.so101_sim import So101SimNode

# In a picture of the front camera: table in the foreground.
TABLE_ROWS = slice(440, 480)
STILL = 0.3


class Watched:
    """The simulation, its parameter service and its pictures."""

    def __init__(self, harness):
        self.harness = harness
        harness.add(So101SimNode(
            context=harness.context, parameter_overrides=[Parameter('seed', value=3)]))
        self.images = harness.mailbox('/camera/image_raw', Image, qos.CAMERA_IN)
        harness.wait_matched(10.0)
        self.before = image_to_rgb(self.images.expect(timeout_s=15.0)).astype(int)

    def set(self, **values):
        """Set parameters as ``ros2 param set`` does; returns the results."""
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        assert all(isinstance(item, ParameterMessage) for item in request.parameters)
        return self.harness.call(SetParameters, '/so101_sim/set_parameters', request).results

    def expect(self, condition):
        """Wait for a picture that meets a condition; the encoding never changes."""
        message = self.images.expect(
            lambda m: condition(image_to_rgb(m).astype(int)), timeout_s=15.0)
        assert message.encoding == 'rgb8'


@pytest.fixture
def watched():
    with Harness() as harness:
        yield Watched(harness)


def difference(one, two):
    return np.abs(one - two).mean()


CHANGES = {
    'moved': ({'camera_offset_m': [0.02, 0.0, 0.0]}, {'camera_offset_m': [0.0, 0.0, 0.0]},
              lambda image, before: difference(image, before) > 1.0),
    'turned': ({'camera_turn_deg': [0.0, 3.0, 0.0]}, {'camera_turn_deg': [0.0, 0.0, 0.0]},
               lambda image, before: difference(image, before) > 3.0),
    'swapped': ({'swap_red_blue': True}, {'swap_red_blue': False},
                lambda image, before: difference(image[..., ::-1], before) < STILL),
    'dimmed': ({'light_factor': 0.5}, {'light_factor': 1.0}, lambda image, before: (
        abs(image[TABLE_ROWS].mean() / before[TABLE_ROWS].mean() - 0.5) < 0.02)),
}


@pytest.mark.parametrize('name', CHANGES)
def test_a_change_shows_in_the_next_pictures_and_can_be_undone(watched, name):
    change, undo, shows = CHANGES[name]
    assert not shows(watched.before, watched.before)
    assert [result.successful for result in watched.set(**change)] == [True]
    watched.expect(lambda image: shows(image, watched.before))
    assert [result.successful for result in watched.set(**undo)] == [True]
    watched.expect(lambda image: difference(image, watched.before) < STILL)


def test_a_wrong_value_is_refused_and_changes_nothing(watched):
    results = watched.set(camera_offset_m=[0.02, 0.0])
    assert not results[0].successful
    assert 'camera_offset_m is [0.02, 0.0]; expected three numbers' in results[0].reason
    results = watched.set(light_factor=9.0)
    assert not results[0].successful
    assert 'light_factor' in results[0].reason
    watched.images.clear()
    watched.expect(lambda image: difference(image, watched.before) < STILL)
