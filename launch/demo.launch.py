# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the simulated arm, the guard and a policy that plays; `make demo` adds the figures."""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare('wm_ros')
DDS_PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def include(name: str, *arguments: str) -> GroupAction:
    """
    Include another launch file of this package and pass these arguments of ours on.

    The group is the scope: without it the first file's params_file would be the second's too.
    """
    path = PathJoinSubstitution([SHARE, 'launch', name])
    return GroupAction([IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path),
        launch_arguments=[(key, LaunchConfiguration(key)) for key in arguments])])


def generate_launch_description() -> LaunchDescription:
    """Describe the four processes of the demo."""
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='of all nodes'),
        DeclareLaunchArgument('seed', default_value='0', description='of scene and policy'),
        DeclareLaunchArgument('mode', default_value='enforce', choices=['shadow', 'enforce'],
                              description='of the gate'),
        DeclareLaunchArgument(
            'log_level', default_value='info', description='debug, info, warn, error or fatal'),
        SetEnvironmentVariable(DDS_PROFILE, EnvironmentVariable(
            DDS_PROFILE, default_value=PathJoinSubstitution([SHARE, 'config', 'fastdds.xml']))),
        include('so101_sim.launch.py', 'namespace', 'seed', 'log_level'),
        include('guard.launch.py', 'namespace', 'mode', 'log_level'),
        Node(
            package='wm_ros', executable='play_policy', name='play_policy', output='screen',
            namespace=LaunchConfiguration('namespace'),
            parameters=[{'seed': ParameterValue(LaunchConfiguration('seed'), value_type=int)}],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')]),
    ])
