# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""wm_evidence over real DDS: a file for each veto, with what came before and after it."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from harness import Harness
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray, Header
from std_srvs.srv import Trigger

from wm_ros.data.bag_reader import open_bag
from wm_ros.data.evidence import read_evidence
from wm_ros.msg import ActionChunk, GateState, Prediction, Verdict
from wm_ros.ros import qos
from wm_ros.ros.conversions import array_to_image
from wm_ros.ros.evidence_node import EvidenceNode
from wm_ros.ros.gate_node import GateNode
from wm_ros.ros.parameters import ParameterError


class Desk:
    """wm_evidence on a harness, with everything that it listens to."""

    def __init__(self, harness, directory, parameters):
        self.harness, self.directory = harness, directory
        values = {'directory': str(directory), 'after': 0.3, 'span': 2.0, **parameters}
        self.node = harness.add(EvidenceNode(context=harness.context, parameter_overrides=[
            Parameter(name, value=value) for name, value in values.items()]))
        self.camera = harness.publisher('camera/image_raw', Image, qos.CAMERA_OUT)
        self.joints = harness.publisher('joint_states', JointState, qos.JOINT_STATES_OUT)
        self.chunks = harness.publisher('wm_gate/action_chunk', ActionChunk, qos.ACTION_CHUNK)
        self.verdicts = harness.publisher('wm_predictor/verdict', Verdict, qos.VERDICT)
        self.states = harness.publisher('wm_gate/state', GateState, qos.GATE_STATE)
        harness.wait_matched()

    def send_frame(self, number):
        """Send a picture that tells its number by stamp and colour."""
        self.camera.publish(array_to_image(
            np.full((24, 32, 3), number, np.uint8), stamp=Time(sec=100 + number), frame_id='c'))

    def judge(self, chunk_id, decision, *, source='policy'):
        """Send a command and the verdict on it; returns once both have come."""
        topics = self.node._topics
        before = dict(topics.counts)
        self.chunks.publish(ActionChunk(chunk_id=chunk_id, source=source))
        self.wait(lambda: topics.counts['/wm_gate/action_chunk'] > before['/wm_gate/action_chunk'])
        self.verdicts.publish(Verdict(chunk_id=chunk_id, decision=decision, model_id='m-1',
                                      header=Header(stamp=Time(sec=200))))
        self.wait(lambda: topics.counts['/wm_predictor/verdict'] >
                  before['/wm_predictor/verdict'])

    def wait(self, condition):
        """Spin until something holds."""
        self.harness.spin_until(condition, 10.0)

    def files(self, number):
        """Wait for so many files."""
        self.wait(lambda: len(list(self.directory.glob('*.mcap'))) >= number)
        found = sorted(self.directory.glob('*.mcap'))
        assert len(found) == number
        return found


@pytest.fixture
def harness():
    with Harness() as it:
        yield it


@pytest.fixture
def make(harness, tmp_path):
    def build(**parameters):
        return Desk(harness, tmp_path / 'evidence', parameters)
    return build


def messages(path, topic):
    bag = open_bag(path)
    return [bag.decode(item) for item in bag.messages((topic,))]


def test_a_veto_makes_a_file_of_what_came_before_and_after(make):
    desk = make()
    for number in range(1, 4):
        desk.send_frame(number)
        desk.joints.publish(JointState(name=['a'], position=[0.5 * number]))
    counts = desk.node._topics.counts
    desk.wait(lambda: counts['/camera/image_raw'] == 3 and counts['/joint_states'] == 3)
    desk.judge(41, Verdict.OK)
    desk.judge(42, Verdict.VETO)
    desk.states.publish(GateState(state=GateState.HOLD, message='VETO: risk'))
    (path,) = desk.files(1)
    assert '_veto_42.mcap' in path.name
    evidence = read_evidence(path)
    assert evidence.problems == []
    assert evidence.picture_stamps('front') == [k * 10**9 for k in (101, 102, 103)]
    assert evidence.picture('front', 102 * 10**9).data.max() == 2
    assert sorted(evidence.chunks) == sorted(evidence.verdicts) == [41, 42]
    assert [state.message for state in messages(path, '/wm_gate/state')] == ['VETO: risk']
    assert len(messages(path, '/joint_states')) == 3
    (trigger,) = evidence.record['triggers']
    assert (trigger['kind'], trigger['chunk_id']) == ('veto', 42)
    assert evidence.record['model_id'] == 'm-1'


@pytest.mark.parametrize(('decision', 'source'), [
    (Verdict.OK, 'policy'), (Verdict.ABSTAIN, 'policy'), (Verdict.INVALID, 'policy'),
    (Verdict.VETO, 'probe')])
def test_what_is_no_veto_of_a_command_makes_no_file(make, decision, source):
    desk = make(after=0.1)
    desk.judge(1, decision, source=source)
    desk.harness.spin_for(0.6)
    assert list(desk.directory.iterdir()) == []


@pytest.mark.parametrize(('kind', 'decision'), [
    ('abstain', Verdict.ABSTAIN), ('invalid', Verdict.INVALID)])
def test_other_verdicts_by_option(make, kind, decision):
    desk = make(triggers=[kind])
    desk.judge(1, Verdict.VETO)
    desk.judge(2, decision)
    assert f'_{kind}_2.mcap' in desk.files(1)[0].name


