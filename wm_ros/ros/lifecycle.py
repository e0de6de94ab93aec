# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A lifecycle node whose transitions cannot fail in silence, and the ``main`` around it.

rclpy on Jazzy swallows an exception in a transition without a word, and an impossible transition
request ends the executor. Here both are caught, logged, and answered with what is true
afterwards: the state that the state machine shows always matches what the node holds.
"""

import gc
import sys
import traceback
from collections.abc import Callable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from wm_ros.errors import WorldModelError
from wm_ros.ros.executor import make_executor
from wm_ros.ros.parameters import ParameterError
from wm_ros.ros.process import catch_stop_signals, ignore_stop_signals

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE
ERROR = TransitionCallbackReturn.ERROR


class GuardedLifecycleNode(LifecycleNode):
    """
    Four hooks instead of six callbacks; each may raise.

    ``configure`` acquires, ``activate`` starts, ``deactivate`` undoes ``activate``, ``release``
    undoes ``configure``. ``deactivate`` and ``release`` must be safe to call at any time and
    twice. Lifecycle publishers are switched on before ``activate`` and off after ``deactivate``,
    so that both may publish.

    | raised in | done | ends in |
    |---|---|---|
    | configure | release | unconfigured (FAILURE) |
    | activate | deactivate | inactive (FAILURE) |
    | deactivate, cleanup | on_error: deactivate, release | unconfigured (ERROR) |
    | shutdown | release | finalized (FAILURE) |
    | while releasing | | finalized (ERROR) |

    FAILURE after a broken deactivate would show "active" for a node that no longer works, so
    those two go through error processing instead.
    """

    last_error = ''

    def configure(self) -> None:
        """Acquire what the node needs while configured."""

    def activate(self) -> None:
        """Start working."""

    def deactivate(self) -> None:
        """Stop working; undo ``activate``."""

    def release(self) -> None:
        """Give everything back; undo ``configure``."""

    def stop(self) -> None:
        """Go to finalized from whatever state, releasing everything; safe to call twice."""
        if self._state_machine.current_state[1] != 'finalized':
            self.trigger_shutdown()

    def destroy_node(self) -> None:
        """Release everything first: a thread of the node must not outlive its publishers."""
        try:
            self.deactivate()
            self.release()
        except Exception as error:  # named guard: transition
            self.report_error('destroy', error)
        super().destroy_node()

    def on_callback_error(self, error: Exception) -> None:
        """
        Hear of an exception that escaped a callback; called by ``run`` on the executor thread.

        :param error: what was raised. The executor goes on afterwards.
        """
        self.report_error('callback', error)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure; on an exception release and stay unconfigured."""
        self.last_error = ''
        return self._guard('configure', self._configure, state, undo=self._release_all)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Activate; on an exception undo it and stay inactive."""
        self.last_error = ''
        return self._guard('activate', self._activate, state, undo=self._deactivate_all)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate; on an exception go through error processing to unconfigured."""
        return self._guard('deactivate', self._deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up; on an exception go through error processing to unconfigured."""
        return self._guard('cleanup', self._cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and release from whatever state; always ends in finalized."""
        return self._guard('shutdown', self._shutdown, state, undo=self._release_all)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; unconfigured if that worked, finalized if not."""
        return self._guard('error processing', self._recover, state, undo=lambda: None)

    def report_error(self, where: str, error: BaseException) -> None:
        """
        Log an error and keep its text in ``last_error``.

        Errors of the world and of parameters explain themselves in one line; anything else is a
        defect and gets its traceback.

        :param where: what was being done.
        :param error: what was raised.
        """
        self.last_error = f'{where}: {error}' if str(error) else f'{where}: {error!r}'
        text = ''.join(traceback.format_exception(error))
        if isinstance(error, (WorldModelError, ParameterError)):
            self.get_logger().error(self.last_error)
            self.get_logger().debug(text)
        else:
            self.get_logger().error(f'{where} failed\n{text}')

    def _guard(self, name: str, step: Callable, state: LifecycleState, *,
               undo: Callable | None = None) -> TransitionCallbackReturn:
        try:
            return step(state)
        except Exception as error:  # named guard: transition
            self.report_error(name, error)
        if undo is None:
            return ERROR
        try:
            undo()
        except Exception as error:  # named guard: transition
            self.report_error(f'release after {name}', error)
            return ERROR
        return FAILURE

    def _configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.configure()
        return super().on_configure(state)

    def _activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        self.activate()
        return result

    def _deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.deactivate()
        return super().on_deactivate(state)

    def _cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self.release()
        return super().on_cleanup(state)

    def _shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release_all()
        return super().on_shutdown(state)

    def _recover(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release_all()
        return super().on_error(state)

    def _deactivate_all(self) -> None:
        self.deactivate()
        super().on_deactivate(None)

    def _release_all(self) -> None:
        try:
            self._deactivate_all()
        finally:
            self.release()

    def _LifecycleNodeMixin__on_change_state(self, request, response):  # noqa: N802
        """
        Answer an impossible transition with ``success=False`` instead of ending the executor.

        Overrides a private method by its mangled name: rclpy before 8.0 offers no other place.
        On versions without it this method is never called.
        """
        try:
            return super()._LifecycleNodeMixin__on_change_state(request, response)
        except rclpy_implementation.RCLError as error:
            wanted = request.transition
            self.get_logger().warning(
                f'transition {wanted.id} {wanted.label!r} refused: {error}')
            response.success = False
            return response


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """
    Run one node until SIGINT or SIGTERM, then let it stop properly while it still has a wire.

    rclpy's own signal handler would shut the context down first, and the last hold would not
    leave the process. Further signals are ignored. A node without ``stop`` is only destroyed.

    :param make_node: builds the node; called after ``rclpy.init``.
    :param args: command line, with ``--ros-args``.
    :returns: 0 after a normal stop, 2 for a bad command line or parameter, 1 for anything else.
    """
    stop = catch_stop_signals()
    node = None
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = make_node()
        # What is there now stays: the collector need not walk through all modules between a
        # verdict and its command.
        gc.collect()
        gc.freeze()
        _spin(node, stop)
        return 0
    except Exception as error:  # named guard: main
        usage = (ParameterError, ParameterException, rclpy_implementation.RCLError,
                 rclpy_implementation.UnknownROSArgsError)
        if not isinstance(error, (*usage, WorldModelError)):
            traceback.print_exc()
        sys.stderr.write(f'{error}\n')
        return 2 if isinstance(error, usage) else 1
    finally:
        ignore_stop_signals()
        gc.unfreeze()
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _spin(node: Node, stop: list[int]) -> None:
    executor = make_executor()
    executor.add_node(node)
    try:
        while not stop and rclpy.ok():
            try:
                executor.spin_once(timeout_sec=0.1)
            except ExternalShutdownException:
                break
            except Exception as error:  # named guard: main
                _report(node, error)
        if rclpy.ok() and hasattr(node, 'stop'):
            node.stop()
    finally:
        executor.shutdown(timeout_sec=1.0)


def _report(node: Node, error: Exception) -> None:
    if hasattr(node, 'on_callback_error'):
        node.on_callback_error(error)
    else:
        text = ''.join(traceback.format_exception(error))
        node.get_logger().error(f'callback failed\n{text}')
