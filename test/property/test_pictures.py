# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures out of messages without ROS: exact values for any size, encoding and padding."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.data.pictures import picture_to_rgb, raw_to_array, unpadded
from wm_ros.errors import ObservationError

CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, 'mono16': 1, '16UC1': 1}
sizes = st.integers(1, 23)


@st.composite
def images(draw, encodings=tuple(CHANNELS)):
    """Draw a message and the array (h, w, C) that it encodes."""
    encoding = draw(st.sampled_from(encodings))
    height, width, pad = draw(sizes), draw(sizes), draw(st.integers(0, 9))
    is_bigendian = draw(st.booleans())
    is_wide = encoding in ('mono16', '16UC1')
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pixels = rng.integers(0, 65536 if is_wide else 256, (height, width, CHANNELS[encoding]))
    wire = pixels.astype(f"{'>' if is_bigendian else '<'}u{2 if is_wide else 1}")
    rows = wire.reshape(height, -1).view(np.uint8)
    padding = rng.integers(0, 256, (height, pad), dtype=np.uint8)
    data = np.concatenate([rows, padding], axis=1).reshape(-1)
    return SimpleNamespace(height=height, width=width, encoding=encoding,
                           step=rows.shape[1] + pad, is_bigendian=int(is_bigendian),
                           data=data), pixels


@given(images())
def test_array_has_the_exact_values(case):
    message, pixels = case
    array = raw_to_array(unpadded(message))
    assert np.array_equal(array.reshape(pixels.shape), pixels)
    assert array.dtype.isnative


@given(images(encodings=('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16')))
def test_rgb_has_the_exact_values(case):
    message, pixels = case
    if message.encoding == 'mono16':
        pixels = np.floor(pixels / 257 + 0.5)
    if message.encoding.startswith('mono'):
        expected = np.concatenate([pixels] * 3, axis=2)
    else:
        expected = pixels[:, :, [2, 1, 0] if message.encoding.startswith('bgr') else [0, 1, 2]]
    rgb = picture_to_rgb(message)
    assert rgb.dtype == np.uint8
    assert np.array_equal(rgb, expected)


@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_png_has_the_exact_values(height, width, seed):
    bgr = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    message = SimpleNamespace(format='png', data=cv2.imencode('.png', bgr)[1].reshape(-1))
    assert np.array_equal(picture_to_rgb(message), bgr[:, :, ::-1])


@pytest.mark.parametrize(('change', 'text'), [
    ({'encoding': 'nv12'}, "encoding is 'nv12'"), ({'step': 5}, 'image step is 5 bytes'),
    ({'data': np.zeros(11, np.uint8)}, 'image has 11 bytes'), ({'height': 0}, '2x0 pixels'),
    ({'encoding': '16UC1', 'step': 6}, 'which is depth'),
])
def test_a_malformed_image_is_refused_by_value(change, text):
    given_fields = {'height': 2, 'width': 2, 'encoding': 'rgb8', 'step': 6, 'is_bigendian': 0,
                    'data': np.zeros(12, np.uint8), **change}
    with pytest.raises(ObservationError, match=text):
        picture_to_rgb(SimpleNamespace(**given_fields))