def test_the_gate_s_entering_of_a_state_by_option_and_not_its_repetition(make):
    desk = make(triggers=['hold'], after=0.1)

    def send(*states):
        for state in states:
            before = desk.node._topics.counts['/wm_gate/state']
            desk.states.publish(GateState(state=state))
            desk.wait(lambda: desk.node._topics.counts['/wm_gate/state'] > before)  # noqa: B023

    send(GateState.HOLD)  # it held already when evidence began to listen
    desk.harness.spin_for(0.5)
    assert list(desk.directory.iterdir()) == []
    send(GateState.RUNNING, GateState.HOLD)
    (path,) = desk.files(1)
    assert path.name.endswith('_hold.mcap')
    send(GateState.HOLD)
    desk.harness.spin_for(0.5)
    desk.files(1)


def test_vetoes_in_a_row_share_a_file_until_it_is_complete(make):
    desk = make(after=0.5)
    desk.judge(1, Verdict.VETO)
    desk.judge(2, Verdict.VETO)
    (path,) = desk.files(1)
    assert [item['chunk_id'] for item in read_evidence(path).record['triggers']] == [1, 2]
    desk.judge(3, Verdict.VETO)
    _first, path = desk.files(2)
    evidence = read_evidence(path)
    assert [item['chunk_id'] for item in evidence.record['triggers']] == [3]
    assert sorted(evidence.verdicts) == [1, 2, 3]


def test_commands_of_any_type_are_kept_once_the_graph_tells_it(make):
    desk = make(command_topics=['wm_gate/commands'])
    commands = desk.harness.publisher('wm_gate/commands', Float64MultiArray, qos.COMMAND_IN)
    desk.harness.wait_matched()
    commands.publish(Float64MultiArray(data=[0.25, 0.5]))
    desk.wait(lambda: desk.node._topics.counts.get('/wm_gate/commands'))
    desk.judge(1, Verdict.VETO)
    (message,) = messages(desk.files(1)[0], '/wm_gate/commands')
    assert message.data.tolist() == [0.25, 0.5]


def test_the_future_of_a_refused_command_is_asked_for_and_kept(make, harness):
    desk = make()
    predictions = harness.publisher(
        'wm_predictor/refused_prediction', Prediction, qos.REFUSED_PREDICTION)
    harness.wait_matched()
    desk.judge(5, Verdict.VETO)
    predictions.publish(Prediction(chunk_id=5, risk=[0.1, 0.9]))
    (found,) = messages(desk.files(1)[0], '/wm_predictor/refused_prediction')
    assert (found.chunk_id, found.risk.tolist()) == (5, [np.float32(0.1), np.float32(0.9)])


def test_without_the_option_nobody_asks_the_predictor_to_draw(make, harness):
    make(wants_frames=False)
    predictions = harness.publisher(
        'wm_predictor/refused_prediction', Prediction, qos.REFUSED_PREDICTION)
    harness.spin_for(0.5)
    assert predictions.get_subscription_count() == 0


def test_the_parameters_of_the_gate_are_in_the_file(make, harness):
    harness.add(GateNode(context=harness.context, parameter_overrides=[
        Parameter('joint_names', value=['a', 'b']), Parameter('decision_timeout', value=0.25)]))
    desk = make()
    desk.wait(lambda: desk.node._others['wm_gate'].values)
    desk.judge(1, Verdict.VETO)
    parameters = read_evidence(desk.files(1)[0]).record['parameters']
    assert parameters['wm_gate']['joint_names'] == ['a', 'b']
    assert parameters['wm_gate']['decision_timeout'] == 0.25
    assert parameters['wm_gate']['use_sim_time'] is False
    assert parameters['wm_predictor'] == {}
    assert parameters['wm_evidence']['span'] == 2.0


def test_a_file_on_request(make, harness):
    desk = make()
    answer = harness.call(Trigger, '/wm_evidence/save', Trigger.Request())
    assert answer.success
    assert str(desk.directory) in answer.message
    assert desk.files(1)[0].name.endswith('_manual.mcap')


def test_a_case_that_is_open_is_written_when_the_node_ends(make, harness):
    desk = make(after=10.0)
    desk.judge(1, Verdict.VETO)
    harness.remove(desk.node)
    assert read_evidence(*desk.directory.iterdir()).verdicts[1].decision == Verdict.VETO


def test_diagnostics_count_files_and_name_a_full_disk(make, harness, monkeypatch):
    from wm_ros.data import evidence_store

    def full(*arguments):
        raise OSError(28, 'No space left on device')

    desk = make(after=0.1)
    box = harness.mailbox('/diagnostics', DiagnosticArray, qos.DIAGNOSTICS)
    desk.judge(1, Verdict.VETO)
    desk.files(1)

    def values(message):
        return {item.key: item.value for item in message.status[0].values}

    message = box.expect(lambda message: values(message)['written'] == '1')
    assert message.status[0].name == 'wm_evidence: files'
    assert message.status[0].level == DiagnosticStatus.OK
    monkeypatch.setattr(evidence_store, 'write_evidence', full)
    desk.judge(2, Verdict.VETO)
    message = box.expect(lambda message: values(message)['lost'] == '1')
    assert message.status[0].level == DiagnosticStatus.ERROR
    assert 'No space left on device' in message.status[0].message


@pytest.mark.parametrize(('parameters', 'text'), [
    ({'directory': ''}, 'parameter directory is not set'),
    ({'directory': '/proc/none'}, "parameter directory is '/proc/none'"),
    ({'triggers': ['vetoes']}, 'triggers'),
    ({'camera_names': ['a', 'b']}, 'give a name for each topic'),
    ({'camera_names': ['a', 'a'], 'camera_topics': ['x', 'y']}, 'needs one of its own')])
def test_what_does_not_fit_is_refused_by_name(make, parameters, text):
    with pytest.raises(ParameterError, match=text):
        make(**parameters)
