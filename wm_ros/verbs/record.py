# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record an episode from a live graph."""

import argparse
import math
from pathlib import Path
from typing import Any

from wm_ros.verbs.shared import add_extra_camera_option, add_verb, positive_float


def record(arguments: argparse.Namespace) -> None:
    """Record an episode from a live graph."""
    from wm_ros.ros.recorder import run_recorder
    run_recorder(arguments)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, record)
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    parser.add_argument('--camera', default='/camera/image_raw', help='image topic')
    parser.add_argument('--camera-name', default='front', help='its name in the episode')
    add_extra_camera_option(parser, 'TOPIC')
    parser.add_argument('--compressed', action='store_true',
                        help='topics of cameras are of CompressedImage')
    parser.add_argument('--joint-states', default='/joint_states')
    parser.add_argument('--command', default='/arm_controller/joint_trajectory',
                        help='JointTrajectory topic of the controller')
    parser.add_argument('--hazard', default='', help='wm_ros/Contacts topic, if there is one')
    parser.add_argument('--duration', type=positive_float, default=math.inf, help='s')
