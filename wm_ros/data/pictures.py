# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Pictures as they travel in messages, without ROS.

The main rule: height, width, step and length are checked and row padding is taken away *here*,
before anything else looks at the bytes.
"""

import sys
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.picture_headers import check_picture
from wm_ros.errors import ObservationError

# bytes per channel, channels
_ENCODINGS = {
    'rgb8': (1, 3), 'bgr8': (1, 3), 'rgba8': (1, 4), 'bgra8': (1, 4),
    'mono8': (1, 1), 'mono16': (2, 1), '16UC1': (2, 1),
}

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
    row_bytes = width * item_bytes * num_channels
    if step < row_bytes:
        raise ObservationError(f'image step is {step} bytes; {width} pixels of '
                               f'{message.encoding} need at least {row_bytes}')
    if len(message.data) != step * height:
        raise ObservationError(f'image has {len(message.data)} bytes; '
                               f'step {step} x height {height} is {step * height}')
    rows = np.frombuffer(message.data, np.uint8).reshape(height, step)[:, :row_bytes]
    return RawImage(height=height, width=width, step=row_bytes, encoding=message.encoding,
                    is_bigendian=int(bool(message.is_bigendian)),
                    data=np.ascontiguousarray(rows))


def raw_to_array(raw: RawImage) -> NDArray[Any]:
    """
    Give the pixels of an unpadded image as they are encoded.

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
                               'needed (rgb8, bgr8, rgba8, bgra8, mono8, mono16)')


def array_to_rgb(pixels: NDArray[Any], encoding: str) -> NDArray[np.uint8]:
    """
    Give pixels as RGB: grey as three equal channels, alpha dropped, 16 bits rounded to 8.

    :param pixels: uint8 or uint16, (h, w) or (h, w, C), channels as encoded.
    :returns: uint8 (h, w, 3); may share memory.
    """
    if encoding == 'mono16':
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if encoding.startswith('bgr'):
        return np.ascontiguousarray(pixels[:, :, 2::-1])
    return pixels if encoding == 'rgb8' else np.ascontiguousarray(pixels[:, :, :3])


def decode_picture(data: bytes, text: str = '') -> NDArray[np.uint8]:
    """
    Decode a JPEG or PNG file.

    :param data: the file.
    :param text: the message's format field, which tells depth from pictures.
    :returns: RGB uint8 (h, w, 3).
    :raises ObservationError: naming the value that is wrong.
    """
    if 'compressedDepth' in text:
        raise ObservationError(f'image format is {text!r}, which is depth')
    check_picture(data)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ObservationError(f'compressed image of {len(data)} bytes: {error}') from error
    if bgr is None:
        raise ObservationError(f'compressed image of {len(data)} bytes cannot be decoded')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


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
