# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Made-up pictures, references and observations for tests of the drift monitor."""

from types import SimpleNamespace

import numpy as np

from wm_ros.calibration.drift_reference import DriftReference
from wm_ros.calibration.surprise import BLOCK, fit_novelty, picture_features
from wm_ros.datatypes import Decision, JointSample, Observation

NS_PER_S = 1_000_000_000
PERIOD_S = 1.5
STEP_S = 0.1


def picture(number, *, size=(36, 48)):
    """Return one nominal picture: always the same gradient, some light, some noise, an arm."""
    rng = np.random.default_rng([3, number])
    base = np.linspace(60, 180, size[1])[None, :, None] * np.array([1.0, 0.8, 0.5])
    noise = rng.normal(0, 6, (*size, 3)) + rng.normal(0, 10)
    image = np.clip(base + noise, 0, 255).astype(np.uint8)
    top, left = rng.integers(0, size[0] - 12), rng.integers(0, size[1] - 12)
    image[top:top + 12, left:left + 12] = 20
    return image


def make_reference(**changes) -> DriftReference:
    """Return a reference of 200 made-up episodes; step 2 of a model is compared."""
    novelty = fit_novelty(np.stack([picture_features(picture(i)) for i in range(200)]))
    scores = [novelty.score(picture_features(picture(i))) for i in range(1000, 1300)]
    settings = {
        'novelty': novelty, 'error_scores': np.linspace(0.1, 0.5, 200, dtype=np.float32),
        'novelty_scores': np.array(scores, np.float32), 'step': 2, 'joint_tolerance_rad': 0.1,
        'weights_sha256': 'w', 'data_sha256': 'd'}
    return DriftReference(**{**settings, **changes})


def observe(time_s, *, image=None, joints=(0.0, 0.0)) -> Observation:
    """Return an observation whose newest frame is of ``time_s``."""
    image = picture(round(1000 * time_s)) if image is None else image
    stamp_ns = round(time_s * NS_PER_S) + NS_PER_S
    return Observation(
        images=np.stack([image, image]), image_stamps_ns=(stamp_ns - 100_000_000, stamp_ns),
        joints=JointSample(names=('a', 'b'), positions=np.array(joints),
                           velocities=np.zeros(2), stamp_ns=stamp_ns))


def judge_says(decision=Decision.OK, *, joints=(0.5, 0.2), steps=5):
    """Return a judgement whose joints are there at every step."""
    return SimpleNamespace(
        verdict=SimpleNamespace(decision=decision),
        prediction=SimpleNamespace(joint_positions=np.tile(np.float32(joints), (steps, 1))))


def blocks(number):
    """Return how many pictures make so many scores."""
    return number * BLOCK
