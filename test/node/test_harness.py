# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The harness itself: it delivers, and it fails when it should."""

import weakref

import pytest
from harness import Harness
from lifecycle_msgs.srv import GetState
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger


class Echo(Node):
    """Answers each question; raises on the word 'raise'."""

    def __init__(self, context):
        super().__init__('echo', context=context)
        self._out = self.create_publisher(String, 'answer', 1)
        self.create_subscription(String, 'question', self._answer, 1)

    def _answer(self, message):
        if message.data == 'raise':
            raise ZeroDivisionError('asked to')
        self._out.publish(message)


@pytest.fixture
def harness():
    with Harness() as it:
        it.add(Echo(it.context))
        yield it


def _wire(harness):
    inbox = harness.mailbox('answer', String, 1)
    outbox = harness.publisher('question', String, 1)
    harness.wait_matched()
    return inbox, outbox


def test_expect_returns_the_message(harness):
    inbox, outbox = _wire(harness)
    outbox.publish(String(data='hello'))
    assert inbox.expect().data == 'hello'
    inbox.expect_none(duration_s=0.1)


def test_expect_fails_and_says_what_came_instead(harness):
    inbox, outbox = _wire(harness)
    outbox.publish(String(data='other'))
    with pytest.raises(AssertionError, match='no fitting message on answer.*other'):
        inbox.expect(lambda message: message.data == 'hello', timeout_s=0.5)


def test_expect_none_fails_when_something_comes(harness):
    inbox, outbox = _wire(harness)
    outbox.publish(String(data='hello'))
    with pytest.raises(AssertionError, match='unexpected message'):
        inbox.expect_none(duration_s=5.0)


def test_wait_matched_fails_without_partner(harness):
    harness.publisher('nobody_listens', String, 1)
    with pytest.raises(AssertionError, match='nobody_listens'):
        harness.wait_matched(timeout_s=0.3)


def test_exception_in_a_callback_fails_the_test(harness):
    _inbox, outbox = _wire(harness)
    outbox.publish(String(data='raise'))
    with pytest.raises(ZeroDivisionError, match='asked to'):
        harness.spin_for(5.0)


def test_exception_in_the_background_thread_fails_the_test(harness):
    _inbox, outbox = _wire(harness)

    def spin_in_a_thread():
        with harness.spinning():
            harness.spin_for(5.0)

    outbox.publish(String(data='raise'))
    with pytest.raises(ZeroDivisionError, match='asked to'):
        spin_in_a_thread()


def test_contexts_are_separate():
    with Harness() as first, Harness() as second:
        assert first.context is not second.context
        first.close()
        assert second.context.ok()


def test_calls_of_one_service_share_one_client(harness):
    """A client per call lost answers on a busy machine: the server had not heard of it yet."""
    asked = []
    node = Node('asked', context=harness.context)
    node.create_service(Trigger, '~/ask', lambda _, answer: asked.append(1) or answer)
    harness.add(node)
    for _ in range(3):
        harness.call(Trigger, '/asked/ask', Trigger.Request())
    assert len(asked) == 3, 'waiting for the match asks nothing'
    assert [client.service_name for client in harness.tester.clients] == ['/asked/ask']


def test_a_call_without_server_or_answer_names_the_service(harness):
    with pytest.raises(AssertionError, match='no service /nobody/ask'):
        harness.call(Trigger, '/nobody/ask', Trigger.Request(), timeout_s=0.3)
    silent = Node('silent', context=harness.context)
    silent.create_service(Trigger, '~/ask', lambda _, answer: answer)
    try:
        with pytest.raises(AssertionError, match='/silent does not answer'):
            harness.call(Trigger, '/silent/ask', Trigger.Request(), timeout_s=1.0)
    finally:
        silent.destroy_node()
    assert list(harness.tester.clients) == []


@pytest.mark.parametrize('is_kept', [False, True])
def test_a_new_harness_does_not_meet_the_nodes_of_the_last(is_kept):
    """
    A process under test was silent: its transition went to a node of the test before.

    rclpy keeps the lifecycle services of a destroyed node until it is collected, and the traceback
    of a failed test keeps the node. Missed, because alone every test passes.
    """
    with Harness() as first:
        node = first.add(LifecycleNode('zombie', context=first.context))
        node.itself = node
        ghost = weakref.ref(node)
        first.call(GetState, '/zombie/get_state', GetState.Request())
    node = node if is_kept else None
    with Harness() as second:
        assert (ghost() is not None) == is_kept
        second.spin_for(1.0)
        assert second.tester.count_services('/zombie/change_state') == 0
