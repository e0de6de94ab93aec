# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the numbers and tokens of a policy mean, and what is wrong with a file that says so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from arm_urdf import planar_urdf
from gate_rig import ROS_START_NS, make_config, make_sample
from hypothesis import given
from hypothesis import strategies as st

from wm_ros.config import build_tree
from wm_ros.datatypes import Reason
from wm_ros.gate.action_space import ActionSpaces
from wm_ros.gate.action_statistics import Statistics, Tokens
from wm_ros.gate.checks import CommandRefused
from wm_ros.gate.commands import prepare_request
from wm_ros.gate.requests import ActionTargets
from wm_ros.gate.robot import Robot
from wm_ros.ros.action_space_file import read_action_spaces

ROOT = Path(__file__).resolve().parents[2]
FREE = {'position_lower': (), 'position_upper': (), 'velocity_limit': (), 'max_step': 9.0}
ARM = {'robot_description_file': 'x', 'tip_link': 'tip', 'cartesian_axes': ('tx', 'ty'), **FREE}
JOINTS = {'name': 'one', 'kind': 'joints', 'step': 0.1, 'numbers': ['a', 'b']}
POSE = {'name': 'one', 'kind': 'cartesian', 'step': 0.1, 'reference': 'previous',
        'numbers': ['x', 'y', 'z', 'roll', 'pitch', 'yaw']}
GRIPPER = {'joint': 'b', 'closed': -0.2, 'open': 0.6}


def spaces(*given_spaces) -> ActionSpaces:
    """Build spaces as a file gives them."""
    return build_tree(ActionSpaces, {'default': 'one', 'spaces': list(given_spaces)}, '')


def decode(space, actions=(), *, start=(0.0, 0.0), urdf=None, tokens=(), **changes) -> np.ndarray:
    """Decode numbers in a space, (N, J)."""
    config = make_config(**{**FREE, **changes})
    robot = Robot(config, urdf, spaces(space))
    request = ActionTargets(
        source='test', action_space='', action_size=len(space['numbers']),
        actions=tuple(actions), tokens=tuple(tokens))
    sample = make_sample(start)
    return prepare_request(request, sample, config, robot, ROS_START_NS).trajectory.positions


@pytest.mark.parametrize(('changes', 'start', 'wanted'), [
    ({}, (0.5, 0.5), [[0.1, 0.2], [0.1, 0.4]]),
    ({'reference': 'start'}, (0.5, 0.25), [[0.6, 0.45], [0.6, 0.65]]),
    ({'reference': 'previous'}, (0.5, 0.25), [[0.6, 0.45], [0.7, 0.85]]),
    ({'numbers': ['b', 'a']}, (0.5, 0.5), [[0.2, 0.1], [0.4, 0.1]]),
    ({'numbers': ['b', 'ignore']}, (0.5, 0.5), [[0.5, 0.1], [0.5, 0.1]]),
    ({'unit': 'deg'}, (0.0, 0.0), np.deg2rad([[0.1, 0.2], [0.1, 0.4]])),
])
def test_joint_numbers(changes, start, wanted):
    found = decode({**JOINTS, **changes}, (0.1, 0.2, 0.1, 0.4), start=start)
    assert found == pytest.approx(np.array(wanted))


