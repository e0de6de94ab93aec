# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Start the simulated SO-101: a robot driver with cameras, joint states and a controller."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare('wm_ros'), 'config'])
DDS_PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def generate_launch_description() -> LaunchDescription:
    """Describe one driver node."""
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='of the node'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([CONFIG, 'so101_sim.yaml']),
            description='parameters of so101_sim'),
        DeclareLaunchArgument('seed', default_value='0', description='of scene and start pose'),
        DeclareLaunchArgument(
            'log_level', default_value='info', description='debug, info, warn, error or fatal'),
        SetEnvironmentVariable(DDS_PROFILE, EnvironmentVariable(
            DDS_PROFILE, default_value=PathJoinSubstitution([CONFIG, 'fastdds.xml']))),
        Node(
            package='wm_ros', executable='so101_sim', name='so101_sim',
            namespace=LaunchConfiguration('namespace'), output='screen',
            parameters=[
                LaunchConfiguration('params_file'),
                {'seed': ParameterValue(LaunchConfiguration('seed'), value_type=int)},
            ],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')]),
    ])
