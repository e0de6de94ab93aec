# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Start the gate and the predictor for a robot of your own, and bring both to active.

With evidence_directory a third node keeps the last seconds before each veto, with visualizer:=true
another one draws for rviz.

An argument that is left empty stays as the parameter files say; what is given wins over them.
The predictor is started again when it dies, and the gate holds until it is back.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    TextSubstitution,
)
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare
from lifecycle_msgs.msg import Transition

CONFIG = PathJoinSubstitution([FindPackageShare('wm_ros'), 'config'])
DDS_PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
# Longer than the lease in config/fastdds.xml: while the dead process's services are still known,
# the request to configure goes to them and is lost.
RESPAWN_DELAY_S = 6.0

# Launch argument, its nodes, their parameter, its type.
OVERRIDES = (
    ('mode', ('wm_gate',), 'mode', str),
    ('command_out_topic', ('wm_gate',), 'command_out_topic', str),
    ('command_out_type', ('wm_gate',), 'command_out_type', str),
    ('checkpoint_path', ('wm_predictor',), 'checkpoint_path', str),
    ('camera_topic', ('wm_predictor', 'wm_evidence'), 'camera_topics', list[str]),
    ('camera_topic', ('wm_visualizer',), 'camera_topic', str),
    ('camera_info_topic', ('wm_predictor',), 'camera_info_topics', list[str]),
    ('evidence_directory', ('wm_evidence',), 'directory', str),
)


def given_parameters(context: LaunchContext, node: str) -> dict[str, ParameterValue]:
    """Collect the parameters of one node that arguments set."""
    given = {'use_sim_time': ParameterValue(
        LaunchConfiguration('use_sim_time'), value_type=bool)}
    for argument, owners, parameter, value_type in OVERRIDES:
        text = LaunchConfiguration(argument).perform(context)
        if node in owners and text:
            # A list travels as YAML: launch would join a list of texts to one text.
            yaml = text if value_type is str else f"['{text}']"
            given[parameter] = ParameterValue(
                TextSubstitution(text=yaml), value_type=value_type)
    return given


def enclave(context: LaunchContext, name: str) -> tuple[list[str], dict[str, str]]:
    """
    Give a node an enclave of its own, with what has to change in its environment.

    An override in the environment is meant for the launch process and would win over the argument.
    """
    prefix = LaunchConfiguration('enclave_prefix').perform(context)
    if not prefix:
        return [], {}
    return ['--enclave', f'{prefix.rstrip("/")}/{name}'], {'ROS_SECURITY_ENCLAVE_OVERRIDE': ''}


def make_node(kind: type[Node], context: LaunchContext, name: str, **options) -> Node:
    """Make one of the nodes; its file, then the user's, then the arguments count."""
    enclave_arguments, environment = enclave(context, name)
    return kind(
        package='wm_ros', executable=name, name=name, output='screen',
        namespace=LaunchConfiguration('namespace'),
        parameters=[
            PathJoinSubstitution([CONFIG, f'{name}.yaml']),
            LaunchConfiguration('params_file'),
            given_parameters(context, name),
        ],
        ros_arguments=['--log-level', LaunchConfiguration('log_level'), *enclave_arguments],
        additional_env=environment,
        **options)


def bring_up(node: LifecycleNode) -> list[LaunchDescriptionEntity]:
    """Configure a node whenever its process starts, and activate it once it is configured."""
    def change(transition_id: int) -> EmitEvent:
        return EmitEvent(event=ChangeState(
            lifecycle_node_matcher=matches_action(node), transition_id=transition_id))

    return [
        RegisterEventHandler(OnProcessStart(
            target_action=node, on_start=[change(Transition.TRANSITION_CONFIGURE)])),
        RegisterEventHandler(OnStateTransition(
            target_lifecycle_node=node, start_state='configuring', goal_state='inactive',
            entities=[change(Transition.TRANSITION_ACTIVATE)])),
        node,
    ]


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Describe the nodes; which arguments were given is known only now."""
    params_file = Path(LaunchConfiguration('params_file').perform(context))
    if not params_file.is_file():
        # launch would warn and start with the defaults, which are not what was asked for.
        raise RuntimeError(f'params_file is {str(params_file)!r}, which is no file; '
                           'give the path of a YAML file, or leave the argument out')
    gate = make_node(LifecycleNode, context, 'wm_gate')
    predictor = make_node(
        LifecycleNode, context, 'wm_predictor', respawn=True, respawn_delay=RESPAWN_DELAY_S,
        respawn_max_retries=10)
    visualizer = make_node(Node, context, 'wm_visualizer',
                           condition=IfCondition(LaunchConfiguration('visualizer')))
    evidence = []
    if LaunchConfiguration('evidence_directory').perform(context):
        evidence = [make_node(Node, context, 'wm_evidence')]
    return [*bring_up(predictor), *bring_up(gate), visualizer, *evidence]


def generate_launch_description() -> LaunchDescription:
    """Describe the guard."""
    return LaunchDescription([
        DeclareLaunchArgument('namespace', default_value='', description='of all nodes'),
        DeclareLaunchArgument(
            'params_file', default_value=PathJoinSubstitution([CONFIG, 'wm_gate.yaml']),
            description='your parameters of the nodes, read after those in config/'),
        DeclareLaunchArgument(
            'mode', default_value='', choices=['', 'shadow', 'enforce'],
            description='shadow forwards everything and says what it would have held'),
        DeclareLaunchArgument(
            'command_out_topic', default_value='', description="the controller's command topic"),
        DeclareLaunchArgument(
            'command_out_type', default_value='', description='of command_out_topic', choices=[
                '', 'trajectory_msgs/msg/JointTrajectory', 'std_msgs/msg/Float64MultiArray']),
        DeclareLaunchArgument(
            'checkpoint_path', default_value='', description='directory of the model'),
        DeclareLaunchArgument(
            'camera_topic', default_value='',
            description='sensor_msgs/Image; several cameras go into params_file'),
        DeclareLaunchArgument(
            'camera_info_topic', default_value='', description='sensor_msgs/CameraInfo'),
        DeclareLaunchArgument(
            'visualizer', default_value='false',
            description='true: start wm_visualizer, which draws for rviz'),
        DeclareLaunchArgument(
            'evidence_directory', default_value='',
            description='where wm_evidence keeps a file for each veto; empty: it is not started'),
        DeclareLaunchArgument(
            'enclave_prefix', default_value='',
            description='of SROS2, as /wm_ros for /wm_ros/wm_gate and so on; empty: none'),
        DeclareLaunchArgument(
            'use_sim_time', default_value='false',
            description='true: time is /clock; enforce then needs allow_sim_time'),
        DeclareLaunchArgument(
            'log_level', default_value='info', description='debug, info, warn, error or fatal'),
        SetEnvironmentVariable(DDS_PROFILE, EnvironmentVariable(
            DDS_PROFILE, default_value=PathJoinSubstitution([CONFIG, 'fastdds.xml']))),
        OpaqueFunction(function=nodes),
    ])
