# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the gate knows of its robot beyond the settings: limits, kinematics, action spaces."""

from wm_ros.gate.action_space import ActionSpaces
from wm_ros.gate.cartesian import Cartesian
from wm_ros.gate.config import GateConfig
from wm_ros.gate.description import parse_description
from wm_ros.gate.kinematics import Kinematics
from wm_ros.gate.limits import limits_of


class Robot:
    """
    Limits of the joints, and the kinematics where the settings need them.

    :param config: the gate's settings.
    :param urdf: the robot description, or None while there is none.
    :param spaces: what the numbers of a policy mean, or None: joint positions.
    :raises ValueError: if the URDF does not fit the settings, or Pinocchio is needed and missing.
    """

    def __init__(
            self, config: GateConfig, urdf: str | None = None,
            spaces: ActionSpaces | None = None) -> None:
        description = None if urdf is None else parse_description(urdf, config.joint_names)
        self.urdf = urdf
        self.limits = limits_of(config, description)
        self.spaces = spaces or ActionSpaces.of_joints(config.joint_names, config.setpoint_step)
        self.spaces.check(config.joint_names, has_tip=bool(config.tip_link))
        self.kinematics: Kinematics | None = None
        self.cartesian: Cartesian | None = None
        if urdf is not None and config.needs_kinematics:
            self.kinematics = Kinematics(urdf, config.joint_names)
            for link in config.boxed_links:
                self.kinematics.check_link(link, 'workspace_links')
            if config.tip_link:
                self.kinematics.check_link(config.tip_link, 'tip_link')
                self.cartesian = Cartesian(
                    self.kinematics, config.tip_link, config.cartesian_axes)
