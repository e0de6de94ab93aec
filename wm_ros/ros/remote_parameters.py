# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Ask another node for its parameters without ever waiting for it.

The main rule: an answer that does not come is simply not there; nothing here blocks. rclpy
answers with nothing at all when one of the names has no value, so it is asked first which have.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.srv import GetParameters, GetParameterTypes, ListParameters
from rclpy.node import Node
from rclpy.parameter import Parameter, parameter_value_to_python

# A node that has not answered for so long will not: it was restarted.
_PATIENCE_S = 5.0


class RemoteParameters:
    """
    The parameters of one other node, as far as it has answered; belongs to the executor thread.

    :param node: who asks.
    :param name: the other node's name, in the namespace of this one.
    :param names: parameters to ask for; those that it does not have are left out.
    """

    def __init__(self, node: Node, name: str, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        self._list, self._types, self._get = (
            node.create_client(kind, f'{name}/{service}') for kind, service in (
                (ListParameters, 'list_parameters'), (GetParameterTypes, 'get_parameter_types'),
                (GetParameters, 'get_parameters')))
        self._pending: tuple[Any, Any] | None = None
        self._asked_s = 0.0
        self._with_value: list[str] = []
        self.values: dict[str, Any] = {}

    def ask(self) -> None:
        """
        Send the question, if there is somebody to ask; the answer replaces ``values``.

        While one is on its way there is no second: a node that is busy would never be heard.
        """
        if self._pending is not None:
            if time.monotonic() - self._asked_s < _PATIENCE_S:
                return
            client, future = self._pending
            client.remove_pending_request(future)
        if self._with_value:
            self._send(self._get, GetParameters.Request(names=self._with_value), self._take)
        else:
            self._send(self._list, ListParameters.Request(), self._take_names)

    def _send(self, client: Any, request: Any, take: Callable[[Any], None]) -> None:
        self._pending = None
        if not client.service_is_ready():
            return
        future = client.call_async(request)
        self._pending, self._asked_s = (client, future), time.monotonic()
        future.add_done_callback(lambda done: self._receive(done, take))

    def _receive(self, future: Any, take: Callable[[Any], None]) -> None:
        if self._pending is None or self._pending[1] is not future:
            return
        self._pending = None
        answer = None if future.cancelled() or future.exception() else future.result()
        if answer is not None:
            take(answer)

    def _take_names(self, answer: Any) -> None:
        names = sorted(self._names.intersection(answer.result.names))
        self._send(self._types, GetParameterTypes.Request(names=names),
                   lambda types: self._take_types(names, types))

    def _take_types(self, names: list[str], answer: Any) -> None:
        if len(answer.types) == len(names):
            self._with_value = [name for name, kind in zip(names, answer.types, strict=True)
                                if kind != Parameter.Type.NOT_SET.value]
            self.ask()

    def _take(self, answer: Any) -> None:
        names, self._with_value = self._with_value, []
        if len(answer.values) == len(names):
            self._with_value = names
            self.values = {name: _plain(parameter_value_to_python(value))
                           for name, value in zip(names, answer.values, strict=True)}


def _plain(value: Any) -> Any:
    """Give arrays as lists, so that the values can be written as JSON."""
    return value if value is None or isinstance(value, (str, bool, int, float)) else list(value)
