# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS parameters from a config dataclass: declared, described, checked as a whole."""

from dataclasses import dataclass

import pytest
from harness import Harness
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_ros.config import check_settings, setting
from wm_ros.ros.parameters import ConfigParameters, ParameterError


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """An example with every kind of field."""

    path: str = setting('', help='file to load', required=True)
    limit_s: float = setting(0.5, help='longest age', unit='s', range=(0.01, 10.0), tunable=True)
    warn_s: float = setting(0.3, help='warn age', unit='s', range=(0.01, 10.0), tunable=True)
    num: int = setting(2, help='how many', range=(1, 7))
    mode: str = setting('shadow', help='what to do', choices=('shadow', 'enforce'), tunable=True)
    names: tuple[str, ...] = setting((), help='joints')
    gains: tuple[float, ...] = setting((), help='gains', range=(0.0, 9.0))
    is_on: bool = setting(True, help='switch')

    def __post_init__(self):
        check_settings(self)
        if not self.warn_s <= self.limit_s:
            raise ValueError(f'warn_s is {self.warn_s}; must not exceed limit_s {self.limit_s}')


@pytest.fixture
def make():
    with Harness() as harness:
        def build(**overrides):
            node = Node('node', context=harness.context, parameter_overrides=[
                Parameter(name, value=value) for name, value in overrides.items()])
            harness.add(node)
            return node, ConfigParameters(node, Config)
        yield build


def test_defaults_and_overrides_reach_the_config(make):
    _node, parameters = make(path='a', limit_s=1, names=['x', 'y'])
    assert parameters.build() == Config(path='a', limit_s=1.0, names=('x', 'y'))


def test_an_empty_list_stays_a_list_of_its_type(make):
    node, parameters = make(path='a')
    assert parameters.build().names == ()
    assert node.set_parameters([Parameter('names', value=['x'])])[0].successful is False
    parameters.release()
    assert node.set_parameters([Parameter('names', value=['x'])])[0].successful
    assert parameters.build().names == ('x',)


@pytest.mark.parametrize('given', [[1, 2], [1.0, 2.0]])
def test_integers_are_taken_as_floats(make, given):
    _node, parameters = make(path='a', gains=given)
    assert parameters.build().gains == (1.0, 2.0)
    assert {type(gain) for gain in parameters.config.gains} == {float}


def test_the_descriptor_tells_help_unit_and_range(make):
    node, _parameters = make()
    descriptor = node.describe_parameter('limit_s')
    assert descriptor.description == 'longest age [s] (tunable)'
    assert descriptor.floating_point_range[0].to_value == 10.0
    assert node.describe_parameter('num').integer_range[0].from_value == 1
    assert node.describe_parameter('mode').additional_constraints == 'one of: shadow, enforce'


def test_a_missing_required_key_is_named(make):
    _node, parameters = make()
    with pytest.raises(ParameterError, match='parameter path is not set: file to load'):
        parameters.build()


@pytest.mark.parametrize(('name', 'value', 'text'), [
    ('limit_s', 99.0, 'limit_s'), ('limit_s', 0, 'limit_s'), ('limit_s', float('nan'), 'limit_s'),
    ('num', 9, 'num'), ('num', 'many', 'num'), ('mode', 'of', 'mode.*shadow, enforce'),
    ('names', 'x', 'names'), ('is_on', 'yes', 'is_on'),
    ('gains', [1, 10], 'gains'), ('gains', ['x'], 'gains'),
    ('limits_s', 1.0, 'did you mean limit_s'),
])
def test_a_bad_override_is_refused_by_name(make, name, value, text):
    with pytest.raises(ParameterError, match=text):
        make(path='a', **{name: value})


def test_structural_settings_are_refused_while_configured_and_free_after(make):
    node, parameters = make(path='a')
    assert node.set_parameters([Parameter('num', value=3)])[0].successful
    parameters.build()
    result = node.set_parameters([Parameter('num', value=4)])[0]
    assert not result.successful
    assert 'cannot change while it is configured' in result.reason
    parameters.release()
    assert node.set_parameters([Parameter('num', value=4)])[0].successful
    assert parameters.build().num == 4


def test_a_bad_update_changes_nothing(make):
    node, parameters = make(path='a')
    config = parameters.build()
    result = node.set_parameters_atomically([
        Parameter('mode', value='enforce'), Parameter('warn_s', value=0.9)])
    assert not result.successful
    assert 'warn_s is 0.9; must not exceed limit_s 0.5' in result.reason
    assert parameters.config is config
    assert node.get_parameter('mode').value == 'shadow'


def test_a_good_update_is_one_new_object(make):
    node, parameters = make(path='a')
    config = parameters.build()
    assert node.set_parameters_atomically([
        Parameter('limit_s', value=2.0), Parameter('warn_s', value=0.9)]).successful
    assert (parameters.config.limit_s, parameters.config.warn_s) == (2.0, 0.9)
    assert (config.limit_s, config.warn_s) == (0.5, 0.3)
