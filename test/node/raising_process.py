# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node whose task raises, for test_executor.py; it says on standard output who hears of it."""

import os
import sys

from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from wm_ros.ros.lifecycle import run


class Raising(LifecycleNode):
    """Raises in what is done when a future is, which rclpy runs as a task."""

    def __init__(self):
        super().__init__('raising')
        self._timer = self.create_timer(0.05, self._on_timer)

    def _on_timer(self):
        self.destroy_timer(self._timer)
        future = Future(executor=self.executor)
        future.add_done_callback(self._fail)
        future.set_result(None)

    def _fail(self, future):
        raise RuntimeError('raised in a task')

    def on_callback_error(self, error):
        """Say so."""
        os.write(1, f'heard: {error}\n'.encode())


if __name__ == '__main__':
    sys.exit(run(Raising, []))
