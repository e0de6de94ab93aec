# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
~/check_trajectory: a judgement without a release.

The service waits on futures while the executor serves everything else; it must have a callback
group of its own, or it would stop every other callback of the node while it waits.
"""

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.task import Future

from wm_ros.gate.effects import CheckAnswered, Effect
from wm_ros.gate.machine import Answer, Gate
from wm_ros.gate.values import NS_PER_S, Now
from wm_ros.msg import Prediction
from wm_ros.ros import gate_messages as convert
from wm_ros.ros import qos
from wm_ros.srv import CheckTrajectory

_POLL_S = 0.02


class TrajectoryChecks:
    """
    The service and the checks that wait for their verdict. Executor thread only.

    :param node: the gate's node.
    :param gate: asked through ``check``.
    :param guarded: makes a callback of ``handle(now)``; see GateNode.
    :param steady: clock for waiting.
    """

    def __init__(
            self, node: Node, gate: Gate, guarded: Callable[[Callable], Callable],
            steady: Clock) -> None:
        self._node = node
        self._gate = gate
        self._guarded = guarded
        self._steady = steady
        self._waiting: dict[int, Future] = {}
        self._service = node.create_service(
            CheckTrajectory, '~/check_trajectory', self._answer,
            callback_group=ReentrantCallbackGroup())

    def settle(self, effects: Sequence[Effect]) -> None:
        """Hand the gate's answers to the requests that wait for them."""
        for effect in effects:
            if isinstance(effect, CheckAnswered) and effect.chunk_id in self._waiting:
                self._waiting.pop(effect.chunk_id).set_result(effect)

    def close(self) -> None:
        """End the service; requests that still wait get no answer."""
        for future in self._waiting.values():
            future.set_result(None)
        self._waiting.clear()
        self._node.destroy_service(self._service)

    async def _answer(self, request: Any, response: Any) -> Any:
        predictions: dict[int, Prediction] = {}
        subscription = None
        if request.return_frames:
            # The predictor draws frames for subscribers only, so there must be one first.
            subscription = self._node.create_subscription(
                Prediction, 'wm_predictor/prediction',
                lambda message: predictions.update({message.chunk_id: message}), qos.PREDICTION)
            await self._until(lambda: subscription.get_publisher_count() > 0)
        asked = self._ask(request.trajectory)
        response.message = asked.message
        if asked.success:
            answered = await self._waiting[asked.chunk_id]
            response.message = answered.message if answered else 'the gate was cleaned up'
            if answered is not None and answered.verdict is not None:
                response.success = True
                response.verdict = convert.verdict_to_message(answered.verdict)
                if subscription is not None:
                    await self._until(lambda: asked.chunk_id in predictions)
                response.prediction = predictions.get(
                    asked.chunk_id, Prediction(chunk_id=asked.chunk_id))
        if subscription is not None:
            self._node.destroy_subscription(subscription)
        return response

    def _ask(self, trajectory: Any) -> Answer:
        asked = Answer(False, 'exception in the gate; see its log', [])

        def ask(now: Now) -> list[Effect]:
            nonlocal asked
            asked = self._gate.check(
                convert.trajectory_to_command(trajectory, 'check_trajectory'), now)
            if asked.success:
                self._waiting[asked.chunk_id] = Future(executor=self._node.executor)
            return asked.effects

        self._guarded(ask)()
        return asked

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition, at most check_timeout, without holding the executor."""
        done = Future(executor=self._node.executor)
        begin_ns = self._steady.now().nanoseconds
        limit_ns = round(self._gate.config.check_timeout * NS_PER_S)

        def look() -> None:
            is_over = self._steady.now().nanoseconds - begin_ns > limit_ns
            if not done.done() and (is_over or condition()):
                done.set_result(None)

        timer = self._node.create_timer(_POLL_S, look, clock=self._steady)
        await done
        self._node.destroy_timer(timer)
