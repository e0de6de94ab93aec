# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Inject one fault into a copy of the inputs of a running graph, and watch a guard in shadow.

Nothing of the running graph is touched: a second guard hears its camera, joints and commands
through fault_injector, and what it forwards goes to a topic that nobody hears.
"""

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

SHARE = FindPackageShare('wm_ros')
DDS_PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
NAMESPACE = 'fault_injection'


def argument(name: str, value_type: type = str) -> ParameterValue:
    """Make a parameter of the launch argument with its name."""
    return ParameterValue(LaunchConfiguration(name), value_type=value_type)


def generate_launch_description() -> LaunchDescription:
    """Describe the injector and the guard beside it."""
    # The group is a scope: the guard's arguments are not ours.
    guard = GroupAction([IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([SHARE, 'launch', 'guard.launch.py'])),
        launch_arguments=[
            ('namespace', NAMESPACE), ('mode', 'shadow'),
            ('camera_topic', 'camera/image_raw'),
            ('camera_info_topic', LaunchConfiguration('camera_info_topic')),
            ('command_out_topic', 'unused/joint_trajectory'),
            ('checkpoint_path', LaunchConfiguration('checkpoint_path')),
            ('params_file', LaunchConfiguration('params_file')),
            ('log_level', LaunchConfiguration('log_level')),
        ])])
    return LaunchDescription([
        DeclareLaunchArgument('fault', description="a name of 'wm-ros faults list'"),
        DeclareLaunchArgument('after', default_value='3.0', description='s, before it begins'),
        DeclareLaunchArgument('duration', default_value='5.0', description='s, of the fault'),
        DeclareLaunchArgument('camera_topic', default_value='/camera/image_raw',
                              description="your camera's sensor_msgs/Image"),
        DeclareLaunchArgument('camera_info_topic', default_value='/camera/camera_info',
                              description='its sensor_msgs/CameraInfo'),
        DeclareLaunchArgument('joint_states_topic', default_value='/joint_states',
                              description='the measured joints'),
        DeclareLaunchArgument('command_topic', default_value='/wm_gate/joint_trajectory',
                              description='where the policy sends its commands'),
        DeclareLaunchArgument(
            'checkpoint_path', default_value='', description='directory of the model'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([SHARE, 'config', 'wm_gate.yaml']),
            description='as for guard.launch.py'),
        DeclareLaunchArgument(
            'log_level', default_value='info', description='debug, info, warn, error or fatal'),
        SetEnvironmentVariable(DDS_PROFILE, EnvironmentVariable(
            DDS_PROFILE, default_value=PathJoinSubstitution([SHARE, 'config', 'fastdds.xml']))),
        guard,
        Node(
            package='wm_ros', executable='fault_injector', name='fault_injector',
            namespace=NAMESPACE, output='screen',
            # A guard that hears nothing is of no use; the refusal of a name must be seen.
            on_exit=Shutdown(reason='fault_injector has ended'),
            parameters=[{
                'fault': argument('fault'), 'after': argument('after', float),
                'duration': argument('duration', float),
                'camera_topic': argument('camera_topic'),
                'joint_states_topic': argument('joint_states_topic'),
                'command_topic': argument('command_topic'),
            }],
            ros_arguments=['--log-level', LaunchConfiguration('log_level')]),
    ])
