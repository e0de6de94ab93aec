# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Service calls to nodes that may just have been killed, while another thread spins."""

import time
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically
from rclpy.client import Client
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_ros.errors import WorldModelError

CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP
_POLL_S = 0.005
_ASK_AGAIN_S = 2.0


class Calls:
    """
    Ask nodes for things. A question that may be repeated is repeated until it is answered.

    A server that was killed is known to its clients for some seconds more, and one that has just
    started does not know them yet; in both cases an answer never comes.

    :param node: asks; another thread spins it.
    :param ask_again_s: after which a question is repeated, s.
    """

    def __init__(self, node: Node, *, ask_again_s: float = _ASK_AGAIN_S) -> None:
        self._node, self._ask_again_s = node, ask_again_s
        self._clients: dict[tuple[type, str], Client] = {}

    def call(self, kind: Any, name: str, request: Any, *, timeout_s: float = 20.0,
             repeats: bool = True) -> Any:
        """
        Call a service.

        :param repeats: asking twice does no harm.
        :raises WorldModelError: if no answer comes in time.
        """
        client = self.client(kind, name)
        deadline, asked_at = time.monotonic() + timeout_s, -self._ask_again_s
        futures: list[Any] = []
        while time.monotonic() < deadline:
            is_due = time.monotonic() - asked_at > self._ask_again_s and (repeats or not futures)
            if is_due and client.service_is_ready():
                futures.append(client.call_async(request))
                asked_at = time.monotonic()
            for future in futures:
                if future.done():
                    return future.result()
            time.sleep(_POLL_S)
        raise WorldModelError(f'no answer from service {name} in {timeout_s:g} s')

    def client(self, kind: Any, name: str) -> Client:
        """Return the client of a service, made when it is first asked for."""
        if (kind, name) not in self._clients:
            self._clients[kind, name] = self._node.create_client(kind, name)
        return self._clients[kind, name]

    def state(self, node_name: str, timeout_s: float = 30.0) -> str:
        """Return the label of a lifecycle node's state."""
        return str(self.call(GetState, f'{node_name}/get_state', GetState.Request(),
                             timeout_s=timeout_s).current_state.label)

    def change_state(self, node_name: str, transition: int, timeout_s: float = 30.0) -> bool:
        """
        Ask a lifecycle node for a transition, once; returns whether it was made.

        :raises WorldModelError: if no answer comes in time.
        """
        # A node that answers this one hears the next.
        self.state(node_name, timeout_s)
        request = ChangeState.Request(transition=Transition(id=transition))
        name = f'{node_name}/change_state'
        self._introduce(ChangeState, name, node_name, timeout_s)
        return bool(self.call(ChangeState, name, request, timeout_s=timeout_s,
                              repeats=False).success)

    def bring_to(self, node_name: str, label: str) -> None:
        """
        Take a lifecycle node from whatever state to unconfigured, inactive or active.

        :raises WorldModelError: naming the transition that it refused.
        """
        order = ('unconfigured', 'inactive', 'active')
        up, down = (CONFIGURE, ACTIVATE), (CLEANUP, DEACTIVATE)
        while (now := self.state(node_name)) != label:
            if now not in order:
                raise WorldModelError(f'{node_name} is {now} and cannot become {label}')
            here, there = order.index(now), order.index(label)
            step = up[here] if here < there else down[here - 1]
            if not self.change_state(node_name, step):
                raise WorldModelError(f'{node_name} refused transition {step} from {now}')

    def set_parameters(self, node_name: str, **values: Any) -> list[Any]:
        """Set parameters one by one; returns the results."""
        request = SetParameters.Request(parameters=_messages(values))
        return list(self.call(SetParameters, f'{node_name}/set_parameters', request).results)

    def set_together(self, node_name: str, **values: Any) -> Any:
        """Set all parameters or none; returns the one result."""
        request = SetParametersAtomically.Request(parameters=_messages(values))
        return self.call(SetParametersAtomically, f'{node_name}/set_parameters_atomically',
                         request).result

    def parameter(self, node_name: str, name: str) -> float:
        """Read a parameter of type double."""
        answer = self.call(GetParameters, f'{node_name}/get_parameters',
                           GetParameters.Request(names=[name]))
        return float(answer.values[0].double_value)

    def integer(self, node_name: str, name: str) -> int:
        """Read a parameter of type integer."""
        answer = self.call(GetParameters, f'{node_name}/get_parameters',
                           GetParameters.Request(names=[name]))
        return int(answer.values[0].integer_value)

    def _introduce(self, kind: Any, name: str, node_name: str, timeout_s: float) -> None:
        """
        Make sure that a server knows the client of a question that must not be repeated.

        Endpoints are announced in order: a server that answers a younger client knows the older.
        """
        if (kind, name) in self._clients:
            return
        self._clients[kind, name] = self._node.create_client(kind, name)
        probe = self._clients.pop((GetState, f'{node_name}/get_state'), None)
        if probe is not None:
            self._node.destroy_client(probe)
        self.state(node_name, timeout_s)


def _messages(values: dict[str, Any]) -> list[Any]:
    return [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
