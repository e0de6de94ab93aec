# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Images and arrays: exact values for any size, encoding, row padding and byte order.

Needs the message classes but no graph; skipped visibly where ROS is not installed.
"""

import contextlib
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

pytest.importorskip('sensor_msgs', reason='needs the ROS message classes')

from builtin_interfaces.msg import Time  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from wm_ros.data.pictures import decode_picture  # noqa: E402
from wm_ros.errors import ObservationError  # noqa: E402
from wm_ros.ros import conversions  # noqa: E402

CHANNELS = {'rgb8': 3, 'bgr8': 3, 'rgba8': 4, 'bgra8': 4, 'mono8': 1, 'mono16': 1, '16UC1': 1}
STAMP = Time(sec=7, nanosec=5)
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
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1] + pad,
                    is_bigendian=int(is_bigendian))
    message.data = array('B', np.concatenate([rows, padding], axis=1).tobytes())
    return message, pixels


def _expected_rgb(encoding, pixels):
    if encoding == 'mono16':
        pixels = np.floor(pixels / 257 + 0.5)
    if encoding.startswith('mono'):
        return np.concatenate([pixels] * 3, axis=2)
    return pixels[:, :, [2, 1, 0] if encoding.startswith('bgr') else [0, 1, 2]]


@given(images())
def test_array_has_the_exact_values(case):
    message, pixels = case
    assert np.array_equal(conversions.image_to_array(message).reshape(pixels.shape), pixels)


@given(images(encodings=('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16')))
def test_rgb_has_the_exact_values(case):
    message, pixels = case
    rgb = conversions.image_to_rgb(message)
    assert rgb.dtype == np.uint8
    assert np.array_equal(rgb, _expected_rgb(message.encoding, pixels))


@pytest.mark.parametrize('load', [conversions._load_cv_bridge, conversions._load_rosbags])
@given(case=images())
def test_each_installed_library_gives_the_same_values(load, case):
    try:
        convert = load()
    except (ImportError, AttributeError) as error:
        pytest.skip(f'not usable here: {error}')
    if not conversions._passes_self_test(convert):
        pytest.skip('fails its self-test with the NumPy at hand')
    message, pixels = case
    chosen, conversions._convert = conversions._convert, convert
    try:
        assert np.array_equal(conversions.image_to_array(message).reshape(pixels.shape), pixels)
    finally:
        conversions._convert = chosen


@given(sizes, sizes, st.integers(0, 2**32 - 1))
def test_image_round_trip(height, width, seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    message = conversions.array_to_image(rgb, stamp=STAMP, frame_id='camera')
    assert (message.header.stamp, message.header.frame_id) == (STAMP, 'camera')
    assert np.array_equal(conversions.image_to_rgb(message), rgb)


@given(sizes, sizes, st.sampled_from([1, 3, 4]), st.integers(0, 2**32 - 1))
def test_png_has_the_exact_values(height, width, num_channels, seed):
    bgr = np.random.default_rng(seed).integers(0, 256, (height, width, num_channels), np.uint8)
    data = cv2.imencode('.png', bgr)[1].tobytes()
    rgb = conversions.image_to_rgb(CompressedImage(format='png', data=array('B', data)))
    expected = np.repeat(bgr, 3, axis=2) if num_channels == 1 else bgr[:, :, 2::-1]
    assert np.array_equal(rgb, expected)


@given(st.integers(2, 8), st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_jpeg_keeps_colours_in_their_channels(rows, columns, seed):
    colour = np.random.default_rng(seed).integers(0, 256, 3, dtype=np.uint8)
    rgb = np.broadcast_to(colour, (8 * rows, 8 * columns, 3))
    message = conversions.array_to_jpeg(rgb, stamp=STAMP, frame_id='camera', quality=95)
    decoded = conversions.image_to_rgb(message)
    assert np.abs(decoded.astype(int) - rgb).max() <= 4


# Brightness and colours of ITU-R BT.601, with 16 to 235 for black to white: Y, U, V and RGB.
_BT601 = [((16, 128, 128), (0, 0, 0)), ((235, 128, 128), (255, 255, 255)),
          ((82, 90, 240), (255, 0, 0)), ((145, 54, 34), (0, 255, 0)),
          ((41, 240, 110), (0, 0, 255)), ((126, 128, 128), (128, 128, 128))]


def make_yuv(encoding, value, height, width, pad=0):
    """Fill a message with one brightness and colour."""
    y, u, v = value
    if encoding == 'nv21':
        rows = np.full((height * 3 // 2, width), y, np.uint8)
        rows[height:] = np.tile([v, u], width // 2)
    else:
        pair = (u, y, v, y) if encoding in ('uyvy', 'yuv422') else (y, u, y, v)
        rows = np.tile(np.array(pair, np.uint8), (height, width // 2))
    rows = np.pad(rows, ((0, 0), (0, pad)), constant_values=99)
    message = Image(height=height, width=width, encoding=encoding, step=rows.shape[1])
    message.data = array('B', rows.tobytes())
    return message


@pytest.mark.parametrize('encoding', ['uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'nv21'])
@pytest.mark.parametrize(('value', 'rgb'), _BT601)
def test_brightness_and_colour_apart_become_rgb(encoding, value, rgb):
    for pad in (0, 5):
        found = conversions.image_to_rgb(make_yuv(encoding, value, 4, 6, pad))
        assert found.shape == (4, 6, 3)
        assert np.abs(found.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize(('encoding', 'size', 'text'), [
    ('yuyv', (4, 5), '5x4 pixels; yuyv needs an even number'),
    ('nv21', (3, 4), '4x3 pixels; nv21 needs an even number')])
def test_pixels_that_share_a_colour_come_in_pairs(encoding, size, text):
    message = make_yuv(encoding, (16, 128, 128), 4, 6)
    message.height, message.width = size
    with pytest.raises(ObservationError, match=text):
        conversions.image_to_rgb(message)
    message.height, message.width = 4, 6
    message.data = message.data[:-1]
    with pytest.raises(ObservationError, match=f'image has {len(message.data)} bytes'):
        conversions.image_to_rgb(message)


@given(images(encodings=('rgb8', 'bgr8', 'rgba8', 'bgra8', 'mono8', 'mono16')), sizes, sizes)
def test_small_pictures_are_the_pictures_made_small(case, height, width):
    message, pixels = case
    small, size = conversions.image_to_small_rgb(message, height, width)
    assert size == pixels.shape[:2]
    whole = conversions.resize(conversions.image_to_rgb(message), height, width)
    # Grey and colours come from the same averages, but for how OpenCV rounds one and three.
    assert np.abs(small.astype(int) - whole).max() <= 1
    assert not np.shares_memory(small, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize(('size', 'at_least', 'decoded'), [
    ((480, 640), (144, 192), (240, 320)), ((720, 1280), (144, 192), (180, 320)),
    ((480, 640), (60, 80), (60, 80)), ((480, 640), (61, 80), (120, 160)),
    ((200, 300), (144, 192), (200, 300)), ((481, 641), (240, 320), (241, 321)),
    ((480, 640), (480, 640), (480, 640))])
def test_a_large_jpeg_is_decoded_no_larger_than_needed(size, at_least, decoded):
    rows, columns = np.mgrid[:size[0], :size[1]]
    rgb = np.stack([rows % 256, columns % 256, (rows + columns) // 8 % 256], -1).astype(np.uint8)
    rgb = cv2.GaussianBlur(rgb, (0, 0), 6)
    message = conversions.array_to_jpeg(rgb, stamp=STAMP, frame_id='', quality=95)
    data = bytes(message.data)
    assert decode_picture(data, at_least=at_least).shape[:2] == decoded
    assert decode_picture(data).shape[:2] == size
    small, found = conversions.image_to_small_rgb(message, *at_least)
    assert found == size
    whole = conversions.resize(conversions.image_to_rgb(message), *at_least)
    assert np.abs(small.astype(int) - whole).mean() < 1


def test_a_png_is_decoded_whole():
    data = cv2.imencode('.png', np.zeros((480, 640, 3), np.uint8))[1].tobytes()
    assert decode_picture(data, at_least=(10, 10)).shape == (480, 640, 3)


@given(images(), st.integers(-50, 50))
def test_a_wrong_length_is_refused_by_value(case, difference):
    message, _pixels = case
    length = len(message.data) + difference
    assume(difference != 0 and length >= 0)
    message.data = array('B', bytes(length))
    with pytest.raises(ObservationError, match=f'image has {length} bytes'):
        conversions.image_to_array(message)


@given(images())
def test_a_step_shorter_than_a_row_is_refused(case):
    message, pixels = case
    row = pixels[0].size * (2 if '16' in message.encoding else 1)
    message.step = row - 1
    with pytest.raises(ObservationError, match=f'image step is {row - 1} bytes'):
        conversions.image_to_array(message)


@pytest.mark.parametrize(('change', 'text'), [
    ({'encoding': 'nv12'}, "encoding is 'nv12'"), ({'encoding': ''}, "encoding is ''"),
    ({'height': 0}, '2x0 pixels'), ({'width': 0}, '0x2 pixels'),
    ({'encoding': '16UC1', 'step': 4, 'data': array('B', bytes(8))}, 'which is depth'),
])
def test_a_malformed_image_is_refused_by_value(change, text):
    given_fields = {'height': 2, 'width': 2, 'encoding': 'rgb8', 'step': 6,
                    'data': array('B', bytes(12)), **change}
    with pytest.raises(ObservationError, match=text):
        conversions.image_to_rgb(Image(**given_fields))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@given(fraction=st.floats(0.0, 0.99))
def test_a_truncated_picture_is_refused(suffix, fraction):
    rgb = np.random.default_rng(3).integers(0, 256, (17, 19, 3), dtype=np.uint8)
    data = cv2.imencode(suffix, rgb)[1].tobytes()
    cut = data[:int(len(data) * fraction)]
    with pytest.raises(ObservationError, match='truncated|neither'):
        conversions.image_to_rgb(CompressedImage(format='x', data=array('B', cut)))


@given(st.binary(max_size=200), st.sampled_from([b'', b'\xff\xd8', b'\x89PNG\r\n\x1a\n']),
       st.sampled_from([b'', b'\xff\xd9', b'IEND\xaeB`\x82']))
@settings(max_examples=300)
def test_garbage_never_raises_anything_else(middle, start, end):
    message = CompressedImage(format='jpeg', data=array('B', start + middle + end))
    with contextlib.suppress(ObservationError):
        conversions.image_to_rgb(message)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_an_absurd_stated_size_is_refused_before_decoding(suffix):
    data = bytearray(cv2.imencode(suffix, np.zeros((11, 13, 3), np.uint8))[1].tobytes())
    at = data.index(b'IHDR') + 8 if suffix == '.png' else data.index(b'\xff\xc0') + 5
    data[at:at + 2] = b'\xff\xff'
    with pytest.raises(ObservationError, match='allowed is 1 to 8192'):
        conversions.image_to_rgb(CompressedImage(format='x', data=array('B', bytes(data))))


def test_depth_transport_is_refused():
    message = CompressedImage(format='16UC1; compressedDepth png', data=array('B', b'x'))
    with pytest.raises(ObservationError, match='compressedDepth'):
        conversions.image_to_rgb(message)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_resize_averages_areas(height, width, factor, seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height * factor, width * factor, 3), dtype=np.uint8)
    expected = rgb.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    small = conversions.resize(rgb, height, width)
    assert np.abs(small - expected).max() <= 0.5 + 1e-6
    assert not np.shares_memory(small, rgb)


def test_camera_info_is_scaled_by_hand_worked_numbers():
    info = CameraInfo(height=480, width=640, distortion_model='plumb_bob', d=[0.1] * 5)
    info.k = [600.0, 0.0, 320.0, 0.0, 660.0, 240.0, 0.0, 0.0, 1.0]
    info.p = [600.0, 0.0, 320.0, 6.4, 0.0, 660.0, 240.0, 4.8, 0.0, 0.0, 1.0, 0.0]
    scaled = conversions.scale_camera_info(info, 72, 96)
    assert np.allclose(scaled.k, [90, 0, 48, 0, 99, 36, 0, 0, 1])
    assert np.allclose(scaled.p, [90, 0, 48, 0.96, 0, 99, 36, 0.72, 0, 0, 1, 0])
    assert (scaled.height, scaled.width, list(scaled.d)) == (72, 96, [0.1] * 5)
    with pytest.raises(ObservationError, match='0x0 pixels'):
        conversions.scale_camera_info(CameraInfo(), 72, 96)
