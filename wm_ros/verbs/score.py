# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score a shadow recording: what the gate would have refused, and how often rightly."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_ros.errors import DatasetError
from wm_ros.verbs.labels import add_label_options, label_options, tell_problems
from wm_ros.verbs.shared import add_verb, check_writable, console, positive, print_tables

if TYPE_CHECKING:
    from wm_ros.data.bag_topics import BagOptions
    from wm_ros.data.episode import Episode
    from wm_ros.data.labelling import Labeller
    from wm_ros.data.problems import Problems
    from wm_ros.data.shadow_recording import ShadowRecording


def score(arguments: argparse.Namespace) -> int:
    """Score what a gate in shadow mode would have refused, from a recording of it."""
    from wm_ros.data.labelling import Labeller
    from wm_ros.data.problems import Problems
    from wm_ros.data.shadow_recording import shadow_bags
    from wm_ros.inference.checkpoint import write_json
    from wm_ros.training.shadow_report import shadow_strips, shadow_tables, write_shadow_report
    from wm_ros.training.shadow_score import Matched, match, score_figures
    check_writable(arguments.json)
    check_writable(arguments.report, '--report')
    problems, options = Problems(), bag_options(arguments)
    labeller, matched = Labeller(label_options(arguments), problems), Matched()
    episodes: dict[int, list[Episode]] = {}
    recordings: list[ShadowRecording] = []
    for place, path in enumerate(shadow_bags(arguments.bag)):
        try:
            recording = read_recording(path, problems)
            episodes[place] = read_episodes(path, options, labeller, problems, place)
        except DatasetError as error:
            problems.add(str(error), str(error))
            continue
        recordings.append(recording)
        match(recording.commands, episodes[place], place, matched)
    labeller.finish()
    if not matched.scored:
        raise DatasetError('; '.join([f'{arguments.bag}: no command can be scored',
                                      *(f'{count} {reason}' for reason, count in
                                        matched.left_out.items()), *problems.lines()]))
    figures = score_figures(matched, false_veto=arguments.false_veto, repeats=arguments.bootstrap)
    states = sum(item.num_states for item in recordings)
    figures |= {'recordings': len(recordings), 'would_hold_share': sum(
        item.num_would_hold for item in recordings) / states if states else None}
    title = f'Shadow score of {arguments.bag}'
    print_tables(title, shadow_tables(figures))
    if arguments.json:
        write_json(arguments.json, {**figures, 'problems': problems.lines()})
    if arguments.report:
        write_shadow_report(arguments.report, figures, shadow_strips(matched, episodes),
                            title=title)
        console.print(f'report in {arguments.report}', soft_wrap=True)
    return tell_problems('score', problems)


def read_recording(path: Path, problems: 'Problems') -> 'ShadowRecording':
    """
    Read what was said about commands.

    :raises DatasetError: if it cannot be read or the gate did not only watch.
    """
    from wm_ros.data.shadow_recording import read_shadow
    recording = read_shadow(path, problems)
    if recording.num_enforcing:
        raise DatasetError(f'{path}: the gate enforced in {recording.num_enforcing} of '
                           f'{recording.num_states} states; what it held had no consequence that '
                           'could be scored, so record with mode shadow')
    if not recording.num_states:
        problems.notes.append(f'{path}: no state of the gate in it, so nothing tells that it only '
                              'watched')
    return recording


def read_episodes(path: Path, options: 'BagOptions', labeller: 'Labeller', problems: 'Problems',
                  place: int) -> list['Episode']:
    """Read what the robot saw and felt, with hazard labels."""
    from wm_ros.data.bag_import import import_bag
    return [labeller.apply(episode, name=path.stem, number=place)
            for episode in import_bag(path, options, problems)]


def bag_options(arguments: argparse.Namespace) -> 'BagOptions':
    """Return how to read the bags."""
    from wm_ros.data.bag_topics import BagOptions
    events = []
    for text in arguments.label_topic:
        topic, _, kind = text.partition('=')
        events.append((topic, kind or topic.strip('/').replace('/', '_')))
    return BagOptions(
        camera=arguments.camera, joint_states=arguments.joint_states, has_commands=False,
        hazard=arguments.hazard, events=tuple(events))


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f'{text} must be above 0 and below 1')
    return value


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, score)
    parser.add_argument('bag', type=Path,
                        help='a rosbag2 bag, an .mcap file, or a directory of them')
    parser.add_argument('--false-veto', type=_share, metavar='SHARE',
                        help='choose the threshold that vetoes this share of safe commands')
    parser.add_argument('--json', type=Path, help='write the figures there')
    parser.add_argument('--report', type=Path, help='write a self-contained HTML report there')
    parser.add_argument('--bootstrap', type=positive, default=500,
                        help='draws behind each interval (default: %(default)s)')
    parser.add_argument('--camera', default='', help='image topic')
    parser.add_argument('--joint-states', default='', help='JointState topic')
    parser.add_argument('--hazard', default='', help='wm_ros/Contacts topic, if there is one')
    parser.add_argument('--label-topic', action='append', default=[], metavar='TOPIC[=KIND]',
                        help='a Bool is a hazard while true, any other message at its moment')
    add_label_options(parser)
