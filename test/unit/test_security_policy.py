# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The sros2 policy in config/sros2: its form, who may say what, and that no node is left out."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

etree = pytest.importorskip('lxml.etree', reason='lxml is in requirements/test.txt')

from policy_rig import enclaves, form_errors, load_policy  # noqa: E402 (needs lxml)

ROOT = Path(__file__).resolve().parents[2]
GATE, PREDICTOR, OPERATOR = '/wm_ros/wm_gate', '/wm_ros/wm_predictor', '/wm_ros/operator'
LAUNCH, POLICY, ROBOT = '/wm_ros/launch', '/wm_ros/policy', '/wm_ros/robot'
CONTROLLER = '/arm_controller'

# Node class: (file, node name, enclave).
NODES = {
    'GateNode': ('gate_node.py', 'wm_gate', GATE),
    'PredictorNode': ('predictor_node.py', 'wm_predictor', PREDICTOR),
    'VisualizerNode': ('visualizer_node.py', 'wm_visualizer', '/wm_ros/wm_visualizer'),
    'So101SimNode': ('so101_sim.py', 'so101_sim', ROBOT),
    'PlayPolicy': ('play_policy.py', 'play_policy', POLICY),
}
# What a node's docstring calls by its parameter, as config/ sets it.
PARAMETERS = {
    'command_out_topic': f'{CONTROLLER}/joint_trajectory', 'command_topic':
    'wm_gate/joint_trajectory', 'camera_topic': 'camera/image_raw', 'camera_topics':
    'camera/image_raw', 'camera_info_topics[0]': 'camera/camera_info',
    'robot_description_topic': 'robot_description',
    'speed_scaling_topic': f'{CONTROLLER}/speed_scaling_input',
}
SECTION = re.compile(r'\*\*(Subscribes|Publishes|Services|Actions|Parameters|Threads)\*\*')
INTERFACE = re.compile(r'[`*]*(~?[A-Za-z_][\w/\[\]]*|~/[\w/]+|/[\w/]+)[`*]*\s+\((?:\w+)/(?:\w+)')


@pytest.fixture(scope='module')
def allowed():
    """What each enclave of the shipped policy may do."""
    return enclaves(load_policy())


def writers(allowed, topic: str) -> set[str]:
    """Name the enclaves that may write a DDS topic."""
    return {path for path, enclave in allowed.items() if enclave.may_publish(topic)}


def readers(allowed, topic: str) -> set[str]:
    """Name the enclaves that may read a DDS topic."""
    return {path for path, enclave in allowed.items() if enclave.may_subscribe(topic)}


def test_the_policy_has_the_form_that_sros2_reads():
    assert form_errors(load_policy()) == []


@pytest.mark.parametrize(('broken', 'word'), [
    ('<policy><enclaves/></policy>', 'the version of policy is None'),
    ('<policy version="0.2.0"/>', 'exactly one enclaves'),
    ('<policy version="0.2.0"><enclaves/></policy>', 'empty'),
    ('<policy version="0.2.0"><enclaves><enclave><profiles><profile ns="/" node="n"/></profiles>'
     '</enclave></enclaves></policy>', 'lacks path'),
    ('<policy version="0.2.0"><enclaves><enclave path="/a"/></enclaves></policy>', 'empty'),
    ('<policy version="0.2.0"><enclaves><enclave path="/a"><profiles><profile node="n"/>'
     '</profiles></enclave></enclaves></policy>', 'lacks ns'),
])
def test_a_policy_of_another_form_is_told_in_words(broken, word):
    assert any(word in error for error in form_errors(etree.fromstring(broken)))


@pytest.mark.parametrize(('group', 'word'), [
    ('<topics publish="YES"><topic>a</topic></topics>', 'neither ALLOW nor DENY'),
    ('<topics request="ALLOW"><topic>a</topic></topics>', 'attribute request'),
    ('<topics publish="ALLOW"><service>a</service></topics>', 'holds service'),
    ('<topics publish="ALLOW"/>', 'is empty'),
    ('<topics publish="ALLOW"><topic/></topics>', 'has no name'),
    ('<topics><topic>a</topic></topics>', 'says neither'),
    ('<parameters/>', 'holds parameters'),
])
def test_a_rule_of_another_form_is_told_in_words(group, word):
    policy = etree.fromstring(
        '<policy version="0.2.0"><enclaves><enclave path="/a"><profiles><profile ns="/" node="n">'
        f'{group}</profile></profiles></enclave></enclaves></policy>')
    assert any(word in error for error in form_errors(policy))


def test_sros2_itself_takes_the_policy():
    if importlib.util.find_spec('sros2') is None:
        pytest.skip('sros2 is not installed; it comes with ROS 2 from apt only')
    from sros2.policy import get_policy_schema
    schema = etree.XMLSchema(etree.parse(str(get_policy_schema('policy.xsd'))))
    schema.assertValid(load_policy())


