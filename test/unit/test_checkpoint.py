# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint directories: whole, altered, of other weights, and judged with."""

import dataclasses
import json
import re

import numpy as np
import pytest

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from tiny_checkpoint import JOINTS, write_tiny_checkpoint  # noqa: E402

from wm_ros.calibration.thresholds import Pair  # noqa: E402
from wm_ros.datatypes import (  # noqa: E402
    ActionChunk,
    CommandInterface,
    Decision,
    JointSample,
    Observation,
    Reason,
    Trajectory,
)
from wm_ros.errors import CalibrationError, CheckpointError, EngineError  # noqa: E402
from wm_ros.inference.checkpoint import (  # noqa: E402
    file_sha256,
    load_checkpoint,
    resolve_checkpoint,
    write_json,
    write_manifest,
)
from wm_ros.inference.engine import CheckOutput, make_engine, risk_from_logits  # noqa: E402
from wm_ros.inference.judge import Judge  # noqa: E402

NOW_NS = 5_000_000_000


@pytest.fixture(scope='module')
def checkpoint_path(tmp_path_factory):
    path = tmp_path_factory.mktemp('tiny')
    write_tiny_checkpoint(path)
    return path


@pytest.fixture
def judge(checkpoint_path):
    made = Judge.load(checkpoint_path)
    yield made
    made.close()


def make_chunk(*, names=JOINTS, target=(0.3, -0.2, 0.1)):
    start = JointSample(names=JOINTS, positions=np.zeros(3), velocities=np.zeros(3),
                        stamp_ns=NOW_NS)
    points = np.linspace(0, 1, 5)[1:, None] * np.array(target)
    trajectory = Trajectory(joint_names=names, positions=points, times=np.arange(1, 5) * 0.1)
    return ActionChunk(
        chunk_id=7, digest=bytes(16), source='test', interface=CommandInterface.JOINT_TRAJECTORY,
        trajectory=trajectory, start=start, stamp_ns=NOW_NS, decide_by_ns=NOW_NS + 10**8)


def make_observation(age_s=0.04):
    newest = NOW_NS - round(age_s * 1e9)
    return Observation(
        images=np.full((2, 32, 48, 3), 90, np.uint8), image_stamps_ns=(newest - 10**8, newest),
        joints=make_chunk().start)


class FixedEngine:
    """Answers with a given risk."""

    name, device = 'fixed', 'cpu'

    def __init__(self, risk):
        self.risk = np.array(risk, np.float32)

    def check_batch(self, inputs):
        self.inputs = inputs[-1]
        found = []
        for one in inputs:
            risk = self.risk[:len(one.actions)]
            found.append(CheckOutput(risk, risk * 0 + 0.01, np.zeros((len(risk), 3)), None))
        return found


def judge_with(checkpoint_path, risk):
    return Judge(load_checkpoint(checkpoint_path), FixedEngine(risk))


def test_risk_decides_between_the_thresholds(checkpoint_path):
    decisions = {}
    for risk in (0.05, 0.95):
        verdict = judge_with(checkpoint_path, [0.0, 0.01, risk, risk, risk]).judge(
            make_chunk(), make_observation(), stamp_ns=NOW_NS).verdict
        decisions[risk] = verdict
    assert decisions[0.05].decision is Decision.OK
    assert decisions[0.05].first_unsafe_step == -1
    veto = decisions[0.95]
    assert (veto.decision, veto.reasons, veto.first_unsafe_step) == (
        Decision.VETO, Reason.RISK, 2)
    assert veto.valid_until_ns == NOW_NS + 300_000_000
    # Five steps of 0.1 s from a frame that is 0.04 s old.
    assert veto.horizon_s == pytest.approx(0.46)
    assert (veto.chunk_id, veto.observation_stamp_ns) == (7, NOW_NS - 40_000_000)


def test_values_that_are_not_finite_are_invalid(checkpoint_path):
    verdict = judge_with(checkpoint_path, [0.1, np.nan, 0.1, 0.1, 0.1]).judge(
        make_chunk(), make_observation(), stamp_ns=NOW_NS).verdict
    assert (verdict.decision, verdict.reasons) == (Decision.INVALID, Reason.MODEL_ERROR)


