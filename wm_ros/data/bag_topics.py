# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which topics of a bag make an episode, and whether the bag has them."""

import json
from dataclasses import dataclass, field
from typing import Any

from wm_ros.data.bag_reader import CONTACTS_TYPE, Bag
from wm_ros.errors import DatasetError

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
JOINTS_TYPE = 'sensor_msgs/msg/JointState'
TRAJECTORY_TYPE = 'trajectory_msgs/msg/JointTrajectory'
ARRAY_TYPE = 'std_msgs/msg/Float64MultiArray'
BOOL_TYPE = 'std_msgs/msg/Bool'
TEXT_TYPE = 'std_msgs/msg/String'
NUMBER_TYPE = 'std_msgs/msg/Float32'
# On this topic an exported episode says what it is: JSON.
EPISODE_TOPIC = '/wm_ros/episode'
_DEFAULTS = {'camera': '/camera/image_raw', 'joint_states': '/joint_states',
             'command': '/arm_controller/joint_trajectory'}


@dataclass(frozen=True, kw_only=True, slots=True)
class BagOptions:
    """
    How to read a bag; an empty topic is the one that ``wm-ros record`` would take.

    :param camera: Image or CompressedImage topic.
    :param joint_states: JointState topic.
    :param command: JointTrajectory or Float64MultiArray (positions, rad) topic.
    :param has_commands: False takes the measured positions for set-points.
    :param command_joints: joints of a Float64MultiArray in its order; those of the joint states
        if empty.
    :param hazard: wm_ros/Contacts topic; none if empty.
    :param events: (topic, hazard kind): a Bool is a hazard while it is true, any other message
        at its moment.
    :param split_topic: a Bool that is true during episodes, or any message at their starts.
    :param split_gap_s: a pause of camera or joints that ends an episode, s; 0: none does.
    :param use_log_time: take the times of recording for stamps, for drivers with wrong clocks.
    :param max_width_px: wider pictures are scaled down.
    :param camera_name: name of the camera in the episodes.
    :param extra_cameras: name and Image or CompressedImage topic of each further camera.
    """

    camera: str = ''
    joint_states: str = ''
    command: str = ''
    has_commands: bool = True
    command_joints: tuple[str, ...] = ()
    hazard: str = ''
    events: tuple[tuple[str, str], ...] = ()
    split_topic: str = ''
    split_gap_s: float = 0.0
    use_log_time: bool = False
    max_width_px: int = 320
    camera_name: str = ''
    extra_cameras: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Topics:
    """
    The topics that will be read.

    :param extra_cameras: topic of each further camera by its name.
    :param hazard_kinds: topic of hazard kinds as text, in bags that this package wrote.
    :param clearance: topic of clearances, in bags that this package wrote.
    :param said: what such a bag says of its episode.
    """

    camera: str
    joint_states: str
    command: str
    hazard: str
    hazard_kinds: str = ''
    clearance: str = ''
    extra_cameras: dict[str, str] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)


def choose_topics(bag: Bag, options: BagOptions) -> Topics:
    """
    Match the options with what is in the bag.

    :raises DatasetError: naming the topic that is missing and those that could be meant.
    """
    said = _read_episode_topic(bag)
    own = said.get('topics', {})
    picked = {name: getattr(options, name) or own.get(name) or default
              for name, default in _DEFAULTS.items()}
    _require(bag, picked['camera'], IMAGE_TYPES, '--camera')
    extra = dict(options.extra_cameras) or own.get('extra_cameras', {})
    for name, topic in extra.items():
        _require(bag, topic, IMAGE_TYPES, f'--extra-camera {name}=TOPIC')
    _require(bag, picked['joint_states'], (JOINTS_TYPE,), '--joint-states')
    if options.has_commands:
        _require(bag, picked['command'], (TRAJECTORY_TYPE, ARRAY_TYPE), '--command',
                 "; a bag without commands is taken with '--no-command', its set-points are then "
                 'the measured positions')
    if options.hazard:
        _require(bag, options.hazard, (CONTACTS_TYPE,), '--hazard', silent=True)
    for topic, _ in options.events:
        _require(bag, topic, (), '--label-topic', silent=True)
    if options.split_topic:
        _require(bag, options.split_topic, (), '--split-topic')
    return Topics(
        camera=picked['camera'], joint_states=picked['joint_states'],
        command=picked['command'] if options.has_commands else '', hazard=options.hazard,
        hazard_kinds=own.get('hazards', ''), clearance=own.get('clearance', ''),
        extra_cameras=extra, said=said)


def _require(bag: Bag, topic: str, types: tuple[str, ...], option: str, advice: str = '', *,
             silent: bool = False) -> None:
    """Raise unless the topic is there, is of a fitting type and, unless silent, has messages."""
    if topic in bag.types and (not types or bag.types[topic] in types) and (
            silent or bag.counts.get(topic)):
        return
    others = [name for name, kind in sorted(bag.types.items())
              if (not types or kind in types) and bag.counts.get(name)]
    is_there = topic in bag.types
    problem = (f'has no topic {topic}' if not is_there else
               f'has no message on {topic}' if not types or bag.types[topic] in types else
               f'has {topic} as {bag.types[topic]}')
    wanted = f" of type {' or '.join(types)}" if types else ''
    could = f"could be {', '.join(others)}" if others else f'finds no topic{wanted}'
    raise DatasetError(f'{bag.path}: {problem}; {option} {could}{advice}')


def _read_episode_topic(bag: Bag) -> dict[str, Any]:
    if bag.types.get(EPISODE_TOPIC) != TEXT_TYPE:
        return {}
    for message in bag.messages((EPISODE_TOPIC,)):
        try:
            return dict(json.loads(bag.decode(message).data))
        except (ValueError, TypeError) as error:
            raise DatasetError(f'{bag.path}: {EPISODE_TOPIC} row {message.row} is not JSON '
                               f'({error})') from error
    return {}


def camera_topic(name: str) -> str:
    """Name the topic of an exported camera."""
    return f'/camera/{name}/image_raw/compressed'


def export_topics(camera_name: str) -> dict[str, str]:
    """Name the topics of an exported episode."""
    return {'camera': camera_topic(camera_name),
            'joint_states': '/joint_states', 'command': '/arm_controller/joint_trajectory',
            'hazards': '/wm_ros/hazards', 'clearance': '/wm_ros/clearance',
            'episode': EPISODE_TOPIC}
