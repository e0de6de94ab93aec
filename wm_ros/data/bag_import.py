# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Make episodes of a rosbag2 bag, as the recorder makes them of a live graph.

Messages are taken in the order of their recording. What cannot be used is left out and told; the
rest is kept.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from wm_ros.data.bag_reader import Bag, BagMessage, open_bag
from wm_ros.data.bag_topics import (
    ARRAY_TYPE,
    BOOL_TYPE,
    BagOptions,
    Topics,
    choose_topics,
)
from wm_ros.data.episode import Episode
from wm_ros.data.hazard_labels import Event, at_events, label
from wm_ros.data.messages import array_to_trajectory, message_to_trajectory, stamp_to_ns
from wm_ros.data.picture_headers import check_picture
from wm_ros.data.pictures import picture_to_rgb
from wm_ros.data.problems import Problems
from wm_ros.data.recording import HAZARD_KINDS, Recording
from wm_ros.errors import DatasetError, ObservationError

# One frame shows no motion, one sample no speed.
MIN_LENGTH = 2
# Stamps and times of recording that are this close are of one clock.
SAME_CLOCK_NS = 500_000_000


def import_bag(path: Path, options: BagOptions, problems: Problems) -> Iterator[Episode]:
    """
    Yield the episodes of a bag, each as soon as it is read.

    :param path: a rosbag2 directory, an .mcap or a .db3 file.
    :param problems: is told what was left out.
    :raises DatasetError: if the bag or a topic that it needs is missing.
    """
    bag = open_bag(path)
    topics = choose_topics(bag, options)
    intake = _Intake(bag, topics, options, problems)
    made = 0
    for message in bag.messages(intake.topics):
        for episode in intake.take(message):
            made += 1
            yield episode
    for episode in intake.finish():
        made += 1
        yield episode
    for text in bag.problems:
        problems.add(text, text)
    if not made:
        raise DatasetError('; '.join([f'{path}: no episode in it', *problems.lines()]))


