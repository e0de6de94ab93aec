# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Limits out of a URDF, joined with those of the parameters."""

import builtins

import numpy as np
import pytest
from arm_urdf import planar_urdf
from gate_rig import Rig, make_command, make_config

from wm_ros.datatypes import Reason
from wm_ros.gate.description import parse_description
from wm_ros.gate.effects import Forward, PublishChunk
from wm_ros.gate.robot import Robot
from wm_ros.gate.values import State

NAMES = ('a', 'b')
FREE = {'position_lower': (), 'position_upper': (), 'velocity_limit': ()}


def test_limits_are_in_the_order_of_the_joints():
    found = parse_description(planar_urdf(
        'lower="-2" upper="1" velocity="3" acceleration="7"'), ('b', 'a'))
    assert found.lower.tolist() == [-2.5, -2.0]
    assert found.upper.tolist() == [2.5, 1.0]
    assert found.speed.tolist() == [3.0, 3.0]
    assert found.acceleration.tolist() == [np.inf, 7.0]


def test_a_continuous_joint_has_no_limit_of_position():
    found = parse_description(planar_urdf(kind_b='continuous'), NAMES)
    assert found.lower.tolist() == [-2.0, -np.inf]
    assert found.speed.tolist() == [3.0, 3.0]


def test_a_continuous_joint_may_say_nothing():
    text = planar_urdf(kind_b='continuous')
    at = text.index('<limit', text.index('name="b"'))
    text = text[:at] + text[text.index('/>', at) + 2:]
    assert parse_description(text, NAMES).speed.tolist() == [3.0, np.inf]


@pytest.mark.parametrize(('change', 'words'), [
    (('effort="1" ', ''), 'the URDF cannot be used'),
    (('<child link="tip"/>', '<child link="base"/>'), 'the URDF has no moving joint a'),
])
def test_a_urdf_that_pinocchio_cannot_use_is_refused(change, words):
    config = make_config(robot_description_file='x', tip_link='tip')
    with pytest.raises(ValueError, match=words):
        Robot(config, planar_urdf().replace(*change))


def test_the_tighter_limit_counts():
    config = make_config(velocity_limit=(2.0, 5.0), acceleration_limit=(4.0, 4.0))
    limits = Robot(config, planar_urdf(
        'lower="-0.5" upper="9" velocity="3" acceleration="7"')).limits
    assert limits.lower.tolist() == [-0.5, -1.0]
    assert limits.upper.tolist() == [1.0, 1.0]
    assert limits.speed.tolist() == [2.0, 3.0]
    assert limits.acceleration.tolist() == [4.0, 4.0]


@pytest.mark.parametrize(('text', 'words'), [
    ('', 'no XML'),
    ('<robot', 'no XML'),
    ('<sdf/>', 'starts with <sdf>'),
    ('<!DOCTYPE x [<!ENTITY y "z">]><robot/>', 'document type'),
    ('<robot name="x"/>', r"no joint \['a', 'b'\]"),
    (planar_urdf().replace('name="b"', 'name="elbow"'), r"no joint \['b'\]; it has \['a'"),
    (planar_urdf('lower="1" upper="1" velocity="3"'), 'may be from 1.0 to 1.0'),
    (planar_urdf('velocity="3"'), 'joint a of the URDF may be from 0.0 to 0.0'),
    (planar_urdf('lower="x" upper="1" velocity="3"'), "lower of joint a in the URDF is 'x'"),
    (planar_urdf('lower="nan" upper="1" velocity="3"'), "is 'nan', no number"),
    (planar_urdf('lower="0" upper="1" velocity="0"'), 'velocity of joint a in the URDF is 0.0'),
    (planar_urdf(kind_b='fixed'), 'joint b of the URDF is fixed'),
    ('<robot><joint name="a" type="prismatic"/><joint name="b"/></robot>', 'has no <limit>'),
    ('<robot>' + ' ' * 16_000_000 + '</robot>', 'characters; at most'),
])
def test_what_is_wrong_with_a_urdf_is_said_in_words(text, words):
    with pytest.raises(ValueError, match=words):
        parse_description(text, NAMES)


