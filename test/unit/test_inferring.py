# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a run takes from its episodes, for joints in any unit."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_checkpoint import make_episode

from wm_ros.data.episode import CameraFrames, write_episode
from wm_ros.errors import DatasetError
from wm_ros.training.inferring import infer_config


@pytest.fixture
def episode_file(tmp_path):
    """Return an episode of a turning joint, a gripper in metres and a joint that stands."""
    episode = make_episode(frames=5)
    swing = np.resize([-0.5, 0.5], len(episode.positions)).astype(np.float32)
    swing -= swing.mean()
    positions = np.stack([swing, 0.04 + 0.02 * swing, np.full_like(swing, 0.3)], axis=1)
    path = tmp_path / 'episode_000000000.safetensors'
    write_episode(path, replace(episode, positions=positions, velocities=positions * 2))
    return path, positions


def test_a_gripper_in_metres_keeps_its_own_spread(episode_file):
    path, positions = episode_file
    config = infer_config([path], image_height=24, image_width=24)
    assert config.joint_names == ('pan', 'lift', 'grip')
    assert config.joint_mean == pytest.approx((0.0, 0.04, 0.3), abs=1e-4)
    assert config.joint_std[1] == pytest.approx(0.01, abs=1e-4)
    assert config.velocity_std[1] == pytest.approx(0.02, abs=1e-4)
    normalised = (positions - config.joint_mean) / config.joint_std
    np.testing.assert_allclose(normalised[:, :2].std(0), 1, atol=0.01)


def test_a_joint_that_stands_still_is_not_blown_up(episode_file):
    path, _ = episode_file
    config = infer_config([path], image_height=24, image_width=24)
    assert config.joint_std[2] == 0.005
    # Its velocity in the episode is a constant 0.6.
    assert config.velocity_std[2] == 0.01


def test_further_cameras_must_be_in_the_episodes(tmp_path):
    wrist = CameraFrames(frames=make_episode().frames, stamps_ns=make_episode().frame_stamps_ns)
    paths = [tmp_path / f'episode_{number}.safetensors' for number in range(2)]
    write_episode(paths[0], replace(make_episode(), extra_cameras={'wrist': wrist}))
    write_episode(paths[1], make_episode())
    sizes = {'image_height': 24, 'image_width': 24}
    config = infer_config(paths[:1], extra_cameras=('wrist',), **sizes)
    assert config.cameras == ('front', 'wrist')
    assert config.picture_height == 48
    # A camera that is there is not taken unless it is asked for.
    assert infer_config(paths[:1], **sizes).cameras == ('front',)
    with pytest.raises(DatasetError, match=r"cameras \['wrist'\] are not among the further "
                                           r'cameras of .*episode_1\.safetensors, which has'):
        infer_config(paths, extra_cameras=('wrist',), **sizes)


def test_episodes_of_several_main_cameras_are_refused(tmp_path):
    """
    Half of the pictures were of another camera and the model learned from both without a word.

    The first episode alone decided what the camera is called, and the tests of cameras that are
    not there looked at further ones only.
    """
    paths = [tmp_path / f'episode_{number}.safetensors' for number in range(3)]
    for path, name in zip(paths, ('front', 'front', 'wrist'), strict=True):
        write_episode(path, make_episode(main=name))
    sizes = {'image_height': 24, 'image_width': 24}
    assert infer_config(paths[:2], **sizes).camera_name == 'front'
    assert infer_config(paths[2:], **sizes).camera_name == 'wrist'
    with pytest.raises(DatasetError, match=(
            r"the main camera of .*episode_2\.safetensors is 'wrist', that of "
            r".*episode_0\.safetensors 'front'; .*'--camera-name front'")):
        infer_config(paths, **sizes)


def in_other_order(episode, order):
    """Return the same recording as a driver with another order of joints would have made it."""
    return replace(episode, joint_names=tuple(episode.joint_names[i] for i in order), **{
        name: getattr(episode, name)[:, order]
        for name in ('positions', 'velocities', 'efforts', 'setpoints')})


def test_joints_are_normalised_by_name(tmp_path):
    """
    A file with its joints in another order gave each joint a part of another's spread.

    Windows take joints by name, the statistics behind their normalisation did not, and no test
    had files that differ.
    """
    paths = [tmp_path / f'episode_{number}.safetensors' for number in range(2)]
    sizes = {'image_height': 24, 'image_width': 24}
    write_episode(paths[0], make_episode(frames=5))
    write_episode(paths[1], make_episode(frames=9))
    wanted = infer_config(paths, **sizes)
    write_episode(paths[1], in_other_order(make_episode(frames=9), [2, 0, 1]))
    assert infer_config(paths, **sizes) == wanted


def test_a_file_that_lacks_a_joint_is_named(tmp_path):
    """It was numpy that refused it, in words about the dimensions of arrays."""
    paths = [tmp_path / f'episode_{number}.safetensors' for number in range(2)]
    sizes = {'image_height': 24, 'image_width': 24}
    write_episode(paths[0], make_episode())
    write_episode(paths[1], in_other_order(make_episode(), [2, 0]))
    with pytest.raises(DatasetError, match=(
            r"joints \['lift'\] are not in .*episode_1\.safetensors, which has "
            r"\['grip', 'pan'\]")):
        infer_config(paths, **sizes)
    # More joints than the first file has are left out.
    assert infer_config(paths[::-1], **sizes).joint_names == ('grip', 'pan')
