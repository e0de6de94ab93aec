# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures as they travel in messages, without ROS.

The main rule: height, width, step and length are checked and row padding is taken away *here*,
before anything else looks at the bytes.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.picture_headers import check_picture, is_jpeg
from wm_ros.errors import ObservationError

# bytes per channel, channels
_ENCODINGS = {
    'rgb8': (1, 3), 'bgr8': (1, 3), 'rgba8': (1, 4), 'bgra8': (1, 4),
    'mono8': (1, 1), 'mono16': (2, 1), '16UC1': (2, 1),
    'uyvy': (1, 2), 'yuv422': (1, 2), 'yuyv': (1, 2), 'yuv422_yuy2': (1, 2), 'nv21': (1, 1),
}
# Brightness and colour apart, as cameras and their drivers give it; yuv422 and yuv422_yuy2 are
# older names. Two pixels share a colour, in nv21 four.
YUV = {'uyvy': cv2.COLOR_YUV2RGB_UYVY, 'yuv422': cv2.COLOR_YUV2RGB_UYVY,
       'yuyv': cv2.COLOR_YUV2RGB_YUY2, 'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2,
       'nv21': cv2.COLOR_YUV2RGB_NV21}
# Decoders can leave out detail that is thrown away afterwards anyhow.
_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4,
            2: cv2.IMREAD_REDUCED_COLOR_2}

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised here


@dataclass(frozen=True, kw_only=True, slots=True)
class RawImage:
    """The fields of sensor_msgs/Image that image libraries read, without padding."""

    height: int
    width: int
    step: int
    encoding: str
    is_bigendian: int
    data: Any


def unpadded(message: Any) -> RawImage:
    """
    Check a raw image's fields against each other and take its row padding away.

    :param message: a sensor_msgs/Image.
    :returns: the image with rows that follow each other.
    :raises ObservationError: naming the value that is wrong.
    """
    if message.encoding not in _ENCODINGS:
        raise ObservationError(f'image encoding is {message.encoding!r}; '
                               f"expected one of {', '.join(_ENCODINGS)}")
    item_bytes, num_channels = _ENCODINGS[message.encoding]
    height, width, step = message.height, message.width, message.step
    if height <= 0 or width <= 0:
        raise ObservationError(f'image is {width}x{height} pixels; expected at least 1x1')
    if message.encoding in YUV and (width % 2 or (message.encoding == 'nv21' and height % 2)):
        raise ObservationError(f'image is {width}x{height} pixels; {message.encoding} needs an '
                               'even number, as neighbours share their colour')
    row_bytes = width * item_bytes * num_channels
    # The colours of nv21 follow the brightness, in half as many rows.
    rows_sent = height * 3 // 2 if message.encoding == 'nv21' else height
    if step < row_bytes:
        raise ObservationError(f'image step is {step} bytes; {width} pixels of '
                               f'{message.encoding} need at least {row_bytes}')
    if len(message.data) != step * rows_sent:
        rows_text = f'height {height}' if rows_sent == height else f'{rows_sent} rows'
        raise ObservationError(f'image has {len(message.data)} bytes; '
                               f'step {step} x {rows_text} is {step * rows_sent}')
    rows = np.frombuffer(message.data, np.uint8).reshape(rows_sent, step)[:, :row_bytes]
    return RawImage(height=rows_sent, width=width, step=row_bytes, encoding=message.encoding,
                    is_bigendian=int(bool(message.is_bigendian)),
                    data=np.ascontiguousarray(rows))


def raw_to_array(raw: RawImage) -> NDArray[Any]:
    """
    Give the pixels of an unpadded image as they are encoded; of nv21 all rows that were sent.

    :returns: uint8 or uint16 in native byte order, (h, w) or (h, w, C).
    """
    item_bytes, num_channels = _ENCODINGS[raw.encoding]
    shape = (raw.height, raw.width, *((num_channels,) if num_channels > 1 else ()))
    if item_bytes == 1:
        return np.asarray(raw.data).reshape(shape)
    wide = np.asarray(raw.data).reshape(-1).view(np.uint16).reshape(shape)
    return wide if bool(raw.is_bigendian) == (sys.byteorder == 'big') else wide.byteswap()


def check_is_picture(encoding: str) -> None:
    """
    Refuse depth.

    :raises ObservationError: if the encoding is that of depth images.
    """
    if encoding == '16UC1':
        raise ObservationError("image encoding is '16UC1', which is depth; a camera picture is "
                               'needed (rgb8, bgr8, rgba8, bgra8, mono8, mono16, uyvy, yuyv, '
                               'nv21)')


