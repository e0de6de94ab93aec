# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Where callbacks put messages and the inference thread fetches them.

The main rule: latest wins. Of chunks only the newest is kept; frames and joint states are kept in
short queues, because the history needs those in between, and the oldest is lost when one is full.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

MAX_IMAGES = 16
MAX_JOINTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """
    What came in since the last fetch.

    :param images: which camera each raw message is of and the message; oldest first of each.
    :param joints: joint states, oldest first.
    :param chunk: the newest chunk, or None.
    :param received_s: steady time when the chunk came, s.
    """

    images: tuple[tuple[int, Any], ...] = ()
    joints: tuple[Any, ...] = ()
    chunk: Any = None
    received_s: float = 0.0


class Mailbox:
    """All methods may be called from any thread and never wait for the inference thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        # A queue for each camera, so that a fast one does not push out the frames of another.
        self._images: dict[int, deque[Any]] = {}
        self._joints: deque[Any] = deque(maxlen=MAX_JOINTS)
        self._chunk: Any = None
        self._received_s = 0.0
        self._is_closed = False
        self.dropped_chunks = 0
        self.dropped_images = 0

    @property
    def queue(self) -> int:
        """Chunks that wait, 0 or 1."""
        return int(self._chunk is not None)

    def put_image(self, message: Any, camera: int = 0) -> None:
        """Store a frame of one of the model's cameras and wake the reader."""
        with self._condition:
            queue = self._images.setdefault(camera, deque(maxlen=MAX_IMAGES))
            self.dropped_images += len(queue) == MAX_IMAGES
            queue.append(message)
            self._condition.notify()

    def put_joints(self, message: Any) -> None:
        """Store a joint state; the reader finds it at its next turn."""
        with self._condition:
            self._joints.append(message)

    def put_chunk(self, message: Any, received_s: float) -> None:
        """Store a chunk in place of one that still waits, and wake the reader."""
        with self._condition:
            self.dropped_chunks += self._chunk is not None
            self._chunk, self._received_s = message, received_s
            self._condition.notify()

    def take(self, timeout_s: float) -> Mail:
        """
        Fetch everything; waits up to a time limit for a frame or a chunk.

        :param timeout_s: longest wait, s.
        :returns: what came in; may be empty.
        """
        with self._condition:
            self._condition.wait_for(self._has_work, timeout_s)
            images = tuple((camera, message) for camera, queue in self._images.items()
                           for message in queue)
            mail = Mail(images=images, joints=tuple(self._joints), chunk=self._chunk,
                        received_s=self._received_s)
            self._images.clear()
            self._joints.clear()
            self._chunk = None
            return mail

    def close(self) -> None:
        """Wake the reader for good."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def _has_work(self) -> bool:
        return self._is_closed or self._chunk is not None or len(self._images) > 0