def test_parameters_and_urdf_that_leave_no_room_are_refused():
    with pytest.raises(ValueError, match='a may be from 2 to 1 rad by position_lower'):
        Robot(make_config(), planar_urdf('lower="2" upper="3" velocity="1"'))


@pytest.mark.parametrize(('changes', 'words'), [
    ({'acceleration_limit': (1.0,)}, 'acceleration_limit has 1 values; joint_names has 2'),
    ({'acceleration_limit': (0.0, 1.0)}, 'acceleration_limit is 0.0'),
    ({'tip_link': 'tip'}, 'need the URDF; set robot_description_file'),
    ({'robot_description_file': 'x', 'robot_description_topic': 'y'}, 'both given; keep one'),
    ({'workspace_lower': (0.0, 0.0), 'workspace_upper': (1.0, 1.0, 1.0)}, 'has 2 values'),
    ({'workspace_lower': (0.0, 0.0, 0.0)}, 'both be given or both empty'),
    ({'workspace_lower': (0.0, 1.0, 0.0), 'workspace_upper': (1.0, 1.0, 1.0)},
     'workspace_lower of y is 1.0, not below 1.0'),
    ({'workspace_lower': (0.0, 2.0, 0.0), 'workspace_upper': (1.0, 1.0, 1.0)},
     'workspace_lower of y is 2.0, not below 1.0'),
    ({'workspace_lower': (0.0,) * 3, 'workspace_upper': (1.0,) * 3,
      'robot_description_file': 'x'}, 'set workspace_links or tip_link too'),
    ({'workspace_links': ('tip',)}, 'set workspace_lower and workspace_upper too'),
])
def test_settings_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        make_config(**changes)


def test_a_link_that_the_urdf_lacks_is_named():
    config = make_config(robot_description_file='x', tip_link='hand')
    with pytest.raises(ValueError, match=r"tip_link is 'hand'; the URDF has \['base', 'upper'"):
        Robot(config, planar_urdf())
    config = make_config(
        robot_description_file='x', workspace_links=('hand',), workspace_lower=(0.0,) * 3,
        workspace_upper=(1.0,) * 3)
    with pytest.raises(ValueError, match="workspace_links is 'hand'"):
        Robot(config, planar_urdf())


def test_without_pinocchio_limits_still_work_and_the_rest_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == 'pinocchio':
            raise ImportError('not here')
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', without)
    assert Robot(make_config(), planar_urdf()).limits.speed.tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match=r'ros-jazzy-pinocchio.*wm_ros\[kinematics\].*not here'):
        Robot(make_config(robot_description_file='x', tip_link='tip'), planar_urdf())


def test_the_gate_waits_for_the_description_and_then_keeps_its_limits():
    rig = Rig(robot_description_topic='robot_description', **FREE)
    rig.note(rig.gate.activate(rig.now))
    rig.run(200)
    assert rig.state is State.WAITING
    assert 'no usable robot description yet on robot_description' in rig.message
    rig.note(rig.gate.take_description('<robot/>', rig.now))
    rig.run(200)
    assert rig.state is State.WAITING
    rig.note(rig.gate.take_description(planar_urdf(), rig.now))
    rig.run(200)
    assert rig.state is State.RUNNING
    effects = rig.command(make_command(((2.1, 0.0),), (5000,)))
    assert not any(isinstance(e, (Forward, PublishChunk)) for e in effects)
    assert rig.state is State.HOLD
    assert rig.reasons & Reason.LIMIT
    assert 'a at point 0 is 2.1 rad; allowed is -2 to 2' in rig.message


def test_another_description_changes_nothing():
    rig = Rig(robot_description_topic='robot_description')
    rig.note(rig.gate.take_description(planar_urdf(), rig.now))
    limits = rig.gate.robot.limits
    (refused,) = rig.gate.take_description(planar_urdf('lower="0" upper="1"'), rig.now)
    assert 'cleaned up and configured again' in refused.message
    assert rig.gate.robot.limits is limits
    assert rig.gate.take_description(planar_urdf(), rig.now) == []