def array_to_rgb(pixels: NDArray[Any], encoding: str) -> NDArray[np.uint8]:
    """
    Give pixels as RGB: grey as three equal channels, alpha dropped, 16 bits rounded to 8.

    :param pixels: uint8 or uint16, (h, w) or (h, w, C), channels as encoded; brightness and
        colour apart are taken as ITU-R BT.601 has them, as OpenCV and cv_bridge do.
    :returns: uint8 (h, w, 3); may share memory.
    """
    if encoding in YUV:
        return np.asarray(cv2.cvtColor(pixels, YUV[encoding]), np.uint8)
    if encoding == 'mono16':
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if encoding.startswith('bgr'):
        return np.ascontiguousarray(pixels[:, :, 2::-1])
    return pixels if encoding == 'rgb8' else np.ascontiguousarray(pixels[:, :, :3])


def decode_picture(data: bytes, text: str = '', *, at_least: tuple[int, int] | None = None
                   ) -> NDArray[np.uint8]:
    """
    Decode a JPEG or PNG file.

    :param data: the file.
    :param text: the message's format field, which tells depth from pictures.
    :param at_least: a height and width, px, that are enough: a larger JPEG is decoded at a half,
        a quarter or an eighth of its size where that leaves as much. On a simulated camera's
        pictures, scaled down afterwards, that differs by 0.2 to 0.4 of 255 on average, less than
        JPEG itself.
    :returns: RGB uint8 (h, w, 3).
    :raises ObservationError: naming the value that is wrong.
    """
    if 'compressedDepth' in text:
        raise ObservationError(f'image format is {text!r}, which is depth')
    size = check_picture(data)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), _decoding(data, size, at_least))
    except cv2.error as error:
        raise ObservationError(f'compressed image of {len(data)} bytes: {error}') from error
    if bgr is None:
        raise ObservationError(f'compressed image of {len(data)} bytes cannot be decoded')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _decoding(data: bytes, size: tuple[int, int], at_least: tuple[int, int] | None) -> int:
    if at_least is None or not is_jpeg(data):
        return cv2.IMREAD_COLOR
    # The decoder rounds up; the floor is on the safe side.
    return next((flag for share, flag in _REDUCED.items()
                 if size[0] // share >= at_least[0] and size[1] // share >= at_least[1]),
                cv2.IMREAD_COLOR)


def picture_to_rgb(message: Any) -> NDArray[np.uint8]:
    """
    Give a camera image as RGB, with numpy and OpenCV alone.

    :param message: a sensor_msgs/Image or CompressedImage (JPEG or PNG).
    :returns: uint8 (h, w, 3); may share memory with the message.
    :raises ObservationError: naming the value that is wrong.
    """
    if hasattr(message, 'format'):
        return decode_picture(bytes(message.data), message.format)
    check_is_picture(message.encoding)
    return array_to_rgb(raw_to_array(unpadded(message)), message.encoding)


def picture_to_small_rgb(message: Any, height: int, width: int, *,
                         to_array: Callable[[Any], NDArray[Any]] | None = None
                         ) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """
    Give a camera image as RGB in another size, without work on pixels that are averaged away.

    :param message: a sensor_msgs/Image or CompressedImage (JPEG or PNG).
    :param height: wanted, px.
    :param width: wanted, px.
    :param to_array: gives the pixels of a raw image as they are encoded; numpy's by default.
    :returns: uint8 (height, width, 3), always a new array, and the height and width of the
        camera's picture, px.
    :raises ObservationError: naming the value that is wrong.
    """
    if hasattr(message, 'format'):
        data = bytes(message.data)
        rgb = decode_picture(data, message.format, at_least=(height, width))
        return resize(rgb, height, width), check_picture(data)
    size = message.height, message.width
    check_is_picture(message.encoding)
    pixels = to_array(message) if to_array is not None else raw_to_array(unpadded(message))
    if message.encoding in ('bgr8', 'bgra8', 'rgba8', 'mono8'):
        # Averages of each channel by itself: the order of the two steps does not matter.
        return array_to_rgb(resize(pixels, height, width), message.encoding), size
    return resize(array_to_rgb(pixels, message.encoding), height, width), size


def resize(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """
    Scale a picture by averaging areas, as the training data was scaled.

    :param rgb: uint8 (h, w, C) or (h, w).
    :param height: new height, px.
    :param width: new width, px.
    :returns: uint8 (height, width, C) or (height, width), always a new array.
    """
    if rgb.shape[:2] == (height, width):
        return rgb.copy()
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
