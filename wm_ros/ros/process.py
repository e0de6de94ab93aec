# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ``main`` around a node without a lifecycle (see lifecycle.py for the others)."""

import signal
import sys
import traceback
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from wm_ros.errors import WorldModelError
from wm_ros.ros.parameters import ParameterError

_USAGE = (ParameterError, ParameterException, rclpy_implementation.RCLError,
          rclpy_implementation.UnknownROSArgsError)
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def catch_stop_signals() -> list[int]:
    """Note SIGINT and SIGTERM in the list that is returned, instead of ending there and then."""
    stop: list[int] = []
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda signum, _frame: stop.append(signum))
    return stop


def ignore_stop_signals() -> None:
    """
    Let a shutdown that has begun come to its end; for the rest of the process.

    Python gives caught signals back to the system while it closes down, so that an impatient
    second Ctrl-C would end the process with -2 after all went well. An ignored one stays so.
    """
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def run_plain(make_node: Callable[[], Node], args: list[str] | None = None, *,
              num_threads: int = 1) -> int:
    """
    Run one node until SIGINT or SIGTERM; further ones are ignored.

    An exception in a callback ends the process: a plain node has no state to fall back to.

    :param make_node: builds the node; called after ``rclpy.init``. If the node has a method
        ``close``, it is called before the node is destroyed.
    :param args: command line, with ``--ros-args``.
    :param num_threads: threads for callbacks.
    :returns: 0 after a normal stop, 2 for a bad command line or parameter, 1 for anything else.
    """
    stop = catch_stop_signals()
    node = None
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
        executor = (SingleThreadedExecutor() if num_threads == 1
                    else MultiThreadedExecutor(num_threads))
        _spin(executor, node, stop)
        return 0
    except Exception as error:  # noqa: B902  named guard: main
        if not isinstance(error, (*_USAGE, WorldModelError)):
            traceback.print_exc()
        sys.stderr.write(f'{error}\n')
        return 2 if isinstance(error, _USAGE) else 1
    finally:
        ignore_stop_signals()
        if node is not None:
            if hasattr(node, 'close'):
                node.close()
            node.destroy_node()
        rclpy.try_shutdown()


def _spin(executor: Executor, node: Node, stop: list[int]) -> None:
    executor.add_node(node)
    try:
        while not stop and rclpy.ok():
            executor.spin_once(timeout_sec=0.1)
    except ExternalShutdownException:
        pass
    finally:
        executor.shutdown(timeout_sec=1.0)
