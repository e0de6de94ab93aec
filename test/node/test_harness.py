# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The harness itself: it delivers, and it fails when it should."""

import pytest
from harness import Harness
from rclpy.node import Node
from std_msgs.msg import String


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
        inbox.expect_none(duration_s=0.5)


def test_wait_matched_fails_without_partner(harness):
    harness.publisher('nobody_listens', String, 1)
    with pytest.raises(AssertionError, match='nobody_listens'):
        harness.wait_matched(timeout_s=0.3)


def test_exception_in_a_callback_fails_the_test(harness):
    _inbox, outbox = _wire(harness)
    outbox.publish(String(data='raise'))
    with pytest.raises(ZeroDivisionError, match='asked to'):
        harness.spin_for(1.0)


def test_exception_in_the_background_thread_fails_the_test(harness):
    _inbox, outbox = _wire(harness)

    def spin_in_a_thread():
        with harness.spinning():
            harness.spin_for(1.0)

    outbox.publish(String(data='raise'))
    with pytest.raises(ZeroDivisionError, match='asked to'):
        spin_in_a_thread()


def test_contexts_are_separate():
    with Harness() as first, Harness() as second:
        assert first.context is not second.context
        first.close()
        assert second.context.ok()
