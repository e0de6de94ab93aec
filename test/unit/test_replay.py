# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Judging recorded commands again: equal to the bit, or a table of what differs."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('rosbags', reason="needs the data extra: pip install 'wm_ros[data]'")
pytest.importorskip('mcap', reason="needs the data extra: pip install 'wm_ros[data]'")

from evidence_files import MS, PREDICTOR, TOPICS, Scene, time

from wm_ros.cli import main
from wm_ros.data.evidence import read_evidence
from wm_ros.data.messages import message_to_chunk
from wm_ros.datatypes import Decision, Reason
from wm_ros.errors import DatasetError
from wm_ros.gate.stretch import stretch
from wm_ros.inference.checkpoint import resolve_checkpoint
from wm_ros.inference.judge import Judge
from wm_ros.inference.rebuild import rebuild_observation
from wm_ros.inference.replay import (
    ENGINE_TOLERANCE,
    Comparison,
    Difference,
    are_equal,
    recorded_engine,
    replay,
    triggering_chunks,
)


@pytest.fixture(scope='module')
def judge():
    found = Judge.load(resolve_checkpoint('default'))
    yield found
    found.close()


@pytest.fixture
def scene(judge):
    return Scene(judge)


def compare(scene, path, tolerance=0.0):
    (found,) = replay(read_evidence(path), scene.judge, [7], tolerance=tolerance)
    return found


