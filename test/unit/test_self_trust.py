# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a model listens to its actions, and what calibrating stores for a running predictor."""

import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from wm_ros.calibration.drift_reference import write_reference
from wm_ros.data.episode import encode_frame, list_episodes, write_episode
from wm_ros.errors import CalibrationError, CheckpointError
from wm_ros.inference.checkpoint import (
    DRIFT_FILE,
    SELF_TEST_FILE,
    load_checkpoint,
    write_manifest,
)
from wm_ros.inference.engine import CheckOutput
from wm_ros.inference.judge import Judge
from wm_ros.inference.self_test import (
    LEAST_SENSITIVITY,
    SelfTest,
    Sensitivity,
    measure_sensitivity,
    read_self_test,
    write_self_test,
)

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")
from tiny_checkpoint import JOINTS, make_episode, tiny_config, write_tiny_checkpoint  # noqa: E402

from wm_ros.training.self_trust import compared_step, write_self_trust  # noqa: E402

STEPS = 5


def make_self_test(windows=4):
    rng = np.random.default_rng(0)
    positions = rng.normal(0, 0.1, (windows, len(JOINTS))).astype(np.float32)
    motion = rng.normal(0, 0.5, (windows, STEPS, len(JOINTS))).cumsum(1)
    return SelfTest(
        images=rng.integers(0, 256, (windows, 2, 32, 48, 3)).astype(np.uint8),
        joint_positions=positions, joint_velocities=0 * positions,
        actions=(positions[:, None] + motion).astype(np.float32))


