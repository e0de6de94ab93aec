# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Ask another node for its parameters without ever waiting for it.

The main rule: an answer that does not come is simply not there; nothing here blocks.
"""

from collections.abc import Sequence
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python


class RemoteParameters:
    """
    The parameters of one other node, as far as it has answered; belongs to the executor thread.

    :param node: who asks.
    :param name: the other node's name, in the namespace of this one.
    :param names: parameters to ask for; those that it does not have are left out.
    """

    def __init__(self, node: Node, name: str, names: Sequence[str]) -> None:
        self._names = list(names)
        self._client = node.create_client(GetParameters, f'{name}/get_parameters')
        self._future: Any = None
        self.values: dict[str, Any] = {}

    def ask(self) -> None:
        """Send the question, if there is somebody to ask; the answer replaces ``values``."""
        if not self._client.service_is_ready():
            return
        if self._future is not None and not self._future.done():
            self._client.remove_pending_request(self._future)
        self._future = self._client.call_async(GetParameters.Request(names=self._names))
        self._future.add_done_callback(self._take)

    def _take(self, future: Any) -> None:
        answer = future.result() if not future.cancelled() else None
        if answer is None or len(answer.values) != len(self._names):
            return
        found = {name: parameter_value_to_python(value)
                 for name, value in zip(self._names, answer.values, strict=True)}
        self.values = {name: _plain(value) for name, value in found.items() if value is not None}


def _plain(value: Any) -> Any:
    """Give arrays as lists, so that the values can be written as JSON."""
    return value if isinstance(value, (str, bool, int, float)) else list(value)
