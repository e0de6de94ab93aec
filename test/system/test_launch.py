# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Load every launch file with the real `launch`, and look at the nodes that it would start.

`launch` is not among the wheels: skipped, visibly, on hosts without it. test_launch_run.py starts
the files.
"""

from pathlib import Path

import pytest

# The repository's own launch/ directory passes for a package named launch; its modules do not.
pytest.importorskip('launch.actions', reason='ROS 2 launch is not installed')
pytest.importorskip('launch_ros.actions', reason='launch_ros is not installed')

from launch import LaunchContext, LaunchDescription, LaunchService  # noqa: E402
from launch.actions import (  # noqa: E402
    DeclareLaunchArgument,
    GroupAction,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import (  # noqa: E402
    get_launch_description_from_python_launch_file,
)
from launch_ros.actions import LifecycleNode, Node  # noqa: E402

LAUNCH_FOLDER = Path(__file__).resolve().parents[2] / 'launch'
GUARD_ARGUMENTS = {
    'namespace', 'params_file', 'mode', 'command_out_topic', 'command_out_type',
    'checkpoint_path', 'camera_topic', 'camera_info_topic', 'use_sim_time', 'log_level',
    'evidence_directory', 'enclave_prefix', 'visualizer'}
FAULT_ARGUMENTS = {
    'fault', 'after', 'duration', 'camera_topic', 'camera_info_topic', 'joint_states_topic',
    'command_topic', 'checkpoint_path', 'params_file', 'log_level'}


def load(name: str) -> LaunchDescription:
    """Load one of our launch files."""
    return get_launch_description_from_python_launch_file(str(LAUNCH_FOLDER / name))


def declared(description: LaunchDescription) -> set[str]:
    """Name the arguments that a launch file itself declares."""
    return {entity.name for entity in description.entities
            if isinstance(entity, DeclareLaunchArgument)}


def visit(entities, context: LaunchContext) -> list:
    """Carry out everything but processes, in order; return the nodes that would start."""
    found = []
    for entity in entities or ():
        if isinstance(entity, Node):
            if entity.condition is not None and not entity.condition.evaluate(context):
                continue
            # Parameters and remappings as they are at this point, in this scope.
            entity._perform_substitutions(context)
            found.append(entity)
        elif not isinstance(entity, RegisterEventHandler):
            found += visit(entity.visit(context), context)
    return found


def nodes_of(name: str, **arguments: str) -> list:
    """List the nodes that a launch file starts with these arguments."""
    context = LaunchContext()
    LaunchService()  # some substitutions look for its logging
    context.launch_configurations.update(arguments)
    return visit([load(name)], context)


def parameters_of(node: Node) -> tuple[list[str], str]:
    """Give the names of a node's parameter files, and the text of those made from arguments."""
    paths = [Path(str(value)) for value, is_file in node._Node__expanded_parameter_arguments
             if is_file]
    ours = [path.name for path in paths if path.parent.name == 'config']
    return ours, '\n'.join(path.read_text() for path in paths if path.name not in ours)


@pytest.mark.parametrize(('name', 'arguments'), [
    ('so101_sim.launch.py', {'namespace', 'params_file', 'seed', 'log_level'}),
    ('guard.launch.py', GUARD_ARGUMENTS),
    ('demo.launch.py', {'namespace', 'seed', 'mode', 'log_level'}),
    ('fault_injection.launch.py', FAULT_ARGUMENTS),
])
def test_arguments_and_dds_profile(name, arguments):
    description = load(name)
    assert declared(description) == arguments
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            assert entity.description != 'no description given', entity.name
    assert any(isinstance(entity, SetEnvironmentVariable) for entity in description.entities)


def test_there_is_a_test_for_every_launch_file():
    assert {path.name for path in LAUNCH_FOLDER.glob('*.launch.py')} == {
        'so101_sim.launch.py', 'guard.launch.py', 'demo.launch.py',
        'fault_injection.launch.py'}


def test_the_guard_is_two_lifecycle_nodes_with_their_files():
    nodes = nodes_of('guard.launch.py')
    assert {node.node_name for node in nodes} == {'/wm_gate', '/wm_predictor'}
    assert all(isinstance(node, LifecycleNode) for node in nodes)
    for node in nodes:
        files, _ = parameters_of(node)
        assert files[0] == f'{node.node_name.strip("/")}.yaml'


def test_arguments_reach_the_node_that_they_are_for():
    gate, predictor = sorted(nodes_of(
        'guard.launch.py', namespace='left', mode='shadow', camera_topic='/cam/image',
        command_out_topic='/jtc/joint_trajectory'), key=lambda node: node.node_name)
    assert gate.node_name == '/left/wm_gate'
    _, text = parameters_of(gate)
    assert 'mode: shadow' in text
    assert 'command_out_topic: /jtc/joint_trajectory' in text
    assert 'camera_topics' not in text
    _, text = parameters_of(predictor)
    assert 'mode:' not in text
    assert 'camera_topics:\n    - /cam/image' in text


