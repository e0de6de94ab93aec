# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The only door between sensor_msgs images and numpy.

The main rule: height, width, step and length are checked and row padding is taken away *here*,
before any library sees the bytes, because the libraries at hand either refuse padded rows or
return wrong pixels for them in silence. ``BACKEND`` names the library in use: ``cv_bridge`` where
it imports and passes a self-test with the NumPy at hand, else ``rosbags-image``.
"""

import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from wm_ros.errors import ObservationError
from wm_ros.ros.picture_headers import check_picture

# bytes per channel, channels
_ENCODINGS = {
    'rgb8': (1, 3), 'bgr8': (1, 3), 'rgba8': (1, 4), 'bgra8': (1, 4),
    'mono8': (1, 1), 'mono16': (2, 1), '16UC1': (2, 1),
}

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # errors are raised here


@dataclass(frozen=True, kw_only=True, slots=True)
class _RawImage:
    """The fields of sensor_msgs/Image that the libraries read, without padding."""

    height: int
    width: int
    step: int
    encoding: str
    is_bigendian: int
    data: Any


def _load_cv_bridge() -> Callable[[_RawImage], NDArray]:
    from cv_bridge import CvBridge
    bridge = CvBridge()
    return lambda raw: bridge.imgmsg_to_cv2(raw, desired_encoding='passthrough')


def _load_rosbags() -> Callable[[_RawImage], NDArray]:
    from rosbags.image import image_to_cvimage
    return image_to_cvimage


def _passes_self_test(convert: Callable[[_RawImage], NDArray]) -> bool:
    for order, flag in (('<', 0), ('>', 1)):
        pixels = np.array([[1, 256, 65535], [2, 512, 4660]], dtype=np.uint16)
        raw = _RawImage(height=2, width=3, step=6, encoding='mono16', is_bigendian=flag,
                        data=pixels.astype(f'{order}u2').tobytes())
        if not np.array_equal(convert(raw), pixels):
            return False
    return True


def _choose_backend() -> tuple[str, Callable[[_RawImage], NDArray]]:
    problems = []
    for name, load in (('cv_bridge', _load_cv_bridge), ('rosbags-image', _load_rosbags)):
        try:
            convert = load()
            if _passes_self_test(convert):
                return name, convert
            problems.append(f'{name}: wrong pixels in the self-test')
        except (ImportError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            problems.append(f'{name}: {error}')
    raise ImportError('no usable image converter; install cv_bridge (apt) or '
                      f"rosbags-image (pip). Tried {'; '.join(problems)}")


BACKEND, _convert = _choose_backend()


def image_to_array(message: Image) -> NDArray:
    """
    Give the pixels of a raw image as they are encoded.

    :param message: encodings rgb8 bgr8 rgba8 bgra8 mono8 mono16 16UC1, any step, both byte orders.
    :returns: uint8 or uint16 in native byte order, (h, w) or (h, w, C), channels as encoded; may
        share memory with the message.
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
    raw = _RawImage(height=height, width=width, step=row_bytes, encoding=message.encoding,
                    is_bigendian=int(bool(message.is_bigendian)),
                    data=np.ascontiguousarray(rows))
    return _convert(raw)


def image_to_rgb(message: Image | CompressedImage) -> NDArray[np.uint8]:
    """
    Give a camera image as RGB.

    Grey becomes three equal channels, alpha is dropped, 16 bits are rounded to 8. 16UC1 is depth,
    not a picture, and is refused.

    :param message: a raw or a JPEG or PNG image.
    :returns: uint8 (h, w, 3), RGB; may share memory with the message.
    :raises ObservationError: naming the value that is wrong.
    """
    if hasattr(message, 'format'):
        return _decode(message)
    if message.encoding == '16UC1':
        raise ObservationError("image encoding is '16UC1', which is depth; a camera picture is "
                               'needed (rgb8, bgr8, rgba8, bgra8, mono8, mono16)')
    pixels = image_to_array(message)
    if message.encoding == 'mono16':
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    if message.encoding.startswith('bgr'):
        return np.ascontiguousarray(pixels[:, :, 2::-1])
    return pixels if message.encoding == 'rgb8' else np.ascontiguousarray(pixels[:, :, :3])


def _decode(message: CompressedImage) -> NDArray[np.uint8]:
    data = bytes(message.data)
    if 'compressedDepth' in message.format:
        raise ObservationError(f'image format is {message.format!r}, which is depth')
    check_picture(data)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise ObservationError(f'compressed image of {len(data)} bytes: {error}') from error
    if bgr is None:
        raise ObservationError(f'compressed image of {len(data)} bytes cannot be decoded')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def resize(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """
    Scale a picture by averaging areas, as the training data was scaled.

    :param rgb: uint8 (h, w, 3).
    :param height: new height, px.
    :param width: new width, px.
    :returns: uint8 (height, width, 3), always a new array.
    """
    if rgb.shape[:2] == (height, width):
        return rgb.copy()
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)


def array_to_image(rgb: NDArray[np.uint8], *, stamp: Time, frame_id: str) -> Image:
    """
    Make an rgb8 message.

    :param rgb: uint8 (h, w, 3).
    :param stamp: for the header.
    :param frame_id: for the header.
    :returns: the message, without row padding.
    """
    height, width = rgb.shape[:2]
    message = Image(height=height, width=width, encoding='rgb8', step=3 * width,
                    is_bigendian=int(sys.byteorder == 'big'))
    message.header.stamp, message.header.frame_id = stamp, frame_id
    # An array is taken as it is; bytes would be checked one by one, 0.1 s for a 640x480 picture.
    message.data = array('B', np.ascontiguousarray(rgb).tobytes())
    return message


def array_to_jpeg(rgb: NDArray[np.uint8], *, stamp: Time, frame_id: str,
                  quality: int = 90) -> CompressedImage:
    """
    Make a JPEG message.

    :param rgb: uint8 (h, w, 3).
    :param stamp: for the header.
    :param frame_id: for the header.
    :param quality: 1 to 100.
    :returns: the message; its format is what image_transport writes.
    """
    _ok, data = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR),
                             [cv2.IMWRITE_JPEG_QUALITY, quality])
    message = CompressedImage(format='rgb8; jpeg compressed bgr8')
    message.header.stamp, message.header.frame_id = stamp, frame_id
    message.data = array('B', data.tobytes())
    return message


def scale_camera_info(info: CameraInfo, height: int, width: int) -> CameraInfo:
    """
    Fit a camera's calibration to a resized picture.

    :param info: calibration of the full picture.
    :param height: height of the resized picture, px.
    :param width: width of the resized picture, px.
    :returns: a new message with K and P scaled; distortion does not depend on the size.
    :raises ObservationError: if the calibration states no size.
    """
    if info.height <= 0 or info.width <= 0:
        raise ObservationError(f'camera_info is for {info.width}x{info.height} pixels')
    x, y = width / info.width, height / info.height
    scaled = CameraInfo(header=info.header, height=height, width=width, d=info.d, r=info.r,
                        distortion_model=info.distortion_model)
    scaled.k = np.asarray(info.k) * np.repeat([x, y, 1.0], 3)
    scaled.p = np.asarray(info.p) * np.repeat([x, y, 1.0], 4)
    return scaled
