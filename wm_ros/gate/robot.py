# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate knows of its robot beyond the settings: joint limits and kinematics."""

from wm_ros.gate.config import GateConfig
from wm_ros.gate.description import parse_description
from wm_ros.gate.kinematics import Kinematics
from wm_ros.gate.limits import limits_of


class Robot:
    """
    Limits of the joints, and the kinematics where the settings need them.

    :param config: the gate's settings.
    :param urdf: the robot description, or None while there is none.
    :raises ValueError: if the URDF does not fit the settings, or Pinocchio is needed and missing.
    """

    def __init__(self, config: GateConfig, urdf: str | None = None) -> None:
        description = None if urdf is None else parse_description(urdf, config.joint_names)
        self.urdf = urdf
        self.limits = limits_of(config, description)
        self.kinematics: Kinematics | None = None
        if urdf is not None and config.needs_kinematics:
            self.kinematics = Kinematics(urdf, config.joint_names)
            for link in config.boxed_links:
                self.kinematics.check_link(link, 'workspace_links')
            if config.tip_link:
                self.kinematics.check_link(config.tip_link, 'tip_link')