def test_evidence_and_visualizer_are_plain_nodes_that_are_started_on_demand():
    nodes = {node.node_name: node for node in nodes_of(
        'guard.launch.py', evidence_directory='/data/vetoes', camera_topic='/cam/image',
        visualizer='true')}
    assert set(nodes) == {'/wm_gate', '/wm_predictor', '/wm_evidence', '/wm_visualizer'}
    assert not isinstance(nodes['/wm_evidence'], LifecycleNode)
    assert not isinstance(nodes['/wm_visualizer'], LifecycleNode)
    files, text = parameters_of(nodes['/wm_visualizer'])
    assert files[0] == 'wm_visualizer.yaml'
    assert 'camera_topic: /cam/image' in text
    files, text = parameters_of(nodes['/wm_evidence'])
    assert files[0] == 'wm_evidence.yaml'
    assert 'directory: /data/vetoes' in text
    assert 'camera_topics:\n    - /cam/image' in text


def test_an_empty_argument_leaves_the_parameter_file_alone():
    for node in nodes_of('guard.launch.py'):
        _, text = parameters_of(node)
        assert 'use_sim_time: false' in text
        assert 'mode' not in text
        assert 'topic' not in text


@pytest.mark.parametrize(('argument', 'value'), [
    ('mode', 'shdow'), ('command_out_type', 'trajectory_msgs/JointTrajectory')])
def test_a_misspelt_choice_is_refused_before_anything_starts(argument, value):
    with pytest.raises(RuntimeError, match=f'"{value}".*"{argument}"|"{argument}".*"{value}"'):
        nodes_of('guard.launch.py', **{argument: value})


def test_a_missing_parameter_file_is_refused():
    with pytest.raises(RuntimeError, match=r"params_file is '/no/such.yaml'.*give the path"):
        nodes_of('guard.launch.py', params_file='/no/such.yaml')


def test_the_demo_keeps_the_scopes_of_what_it_includes_apart():
    """Launch leaks an included file's arguments into the next one unless a group ends them."""
    description = load('demo.launch.py')
    assert sum(isinstance(entity, GroupAction) for entity in description.entities) == 2
    nodes = {node.node_name.rpartition('/')[2]: node
             for node in nodes_of('demo.launch.py', seed='5')}
    assert set(nodes) == {'so101_sim', 'wm_gate', 'wm_predictor', 'play_policy'}
    assert parameters_of(nodes['so101_sim'])[0] == ['so101_sim.yaml']
    assert 'seed: 5' in parameters_of(nodes['so101_sim'])[1]
    assert parameters_of(nodes['wm_gate'])[0] == ['wm_gate.yaml', 'wm_gate.yaml']
    assert 'mode: enforce' in parameters_of(nodes['wm_gate'])[1]


def test_a_namespace_moves_the_whole_demo():
    nodes = nodes_of('demo.launch.py', namespace='left')
    assert {node.node_name for node in nodes} == {
        f'/left/{name}' for name in ('so101_sim', 'wm_gate', 'wm_predictor', 'play_policy')}


def test_a_fault_is_injected_beside_the_user_s_graph_and_in_shadow():
    nodes = {node.node_name: node for node in nodes_of(
        'fault_injection.launch.py', fault='camera-stops', camera_topic='/cam/image',
        command_topic='/policy/commands')}
    assert set(nodes) == {f'/fault_injection/{name}' for name in (
        'wm_gate', 'wm_predictor', 'fault_injector')}
    _, text = parameters_of(nodes['/fault_injection/wm_gate'])
    assert 'mode: shadow' in text
    assert 'command_out_topic: unused/joint_trajectory' in text
    _, text = parameters_of(nodes['/fault_injection/wm_predictor'])
    assert 'camera_topics:\n    - camera/image_raw' in text
    _, text = parameters_of(nodes['/fault_injection/fault_injector'])
    for line in ('fault: camera-stops', 'camera_topic: /cam/image',
                 'command_topic: /policy/commands', 'after: 3.0'):
        assert line in text


def test_opaque_functions_are_the_guard_s_alone():
    """Logic in a launch file cannot be read by tools; only the guard has a reason for it."""
    for name, count in (('so101_sim.launch.py', 0), ('guard.launch.py', 1), ('demo.launch.py', 0)):
        entities = load(name).entities
        assert sum(isinstance(entity, OpaqueFunction) for entity in entities) == count
