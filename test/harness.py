# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A second node that tests the node under test over real DDS.

Each ``Harness`` owns a private rclpy context, one executor and a tester node. Waiting is always
bounded, always on a condition, never a bare sleep; an exception in any callback of any added node
fails the test that is running.

    from harness import Harness    # test/ is on the path: conftest.py is in it
    with Harness() as harness:
        node = harness.add(NodeUnderTest(context=harness.context))
        inbox = harness.mailbox('answer', String, 1)
        outbox = harness.publisher('question', String, 1)
        harness.wait_matched()
        outbox.publish(String(data='hello'))
        assert inbox.expect(timeout_s=2.0).data == 'hello'
        inbox.expect_none(duration_s=0.3)
"""

import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from service_clients import Clients

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
# Domains above 101 collide with Linux's ephemeral ports; the process id keeps runs apart.
os.environ.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % 100))

TICK_S = 0.02


class Mailbox:
    """
    Everything that came in on one topic, oldest first.

    :param harness: who spins while the mailbox waits.
    :param topic: name, for messages.
    """

    def __init__(self, harness: 'Harness', topic: str) -> None:
        self._harness = harness
        self.topic = topic
        self.endpoint: Any = None
        self.received: deque = deque()
        self.received_at: deque[float] = deque()

    def __len__(self) -> int:
        return len(self.received)

    def store(self, message: Any) -> None:
        """Keep one message; runs on the executor thread."""
        self.received_at.append(time.monotonic())
        self.received.append(message)

    def clear(self) -> None:
        """Forget what has come in so far."""
        self.received.clear()
        self.received_at.clear()

    def expect(self, condition: Callable[[Any], bool] = lambda message: True, *,
               timeout_s: float = 5.0) -> Any:
        """
        Wait for a message that meets a condition; drop it and everything before it.

        :param condition: what the message must meet.
        :param timeout_s: how long to wait, s.
        :returns: the message.
        :raises AssertionError: naming the topic and how many others came.
        """
        found: list = []

        def take() -> bool:
            while self.received and not found:
                self.received_at.popleft()
                message = self.received.popleft()
                seen.append(message)
                if condition(message):
                    found.append(message)
            return bool(found)

        seen: list = []
        self._harness.spin_until(
            take, timeout_s,
            lambda: f'no fitting message on {self.topic} in {timeout_s} s; '
                    f'{len(seen)} others, last: {seen[-1] if seen else None}')
        return found[0]

    def expect_none(self, condition: Callable[[Any], bool] = lambda message: True, *,
                    duration_s: float = 0.3) -> None:
        """
        Assert that no message that meets a condition comes, for a bounded time.

        :param condition: what must not come; messages that are already here count.
        :param duration_s: how long to watch, s.
        :raises AssertionError: showing the message.
        """
        deadline = time.monotonic() + duration_s
        num_seen, is_over = 0, False
        while not is_over:
            is_over = time.monotonic() >= deadline
            if not is_over:
                self._harness.turn()
            for message in list(self.received)[num_seen:]:
                num_seen += 1
                assert not condition(message), f'unexpected message on {self.topic}: {message}'


class Harness:
    """
    A private context with an executor, a tester node and mailboxes.

    Native entities may outlive their node until it is collected: the garbage of the test before
    is collected first, so that no test talks to a node that is gone.

    :param namespace: namespace of the tester node.
    """

    def __init__(self, *, namespace: str = '') -> None:
        gc.collect()
        self.context = Context()
        rclpy.init(context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.tester = Node('tester', context=self.context, namespace=namespace,
                           use_global_arguments=False)
        self._nodes: list[Node] = []
        self._mailboxes: list[Mailbox] = []
        self._publishers: list[Any] = []
        self._clients = Clients(self.tester, self.spin_until)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self.executor.add_node(self.tester)

    def __enter__(self) -> 'Harness':
        return self

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self.close()
        if kind is None:
            self._raise_error()

    def close(self) -> None:
        """Destroy every node and the context; safe to call twice."""
        if not self.context.ok():
            return
        self.executor.shutdown(timeout_sec=2.0)
        for node in (*self._nodes, self.tester):
            _destroy(node)
        self._nodes.clear()
        self.context.try_shutdown()

    def add(self, node: Node) -> Any:
        """Put a node under test on the executor and destroy it at the end; returns the node."""
        self._nodes.append(node)
        self.executor.add_node(node)
        return node

    def remove(self, node: Node) -> None:
        """Take a node out and destroy it, as if its process had ended."""
        self._nodes.remove(node)
        self.executor.remove_node(node)
        _destroy(node)

    def mailbox(self, topic: str, message_type: Any, qos: Any) -> Mailbox:
        """Subscribe the tester to a topic."""
        box = Mailbox(self, topic)
        box.endpoint = self.tester.create_subscription(message_type, topic, box.store, qos)
        self._mailboxes.append(box)
        return box

    def close_mailbox(self, box: Mailbox) -> None:
        """Unsubscribe the tester from a topic."""
        self._mailboxes.remove(box)
        self.tester.destroy_subscription(box.endpoint)

    def publisher(self, topic: str, message_type: Any, qos: Any) -> Any:
        """Create a publisher of the tester."""
        publisher = self.tester.create_publisher(message_type, topic, qos)
        self._publishers.append(publisher)
        return publisher

    def wait_matched(self, timeout_s: float = 10.0) -> None:
        """Wait until every publisher and mailbox of the tester has a partner."""
        def missing() -> list[str]:
            names = [p.topic_name for p in self._publishers if p.get_subscription_count() == 0]
            return names + [box.topic for box in self._mailboxes
                            if self.tester.count_publishers(box.endpoint.topic_name) == 0]

        self.spin_until(lambda: not missing(), timeout_s,
                        lambda: f'no partner on {missing()} after {timeout_s} s')

    def spin_until(self, condition: Callable[[], bool], timeout_s: float,
                   failure: str | Callable[[], str] = 'condition not met') -> None:
        """
        Spin until a condition holds.

        :param condition: checked after every callback.
        :param timeout_s: deadline, s.
        :param failure: text of the assertion.
        :raises AssertionError: when the deadline passes.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            text = failure if isinstance(failure, str) else failure()
            assert time.monotonic() < deadline, f'{text} (waited {timeout_s} s)'
            self.turn()

    def spin_for(self, duration_s: float) -> None:
        """Spin for a fixed time; only for asserting that something does not happen."""
        deadline = time.monotonic() + duration_s
        while time.monotonic() < deadline:
            self.turn()

    @contextmanager
    def spinning(self) -> Iterator[None]:
        """Spin in a background thread meanwhile; an exception in a callback is raised at exit."""
        stop = threading.Event()

        def loop() -> None:
            try:
                while not stop.is_set():
                    self.executor.spin_once(timeout_sec=TICK_S)
            except BaseException as error:  # handed to the test's own thread
                self._error = error

        self._thread = threading.Thread(target=loop, name='harness')
        self._thread.start()
        try:
            yield
        finally:
            stop.set()
            self._thread.join(timeout=5.0)
            self._thread = None
        self._raise_error()

    def call(self, service_type: Any, name: str, request: Any, timeout_s: float = 10.0) -> Any:
        """
        Call a service, once, and return its response.

        :param timeout_s: how long to wait for the service, and then for its answer, s.
        :raises AssertionError: naming the service that is missing or silent.
        """
        future = self._clients.get(service_type, name, timeout_s).call_async(request)
        self.spin_until(future.done, timeout_s, f'no answer from {name}')
        return future.result()

    def change_state(self, node_name: str, transition: int, timeout_s: float = 15.0) -> bool:
        """Ask a lifecycle node for a transition (``Transition.TRANSITION_*``) over its service."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, f'{node_name}/change_state', request, timeout_s).success

    def state(self, node_name: str) -> str:
        """Read the label of a lifecycle node's state over its service."""
        answer = self.call(GetState, f'{node_name}/get_state', GetState.Request())
        return answer.current_state.label

    def configure_and_activate(self, node_name: str) -> None:
        """Bring a lifecycle node to active."""
        assert self.change_state(node_name, Transition.TRANSITION_CONFIGURE), 'configure failed'
        assert self.change_state(node_name, Transition.TRANSITION_ACTIVATE), 'activate failed'

    def turn(self) -> None:
        """Run what is due, or wait for a moment."""
        if self._thread is None:
            self.executor.spin_once(timeout_sec=TICK_S)
        else:
            time.sleep(TICK_S / 4)
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def _destroy(node: Node) -> None:
    """Destroy a node wholly, even if a failed test's traceback keeps the object alive."""
    node.destroy_node()
    if isinstance(node, LifecycleNode):
        # rclpy leaves these to the garbage collector: change_state would go on being offered.
        node._state_machine.destroy_when_not_in_use()