def test_the_same_engine_gives_every_figure_to_the_bit(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap')
    evidence = read_evidence(path)
    assert triggering_chunks(evidence) == [7]
    assert recorded_engine(evidence) == ('onnxruntime', 'cpu', 1)
    found = compare(scene, path)
    assert found.is_equal
    assert found.replayed == (Decision(scene.verdict.decision).name, scene.verdict.risk)


def test_the_observation_is_that_of_the_predictor(scene, tmp_path):
    evidence = read_evidence(scene.write(tmp_path / 'a.mcap'))
    observation = rebuild_observation(evidence, scene.verdict, scene.config)
    newest = max(scene.images)
    assert observation.image_stamps_ns == (newest - 100 * MS, newest)
    assert observation.joints.stamp_ns <= newest
    np.testing.assert_array_equal(
        observation.joints.positions, scene.positions(observation.joints.stamp_ns))


@pytest.mark.parametrize(('field', 'value'), [
    ('risk', 0.75), ('uncertainty', 0.75), ('risk_threshold', 0.75), ('horizon', 0.5),
    ('first_unsafe_step', 3), ('model_id', 'other-0'), ('digest', np.ones(16, np.uint8)),
    ('decision', int(Decision.SLOW))])
def test_each_figure_that_is_not_as_it_was_is_named(scene, tmp_path, field, value):
    object.__setattr__(scene.verdict, field, value)
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert not found.is_equal
    assert [item.what for item in found.differences] == [field]


def test_one_bit_of_the_risk_counts_on_the_same_engine_only(scene, tmp_path):
    risk = np.nextafter(np.float32(scene.verdict.risk), np.float32(1))
    object.__setattr__(scene.verdict, 'risk', float(risk))
    path = scene.write(tmp_path / 'a.mcap')
    assert [item.what for item in compare(scene, path).differences] == ['risk']
    assert compare(scene, path, ENGINE_TOLERANCE).is_equal


def test_one_other_pixel_is_noticed(scene, tmp_path):
    newest = max(scene.images)
    scene.images[newest] = 255 - scene.images[newest]
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert 'risk' in [item.what for item in found.differences]


def test_messages_that_the_predictor_did_not_hear_change_nothing(scene, tmp_path):
    """A listener hears other messages than the predictor: the verdict says what was used."""
    used = scene.verdict.joint_stamp
    later = used.sec * 1_000_000_000 + used.nanosec + 3 * MS
    scene.joint_stamps.append(later)
    scene.images[max(scene.images) - 98 * MS] = np.zeros((48, 64, 3), np.uint8)
    scene.images[max(scene.images) + 20 * MS] = np.zeros((48, 64, 3), np.uint8)
    assert compare(scene, scene.write(tmp_path / 'a.mcap')).is_equal


def test_a_frame_that_is_not_there_is_no_replay(scene, tmp_path):
    del scene.images[max(scene.images) - 100 * MS]
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert found.replayed is None
    assert 'lacks the frames that were 0.130 s old' in found.note


def test_joints_that_are_not_there_are_no_replay(scene, tmp_path):
    stamp = scene.verdict.joint_stamp
    scene.joint_stamps.remove(stamp.sec * 1_000_000_000 + stamp.nanosec)
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert 'lacks the joint state' in found.note
    assert not found.is_equal


def test_what_no_model_judged_is_said(scene, tmp_path):
    object.__setattr__(scene.verdict, 'observation_stamp', time(0))
    object.__setattr__(scene.verdict, 'message', 'came 0.2 s after decide_by')
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert 'no model judged it then: came 0.2 s' in found.note
    assert not found.was_judged


def test_what_no_model_judged_does_not_count_against_what_one_did():
    """
    It did: replay --all failed on a probe that came before the history was full.

    Whether there was one depended on how fast the graph started.
    """
    judged = Comparison(1, ('OK', 0.1), ('OK', 0.1))
    unjudged = Comparison(2, ('INVALID', 1.0), was_judged=False)
    lost = Comparison(3, ('OK', 0.1), note='the command is not in the file')
    other = Comparison(4, ('OK', 0.1), ('OK', 0.2), (Difference('risk', '0.1', '0.2'),))
    assert are_equal([judged])
    assert are_equal([unjudged, judged])
    for found in ([], [unjudged], [judged, lost], [judged, other]):
        assert not are_equal(found)


def test_the_decision_of_the_drift_monitor_is_not_compared(scene, tmp_path):
    object.__setattr__(scene.verdict, 'decision', int(Decision.ABSTAIN))
    object.__setattr__(scene.verdict, 'reasons', int(Reason.OOD))
    found = compare(scene, scene.write(tmp_path / 'a.mcap'))
    assert found.is_equal
    assert 'the decision is not compared' in found.note


def test_a_command_that_was_judged_slower_is_judged_so_again(scene, tmp_path):
    plain = compare(scene, scene.write(tmp_path / 'a.mcap'))
    evidence, chunk = read_evidence(tmp_path / 'a.mcap'), message_to_chunk(scene.chunk)
    found = scene.judge.judge(
        replace(chunk, trajectory=stretch(chunk.trajectory, 0.5)),
        rebuild_observation(evidence, scene.verdict, scene.judge.config),
        stamp_ns=scene.now_ns).verdict
    assert found.risk != plain.replayed[1], 'it makes a difference'
    for name, value in (
            ('decision', int(Decision.SLOW)), ('speed_factor', 0.5), ('risk_threshold', 0.01),
            ('risk', found.risk), ('uncertainty', found.uncertainty),
            ('first_unsafe_step', found.first_unsafe_step)):
        object.__setattr__(scene.verdict, name, value)
    again = compare(scene, scene.write(tmp_path / 'b.mcap'))
    assert again.is_equal, again.differences
    assert again.replayed[1] == found.risk


@pytest.mark.parametrize('missing', ['chunk', 'verdict'])
def test_a_file_without_command_or_verdict_says_so(scene, tmp_path, missing):
    samples = [item for item in scene.samples() if item.topic != TOPICS[missing]]
    found = compare(scene, scene.write(tmp_path / 'a.mcap', samples))
    assert not found.is_equal
    assert 'in the file' in found.note


def test_parameters_that_are_not_in_the_file_are_named(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap', parameters={'wm_predictor': {}})
    with pytest.raises(DatasetError, match='parameters of wm_predictor are not in it'):
        recorded_engine(read_evidence(path))
    path = scene.write(tmp_path / 'b.mcap', parameters={
        'wm_predictor': {key: value for key, value in PREDICTOR.items()
                         if key != 'context_slop'}})
    assert "lack 'context_slop'" in compare(scene, path).note


def test_another_model_s_cameras_are_refused(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap', topics={
        **TOPICS, 'cameras': {'wrist': '/camera/image_raw'}})
    assert "is of cameras ['wrist'], the model needs ['front']" in compare(scene, path).note


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_several_cameras_replay_to_the_bit(tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    from tiny_checkpoint import write_tiny_checkpoint
    write_tiny_checkpoint(tmp_path / 'model', extra_cameras=('wrist',))
    judge = Judge.load(tmp_path / 'model')
    two = Scene(judge)
    path = two.write(tmp_path / 'a.mcap')
    assert compare(two, path).is_equal
    # A wrong picture of the second camera is as wrong as one of the first.
    newest = max(two.others['wrist'])
    two.others['wrist'][newest] = 255 - two.others['wrist'][newest]
    assert not compare(two, two.write(tmp_path / 'b.mcap')).is_equal
    judge.close()


def test_the_verb_tells_equal_from_different_by_its_exit_code(scene, tmp_path, capsys):
    good = scene.write(tmp_path / 'good.mcap')
    result = tmp_path / 'out.json'
    assert main(['replay', str(good), '--json', str(result)]) == 0
    told = json.loads(result.read_text())
    assert told['equal'] is True
    assert told['tolerance'] == 0.0
    assert told['commands'][0]['chunk_id'] == 7
    object.__setattr__(scene.verdict, 'risk', 0.125)
    assert main(['replay', str(scene.write(tmp_path / 'bad.mcap'))]) == 1
    assert 'risk' in capsys.readouterr().out
    assert main(['replay', str(tmp_path / 'none.mcap')]) == 1
    assert 'no such file' in capsys.readouterr().err


def test_another_engine_is_within_the_stated_tolerance(scene, tmp_path):
    pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
    path = scene.write(tmp_path / 'a.mcap')
    result = tmp_path / 'out.json'
    assert main(['replay', str(path), '--engine', 'torch', '--json', str(result)]) == 0
    assert json.loads(result.read_text())['tolerance'] == ENGINE_TOLERANCE
