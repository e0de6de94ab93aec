# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What must hold between the gate's settings; each rule names the values that break it."""

from typing import Any

_PER_JOINT = ('position_lower', 'position_upper', 'velocity_limit', 'acceleration_limit')


def check_joint_lists(config: Any) -> None:
    """
    Check the lists with one value for each joint.

    :param config: a GateConfig under construction.
    :raises ValueError: naming the list.
    """
    for name in _PER_JOINT:
        given = len(getattr(config, name))
        if given not in (0, len(config.joint_names)):
            raise ValueError(
                f'{name} has {given} values; joint_names has {len(config.joint_names)}')
    if bool(config.position_lower) != bool(config.position_upper):
        raise ValueError('position_lower and position_upper must both be given or both empty')
    for joint, low, high in zip(
            config.joint_names, config.position_lower, config.position_upper, strict=False):
        if not low < high:
            raise ValueError(f'position_lower of {joint} is {low}, not below {high}')


def check_description_use(config: Any) -> None:
    """
    Check that the robot description has one source, and that what needs it has it.

    :param config: a GateConfig under construction.
    :raises ValueError: naming what is missing or wrong.
    """
    if config.robot_description_file and config.robot_description_topic:
        raise ValueError(
            'robot_description_file and robot_description_topic are both given; keep one')
    if config.needs_kinematics and not config.has_description:
        raise ValueError(
            'tip_link and the workspace box need the URDF; set robot_description_file or '
            'robot_description_topic')


def check_goals(config: Any) -> None:
    """
    Check that goals can go out, and that they are looked at again in time.

    :param config: a GateConfig under construction.
    :raises ValueError: naming the setting.
    """
    if config.follow_joint_trajectory_action and config.is_array_out:
        raise ValueError(
            'follow_joint_trajectory_action is given, but command_out_type is '
            f'{config.command_out_type}; a controller with that action takes trajectories')
    if not config.goal_window >= 2 * config.goal_recheck_period:
        raise ValueError(
            f'goal_window is {config.goal_window}; it must be at least twice '
            f'goal_recheck_period, {config.goal_recheck_period} s')


def check_scaling(config: Any) -> None:
    """
    Check that what the controller shall run slower has a speed.

    :param config: a GateConfig under construction.
    :raises ValueError: naming the setting.
    """
    if config.speed_scaling_topic and config.is_array_out:
        raise ValueError(
            f'speed_scaling_topic is given, but command_out_type is {config.command_out_type}; a '
            'controller that scales commands takes trajectories')


def check_workspace_box(config: Any) -> None:
    """
    Check the workspace box.

    :param config: a GateConfig under construction.
    :raises ValueError: naming what is missing or wrong.
    """
    for name in ('workspace_lower', 'workspace_upper'):
        if len(getattr(config, name)) not in (0, 3):
            raise ValueError(
                f'{name} has {len(getattr(config, name))} values; expected x, y and z')
    if bool(config.workspace_lower) != bool(config.workspace_upper):
        raise ValueError('workspace_lower and workspace_upper must both be given or both empty')
    for axis, low, high in zip(
            'xyz', config.workspace_lower, config.workspace_upper, strict=False):
        if not low < high:
            raise ValueError(f'workspace_lower of {axis} is {low}, not below {high}')
    if config.workspace_lower and '' in config.boxed_links:
        raise ValueError('workspace_lower is given; set workspace_links or tip_link too')
    if config.workspace_links and not config.workspace_lower:
        raise ValueError('workspace_links is given; set workspace_lower and workspace_upper too')
