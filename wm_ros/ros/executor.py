# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which executor runs a node's callbacks.

rclpy's EventsExecutor where it is there, because it waits for what comes instead of asking every
topic, timer and service after each message: the way from a verdict to the command takes half as
long and a gate half of the CPU (``wm-ros benchmark --only executor``). ``single`` in
WM_ROS_EXECUTOR, or an rclpy without it, gives the SingleThreadedExecutor.
"""

import os

from rclpy.executors import Executor, SingleThreadedExecutor

from wm_ros.ros.parameters import ParameterError

VARIABLE = 'WM_ROS_EXECUTOR'
NAMES = ('single', 'events')


def make_executor(name: str | None = None) -> Executor:
    """
    Make the executor of a name, or of the one in the environment.

    :param name: single or events; None: as WM_ROS_EXECUTOR says, or what there is.
    :raises ParameterError: if there is no executor of that name, or rclpy has it not.
    """
    wanted = name or os.environ.get(VARIABLE) or ''
    if wanted not in ('', *NAMES):
        raise ParameterError(f'{VARIABLE} is {wanted!r}; allowed is one of {", ".join(NAMES)}')
    if wanted == 'single':
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError as error:
        if not wanted:
            return SingleThreadedExecutor()
        raise ParameterError(f'{VARIABLE} is events, but this rclpy has no EventsExecutor; '
                             'use single') from error
    return EventsExecutor()
