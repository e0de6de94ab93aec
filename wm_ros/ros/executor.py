# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which executor runs a node's callbacks.

rclpy's SingleThreadedExecutor. ``events`` in WM_ROS_EXECUTOR asks for the EventsExecutor, which
waits for what comes instead of asking every topic, timer and service after each message and takes
less of the CPU (``wm-ros benchmark --only executor``). It is for measurements, because on Jazzy

* a service whose callback is a coroutine gets no answer and the gate an exception, which stops it:
  ``~/check_trajectory`` and ``~/check_candidates`` (before rclpy 7.1.11, ros2/rclpy#1478);
* an exception in a task, such as what is done when a future is, ends the process with a
  segmentation fault (ros2/rclpy#1641), where the gate has to hold and then stop;
* so may an event of a subscription that is being destroyed (ros2/rclpy#1644).
"""

import os

from rclpy.executors import Executor, SingleThreadedExecutor

from wm_ros.ros.parameters import ParameterError

VARIABLE = 'WM_ROS_EXECUTOR'
NAMES = ('single', 'events')


def make_executor(name: str | None = None) -> Executor:
    """
    Make the executor of a name, or of the one in the environment.

    :param name: single or events; None: as WM_ROS_EXECUTOR says, or single.
    :raises ParameterError: if there is no executor of that name, or rclpy has it not.
    """
    wanted = name or os.environ.get(VARIABLE) or NAMES[0]
    if wanted == 'single':
        return SingleThreadedExecutor()
    if wanted != 'events':
        raise ParameterError(f'{VARIABLE} is {wanted!r}; allowed is one of {", ".join(NAMES)}')
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError as error:
        raise ParameterError(f'{VARIABLE} is events, but this rclpy has no EventsExecutor; '
                             'use single') from error
    return EventsExecutor()
