# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The last moments of one camera, and whether it can be trusted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Reason
from wm_ros.errors import ObservationError
from wm_ros.inference.history_config import HistoryConfig

NS_PER_S = 1_000_000_000
_MAX_FRAMES = 128


class UnusableObservation(ObservationError):
    """
    A sample was refused, or the history cannot give an observation now.

    :param reason: for the verdict.
    :param message: names the value that is wrong.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class CameraHistory:
    """
    A bounded history of one camera's small frames; not thread-safe.

    :param config: its limits.
    :param label: begins each message, to tell several cameras apart.
    """

    def __init__(self, config: HistoryConfig, label: str = '') -> None:
        self._config, self._label = config, label
        # A frame of another camera may lie a slop before the oldest frame of the context.
        slop_s = config.slop_s * (2 if len(config.cameras) > 1 else 1)
        self._span_ns = ns(config.step_s * (config.context_len - 1) + slop_s
                           + config.image_timeout_s + config.max_future_s)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._frames: dict[int, NDArray[np.uint8]] = {}
        self.problem: UnusableObservation | None = None
        self._content: int | None = None
        self._num_equal = 0
        self._equal_since_ns = 0
        self._equal_joints: NDArray[np.float64] | None = None
        self._equal_motion_rad = 0.0

    def __len__(self) -> int:
        """Return the number of frames that are kept."""
        return len(self._frames)

    def __getitem__(self, stamp_ns: int) -> NDArray[np.uint8]:
        """Return the frame of a stamp."""
        return self._frames[stamp_ns]

    def add(self, image: NDArray[np.uint8], stamp_ns: int, now_ns: int, *, content: int,
            joints: Sequence[JointSample]) -> None:
        """
        Take a frame, in any order of stamps.

        :param image: uint8 RGB (h, w, 3); kept, not copied.
        :param content: hash of the picture before it was resized.
        :param joints: the last joint states, oldest first.
        :raises UnusableObservation: TIME_SYNC for a zero, future or old stamp.
        """
        try:
            check_stamp('image', stamp_ns, now_ns, self._config.image_timeout_s,
                        self._config.max_future_s)
        except UnusableObservation as error:
            self.problem = self._error(error.reason, str(error))
            raise self.problem from error
        if stamp_ns > max(self._frames, default=0):
            self._watch_content(content, stamp_ns, joints)
        self.problem = None
        self._frames[stamp_ns] = image
        newest = max(self._frames)
        kept = sorted(s for s in self._frames if s >= newest - self._span_ns)[-_MAX_FRAMES:]
        self._frames = {stamp: self._frames[stamp] for stamp in kept}

    def refuse(self, message: str) -> UnusableObservation:
        """Note that a frame came which nobody can use; it counts until a good one."""
        self.problem = self._error(Reason.STALE_IMAGE, message)
        return self.problem

    def stamps(self, now_ns: int) -> list[int]:
        """Return the stamps up to now, ns, oldest first."""
        return sorted(stamp for stamp in self._frames if stamp <= now_ns)

    def fresh_stamps(self, now_ns: int) -> list[int]:
        """
        Return the stamps up to now, ns, oldest first.

        :raises UnusableObservation: STALE_IMAGE if there is none or the newest is too old.
        """
        stamps = self.stamps(now_ns)
        if not stamps:
            raise self._error(Reason.STALE_IMAGE, 'no camera frame yet')
        age_s = (now_ns - stamps[-1]) / NS_PER_S
        if age_s > self._config.image_timeout_s:
            raise self._error(Reason.STALE_IMAGE, f'newest frame is {age_s:.3f} s old; '
                              f'allowed is {self._config.image_timeout_s} s')
        return stamps

    def check_frozen(self) -> None:
        """Refuse equal pictures with fresh stamps. Raise UnusableObservation, STALE_IMAGE."""
        if self._is_frozen():
            raise self._error(Reason.STALE_IMAGE, f'camera is frozen: {self._num_equal} '
                              'equal pictures with fresh stamps')

    def age_s(self, now_ns: int) -> float:
        """
        Tell the age of the newest frame that shows something new, -1 before any.

        :returns: s; for a frozen camera it counts from the first of the equal pictures.
        """
        if not self._frames:
            return -1.0
        newest = self._equal_since_ns if self._is_frozen() else max(self._frames)
        return max(0.0, (now_ns - newest) / NS_PER_S)

    def _error(self, reason: Reason, message: str) -> UnusableObservation:
        return UnusableObservation(reason, self._label + message)

    def _watch_content(self, content: int, stamp_ns: int, joints: Sequence[JointSample]) -> None:
        if content != self._content:
            self._content, self._num_equal, self._equal_since_ns = content, 0, stamp_ns
            self._equal_joints, self._equal_motion_rad = None, 0.0
        self._num_equal += 1
        # Joints as they were when the picture was taken: newer ones may have begun to move.
        before = [sample for sample in joints if sample.stamp_ns <= stamp_ns]
        if not before:
            return
        if self._equal_joints is None:
            self._equal_joints = before[-1].positions
        moved = float(np.max(np.abs(before[-1].positions - self._equal_joints)))
        self._equal_motion_rad = max(moved, self._equal_motion_rad)

    def _is_frozen(self) -> bool:
        return (self._num_equal >= self._config.frozen_frames
                and self._equal_motion_rad >= self._config.frozen_motion_rad)


def check_stamp(what: str, stamp_ns: int, now_ns: int, limit_s: float, max_future_s: float
                ) -> None:
    """Refuse a stamp that is zero, of the future or old. Raise UnusableObservation, TIME_SYNC."""
    age_s = (now_ns - stamp_ns) / NS_PER_S
    if stamp_ns <= 0:
        raise UnusableObservation(Reason.TIME_SYNC, f'{what} has stamp {stamp_ns}; the driver '
                                  'must stamp it')
    if age_s < -max_future_s:
        raise UnusableObservation(Reason.TIME_SYNC, f'{what} is stamped {-age_s:.3f} s in the '
                                  f'future; allowed is {max_future_s} s')
    if age_s > limit_s:
        raise UnusableObservation(Reason.TIME_SYNC, f'{what} was {age_s:.3f} s old when it '
                                  f'came; allowed is {limit_s} s')


def ns(seconds: float) -> int:
    """Return seconds as whole ns."""
    return round(seconds * NS_PER_S)
