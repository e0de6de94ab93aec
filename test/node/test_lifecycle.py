# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Guarded lifecycle: what is raised is logged, released, and the state tells the truth."""

import pytest
from harness import Harness
from lifecycle_msgs.msg import Transition
from std_msgs.msg import String

from wm_ros.errors import EngineError
from wm_ros.ros.lifecycle import GuardedLifecycleNode


class Fragile(GuardedLifecycleNode):
    """Raises in the hooks named in ``broken``; holds a resource between configure and release."""

    def __init__(self, context, **kwargs):
        super().__init__('fragile', context=context, **kwargs)
        self.broken = set()
        self.calls = []
        self.is_holding = False
        self.is_running = False

    def _call(self, name):
        self.calls.append(name)
        if name in self.broken:
            raise EngineError(f'{name} is broken')

    def configure(self):
        self.is_holding = True
        self.publisher = self.create_lifecycle_publisher(String, 'out', 1)
        self._call('configure')

    def activate(self):
        self.is_running = True
        self._call('activate')

    def deactivate(self):
        self._call('deactivate')
        self.is_running = False

    def release(self):
        self._call('release')
        self.is_holding = False


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


@pytest.fixture
def node(harness):
    return harness.add(Fragile(harness.context))


CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP


def test_the_hooks_run_in_order(harness, node):
    for transition in (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP):
        assert harness.change_state('fragile', transition)
    assert node.calls == ['configure', 'activate', 'deactivate', 'release']
    assert harness.state('fragile') == 'unconfigured'


@pytest.mark.parametrize(('hook', 'path', 'expected', 'is_holding'), [
    ('configure', (CONFIGURE,), 'unconfigured', False),
    ('activate', (CONFIGURE, ACTIVATE), 'inactive', True),
])
def test_a_broken_start_is_undone(harness, node, hook, path, expected, is_holding):
    node.broken = {hook}
    results = [harness.change_state('fragile', transition) for transition in path]
    assert results[-1] is False
    assert harness.state('fragile') == expected
    assert (node.is_holding, node.is_running) == (is_holding, False)
    assert node.last_error == f'{hook}: {hook} is broken'
    node.broken = set()
    assert harness.change_state('fragile', path[-1])


def test_a_broken_stop_never_shows_active(harness, node):
    harness.configure_and_activate('fragile')
    calls = []

    def deactivate_once():
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError('first time')
        node.is_running = False

    node.deactivate = deactivate_once
    assert not harness.change_state('fragile', DEACTIVATE)
    assert harness.state('fragile') == 'unconfigured'
    assert (node.is_holding, node.is_running) == (False, False)


def test_a_failed_release_is_final(harness, node):
    node.broken = {'configure', 'release'}
    assert not harness.change_state('fragile', CONFIGURE)
    assert harness.state('fragile') == 'finalized'


@pytest.mark.parametrize('transition', [ACTIVATE, DEACTIVATE, 77, 255])
def test_an_impossible_transition_is_refused_and_the_node_lives(harness, node, transition):
    assert not harness.change_state('fragile', transition)
    assert harness.state('fragile') == 'unconfigured'
    assert node.calls == []
    assert harness.change_state('fragile', CONFIGURE)


def test_stop_releases_from_active(harness, node):
    harness.configure_and_activate('fragile')
    node.stop()
    node.stop()
    assert (node.is_holding, node.is_running) == (False, False)


def test_a_hundred_rounds_leave_no_entity_behind(harness, node):
    before = len(node._managed_entities)
    for _ in range(100):
        node.trigger_configure()
        node.trigger_activate()
        node.trigger_deactivate()
        node.destroy_lifecycle_publisher(node.publisher)
        node.trigger_cleanup()
    assert len(node._managed_entities) == before
