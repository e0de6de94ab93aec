# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Look at the headers of JPEG and PNG bytes before a decoder may.

The main rule: a picture that states an absurd size or is cut short is refused here. A decoder
would reserve gigabytes for the first and fill the second with grey and report success.
"""

import struct

from wm_ros.errors import ObservationError

MAX_SIDE_PX = 8192

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA


def is_jpeg(data: bytes) -> bool:
    """Tell whether bytes begin as a JPEG does."""
    return data.startswith(_JPEG_START)


def check_picture(data: bytes) -> tuple[int, int]:
    """
    Refuse bytes that are no JPEG or PNG, are truncated, or state an absurd size.

    :param data: the whole picture; trailing zero bytes are allowed.
    :returns: stated height and width, px.
    :raises ObservationError: naming the value that is wrong.
    """
    if data.startswith(_JPEG_START):
        kind, end, measure = 'JPEG', _JPEG_END, _jpeg_size
    elif data.startswith(_PNG_START):
        kind, end, measure = 'PNG', _PNG_END, _png_size
    else:
        raise ObservationError(f'compressed image is neither JPEG nor PNG; it begins with '
                               f'{data[:8]!r}')
    if not data[-64:].rstrip(b'\0').endswith(end):
        raise ObservationError(f'{kind} image of {len(data)} bytes is truncated: its end mark is '
                               'missing')
    try:
        height, width = measure(data)
    except (struct.error, IndexError) as error:
        raise ObservationError(f'{kind} image of {len(data)} bytes has a broken header') from error
    if not (0 < height <= MAX_SIDE_PX and 0 < width <= MAX_SIDE_PX):
        raise ObservationError(f'{kind} image states {width}x{height} pixels; '
                               f'allowed is 1 to {MAX_SIDE_PX}')
    return height, width


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments to the frame header. Source: ITU-T T.81, annex B.2."""
    position = 2
    while True:
        if data[position] != 0xFF:
            raise IndexError(position)
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker in _JPEG_FRAME_MARKERS:
            return struct.unpack_from('>HH', data, position + 5)
        if marker == _JPEG_SCAN:
            raise IndexError(position)
        position += 2 + max(2, struct.unpack_from('>H', data, position + 2)[0])


def _png_size(data: bytes) -> tuple[int, int]:
    """Check that every chunk lies inside the file. Source: ISO/IEC 15948, clause 5.3."""
    if data[12:16] != b'IHDR':
        raise IndexError(12)
    width, height = struct.unpack_from('>II', data, 16)
    position = len(_PNG_START)
    while data[position + 4:position + 8] != b'IEND':
        position += 12 + struct.unpack_from('>I', data, position)[0]
        if position + 12 > len(data):
            raise IndexError(position)
    return height, width
