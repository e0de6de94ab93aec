# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From raw messages to the history, on the inference thread.

The main rule: nothing that comes in over the wire may raise anything but a refusal, and a refusal
is logged once, when it begins, and once when it ends.
"""

import zlib
from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from wm_ros.datatypes import Observation
from wm_ros.errors import ObservationError
from wm_ros.inference.history import ObservationHistory, UnusableObservation
from wm_ros.ros import conversions
from wm_ros.ros.predictor_messages import ns_to_stamp, stamp_to_ns


class Intake:
    """
    Fill a history with messages; belongs to the inference thread.

    The first picture fixes size and encoding. A change later is refused until the node is
    configured again: the camera that the model judged by is no longer the one that is there.

    :param history: what to fill.
    :param size: height and width of the model's frames, px.
    :param now_ns: the clock of the stamps.
    :param logger: a ROS logger.
    """

    def __init__(self, history: ObservationHistory, size: tuple[int, int], *,
                 now_ns: Callable[[], int], logger: Any) -> None:
        self._history = history
        self._size = size
        self._now_ns = now_ns
        self._logger = logger
        self._format: tuple[int, int, str] | None = None
        self._changed = ''
        self._frame_id = ''
        self._refusals: dict[str, str] = {}
        self.num_images = 0
        self.num_refused_images = 0
        self.num_refused_joints = 0

    def take_image(self, message: Any) -> None:
        """Check, convert, shrink and store one picture."""
        self.num_images += 1
        try:
            self._store(message)
        except ObservationError as error:
            self.num_refused_images += 1
            if not isinstance(error, UnusableObservation):
                self._history.refuse_image(str(error))
            self._note('camera', str(error))
        else:
            self._note('camera', '')

    def take_joints(self, message: JointState) -> None:
        """Check and store one joint state."""
        try:
            self._history.add_joints(message.name, message.position, message.velocity,
                                     stamp_to_ns(message.header.stamp), self._now_ns())
        except UnusableObservation as error:
            self.num_refused_joints += 1
            self._note('joint states', str(error))
        else:
            self._note('joint states', '')

    def observe(self, now_ns: int) -> Observation:
        """
        Give the observation.

        :param now_ns: the clock of the stamps, ns.
        :raises UnusableObservation: saying what is wrong.
        """
        return self._history.observe(now_ns)

    def problem(self, now_ns: int) -> str:
        """Say why there is no observation now; empty when there is one."""
        try:
            self._history.observe(now_ns)
        except UnusableObservation as error:
            return str(error)
        return ''

    def refusal(self, source: str) -> str:
        """Say why the newest sample of 'camera' or 'joint states' was refused; empty if not."""
        return self._refusals.get(source, '')

    def ages_s(self, now_ns: int) -> tuple[float, float]:
        """Give the ages of the newest usable frame and joint state, s; -1 before any."""
        return self._history.image_age_s(now_ns), self._history.joint_age_s(now_ns)

    def header(self, observation: Observation) -> Header:
        """Give the header of the newest frame of an observation."""
        return Header(stamp=ns_to_stamp(observation.image_stamps_ns[-1]), frame_id=self._frame_id)

    def _store(self, message: Any) -> None:
        if self._changed:
            raise ObservationError(self._changed)
        rgb = conversions.image_to_rgb(message)
        encoding = getattr(message, 'encoding', '') or getattr(message, 'format', '')
        found = (rgb.shape[1], rgb.shape[0], encoding)
        if self._format is not None and found != self._format:
            self._changed = 'camera changed from {}x{} {} to {}x{} {}; '.format(
                *self._format, *found) + 'configure the predictor again'
            raise ObservationError(self._changed)
        self._format, self._frame_id = found, message.header.frame_id
        self._history.add_image(
            conversions.resize(rgb, *self._size), stamp_to_ns(message.header.stamp),
            self._now_ns(), content=zlib.crc32(message.data))

    def _note(self, source: str, problem: str) -> None:
        before = self._refusals.get(source, '')
        self._refusals[source] = problem
        if problem and not before:
            self._logger.warning(f'{source} refused: {problem}')
        if before and not problem:
            self._logger.info(f'{source} usable again')