def test_the_command_starts_after_the_frame(checkpoint_path):
    judge = judge_with(checkpoint_path, [0.1] * 5)
    judge.judge(make_chunk(), make_observation(age_s=0.05), stamp_ns=NOW_NS)
    # Step ends 0.1 .. 0.5 s after the frame are 0.05 .. 0.45 s into the command, which moves
    # joint 0 by 0.3 rad in 0.4 s and then rests.
    np.testing.assert_allclose(judge.engine.inputs.actions[:, 0],
                               [0.0375, 0.1125, 0.1875, 0.2625, 0.3], atol=1e-6)


def test_unknown_joints_are_invalid_in_words(checkpoint_path):
    verdict = judge_with(checkpoint_path, [0.1] * 5).judge(
        make_chunk(names=('x', 'y', 'z')), make_observation(), stamp_ns=NOW_NS).verdict
    assert (verdict.decision, verdict.reasons) == (Decision.INVALID, Reason.BAD_COMMAND)
    assert "['x', 'y', 'z']" in verdict.message


def test_real_engines_agree(checkpoint_path, judge):
    other = Judge.load(checkpoint_path, engine='torch')
    results = [item.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS)
               for item in (judge, other)]
    np.testing.assert_allclose(results[0].prediction.risk, results[1].prediction.risk, atol=1e-5)
    frames = [item.frames(result) for item, result in zip((judge, other), results, strict=True)]
    assert frames[0].shape == (5, 32, 48, 3)
    assert np.abs(frames[0].astype(int) - frames[1].astype(int)).max() <= 1
    other.close()


def test_without_calibration_a_model_abstains(tmp_path):
    write_tiny_checkpoint(tmp_path, calibrated=False)
    judge = Judge.load(tmp_path)
    verdict = judge.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS).verdict
    assert not judge.is_calibrated
    assert (verdict.decision, verdict.reasons) == (Decision.ABSTAIN, Reason.UNCALIBRATED)
    assert 'wm-ros calibrate' in verdict.message
    judge.close()


def test_altered_missing_and_foreign_files_are_named(tmp_path):
    write_tiny_checkpoint(tmp_path)
    graph = tmp_path / 'predict.onnx'
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CheckpointError, match='predict.onnx was altered'):
        load_checkpoint(tmp_path)
    graph.unlink()
    with pytest.raises(CheckpointError, match='predict.onnx is missing'):
        load_checkpoint(tmp_path)
    graph.write_bytes(whole)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    del manifest['sha256']['config.json']
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match='lists no hash of config.json'):
        load_checkpoint(tmp_path)
    (tmp_path / 'manifest.json').write_text('{')
    with pytest.raises(CheckpointError, match='manifest.json cannot be read'):
        load_checkpoint(tmp_path)


def test_a_name_in_the_manifest_that_leads_elsewhere_is_refused(tmp_path):
    path = tmp_path / 'model'
    write_tiny_checkpoint(path)
    (tmp_path / 'secret').write_text('not ours')
    whole = (path / 'manifest.json').read_text()
    for name in ('../secret', '/etc/hostname', 'inner/predict.onnx', '..', '.', '', 'a\\b',
                 '.hidden', 'C:secret', 'predict.onnx\n', '~root'):
        manifest = json.loads(whole)
        manifest['sha256'][name] = file_sha256(tmp_path / 'secret')
        (path / 'manifest.json').write_text(json.dumps(manifest))
        with pytest.raises(CheckpointError, match=re.escape(f'names {name!r}; expected the')):
            load_checkpoint(path)


def test_a_link_out_of_the_checkpoint_is_refused_even_with_the_right_hash(tmp_path):
    path = tmp_path / 'model'
    write_tiny_checkpoint(path)
    (path / 'predict.onnx').rename(tmp_path / 'predict.onnx')
    (path / 'predict.onnx').symlink_to(tmp_path / 'predict.onnx')
    with pytest.raises(CheckpointError, match=r'predict\.onnx is a link to .*, outside'):
        load_checkpoint(path)


def test_a_checkpoint_that_is_links_all_over_is_whole(tmp_path):
    # What colcon build --symlink-install makes of models/.
    path, overlay = tmp_path / 'model', tmp_path / 'overlay'
    write_tiny_checkpoint(path)
    overlay.mkdir()
    for item in path.iterdir():
        (overlay / item.name).symlink_to(item)
    assert load_checkpoint(overlay).sha256 == load_checkpoint(path).sha256


