# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make episodes of bags and LeRobot data sets."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_ros.errors import DatasetError
from wm_ros.verbs.labels import add_label_options, label_options, split_names, tell_problems
from wm_ros.verbs.shared import (
    add_extra_camera_option,
    console,
    positive,
    positive_float,
)

if TYPE_CHECKING:
    from wm_ros.data.bag_topics import BagOptions
    from wm_ros.data.episode import Episode
    from wm_ros.data.problems import Problems

_BAG_ONLY = ('joint_states', 'command', 'no_command', 'command_joints', 'hazard', 'label_topic',
             'split_topic', 'split_gap')


def import_dataset(arguments: argparse.Namespace) -> int:
    """Make episodes of rosbag2 bags or LeRobot v3 data sets."""
    from wm_ros.data.episode import write_episode
    from wm_ros.data.labelling import Labeller
    from wm_ros.data.problems import Problems
    from wm_ros.data.recording import next_path
    problems = Problems()
    labeller = Labeller(label_options(arguments), problems)
    bag_options(arguments)  # refuses wrong options before any work
    made = 0
    for source in arguments.sources:
        try:
            for episode in _episodes(source, arguments, problems):
                path = next_path(arguments.out)
                write_episode(path, labeller.apply(episode, name=path.stem, number=made))
                made += 1
                console.print(f'{path}: {len(episode.frames)} pictures, '
                              f'{len(episode.joint_stamps_ns)} joint samples', soft_wrap=True)
        except DatasetError as error:
            problems.add(str(error), str(error))
    labeller.finish()
    console.print(f'{made} episodes from {len(arguments.sources)} sources in {arguments.out}')
    return tell_problems('import', problems)


def _episodes(source: Path, arguments: argparse.Namespace,
              problems: 'Problems') -> Iterator['Episode']:
    from wm_ros.data.lerobot_layout import is_lerobot
    kind = arguments.format
    if kind == 'auto':
        kind = 'lerobot' if is_lerobot(source) else 'rosbag2'
    if kind == 'rosbag2':
        if arguments.degrees or arguments.delta:
            raise ValueError(f'{source} is a bag; --degrees and --delta are for LeRobot data sets')
        from wm_ros.data.bag_import import import_bag
        return import_bag(source, bag_options(arguments), problems)
    given = [name for name in _BAG_ONLY if getattr(arguments, name)]
    if given:
        options = ', '.join('--' + name.replace('_', '-') for name in given)
        raise ValueError(f'{source} is a LeRobot data set; {options} are for bags')
    from wm_ros.data.lerobot_import import LeRobotOptions, import_lerobot
    return import_lerobot(source, LeRobotOptions(
        camera=arguments.camera, camera_name=arguments.camera_name,
        extra_cameras=tuple(arguments.extra_cameras),
        is_degrees=arguments.degrees, is_delta=arguments.delta,
        max_width_px=arguments.width), problems)


def bag_options(arguments: argparse.Namespace) -> 'BagOptions':
    """
    Return how to read bags.

    :raises ValueError: if options contradict each other.
    """
    from wm_ros.data.bag_topics import BagOptions
    if arguments.no_command and (arguments.command or arguments.command_joints):
        raise ValueError('--no-command contradicts --command and --command-joints')
    events = []
    for text in arguments.label_topic:
        topic, _, kind = text.partition('=')
        events.append((topic, kind or topic.strip('/').replace('/', '_')))
    return BagOptions(
        camera=arguments.camera, joint_states=arguments.joint_states, command=arguments.command,
        has_commands=not arguments.no_command, hazard=arguments.hazard, events=tuple(events),
        command_joints=split_names(arguments.command_joints), split_topic=arguments.split_topic,
        split_gap_s=arguments.split_gap, use_log_time=arguments.stamps == 'log',
        max_width_px=arguments.width, camera_name=arguments.camera_name,
        extra_cameras=tuple(arguments.extra_cameras))


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    text = import_dataset.__doc__
    parser = verbs.add_parser('import', help=text, description=text)
    parser.set_defaults(run=import_dataset)
    parser.add_argument('sources', nargs='+', type=Path, metavar='SOURCE',
                        help='rosbag2 directory, .mcap or .db3 file, or LeRobot directory')
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    parser.add_argument('--format', choices=['auto', 'rosbag2', 'lerobot'], default='auto')
    parser.add_argument('--camera', default='', help='image topic, or camera of the data set')
    parser.add_argument('--camera-name', default='', help='its name in the episodes: that of the '
                        "model's main camera (default: front, or that of the data set)")
    add_extra_camera_option(parser, 'TOPIC')
    parser.add_argument('--width', type=positive, default=320,
                        help='wider pictures are scaled down to it, px')
    _add_bag_options(parser.add_argument_group('bags'))
    group = parser.add_argument_group('LeRobot data sets')
    group.add_argument('--degrees', action='store_true', help='states and actions are degrees')
    group.add_argument('--delta', action='store_true',
                       help='actions are differences from the state')
    add_label_options(parser)


def _add_bag_options(group: Any) -> None:
    group.add_argument('--joint-states', default='', help='JointState topic')
    group.add_argument('--command', default='',
                       help='JointTrajectory or Float64MultiArray (positions) topic')
    group.add_argument('--no-command', action='store_true',
                       help='the bag has none: take the measured positions for set-points')
    group.add_argument('--command-joints', default='', metavar='NAMES',
                       help='joints of a Float64MultiArray, with commas, in its order')
    group.add_argument('--hazard', default='', help='wm_ros/Contacts topic, if there is one')
    group.add_argument('--label-topic', action='append', default=[], metavar='TOPIC[=KIND]',
                       help='a Bool is a hazard while true, any other message at its moment')
    group.add_argument('--split-topic', default='', metavar='TOPIC',
                       help='a Bool that is true during episodes, or a message at each start')
    group.add_argument('--split-gap', type=positive_float, default=0.0, metavar='SECONDS',
                       help='a longer pause of camera or joints ends an episode')
    group.add_argument('--stamps', choices=['header', 'log'], default='header',
                       help='take stamps from headers, or the times of recording')
