# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The only door between sensor_msgs images and numpy.

The main rule: height, width, step and length are checked and row padding is taken away
(``wm_ros.data.pictures``) before any library sees the bytes, because the libraries at hand either
refuse padded rows or return wrong pixels for them in silence. ``BACKEND`` names the library in
use: ``cv_bridge`` where it imports and passes a self-test with the NumPy at hand, else
``rosbags-image``.
"""

import sys
from array import array
from collections.abc import Callable

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from wm_ros.data.pictures import (
    YUV,
    RawImage,
    array_to_rgb,
    check_is_picture,
    decode_picture,
    picture_to_small_rgb,
    raw_to_array,
    unpadded,
)
from wm_ros.data.pictures import resize as resize
from wm_ros.errors import ObservationError


def _load_cv_bridge() -> Callable[[RawImage], NDArray]:
    from cv_bridge import CvBridge
    bridge = CvBridge()
    return lambda raw: bridge.imgmsg_to_cv2(raw, desired_encoding='passthrough')


def _load_rosbags() -> Callable[[RawImage], NDArray]:
    from rosbags.image import image_to_cvimage
    return image_to_cvimage


def _passes_self_test(convert: Callable[[RawImage], NDArray]) -> bool:
    for order, flag in (('<', 0), ('>', 1)):
        pixels = np.array([[1, 256, 65535], [2, 512, 4660]], dtype=np.uint16)
        raw = RawImage(height=2, width=3, step=6, encoding='mono16', is_bigendian=flag,
                       data=pixels.astype(f'{order}u2').tobytes())
        if not np.array_equal(convert(raw), pixels):
            return False
    return True


def _choose_backend() -> tuple[str, Callable[[RawImage], NDArray]]:
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

    :param message: encodings rgb8 bgr8 rgba8 bgra8 mono8 mono16 16UC1 uyvy yuyv nv21, any step,
        both byte orders.
    :returns: uint8 or uint16 in native byte order, (h, w) or (h, w, C), channels as encoded; of
        nv21 all rows that were sent; may share memory with the message.
    :raises ObservationError: naming the value that is wrong.
    """
    raw = unpadded(message)
    # The libraries differ in what shape they give these; the bytes themselves are plain.
    return raw_to_array(raw) if raw.encoding in YUV else _convert(raw)


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
        return decode_picture(bytes(message.data), message.format)
    check_is_picture(message.encoding)
    return array_to_rgb(image_to_array(message), message.encoding)


def image_to_small_rgb(message: Image | CompressedImage, height: int, width: int
                       ) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """
    Give a camera image as RGB in another size, without work on pixels that are averaged away.

    :param message: a raw or a JPEG or PNG image, see ``image_to_rgb``.
    :param height: wanted, px.
    :param width: wanted, px.
    :returns: uint8 (height, width, 3), always a new array, and the height and width of the
        camera's picture, px.
    :raises ObservationError: naming the value that is wrong.
    """
    return picture_to_small_rgb(message, height, width, to_array=image_to_array)


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
