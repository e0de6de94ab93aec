# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How surprising a picture and a future are; and the file that says what is nominal."""

import numpy as np
import pytest
from drift_rig import make_reference, picture
from safetensors.numpy import load_file, save_file

from wm_ros.calibration.drift_reference import read_reference, write_reference
from wm_ros.calibration.surprise import fit_novelty, frame_error, picture_features
from wm_ros.errors import CalibrationError


def scene(left, *, size=(20, 40), width=10, level=200):
    """Return a bright bar on a dark ground."""
    image = np.full((*size, 3), 50, np.uint8)
    image[:, left:left + width] = level
    return image


def test_a_right_prediction_has_no_error_and_a_copy_has_all_of_it():
    before, seen = scene(0), scene(20)
    assert frame_error(seen, seen, before) == 0
    assert frame_error(before, seen, before) == 1


def test_the_error_is_the_share_of_the_motion_by_hand():
    """
    The bar went from 0 to 20 and was predicted at 30, columns of 150 grey levels each.

    Predicted and seen differ from before in 20 columns each, from each other in 20 columns:
    sqrt(20) / (sqrt(20) + sqrt(20)) = 1/2.
    """
    assert frame_error(scene(30), scene(20), scene(0)) == pytest.approx(0.5)
    # Half as far off: the bars of 20 and of 25 overlap, and 10 columns are wrong.
    expected = np.sqrt(10) / (2 * np.sqrt(20))
    assert frame_error(scene(25), scene(20), scene(0)) == pytest.approx(expected)


def test_contrast_does_not_matter_to_the_error():
    dim = [frame_error(*(scene(left, level=level) for left in (25, 20, 0)))
           for level in (70, 120, 250)]
    assert dim == pytest.approx([dim[0]] * 3)


def test_what_nothing_moved_in_is_not_scored():
    still, noisy = scene(0), scene(0).astype(int)
    noisy += np.random.default_rng(0).integers(-8, 9, noisy.shape)
    assert frame_error(still, noisy.astype(np.uint8), still) is None
    speck = still.copy()
    speck[0, 35] = 255
    assert frame_error(still, speck, still) is None


def test_features_are_the_logarithms_of_the_colours_of_a_grid():
    image = np.zeros((18, 24, 3), np.uint8)
    image[:2, :2] = (255, 51, 0)
    found = picture_features(image).reshape(9, 12, 3)
    np.testing.assert_allclose(found[0, 0], np.log([1.05, 0.25, 0.05]), rtol=1e-6)
    np.testing.assert_allclose(found[0, 1], np.log([0.05] * 3), rtol=1e-6)


@pytest.fixture(scope='module')
def reference():
    return make_reference()


@pytest.mark.parametrize('change', [
    lambda image: image[..., ::-1], lambda image: (image * 0.3).astype(np.uint8),
    lambda image: np.roll(image, 12, axis=1),
], ids=['swapped colours', 'dimmed', 'turned'])
def test_a_changed_camera_is_more_novel_than_any_nominal_picture(reference, change):
    for number in range(2000, 2020):
        image = picture(number)
        scores = [reference.novelty.score(picture_features(np.ascontiguousarray(shown)))
                  for shown in (image, change(image))]
        # The arm is somewhere else in each picture, and that is nothing new.
        assert scores[0] <= reference.novelty_scores.max()
        assert scores[1] > 1.3 * reference.novelty_scores.max()


def test_the_score_is_the_residual_of_each_cell_given_the_others_by_hand():
    """Two directions, one of them with variance 1 and correlation 0: residual = value / std."""
    from wm_ros.calibration.surprise import NoveltyModel
    model = NoveltyModel(np.zeros(3, np.float32), np.diag([4.0, 1.0, 1.0]).astype(np.float32))
    # Residuals 2 * 1, 1 * 3, 1 * 0; two thirds stay below ... between the 2nd and the 3rd.
    assert model.score(np.array([1.0, 3.0, 0.0])) == pytest.approx(2 + (3 - 2) / 3)


def test_one_picture_cannot_tell_how_pictures_vary():
    with pytest.raises(ValueError, match='1 pictures cannot tell'):
        fit_novelty(np.zeros((1, 5)))


def test_a_reference_survives_its_file(reference, tmp_path):
    write_reference(tmp_path / 'drift.safetensors', reference)
    found = read_reference(tmp_path / 'drift.safetensors')
    for name in ('step', 'joint_tolerance_rad', 'weights_sha256', 'data_sha256'):
        assert getattr(found, name) == getattr(reference, name)
    np.testing.assert_array_equal(found.novelty_scores, reference.novelty_scores)
    np.testing.assert_array_equal(found.error_scores, reference.error_scores)
    np.testing.assert_array_equal(found.novelty.precision, reference.novelty.precision)
    assert [path.name for path in tmp_path.iterdir()] == ['drift.safetensors']


def test_a_file_that_is_not_a_reference_is_named(reference, tmp_path):
    path = tmp_path / 'drift.safetensors'
    path.write_bytes(b'nothing')
    with pytest.raises(CalibrationError, match=r'drift.safetensors cannot be read.*calibrate'):
        read_reference(path)
    write_reference(path, reference)
    arrays = load_file(path)
    save_file(arrays, path)
    with pytest.raises(CalibrationError, match='is None version None, this program reads'):
        read_reference(path)


def test_a_reference_that_lacks_an_array_is_named(reference, tmp_path):
    from safetensors import safe_open
    path = tmp_path / 'drift.safetensors'
    write_reference(path, reference)
    with safe_open(path, framework='np') as file:
        metadata = file.metadata()
    arrays = load_file(path)
    del arrays['error_scores']
    save_file(arrays, path, metadata=metadata)
    with pytest.raises(CalibrationError, match='error_scores'):
        read_reference(path)


@pytest.mark.parametrize(('change', 'text'), [
    ({'novelty_scores': np.zeros(18, np.float32)}, '18 nominal novelty scores'),
    ({'error_scores': np.full(40, np.nan, np.float32)}, 'error scores'),
    ({'step': -1}, 'step = -1'), ({'joint_tolerance_rad': 0.0}, 'joint_tolerance_rad = 0.0')])
def test_a_reference_that_cannot_be_is_refused(change, text):
    with pytest.raises(CalibrationError, match=text):
        make_reference(**change)