def test_numbers_are_scaled_back():
    def scaled(kind, **figures):
        return decode({**JOINTS, 'normalisation': kind, 'statistics': figures},
                      (-1.0, 0.0, 1.0, 0.5))

    assert scaled('q01_q99', q01=[0.0, -2.0], q99=[1.0, 2.0]) == pytest.approx(
        np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert scaled('min_max', min=[0.0, -2.0], max=[1.0, 2.0], mask=[True, False]) == pytest.approx(
        np.array([[0.0, 0.0], [1.0, 0.5]]))
    assert scaled('mean_std', mean=[0.1, 0.0], std=[0.5, 2.0]) == pytest.approx(
        np.array([[-0.4, 0.0], [0.6, 1.0]]))


def test_index_tokens_go_evenly_from_end_to_end():
    assert Tokens(scheme='index').restore(np.array([[0, 255, 51]])).tolist() == [
        [-1.0, 1.0, pytest.approx(-0.6)]]


def test_openvla_tokens_are_the_last_of_the_vocabulary_counted_backwards():
    """The centres of the bins between 256 edges from -1 to 1, by the definition itself."""
    edges = np.linspace(-1.0, 1.0, 256)
    centres = 0.5 * (edges[:-1] + edges[1:])
    tokens = np.arange(31744, 32000)
    found = Tokens(scheme='openvla').restore(tokens[None])[0]
    wanted = centres[np.clip(32000 - tokens - 1, 0, 254)]
    assert found == pytest.approx(wanted)
    assert found[-1] == pytest.approx(-1 + 1 / 255)
    assert found[0] == found[1] == pytest.approx(1 - 1 / 255)


@given(value=st.floats(-1.0, 1.0))
def test_a_number_survives_the_way_through_openvla_tokens(value):
    token = 32000 - int(np.digitize(value, np.linspace(-1.0, 1.0, 256)))
    found = Tokens(scheme='openvla').restore(np.array([[token]]))[0, 0]
    assert abs(found - value) <= 1 / 255 + 1e-12


@pytest.mark.parametrize(('scheme', 'token', 'words'), [
    ('index', 256, 'token 256 of target 0, number 1 is none of 0 to 255'),
    ('index', -1, 'is none of'), ('openvla', 31743, 'none of 31744 to 31999'),
    ('openvla', 32000, 'none of')])
def test_a_token_that_is_no_number_is_refused(scheme, token, words):
    good = 0 if scheme == 'index' else 31999
    with pytest.raises(CommandRefused, match=words) as caught:
        decode({**JOINTS, 'tokens': {'scheme': scheme}}, tokens=(good, token))
    assert caught.value.reason is Reason.BAD_COMMAND


def test_tokens_with_statistics_become_joints():
    space = {**JOINTS, 'normalisation': 'q01_q99', 'tokens': {'scheme': 'index'},
             'statistics': {'q01': [-0.5, 0.0], 'q99': [0.5, 1.0]}}
    assert decode(space, tokens=(0, 255, 255, 0)) == pytest.approx(
        np.array([[-0.5, 1.0], [0.5, 0.0]]))


@pytest.mark.parametrize(('changes', 'wanted'), [
    ({}, [-0.2, 0.2, 0.6, 0.6]), ({'binary': True}, [-0.2, 0.6, 0.6, 0.6]),
    ({'number_closed': 1.0, 'number_open': 0.0}, [0.6, 0.2, -0.2, -0.2])])
def test_the_gripper_is_a_place_between_closed_and_open(changes, wanted):
    space = {**JOINTS, 'numbers': ['a', 'gripper'], 'reference': 'previous',
             'gripper': {**GRIPPER, **changes}}
    found = decode(space, (0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 1.7), start=(0.0, 0.3))
    assert found[:, 1] == pytest.approx(np.array(wanted))


def tip(positions) -> np.ndarray:
    """Give the tip of the planar arm by hand."""
    a, b = positions
    return np.array([0.5 * np.cos(a) + 0.3 * np.cos(a + b), 0.5 * np.sin(a) + 0.3 * np.sin(a + b)])


BENT = (0.3, 1.0)
STEPS = (0.02, 0.0, 0, 0, 0, 0, 0.0, 0.03, 0, 0, 0, 0)


@pytest.mark.parametrize(('changes', 'wanted'), [
    ({}, [[0.02, 0.0], [0.02, 0.03]]),
    ({'reference': 'start'}, [[0.02, 0.0], [0.0, 0.03]]),
    ({'frame': 'tip'}, [[0.02 * np.cos(1.3), 0.02 * np.sin(1.3)],
                        [0.02 * np.cos(1.3) - 0.03 * np.sin(1.3),
                         0.02 * np.sin(1.3) + 0.03 * np.cos(1.3)]])])
def test_cartesian_differences_move_the_tip(changes, wanted):
    found = decode({**POSE, **changes}, STEPS, start=BENT, urdf=planar_urdf(), **ARM)
    moved = np.array([tip(row) for row in found]) - tip(BENT)
    assert moved == pytest.approx(np.array(wanted), abs=2.5e-3)


def test_an_absolute_pose_is_reached_and_one_out_of_reach_refused():
    space = {**POSE, 'reference': 'absolute'}
    found = decode(space, (*tip((0.4, 1.1)), 0, 0, 0, 0), start=BENT, urdf=planar_urdf(), **ARM)
    assert tip(found[0]) == pytest.approx(tip((0.4, 1.1)), abs=1.5e-3)
    with pytest.raises(CommandRefused, match=r'cannot get to target 0 at \(0.900, 0.000, 0.000\)'):
        decode(space, (0.9, 0, 0, 0, 0, 0), start=BENT, urdf=planar_urdf(), **ARM)


def test_a_turn_of_the_tip_is_followed_where_the_axis_is():
    turned = {**ARM, 'cartesian_axes': ('rz', 'tx')}
    found = decode(POSE, (0.0, 0.0, 0, 0, 0, -0.1), start=BENT, urdf=planar_urdf(), **turned)
    assert found[0].sum() == pytest.approx(1.2, abs=0.02)
    assert tip(found[0])[0] == pytest.approx(tip(BENT)[0], abs=2e-3)


def test_poses_need_the_robot_description():
    config = make_config(**{**ARM, 'robot_description_file': '', 'robot_description_topic': 'x'})
    robot = Robot(config, None, spaces(POSE))
    request = ActionTargets(source='test', action_space='one', action_size=6, actions=(0.0,) * 6)
    with pytest.raises(CommandRefused, match='need tip_link and the robot description'):
        prepare_request(request, make_sample(), config, robot, ROS_START_NS)


def test_too_many_poses_would_keep_the_gate_busy():
    with pytest.raises(CommandRefused, match='65 poses; at most 64'):
        decode(POSE, (0.0,) * 6 * 65, start=BENT, urdf=planar_urdf(), **ARM)


@pytest.mark.parametrize(('space', 'words'), [
    ({**JOINTS, 'kind': 'pose'}, 'kind is .*joints, cartesian'),
    ({**JOINTS, 'numbers': ['a', 'a']}, 'each may stand there once'),
    ({**JOINTS, 'numbers': []}, 'numbers is not set'),
    ({**JOINTS, 'step': 0.0}, 'step is 0.0'),
    ({**JOINTS, 'steps': 1.0}, r"unknown keys \['steps'\]"),
    ({**JOINTS, 'gripper': GRIPPER}, "numbers has no 'gripper'"),
    ({**JOINTS, 'gripper': {**GRIPPER, 'number_closed': 1.0}}, 'they must differ'),
    ({**JOINTS, 'normalisation': 'q01_q99'}, 'statistics.q01 has 0 values for 2 numbers'),
    ({**JOINTS, 'normalisation': 'min_max', 'statistics': {'min': [0, 1], 'max': [1, 0]}},
     'statistics.max is .*expected at least min'),
    ({**JOINTS, 'normalisation': 'mean_std', 'statistics': {'mean': [0, 1], 'std': [1, -1]}},
     'no negative ones'),
    ({**JOINTS, 'statistics': {'mask': [True]}}, 'statistics.mask has 1 values'),
    ({**JOINTS, 'statistics': {'q01': [float('nan'), 0]}}, 'q01 is nan'),
    ({**JOINTS, 'tokens': {'scheme': 'openvla', 'vocabulary': 100}}, 'less than tokens.bins'),
    ({**POSE, 'numbers': ['x', 'a']}, r"numbers has \['a'\]"),
    ({**POSE, 'numbers': ['x', 'gripper']}, 'set gripper.joint'),
    ({**POSE, 'numbers': ['x', 'y'], 'reference': 'absolute'}, 'an absolute pose needs all'),
])
def test_a_space_that_makes_no_sense_is_refused_in_words(space, words):
    with pytest.raises(ValueError, match=words):
        spaces(space)


def test_names_are_unique_and_the_default_is_one_of_them():
    with pytest.raises(ValueError, match='each may be there once'):
        spaces(JOINTS, JOINTS)
    with pytest.raises(ValueError, match=r"default is 'one'; spaces has \['two'\]"):
        spaces({**JOINTS, 'name': 'two'})


def test_the_robot_must_be_able_to_do_what_a_space_says():
    with pytest.raises(ValueError, match=r"space one moves \['a', 'elbow'\]"):
        Robot(make_config(), None, spaces({**JOINTS, 'numbers': ['a', 'elbow']}))
    with pytest.raises(ValueError, match='action space one is cartesian; set tip_link'):
        Robot(make_config(), None, spaces(POSE))
    with pytest.raises(ValueError, match='space one moves .* expected each once'):
        Robot(make_config(), None, spaces(
            {**JOINTS, 'numbers': ['a', 'b', 'gripper'], 'gripper': GRIPPER}))


def deployed() -> dict:
    """Read the deployed file."""
    return yaml.safe_load((ROOT / 'config/action_space.yaml').read_text(encoding='utf-8'))


def test_the_deployed_file_fits_the_deployed_gate():
    gate = yaml.safe_load((ROOT / 'config/wm_gate.yaml').read_text(encoding='utf-8'))
    joints = tuple(gate['/**/wm_gate']['ros__parameters']['joint_names'])
    build_tree(ActionSpaces, deployed(), '').check(joints, has_tip=False)


def test_the_commented_example_works_once_it_is_uncommented():
    text = (ROOT / 'config/action_space.yaml').read_text(encoding='utf-8')
    example = text[text.index('  # - name: openvla'):]
    (space,) = yaml.safe_load('\n'.join(line.replace('  # ', '', 1)
                                        for line in example.splitlines()))
    space['statistics'] = {'q01': [0.0] * 7, 'q99': [1.0] * 7}
    assert build_tree(ActionSpaces, {'default': 'openvla', 'spaces': [space]}, '')


def test_statistics_are_read_from_the_file_beside(tmp_path):
    figures = {'q01': [0, -1], 'q99': [1, 1], 'mask': [True, False], 'num_trajectories': 3}
    (tmp_path / 'stats.json').write_text(json.dumps({'mine': {'action': figures}}))
    space = {**JOINTS, 'normalisation': 'q01_q99',
             'statistics': {'file': 'stats.json', 'key': 'mine'}}
    path = tmp_path / 'space.yaml'
    path.write_text(yaml.safe_dump({'default': 'one', 'spaces': [space]}))
    found = read_action_spaces(str(path)).spaces[0].statistics
    assert found == Statistics(q01=(0.0, -1.0), q99=(1.0, 1.0), mask=(True, False))
    space['statistics']['key'] = 'other'
    path.write_text(yaml.safe_dump({'default': 'one', 'spaces': [space]}))
    with pytest.raises(ValueError, match=r"no 'other' with an action; it has \['mine'\]"):
        read_action_spaces(str(path))


@pytest.mark.parametrize(('text', 'words'), [
    ('default: [', 'while parsing'), ('7', 'must hold keys and values'),
    ('default: one\n', "lacks ['spaces']"), ('default: one\nspaces: 7', 'spaces is 7'),
    ('default: one\nspaces: [7]', 'spaces[0] must hold keys'),
    ('default: one\nspaces: [{statistics: {file: x}}]', 'with file it has key'),
    ('default: one\nspaces: [{statistics: {file: x, key: y}}]', 'No such file'),
    (None, 'No such file'),
])
def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path, text, words):
    path = tmp_path / 'space.yaml'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        read_action_spaces(str(path))
    assert str(caught.value).startswith(f'action_space_file is {str(path)!r}: ')


def test_no_file_is_no_spaces():
    assert read_action_spaces('') is None