@pytest.mark.parametrize(('topic', 'who'), [
    (f'rt{CONTROLLER}/joint_trajectory', {GATE}),
    ('rt/position_controller/commands', {GATE}),
    (f'rq{CONTROLLER}/follow_joint_trajectory/_action/send_goalRequest', {GATE}),
    (f'rq{CONTROLLER}/follow_joint_trajectory/_action/cancel_goalRequest', {GATE}),
    ('rt/wm_predictor/verdict', {PREDICTOR}),
    ('rt/wm_predictor/heartbeat', {PREDICTOR}),
    ('rt/wm_predictor/prediction', {PREDICTOR}),
    ('rt/wm_gate/action_chunk', {GATE}),
    ('rt/wm_gate/state', {GATE}),
    ('rt/wm_gate/veto', {GATE}),
    ('rt/emergency_stop', {OPERATOR}),
    ('rt/wm_gate/bypass', {OPERATOR}),
    ('rq/wm_gate/engageRequest', {OPERATOR}),
    ('rq/wm_gate/emergency_stopRequest', {OPERATOR}),
    ('rq/wm_gate/clear_emergency_stopRequest', {OPERATOR}),
    ('rq/wm_gate/set_parametersRequest', {OPERATOR}),
    ('rq/wm_gate/set_parameters_atomicallyRequest', {OPERATOR}),
    ('rq/wm_predictor/set_parametersRequest', {OPERATOR}),
    ('rq/wm_gate/change_stateRequest', {OPERATOR, LAUNCH}),
    ('rq/wm_predictor/change_stateRequest', {OPERATOR, LAUNCH}),
    ('rr/wm_gate/check_trajectoryReply', {GATE}),
    ('rt/joint_states', {ROBOT}),
    ('rt/camera/image_raw', {ROBOT}),
    ('rt/wm_gate/joint_trajectory', {POLICY}),
])
def test_only_these_enclaves_may_write(allowed, topic, who):
    assert writers(allowed, topic) == who


def test_the_observer_hears_commands_and_verdicts_and_writes_nothing_but_its_log(allowed):
    observer = allowed['/wm_ros/observer']
    assert observer.may_subscribe(f'rt{CONTROLLER}/joint_trajectory')
    assert observer.may_subscribe('rt/wm_predictor/verdict')
    others = {topic for topic in observer.publish if '/wm_recorder/' not in topic}
    assert others == {'ros_discovery_info', 'rt/rosout', 'rt/parameter_events'}


def test_nobody_may_write_by_a_wildcard_but_the_predictor_below_its_own_name(allowed):
    wild = {(path, topic) for path, enclave in allowed.items() for topic in enclave.publish
            if set('*?[') & set(topic)}
    assert wild == {(PREDICTOR, 'rt/wm_predictor/prediction/*')}


def test_every_topic_that_is_read_has_a_writer(allowed):
    read = {topic for enclave in allowed.values() for topic in enclave.subscribe
            if not set('*?[') & set(topic)}
    # The clock comes from a simulator or a bag, which the policy of a robot does not know.
    silent = {topic for topic in read if topic.startswith('rt/') and not writers(allowed, topic)}
    assert silent == {'rt/clock'}


def interfaces(class_name: str) -> list[tuple[str, str]]:
    """Read (section, name) of every topic and service in the docstring of a node."""
    path = ROOT / 'wm_ros' / 'ros' / NODES[class_name][0]
    tree = ast.parse(path.read_text(encoding='utf-8'))
    (node,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name]
    parts = SECTION.split(ast.get_docstring(node) or '')[1:]
    return [(section, PARAMETERS.get(name, name))
            for section, text in zip(parts[::2], parts[1::2], strict=True)
            for name in INTERFACE.findall(text)]


def full_name(name: str, node: str) -> str:
    """Expand a name in the root namespace."""
    if name.startswith('~'):
        return f'/{node}{name[1:]}'
    return name if name.startswith('/') else f'/{name}'


@pytest.mark.parametrize('class_name', NODES)
def test_every_interface_in_a_nodes_docstring_is_allowed(allowed, class_name):
    _, node, path = NODES[class_name]
    enclave, found = allowed[path], interfaces(class_name)
    assert {'Subscribes', 'Publishes'} <= {section for section, _ in found}
    denied = []
    for section, name in found:
        full = full_name(name, node)
        may = {
            'Subscribes': enclave.may_subscribe(f'rt{full}'),
            'Publishes': enclave.may_publish(f'rt{full}'),
            'Services': enclave.may_publish(f'rr{full}Reply'),
            'Actions': enclave.may_publish(f'rr{full}/_action/send_goalReply'),
        }.get(section, True)
        denied += [] if may else [f'{section} {full}']
    assert denied == []


def test_the_reading_of_docstrings_sees_what_is_there():
    found = interfaces('GateNode')
    for expected in (('Subscribes', 'wm_predictor/verdict'), ('Subscribes', '~/bypass'),
                     ('Publishes', '~/action_chunk'), ('Services', '~/engage')):
        assert expected in found
    assert ('Publishes', '~/predicted/camera_info') in interfaces('PredictorNode')
    assert ('Services', '~/check_candidates') in interfaces('PredictorNode')


def test_a_lifecycle_node_offers_its_transitions_and_a_plain_one_does_not(allowed):
    assert GATE in readers(allowed, 'rq/wm_gate/change_stateRequest')
    assert PREDICTOR in readers(allowed, 'rq/wm_predictor/change_stateRequest')
    assert not readers(allowed, 'rq/so101_sim/change_stateRequest')
