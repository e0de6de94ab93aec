# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Ask the nodes of the demo for things and wait for what happens, always with a deadline."""

import time
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.task import Future
from std_srvs.srv import Trigger

from wm_ros.errors import WorldModelError

_TICK_S = 0.02
CONFIGURE = Transition.TRANSITION_CONFIGURE
ACTIVATE = Transition.TRANSITION_ACTIVATE
DEACTIVATE = Transition.TRANSITION_DEACTIVATE


class Wire:
    """
    A node, its executor and bounded waiting; belongs to one thread.

    :param node: the asking node.
    :param others: nodes to spin with it.
    """

    def __init__(self, node: Node, *others: Node) -> None:
        self.node = node
        self._executor = SingleThreadedExecutor(context=node.context)
        self._clients: dict[str, Client] = {}
        for item in (node, *others):
            self._executor.add_node(item)

    def close(self) -> None:
        """Stop spinning."""
        self._executor.shutdown(timeout_sec=1.0)

    def spin_for(self, duration_s: float) -> None:
        """Spin for a fixed time."""
        self.spin_while(lambda: True, duration_s)

    def spin_while(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Spin while a condition holds; returns whether it ended before the deadline."""
        deadline = time.monotonic() + timeout_s
        while condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._executor.spin_once(timeout_sec=min(left, _TICK_S))
        return True

    def wait(self, condition: Callable[[], bool], timeout_s: float,
             failure: Callable[[], str]) -> None:
        """
        Spin until a condition holds.

        :raises WorldModelError: with the words of ``failure`` when the deadline passes.
        """
        if not self.spin_while(lambda: not condition(), timeout_s):
            raise WorldModelError(f'{failure()} (waited {timeout_s:g} s)')

    def ask(self, kind: Any, name: str, request: Any, timeout_s: float = 20.0) -> Future:
        """
        Send a request and return the future of its answer.

        :raises WorldModelError: if nobody offers the service.
        """
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        self.wait(client.service_is_ready, timeout_s, lambda: f'nobody offers service {name}')
        return client.call_async(request)

    def finish(self, name: str, future: Future, timeout_s: float) -> Any:
        """
        Wait for an answer.

        :raises WorldModelError: if none comes, or if it says no.
        """
        self.wait(future.done, timeout_s, lambda: f'no answer from service {name}')
        answer = future.result()
        if not getattr(answer, 'success', True):
            raise WorldModelError(f'{name} failed: {getattr(answer, "message", "see its log")}')
        return answer

    def call(self, kind: Any, name: str, request: Any, timeout_s: float = 20.0) -> Any:
        """
        Call a service.

        :raises WorldModelError: if there is no answer, or it says no.
        """
        return self.finish(name, self.ask(kind, name, request, timeout_s), timeout_s)

    def trigger(self, name: str) -> None:
        """Call a std_srvs/Trigger service (see ``call``)."""
        self.call(Trigger, name, Trigger.Request())

    def trigger_when_ready(self, name: str, timeout_s: float = 10.0) -> None:
        """
        Call a std_srvs/Trigger service again and again until it says yes.

        For a node that has just started: that it offers a service does not mean that it has heard
        its other topics yet, because DDS matches each of them on its own.

        :raises WorldModelError: with the node's own reason, if it still says no at the end.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.trigger(name)
            except WorldModelError:
                if time.monotonic() >= deadline:
                    raise
                self.spin_for(0.1)

    def ask_transition(self, node_name: str, transition: int) -> Future:
        """Ask a lifecycle node for a transition; ``finish`` the future."""
        return self.ask(ChangeState, f'{node_name}/change_state',
                        ChangeState.Request(transition=Transition(id=transition)))

    def change_state(self, node_name: str, transition: int, timeout_s: float = 30.0) -> None:
        """
        Take a lifecycle node through a transition.

        :raises WorldModelError: if it refuses.
        """
        self.finish(f'{node_name}/change_state', self.ask_transition(node_name, transition),
                    timeout_s)

    def set_parameters(self, node_name: str, **values: Any) -> None:
        """
        Set parameters of another node.

        :raises WorldModelError: naming the parameter that was refused, and why.
        """
        request = SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()])
        answer = self.call(SetParameters, f'{node_name}/set_parameters', request)
        for name, result in zip(values, answer.results, strict=True):
            if not result.successful:
                raise WorldModelError(f'{node_name} refused parameter {name}: {result.reason}')
