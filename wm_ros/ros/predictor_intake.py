# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
From raw messages to the history, on the inference thread.

The main rule: nothing that comes in over the wire may raise anything but a refusal, and a refusal
is logged once, when it begins, and once when it ends.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from wm_ros.datatypes import Observation
from wm_ros.errors import ObservationError
from wm_ros.inference.history import ObservationHistory, UnusableObservation
from wm_ros.ros import conversions
from wm_ros.ros.predictor_messages import ns_to_stamp, stamp_to_ns
from wm_ros.ros.topic_rate import TopicRate

JOINTS = 'joint states'


@dataclass(slots=True)
class _Camera:
    """What is known of one camera."""

    source: str
    format: tuple[int, int, str] | None = None
    changed: str = ''
    frame_id: str = ''
    num_images: int = 0


class Intake:
    """
    Fill a history with messages; belongs to the inference thread.

    The first picture fixes a camera's size and encoding. A change later is refused until the node
    is configured again: the camera that the model judged by is no longer the one that is there.

    :param history: what to fill.
    :param size: height and width of the model's frames of one camera, px.
    :param now_ns: the clock of the stamps.
    :param logger: a ROS logger.
    """

    def __init__(self, history: ObservationHistory, size: tuple[int, int], *,
                 now_ns: Callable[[], int], logger: Any) -> None:
        self._history = history
        self._size = size
        self._now_ns = now_ns
        self._logger = logger
        names = history.config.cameras
        self._cameras = [_Camera('camera' if len(names) == 1 else f'camera {name!r}')
                         for name in names]
        # All keys from the beginning: another thread reads.
        self._refusals = dict.fromkeys([*(camera.source for camera in self._cameras), JOINTS], '')
        self.num_refused_images = 0
        self.num_refused_joints = 0
        # By receipt in this thread: what diagnostics tell of each camera and the joint states.
        self.rates = [TopicRate(camera.source) for camera in self._cameras]
        self.joint_rate = TopicRate(JOINTS)

    def take_image(self, message: Any, camera: int = 0) -> None:
        """Check, convert, shrink and store one picture of one of the model's cameras."""
        found = self._cameras[camera]
        found.num_images += 1
        self.rates[camera].see(stamp_to_ns(message.header.stamp), self._now_ns())
        try:
            self._store(message, camera)
        except ObservationError as error:
            self.num_refused_images += 1
            if not isinstance(error, UnusableObservation):
                error = self._history.refuse_image(str(error), camera)
            self._note(found.source, str(error))
        else:
            self._note(found.source, '')

    def take_joints(self, message: JointState) -> None:
        """Check and store one joint state."""
        self.joint_rate.see(stamp_to_ns(message.header.stamp), self._now_ns())
        try:
            self._history.add_joints(message.name, message.position, message.velocity,
                                     stamp_to_ns(message.header.stamp), self._now_ns())
        except UnusableObservation as error:
            self.num_refused_joints += 1
            self._note(JOINTS, str(error))
        else:
            self._note(JOINTS, '')

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
        """Say why the newest sample of a 'camera' or 'joint states' was refused; empty if not."""
        return next((text for name, text in self._refusals.items()
                     if text and name.startswith(source)), '')

    @property
    def num_images(self) -> int:
        """Pictures of the main camera that came, refused ones too."""
        return self._cameras[0].num_images

    @property
    def image_counts(self) -> tuple[int, ...]:
        """The same of each camera."""
        return tuple(camera.num_images for camera in self._cameras)

    def ages_s(self, now_ns: int) -> tuple[float, float]:
        """Give the ages of the newest frame and joint state, s; -1 before any, worst camera."""
        return self._history.image_age_s(now_ns), self._history.joint_age_s(now_ns)

    def headers(self, observation: Observation) -> tuple[Header, ...]:
        """Give for each camera its frame and the stamp of the main one's newest frame."""
        stamp = ns_to_stamp(observation.image_stamps_ns[-1])
        return tuple(Header(stamp=stamp, frame_id=camera.frame_id) for camera in self._cameras)

    def _store(self, message: Any, camera: int) -> None:
        known = self._cameras[camera]
        if known.changed:
            raise ObservationError(known.changed)
        rgb, size = conversions.image_to_small_rgb(message, *self._size)
        encoding = getattr(message, 'encoding', '') or getattr(message, 'format', '')
        found = (size[1], size[0], encoding)
        if known.format is not None and found != known.format:
            known.changed = 'camera changed from {}x{} {} to {}x{} {}; '.format(
                *known.format, *found) + 'configure the predictor again'
            raise ObservationError(known.changed)
        known.format, known.frame_id = found, message.header.frame_id
        self._history.add_image(
            rgb, stamp_to_ns(message.header.stamp), self._now_ns(),
            content=zlib.crc32(message.data), camera=camera)

    def _note(self, source: str, problem: str) -> None:
        before = self._refusals[source]
        self._refusals[source] = problem
        if problem and not before:
            self._logger.warning(f'{source} refused: {problem.removeprefix(f"{source}: ")}')
        if before and not problem:
            self._logger.info(f'{source} usable again')
