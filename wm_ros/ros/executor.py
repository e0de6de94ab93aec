# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which executor runs a node's callbacks.

SingleThreadedExecutor unless WM_ROS_EXECUTOR says ``events``: rclpy's EventsExecutor is
experimental, and ``wm-ros benchmark --only executor`` measures whether it is worth it.
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