class Toy:
    """An engine whose outputs listen to the actions, or each by itself does not."""

    def __init__(self, *deaf):
        self.deaf = deaf

    def check_batch(self, inputs):
        return [self._check(item) for item in inputs]

    def _check(self, item):
        away = np.abs(item.actions - item.joint_positions).max(1)
        # Without the actions a model still sees the picture and where the arm is.
        blind = np.full(STEPS, item.images[-1].mean() / 255, np.float32)
        risk = blind if 'hazard' in self.deaf else np.tanh(away)
        joints = (np.tile(item.joint_positions, (STEPS, 1)) if 'joints' in self.deaf
                  else 0.9 * item.actions)
        shift = 0 if 'frames' in self.deaf else np.clip(20 * away, 0, 50)
        return CheckOutput(np.maximum.accumulate(risk), 0 * risk, joints,
                           (item.images[-1], shift))

    def decode(self, output):
        image, shift = output.latents
        shifts = np.broadcast_to(shift, STEPS)[:, None, None, None]
        return np.clip(image[None] // 2 + shifts, 0, 255).astype(np.uint8)


def test_a_model_that_listens_passes():
    found = measure_sensitivity(make_self_test(), Toy())
    assert found.ignored == ()
    # This one's joints go nine tenths of the way that they are told.
    assert found.joints == pytest.approx(0.9, abs=1e-5)
    assert found.hazard > 0.5


@pytest.mark.parametrize('output', ['hazard', 'joints', 'frames'])
def test_an_output_that_ignores_its_actions_is_named(output):
    found = measure_sensitivity(make_self_test(), Toy(output))
    assert found.ignored == (output,)
    assert getattr(found, output) == 0
    assert f'{output} 0.000' in str(found)


def test_a_model_that_copies_the_newest_frame_ignores_its_actions():
    class Copies(Toy):
        def decode(self, output):
            return np.repeat(output.latents[0][None], STEPS, 0)

    assert measure_sensitivity(make_self_test(), Copies()).ignored == ('frames',)


def test_a_model_that_says_the_same_always_ignores_its_actions():
    class Constant(Toy):
        def check_batch(self, inputs):
            return [CheckOutput(np.full(STEPS, 0.5, np.float32), np.zeros(STEPS, np.float32),
                                np.zeros((STEPS, 3), np.float32), output.latents)
                    for output in super().check_batch(inputs)]

    assert measure_sensitivity(make_self_test(), Constant()).ignored == ('hazard', 'joints')


def test_what_is_not_a_number_counts_as_deaf():
    found = Sensitivity(float('nan'), 1.0, LEAST_SENSITIVITY)
    assert found.ignored == ('hazard',)


def test_other_actions_start_where_the_joints_are():
    test = make_self_test()
    assert (test.stay() == test.joint_positions[:, None]).all()
    shuffled = test.shuffled()
    np.testing.assert_allclose(shuffled[1] - test.joint_positions[1],
                               test.actions[0] - test.joint_positions[0], atol=1e-6)


def test_stored_observations_survive_their_file(tmp_path):
    test = make_self_test()
    write_self_test(tmp_path / 'self_test.safetensors', test)
    found = read_self_test(tmp_path / 'self_test.safetensors', tiny_config())
    for item in fields(SelfTest):
        np.testing.assert_array_equal(getattr(found, item.name), getattr(test, item.name))


@pytest.mark.parametrize(('config', 'windows', 'text'), [
    ({'horizon': 7}, 4, r'actions has shape \(4, 5, 3\), the model needs \(4, 7, 3\)'),
    ({'context_len': 3}, 4, 'images has shape'), ({}, 1, 'at least 2 windows')])
def test_observations_of_another_model_are_refused(tmp_path, config, windows, text):
    path = tmp_path / 'self_test.safetensors'
    write_self_test(path, make_self_test(windows))
    with pytest.raises(CheckpointError, match=text):
        read_self_test(path, tiny_config(**config))


def test_a_broken_file_is_named(tmp_path):
    path = tmp_path / 'self_test.safetensors'
    path.write_bytes(b'12345678901')
    with pytest.raises(CheckpointError, match='self_test.safetensors cannot be read'):
        read_self_test(path, tiny_config())


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    """Write 60 short episodes: a bar that moves with joint 0, half of them with a hazard."""
    folder = tmp_path_factory.mktemp('episodes')
    for number in range(60):
        rng = np.random.default_rng(number)
        episode = make_episode(frames=26, hazard_at=1.4 if number % 2 else None)
        images = []
        for index in range(26):
            image = np.clip(rng.normal(90, 8, (48, 72, 3)) + rng.normal(0, 5), 0, 255)
            image[:, 2 * index:2 * index + 10] = 240
            images.append(encode_frame(image.astype(np.uint8)))
        # At rest until 0.9 s, then told to move.
        when = np.arange(len(episode.joint_stamps_ns)) * 0.02
        path = 0.4 * np.clip(when - 0.9, 0, 1)[:, None] * np.ones((1, 3))
        speed = 0.4 * (np.abs(when - 1.4) < 0.5)[:, None] * np.ones((1, 3))
        write_episode(folder / f'episode_{number:03d}.safetensors', replace(
            episode, frames=tuple(images), positions=path.astype(np.float32),
            velocities=speed.astype(np.float32), setpoints=np.float32(1.5 * path)))
    return list_episodes(folder)


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
    """Write a checkpoint with thresholds, once: exporting takes seconds."""
    path = tmp_path_factory.mktemp('bare') / 'tiny'
    write_tiny_checkpoint(path)
    return path


@pytest.fixture(scope='module')
def whole(bare, paths):
    """Add to it all that calibrating stores, and what it told on the way."""
    path = bare.parent / 'whole'
    shutil.copytree(bare, path)
    done = []
    reference = write_self_trust(path, paths, data_sha256='d', on_progress=done.append)
    assert done == list(range(1, 61))
    return path, reference


@pytest.fixture
def checkpoint(whole, tmp_path):
    return Path(shutil.copytree(whole[0], tmp_path / 'tiny'))


def test_calibrating_stores_a_reference_and_observations(whole):
    path, written = whole
    judge = Judge.load(path)
    reference, sensitivity = judge.drift_reference(), judge.sensitivity()
    judge.close()
    assert len(reference.novelty_scores) == 30
    assert 30 <= len(reference.error_scores) <= 60
    assert (reference.step, reference.data_sha256) == (3, 'd')
    np.testing.assert_array_equal(reference.novelty_scores, written.novelty_scores)
    assert ((reference.error_scores > 0) & (reference.error_scores <= 1)).all()
    assert reference.joint_tolerance_rad >= 0.05
    assert sensitivity is not None
    stored = read_self_test(path / SELF_TEST_FILE, tiny_config())
    # Each from another episode, as many before a hazard as not.
    assert len(stored.images) == 8


def test_too_few_episodes_leave_no_reference_but_the_observations(checkpoint, paths):
    with pytest.raises(CalibrationError, match='5 nominal novelty scores .* it takes 19'):
        write_self_trust(checkpoint, paths[:10], data_sha256='d')
    judge = Judge.load(checkpoint)
    assert judge.drift_reference() is None
    assert judge.sensitivity() is not None
    judge.close()


def test_a_reference_of_other_weights_is_refused(checkpoint, whole):
    write_reference(checkpoint / DRIFT_FILE, replace(whole[1], weights_sha256='other'))
    write_manifest(checkpoint)
    with pytest.raises(CheckpointError, match='belongs to other weights'):
        Judge.load(checkpoint).drift_reference()


@pytest.mark.parametrize('name', [DRIFT_FILE, SELF_TEST_FILE])
def test_the_manifest_guards_both_files(checkpoint, name):
    content = bytearray((checkpoint / name).read_bytes())
    content[-1] ^= 1
    (checkpoint / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f'{name} was altered'):
        load_checkpoint(checkpoint)


def test_a_file_that_the_manifest_does_not_list_counts_as_absent(bare, tmp_path):
    path = Path(shutil.copytree(bare, tmp_path / 'tiny'))
    write_self_test(path / SELF_TEST_FILE, make_self_test())
    judge = Judge.load(path)
    assert judge.sensitivity() is None
    assert judge.drift_reference() is None
    judge.close()


@pytest.mark.parametrize(('horizon', 'step'), [(10, 7), (5, 3), (8, 5), (1, 0)])
def test_a_late_step_is_compared(horizon, step):
    assert compared_step(tiny_config(horizon=horizon)) == step
