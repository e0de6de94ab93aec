# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One client for each service, whose first call is as sure of its answer as the second."""

import time
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters
from rclpy.client import Client
from rclpy.node import Node, NodeNameNonExistentError

# A question that changes nothing is asked again after this without an answer.
ASK_AGAIN_S = 0.5


class Clients:
    """
    Clients of one node, made when they are first asked for.

    A new client sees only its own side of the match, and a server that has not heard of it yet
    throws the answer away. Endpoints are announced in order: a node that answers a younger client
    knows the older one too. So the server's node is asked for parameters first, through a client
    made last; that changes nothing and may be repeated, which the call itself may not.

    :param node: owns the clients.
    :param spin_until: spins the node until a condition holds: (condition, timeout_s, message).
    """

    def __init__(self, node: Node, spin_until: Callable) -> None:
        self._node = node
        self._spin_until = spin_until
        self._clients: dict[tuple[type, str], Client] = {}

    def get(self, service_type: Any, name: str, timeout_s: float) -> Client:
        """
        Give the one client of a service, matched on both sides.

        :param timeout_s: deadline of each step, s.
        :raises AssertionError: if there is no such service, or its node is silent.
        """
        key = service_type, name
        client = self._clients.get(key) or self._node.create_client(service_type, name)
        try:
            self._spin_until(client.service_is_ready, timeout_s, f'no service {name}')
            if key not in self._clients:
                self._wait_known(client.service_name, timeout_s)
        except AssertionError:
            self._node.destroy_client(client)
            self._clients.pop(key, None)
            raise
        self._clients[key] = client
        return client

    def _wait_known(self, service: str, timeout_s: float) -> None:
        """Wait until the server of a service knows every client that was made until now."""
        owner = self._owner(service)
        if owner is None:
            return
        probe = self._node.create_client(GetParameters, f'{owner}/get_parameters')
        asked: list[Any] = []
        asked_at = 0.0

        def is_answered() -> bool:
            nonlocal asked_at
            now = time.monotonic()
            if probe.service_is_ready() and now - asked_at > ASK_AGAIN_S:
                asked.append(probe.call_async(GetParameters.Request()))
                asked_at = now
            return any(future.done() for future in asked)

        try:
            self._spin_until(is_answered, timeout_s, f'{owner} does not answer')
        finally:
            self._node.destroy_client(probe)

    def _owner(self, service: str) -> str | None:
        """Name the node that offers a service, if it can be asked for its parameters."""
        for node_name, namespace in self._node.get_node_names_and_namespaces():
            owner = f'{namespace.rstrip("/")}/{node_name}'
            try:
                offered = {name for name, _ in self._node.get_service_names_and_types_by_node(
                    node_name, namespace)}
            except NodeNameNonExistentError:  # it has just ended
                continue
            if {service, f'{owner}/get_parameters'} <= offered:
                return owner
        return None
