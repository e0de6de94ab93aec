# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmark's robot replays: a loop without a seam, free of collisions."""

import numpy as np
import pytest

# First of all: it chooses how MuJoCo draws where there is no display.
import wm_ros.simulation  # noqa: F401

pytest.importorskip('mujoco', reason="needs the sim extra: pip install 'wm_ros[sim]'")

from wm_ros.benchmark import recording  # noqa: E402
from wm_ros.data.episode import read_episode  # noqa: E402
from wm_ros.errors import SimulationError  # noqa: E402


@pytest.fixture(scope='module')
def episode(tmp_path_factory):
    path = tmp_path_factory.mktemp('sway') / 'sway.safetensors'
    recording.record_sway(path)
    return read_episode(path)


def test_its_end_leads_on_to_its_beginning(episode):
    times = (episode.joint_stamps_ns - episode.joint_stamps_ns[0]) / 1e9
    assert 0 < recording.PERIOD_S - times[-1] <= recording.JOINT_PERIOD_S + 1e-9
    steps = np.abs(np.diff(episode.positions, axis=0)).max()
    assert np.abs(episode.positions[0] - episode.positions[-1]).max() < 1.5 * steps
    seam = episode.decode(0).astype(float) - episode.decode(len(episode.frames) - 1)
    middle = episode.decode(64).astype(float) - episode.decode(63)
    assert np.abs(seam).mean() < 2 * np.abs(middle).mean() + 0.5


def test_it_is_what_a_camera_and_a_robot_give(episode):
    assert len(episode.frames) == recording.NUM_PICTURES
    assert episode.decode(0).shape == (480, 640, 3)
    assert episode.decode(0).std() > 10
    assert not episode.hazards.any()
    # The arm moves, and every picture differs from the one before.
    assert (np.ptp(episode.positions, axis=0) > 0.1).all()
    assert len(set(episode.frames)) == recording.NUM_PICTURES


def test_a_scene_in_which_the_arm_touches_something_is_refused():
    with pytest.raises(SimulationError, match='arm of seed 9500002 touched something'):
        recording.simulate_sway(9_500_002)
