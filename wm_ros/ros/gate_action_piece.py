# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The side of a proxied goal that faces the controller: one piece of it, as a goal of its own."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from rclpy.action import ActionClient

from wm_ros.gate.effects import Forward
from wm_ros.gate.values import NS_PER_S, Now


class PieceEvents(NamedTuple):
    """
    Whom a piece tells.

    :param feedback: called with the piece and the feedback.
    :param refused: called when the controller did not take the piece.
    :param result: called with the piece, the status and the result.
    """

    feedback: Callable[..., Any]
    refused: Callable[..., Any]
    result: Callable[..., Any]


class ControllerPiece:
    """
    A goal at the controller.

    It can be cancelled at any time, also before the controller has answered: then the answer is
    followed by a cancel request at once, so that no goal is left running.

    :param client: of the controller's action.
    :param request: the goal.
    :param effect: what the gate let go.
    """

    def __init__(
            self, client: ActionClient, request: Any, effect: Forward,
            events: PieceEvents) -> None:
        assert effect.piece is not None, 'a piece belongs to a goal'
        self.begin_s = effect.piece.begin_s
        self.is_last = effect.piece.is_last
        self.is_over = False
        self._events = events
        self._handle: Any = None
        self._is_cancelled = False
        tolerance = request.goal_time_tolerance
        self._due_ns = (
            time.monotonic_ns() + round(float(effect.trajectory.times[-1]) * NS_PER_S)
            + max(0, tolerance.sec * NS_PER_S + tolerance.nanosec))
        client.send_goal_async(
            request, feedback_callback=lambda message: events.feedback(self, message.feedback)
        ).add_done_callback(self._take_answer)

    def cancel(self) -> None:
        """Ask the controller to cancel, now or as soon as it has taken the goal."""
        if self.is_over or self._is_cancelled:
            return
        self._is_cancelled = True
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def is_overdue(self, now: Now, timeout_s: float) -> bool:
        """Tell whether this piece should have ended, or been followed by another, long ago."""
        return now.steady_ns > self._due_ns + timeout_s * NS_PER_S

    def _take_answer(self, future: Any) -> None:
        handle = future.result()
        if handle is None or not handle.accepted:
            self.is_over = True
            self._events.refused()
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(self._take_result)
        if self._is_cancelled:
            handle.cancel_goal_async()

    def _take_result(self, future: Any) -> None:
        answer = future.result()
        self.is_over = True
        if answer is not None:
            self._events.result(self, answer.status, answer.result)