class _Intake:
    """Fills one recording after the other from the messages of a bag."""

    def __init__(self, bag: Bag, topics: Topics, options: BagOptions,
                 problems: Problems) -> None:
        self._bag, self._options, self._problems = bag, options, problems
        self._said = topics.said
        self._camera = topics.camera
        self._recording = Recording(
            max_width_px=options.max_width_px, extra_cameras=tuple(topics.extra_cameras),
            hazard_kinds=tuple(topics.said.get('hazard_kinds', HAZARD_KINDS)))
        self._is_running = not options.split_topic
        self._sizes: dict[str, tuple[int, int]] = {}
        self._events: dict[str, list[Event]] = {topic: [] for topic, _ in options.events}
        self._made = 0
        self._last_joint_ns: int | None = None
        self._takers: dict[str, list[Callable[[BagMessage, Any], Iterator[Episode]]]] = {}
        takers: list[tuple[str, Callable[[BagMessage, Any], Iterator[Episode]]]] = [
            *((topic, self._take_event) for topic in self._events),
            (options.split_topic, self._take_split), (topics.command, self._take_command),
            (topics.hazard, self._take_contacts), (topics.hazard_kinds, self._take_kinds),
            (topics.clearance, self._take_clearance),
            (topics.joint_states, self._take_joints), (topics.camera, self._take_image),
            *((topic, partial(self._take_image, camera=name))
              for name, topic in topics.extra_cameras.items())]
        for topic, taker in takers:
            if topic:
                self._takers.setdefault(topic, []).append(taker)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are wanted."""
        return tuple(self._takers)

    def take(self, message: BagMessage) -> Iterator[Episode]:
        """Take a message; yields the episode that it ends, if it does."""
        try:
            decoded = self._bag.decode(message)
        except DatasetError as error:
            self._problems.add(f'{message.topic} decode', str(error))
            return
        for taker in self._takers[message.topic]:
            yield from taker(message, decoded)

    def finish(self) -> Iterator[Episode]:
        """Yield the episode that has begun, if there is enough of it."""
        recording, self._recording = self._recording, self._recording.following()
        if recording.num_dropped:
            self._problems.notes.append(
                f'{self._bag.path}: {recording.num_dropped} pictures and joint states left out')
        if not self._is_running:
            return
        if min(recording.num_frames, recording.num_samples) < MIN_LENGTH:
            if recording.num_frames or recording.num_samples:
                self._problems.notes.append(
                    f'{self._bag.path}: a stretch of {recording.num_frames} pictures and '
                    f'{recording.num_samples} joint states is no episode')
            return
        info = self._said.get('info') or {
            'source': 'rosbag2', 'bag': self._bag.path.name, 'part': self._made,
            'camera': self._camera}
        camera_name = self._options.camera_name or self._said.get('camera_name') or 'front'
        episode = recording.episode(camera_name=camera_name, info=info)
        for topic, kind in self._options.events:
            mask = at_events(episode.joint_stamps_ns, self._events[topic])
            episode = label(episode, kind, mask) if mask.any() else episode
        self._made += 1
        yield episode

    def _note(self, message: BagMessage, kind: str, text: str) -> None:
        self._problems.add(f'{message.topic} {kind}',
                           f'{self._bag.path}: {message.topic} row {message.row}: {text}')

    def _stamp_ns(self, message: BagMessage, decoded: Any) -> int:
        stamp_ns = 0 if self._options.use_log_time else stamp_to_ns(decoded.header.stamp)
        return stamp_ns or message.stamp_ns

    def _after_gap(self, last_ns: int | None, stamp_ns: int) -> Iterator[Episode]:
        limit_ns = self._options.split_gap_s * 1e9
        if limit_ns and last_ns is not None and stamp_ns - last_ns > limit_ns:
            yield from self.finish()

    def _take_image(self, message: BagMessage, decoded: Any, camera: str = ''
                    ) -> Iterator[Episode]:
        if not self._is_running:
            return
        stamp_ns = self._stamp_ns(message, decoded)
        if not camera:
            yield from self._after_gap(self._recording.last_frame_ns, stamp_ns)
        try:
            is_file = hasattr(decoded, 'format')
            data = bytes(decoded.data) if is_file else b''
            size = check_picture(data) if is_file else (decoded.height, decoded.width)
            picture = None if _is_plain_jpeg(decoded, data) else picture_to_rgb(decoded)
        except ObservationError as error:
            self._note(message, 'picture', f'{error}; left out')
            return
        before = self._sizes.get(camera, size)
        if before != size:
            self._note(message, 'size', f'the picture is {size[1]}x{size[0]}, those before it '
                       f'{before[1]}x{before[0]}; a new episode begins with it')
            yield from self.finish()
        self._sizes[camera] = size
        if picture is None:
            self._recording.add_picture_file(data, stamp_ns, camera)
        else:
            self._recording.add_frame(picture, stamp_ns, camera)

    def _take_joints(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        stamp_ns = self._last_joint_ns = self._stamp_ns(message, decoded)
        yield from self._after_gap(self._recording.last_sample_ns, stamp_ns)
        reason = self._recording.add_joints(
            tuple(decoded.name), decoded.position, decoded.velocity, decoded.effort, stamp_ns)
        if reason and 'its stamp' not in reason:
            self._note(message, reason.partition(' is ')[0], f'{reason}; left out')

    def _take_command(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        names = self._options.command_joints or self._recording.joint_names
        try:
            if message.type != ARRAY_TYPE:
                stamp_ns = 0 if self._options.use_log_time else stamp_to_ns(decoded.header.stamp)
                self._recording.add_command(
                    message_to_trajectory(decoded), stamp_ns or self._arrival_ns(message))
            elif names:
                self._recording.add_command(
                    array_to_trajectory(decoded, names), self._arrival_ns(message))
        except ValueError as error:
            self._note(message, 'command', f'{error}; left out')
        yield from ()

    def _arrival_ns(self, message: BagMessage) -> int:
        """Return when a message without a stamp came, on the clock of the joint states."""
        last_ns = self._last_joint_ns
        if last_ns is None or abs(message.stamp_ns - last_ns) < SAME_CLOCK_NS:
            return message.stamp_ns
        return last_ns + 1

    def _take_contacts(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        if decoded.hazard:
            self._recording.add_contacts(list(decoded.pairs))
        yield from ()

    def _take_kinds(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        for kind in decoded.data.split(','):
            self._recording.add_hazard(kind)
        yield from ()

    def _take_clearance(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        self._recording.add_clearance(float(decoded.data))
        yield from ()

    def _take_event(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        level = bool(decoded.data) if message.type == BOOL_TYPE else None
        # It goes with the joint sample that comes next, as contacts do.
        last_ns = message.stamp_ns if self._last_joint_ns is None else self._last_joint_ns + 1
        self._events[message.topic].append(Event(last_ns, level))
        yield from ()

    def _take_split(self, message: BagMessage, decoded: Any) -> Iterator[Episode]:
        starts = bool(decoded.data) if message.type == BOOL_TYPE else True
        if self._is_running and starts and message.type == BOOL_TYPE:
            return  # said again
        yield from self.finish()
        self._is_running = starts


def _is_plain_jpeg(decoded: Any, data: bytes) -> bool:
    return data.startswith(b'\xff\xd8') and 'compressedDepth' not in decoded.format
