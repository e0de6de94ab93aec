# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A node that says on standard output how far its end has come, for test_stop_signals.py.

Its argument chooses the ``main``: run or run_plain.
"""

import os
import sys
import time

from rclpy.node import Node

from wm_ros.ros.lifecycle import run
from wm_ros.ros.process import run_plain

PAUSE_S = 1.0


def say(word, write=os.write, sleep=time.sleep, pause_s=PAUSE_S):
    """Report and give the test time for a signal; works while modules are being torn down."""
    write(1, f'{word}\n'.encode())
    sleep(pause_s)


class Last:
    """Is torn down with this module, after Python has given its signal handlers back."""

    def __del__(self, say=say):
        say('closing')


class Slow(Node):
    """Takes its time to end."""

    def __init__(self):
        super().__init__('slow')
        self.create_timer(0.05, self._on_timer)
        self._is_ready = False

    def _on_timer(self):
        if not self._is_ready:
            self._is_ready = True
            say('ready', pause_s=0.0)

    def destroy_node(self):
        """Destroy slowly."""
        say('stopping')
        super().destroy_node()


LAST = Last()

if __name__ == '__main__':
    sys.exit({'run': run, 'run_plain': run_plain}[sys.argv[1]](Slow, []))