def test_a_manifest_of_another_form_is_refused_in_words(tmp_path):
    write_tiny_checkpoint(tmp_path)
    whole = json.loads((tmp_path / 'manifest.json').read_text())
    for sha256, words in (
            ([], 'sha256 is a list'), ({'config.json': 7}, 'hash of config.json is 7'),
            ({'config.json': 'abc'}, "is 'abc', expected 64"),
            ({}, 'lists no hash of config.json'),
            ({key: value for key, value in whole['sha256'].items() if 'model' not in key},
             'lists no hash of model.safetensors')):
        (tmp_path / 'manifest.json').write_text(json.dumps({**whole, 'sha256': sha256}))
        with pytest.raises(CheckpointError, match=words):
            load_checkpoint(tmp_path)


def test_graphs_of_another_version_are_refused(tmp_path):
    write_tiny_checkpoint(tmp_path)
    manifest = json.loads((tmp_path / 'manifest.json').read_text())
    for version in (1, 2, 3, 5, '4'):
        (tmp_path / 'manifest.json').write_text(json.dumps({**manifest, 'graphs': version}))
        with pytest.raises(CheckpointError, match=rf'graphs are version {version!r}.*wm-ros'):
            load_checkpoint(tmp_path)
    del manifest['graphs']
    (tmp_path / 'manifest.json').write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match='graphs are version 1, this program runs 4'):
        load_checkpoint(tmp_path)


def test_thresholds_of_other_weights_are_refused(tmp_path):
    write_tiny_checkpoint(tmp_path)
    values = json.loads((tmp_path / 'calibration.json').read_text())
    write_json(tmp_path / 'calibration.json', {**values, 'weights_sha256': 'other'})
    write_manifest(tmp_path)
    with pytest.raises(CheckpointError, match='belongs to other weights'):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(('change', 'text'), [
    ({'lower': None}, 'lower is None, expected float'),
    ({'upper': '0.4'}, "upper is '0.4', expected float"),
    ({'uncertainty_limit': '0.2'}, "uncertainty_limit is '0.2'"),
    ({'weights_sha256': 3}, 'weights_sha256 is 3'), ({'shorter': [['a', 'b']]}, 'shorter'),
    ({'version': 77}, 'version 77'), ({'lower': 2}, 'lower = 2')])
def test_thresholds_that_cannot_be_are_named_with_their_file(tmp_path, change, text):
    """``lower: null`` ended in a TypeError, and no message named the file."""
    write_tiny_checkpoint(tmp_path)
    values = json.loads((tmp_path / 'calibration.json').read_text())
    write_json(tmp_path / 'calibration.json', {**values, **change})
    write_manifest(tmp_path)
    with pytest.raises(CheckpointError, match=f'{tmp_path}/calibration.json: .*{text}'
                       '.*calibrate the checkpoint again'):
        load_checkpoint(tmp_path)
    # To choose others it need not be read.
    assert load_checkpoint(tmp_path, is_for_calibration=True).calibration is None


def test_what_is_absent_is_an_error_not_a_fallback(checkpoint_path):
    checkpoint = load_checkpoint(checkpoint_path)
    with pytest.raises(EngineError, match="engine 'magic' is unknown"):
        make_engine('magic', checkpoint)
    with pytest.raises(EngineError, match="not on 'cuda:0'"):
        make_engine('onnxruntime', checkpoint, device='cuda:0')
    with pytest.raises(CheckpointError, match='checkpoint_path is empty'):
        resolve_checkpoint('')
    with pytest.raises(CheckpointError, match="no checkpoint directory at '/nowhere'"):
        resolve_checkpoint('/nowhere')


def test_risk_never_falls_and_spread_is_the_ensembles():
    logits = np.array([[0.0, 0.0], [2.0, -2.0], [-3.0, -3.0]], np.float32)
    risk, spread = risk_from_logits(logits)
    np.testing.assert_allclose(risk, [0.5, 0.5, 0.5], atol=1e-6)
    assert spread[0] == pytest.approx(0)
    assert spread[1] == pytest.approx(1 / (1 + np.exp(-2)) - 0.5, abs=1e-6)


