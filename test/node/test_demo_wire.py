# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How the demo waits for nodes that have just started."""

import pytest
from harness import Harness
from rclpy.node import Node
from std_srvs.srv import Trigger

from wm_ros.errors import WorldModelError
from wm_ros.ros.demo_wire import Wire


@pytest.fixture
def make_wire():
    with Harness() as harness:
        asker = Node('asker', context=harness.context)

        def make(num_refusals):
            answers = []

            def answer(_request, response):
                answers.append(len(answers))
                response.success = len(answers) > num_refusals
                response.message = 'no joint_states yet'
                return response

            server = Node('starter', context=harness.context)
            server.create_service(Trigger, '~/propose', answer)
            return Wire(asker, server), answers

        yield make
        asker.destroy_node()


def test_a_node_that_has_just_started_is_asked_again(make_wire):
    wire, answers = make_wire(num_refusals=2)
    wire.trigger_when_ready('/starter/propose')
    assert len(answers) == 3
    wire.close()


def test_a_node_that_goes_on_saying_no_is_an_error_with_its_reason(make_wire):
    wire, answers = make_wire(num_refusals=1000)
    with pytest.raises(WorldModelError, match='/starter/propose failed: no joint_states yet'):
        wire.trigger_when_ready('/starter/propose', timeout_s=0.5)
    assert len(answers) > 1
    wire.close()
