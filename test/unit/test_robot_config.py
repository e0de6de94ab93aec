# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The YAML file of a robot: what it says and what is refused, with the place and the fix."""

import re
from pathlib import Path

import pytest
import toy_robot

from wm_ros.simulation.robot_config import read_robot

ROOT = Path(__file__).resolve().parents[2]


def refused(tmp_path, old, new):
    """Return the message for the toy's file with one text replaced."""
    assert toy_robot.YAML.count(old) == 1
    path = tmp_path / 'toy.yaml'
    path.write_text(toy_robot.YAML.replace(old, new))
    with pytest.raises(ValueError, match='toy.yaml') as caught:
        read_robot(path)
    return str(caught.value)


def test_the_shipped_file_describes_the_fourteen_joints_of_aloha():
    robot = read_robot(ROOT / 'config' / 'robots' / 'aloha.yaml')
    assert len(robot.joint_names) == 14
    assert robot.joint_names[0] == 'left_arm_waist'
    assert robot.joint_names[13] == 'right_arm_gripper'
    assert [len(joint.drives) for joint in robot.joints] == [1] * 6 + [2] + [1] * 6 + [2]
    assert robot.hazard_kinds == ('object', 'table', 'other_arm', 'self')
    # The same file is the same key of the cache of poses.
    assert hash(robot) == hash(read_robot(ROOT / 'config' / 'robots' / 'aloha.yaml'))


def test_what_is_left_out_has_its_default(tmp_path):
    path = tmp_path / 'toy.yaml'
    path.write_text(toy_robot.YAML)
    robot = read_robot(path)
    assert robot.allowed == ()
    assert robot.timing.episode_s == 0.6
    assert robot.timing.frame_s == 0.1
    assert robot.joints[0].drives[0].scale == 1.0
    assert robot.light == (0.5, 1.0)


@pytest.mark.parametrize(('old', 'new', 'message'), [
    ('light: [0.5, 1.0]', 'lamp: 1', r"the file has unknown keys \['lamp'\]; there are .*light"),
    ('oversampling: 1}', 'fov: 3}', r"camera has unknown keys \['fov'\]"),
    ('{joint: swing}', '{joint: swing, gain: 2}',
     r"joints\[0\].drives\[0\] has unknown keys \['gain'\]"),
    ('home: 0.5\n', '\n', r"joints\[1\] lacks \['home'\]; home: position in which nothing"),
    ('name: toy\n', '', r"the file lacks \['name'\]"),
    ('home: 0.5', 'home: 0.9', r"joints\[1\]: home of 'grip' is 0.9, outside .*\[0.2, 0.7\]"),
    ('play: [0.2, 0.7]', 'play: [0.7, 0.2]', r"joints\[1\]: play of 'grip' .*below the second"),
    ('play: [0.2, 0.7]', 'play: [0.2]', r'joints\[1\].play has 1 entries; expected 2'),
    ('play: [0.2, 0.7]', 'play: wide', r"joints\[1\].play is 'wide'; expected a list"),
    ('home: 0.5', 'home: much', r"joints\[1\]: home is 'much'; expected float"),
    ('home: 0.5', 'home: .nan', r'joints\[1\]: home is nan'),
    ('name: grip', 'name: swing', "joint 'swing' is there twice"),
    ('{joint: right,', '{joint: left,', "MJCF joint 'left' is there twice"),
    ('scale: -0.04', 'scale: 0', r"joints\[1\].drives\[1\]: scale of 'right' is 0"),
    ('package: toy_robot_model', 'package: toy.model', "package is 'toy.model'; .*top-level"),
    ('file: assets/robot.xml', 'file: ../robot.xml', "file is '../robot.xml'; .*inside"),
    ('{episode_s: 0.6}', '{frame_s: 0.033}', 'timing: frame_s = 0.033 s must be a multiple of'),
    ('width_px: 48', 'width_px: 4', 'camera: width_px is 4; allowed is 16 to 1920 px'),
    ('play: {tips: [arm/left]}', 'play: {tips: [arm/left], slow_s: 0.5}',
     'play: slow_s = 0.5 s is below chunk_s = 0.8 s'),
    ('x: [0.3, 0.4]', 'x: [0.4, 0.3]', r"objects\[0\]: x of 'ball' is \[0.4, 0.3\]"),
    ('play: {tips: [arm/left]}', 'play: {tips: []}', 'play: tips is not set'),
    ('name: toy', 'name: [toy', 'is not YAML'),
])
def test_a_wrong_file_is_refused_with_the_place_and_the_fix(tmp_path, old, new, message):
    text = refused(tmp_path, old, new)
    assert re.search(message, text.partition('toy.yaml')[2]), text


def test_more_kinds_of_hazards_than_a_recording_holds_are_refused(tmp_path):
    old = "  - {kind: table, bodies: ['arm/*'], touching: [table]}\n"
    new = ''.join(f'  - {{kind: k{i}, bodies: [a], touching: [b]}}\n' for i in range(8))
    assert 'hazards has 9 kinds; recordings hold 8' in refused(tmp_path, old, new)


def test_a_missing_or_empty_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r'nothing.yaml: no such file; .*aloha.yaml'):
        read_robot(tmp_path / 'nothing.yaml')
    (tmp_path / 'empty.yaml').write_text('')
    with pytest.raises(ValueError, match='empty.yaml: the file must hold keys and values'):
        read_robot(tmp_path / 'empty.yaml')