def test_a_trajectory_of_some_joints_leaves_the_others_where_they_are(checkpoint_path):
    judge = judge_with(checkpoint_path, [0.1] * 5)
    chunk = make_chunk()
    part = dataclasses.replace(chunk.trajectory, joint_names=('grip',),
                               positions=chunk.trajectory.positions[:, 2:])
    judge.judge(dataclasses.replace(chunk, trajectory=part), make_observation(0.0),
                stamp_ns=NOW_NS)
    assert judge.engine.inputs.actions[-1] == pytest.approx([0.0, 0.0, 0.1], abs=1e-6)


def test_fewer_steps_have_their_own_thresholds_and_end_earlier(checkpoint_path):
    checkpoint = load_checkpoint(checkpoint_path)
    calibration = dataclasses.replace(
        checkpoint.calibration, lower=0.4, upper=0.6, uncertainty_limit=None,
        shorter=(None, Pair(0.1, 0.2), Pair(0.2, 0.3), None))
    checkpoint = dataclasses.replace(checkpoint, calibration=calibration)
    judge = Judge(checkpoint, FixedEngine([0.25] * 5))
    whole, three, two = (
        judge.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS, num_steps=steps).verdict
        for steps in (None, 3, 2))
    assert [one.decision for one in (whole, three, two)] == [
        Decision.OK, Decision.ABSTAIN, Decision.VETO]
    assert [one.num_steps for one in (whole, three, two)] == [5, 3, 2]
    assert [one.risk_threshold for one in (whole, three, two)] == [0.4, 0.2, 0.1]
    # The command starts 0.04 s after the frame; the model's step is 0.1 s.
    assert [round(one.horizon_s, 3) for one in (whole, three, two)] == [0.46, 0.26, 0.16]
    prediction = judge.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS,
                             num_steps=2).prediction
    assert prediction.offsets_s == pytest.approx([0.06, 0.16])
    with pytest.raises(CalibrationError, match=r'no thresholds for 1 steps, only for \[2, 3\]'):
        judge.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS, num_steps=1)
    for steps in (0, 6):
        with pytest.raises(ValueError, match=f'num_steps is {steps}; the model looks 1 to 5'):
            judge.check_steps(steps)


def test_candidates_are_judged_together_and_a_bad_one_alone_is_invalid(judge):
    chunks = [make_chunk(target=(0.1, 0.0, 0.0)), make_chunk(names=('a', 'b', 'c')),
              make_chunk(target=(0.4, -0.3, 0.2))]
    observation = make_observation()
    found = judge.judge_candidates(chunks, observation, stamp_ns=NOW_NS)
    assert found[1].verdict.decision is Decision.INVALID
    assert found[1].prediction is None
    for chunk, judgement in zip(chunks, found, strict=True):
        single = judge.judge(chunk, observation, stamp_ns=NOW_NS)
        assert judgement.verdict.decision is single.verdict.decision
        assert judgement.verdict.risk == pytest.approx(single.verdict.risk, abs=2e-6)
        assert judgement.verdict.digest == chunk.digest
    with pytest.raises(ValueError, match='at least 1 candidate'):
        judge.judge_candidates([], observation, stamp_ns=NOW_NS)


def test_futures_are_drawn_with_the_guidance_of_the_judge(checkpoint_path, monkeypatch):
    """A judge passed on the number of the sampler's steps alone."""
    given = []

    class Drawing(FixedEngine):
        def begin_future(self, output, rng, **options):
            given.append(options)

    monkeypatch.setattr('wm_ros.inference.judge.make_engine',
                        lambda *_args, **_options: Drawing([0.1] * 5))
    for options in ({}, {'guidance': 2.5}):
        judge = Judge.load(checkpoint_path, **options)
        found = judge.judge(make_chunk(), make_observation(), stamp_ns=NOW_NS)
        verdict = dataclasses.replace(found.verdict, sampler_steps=3)
        judge.begin_future(found._replace(verdict=verdict), np.random.default_rng(0))
    assert given == [{'num_steps': 3, 'guidance': 1.0}, {'num_steps': 3, 'guidance': 2.5}]


def test_checks_are_timed_one_by_one(judge):
    times_ms = judge.time_checks(2, 3)
    assert len(times_ms) == 3
    assert all(value > 0 for value in times_ms)
