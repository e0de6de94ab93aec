# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write the MP4 files of LeRobot data sets with PyAV."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import DatasetError

# PyAV's wheels have both. H.264 is decoded everywhere; AV1 is LeRobot's own default.
CODECS = {'h264': 'libx264', 'av1': 'libsvtav1'}
# The distance of key frames, which is LeRobot's: single frames are read at random.
_GOP = 2


class VideoWriter:
    """
    Write pictures of one size, one after the other at a fixed rate.

    :param codec: one of ``CODECS``.
    :param crf: quality; lower is better and larger.
    """

    def __init__(self, path: Path, *, fps: int, size: tuple[int, int], codec: str = 'h264',
                 crf: int = 18) -> None:
        import av
        if codec not in CODECS:
            raise ValueError(f"codec is {codec!r}; allowed is one of {', '.join(CODECS)}")
        height, width = size
        path.parent.mkdir(parents=True, exist_ok=True)
        self.num_frames = self.size_bytes = 0
        self._container = av.open(str(path), 'w', format='mp4')
        options = {'crf': str(crf), 'g': str(_GOP)}
        if codec == 'av1':
            options['preset'] = '12'
            os.environ.setdefault('SVT_LOG', '1')  # it writes to stderr by itself
        self._stream = self._container.add_stream(CODECS[codec], fps, options=options)
        # A colour of every other pixel needs an even size.
        self._stream.pix_fmt = 'yuv444p' if height % 2 or width % 2 else 'yuv420p'
        self._stream.height, self._stream.width = height, width

    def add(self, rgb: NDArray[np.uint8]) -> None:
        """Add a picture, RGB uint8 (h, w, 3)."""
        import av
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format='rgb24')
        frame.pts = self.num_frames
        frame.time_base = 1 / self._stream.average_rate
        self._mux(self._stream.encode(frame))
        self.num_frames += 1

    def _mux(self, packets: Any) -> None:
        # An encoder may keep the first pictures: there may be no file yet to measure.
        self.size_bytes += sum(packet.size for packet in packets)
        self._container.mux(packets)

    def close(self) -> None:
        """Write what is left; the file is whole after it."""
        if self._container is not None:
            self._mux(self._stream.encode())
            self._container.close()
            self._container = None

    def __enter__(self) -> 'VideoWriter':
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close the file."""
        self.close()


def read_pictures(path: Path, times_s: NDArray[np.float64],
                  tolerance_s: float) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """
    Yield the pictures at some times of a video.

    :param times_s: float64 (N,), s, increasing.
    :param tolerance_s: how far a picture may be from its time.
    :returns: pairs of index into ``times_s`` and RGB uint8 (h, w, 3), in order; a time without a
        picture is left out.
    :raises DatasetError: if the file is missing or damaged, after the pictures before the damage.
    """
    import av
    wanted = 0
    try:
        for time_s, frame in _decode(path, float(times_s[0])):
            while wanted < len(times_s) and times_s[wanted] < time_s - tolerance_s:
                wanted += 1
            if wanted == len(times_s):
                return
            if abs(times_s[wanted] - time_s) <= tolerance_s:
                yield wanted, np.asarray(frame.to_ndarray(format='rgb24'), np.uint8)
                wanted += 1
            if wanted == len(times_s):
                return
    except FileNotFoundError as error:
        raise DatasetError(f'{path}: there is no such file') from error
    except (av.error.FFmpegError, IndexError) as error:
        raise DatasetError(f'{path}: not a whole video ({error}); stopped before picture '
                           f'{wanted} of the episode') from error


def _decode(path: Path, start_s: float) -> Iterator[tuple[float, Any]]:
    """Yield time and frame from the key frame before a time on."""
    import av
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        container.seek(max(0, int(start_s / stream.time_base) - 1), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield float(frame.pts * stream.time_base), frame
