# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters of another node over real DDS, without waiting for it."""

import pytest
from harness import Harness
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_ros.ros.remote_parameters import RemoteParameters

NAMES = ('rate', 'names', 'empty', 'not_there', 'use_sim_time')


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


def make_other(harness):
    """Make a node with values, a parameter without one, and none of a wanted name."""
    other = harness.add(Node('other', context=harness.context))
    other.declare_parameter('rate', 2.5)
    other.declare_parameter('names', ['a', 'b'])
    other.declare_parameter('empty', Parameter.Type.INTEGER_ARRAY)
    return other


def test_what_has_a_value_comes_and_what_has_none_costs_nothing(harness):
    """
    One name without a value emptied the whole answer.

    rclpy answers get_parameters with no values at all when a single name is not declared or has
    no value; with the parameters of the first version every name happened to have one.
    """
    make_other(harness)
    remote = RemoteParameters(harness.tester, 'other', NAMES)
    harness.spin_until(lambda: remote.ask() or remote.values, 10.0)
    assert remote.values == {'rate': 2.5, 'names': ['a', 'b'], 'use_sim_time': False}


def test_a_new_value_is_there_after_the_next_question(harness):
    other = make_other(harness)
    remote = RemoteParameters(harness.tester, 'other', NAMES)
    harness.spin_until(lambda: remote.ask() or remote.values, 10.0)
    other.set_parameters([Parameter('rate', value=5.0)])
    remote.ask()
    harness.spin_until(lambda: remote.values['rate'] == 5.0, 5.0)


def test_nobody_to_ask_is_no_error(harness):
    remote = RemoteParameters(harness.tester, 'nobody', NAMES)
    remote.ask()
    harness.spin_for(0.3)
    assert remote.values == {}
