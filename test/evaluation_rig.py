# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Made-up windows whose truth is known, and an engine that is as good as a test wants."""

from dataclasses import replace

import numpy as np
from tiny_checkpoint import make_episode, tiny_config

from wm_ros.data.episode import write_episode
from wm_ros.data.windows import Windows
from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import CheckOutput

EPISODES, PER_EPISODE = 6, 10
HORIZON, CONTEXT = 5, 2
HEIGHT, WIDTH = 32, 48
SQUARE_PX = 8


def make_windows(num_joints=3, *, hazards=True, seed=0):
    """
    Return windows in which joint 0 alone decides: it moves a square, and far moves end badly.

    Joint 0 is told to go to ``far``, drawn from -1 to 1; a target above 0.4 is a hazard of kind 0
    (even episodes) or 1 (odd) after 0.35 s. The square starts in the middle and moves by 2 px a
    step for each full radian.
    """
    rng = np.random.default_rng(seed)
    count = EPISODES * PER_EPISODE
    far = rng.permutation(np.linspace(-1, 1, count)).astype(np.float32)
    share = np.arange(1, HORIZON + 1, dtype=np.float32) / HORIZON
    actions = rng.normal(0, 0.1, (count, HORIZON, num_joints)).astype(np.float32)
    actions[:, :, 0] = far[:, None] * share
    pool, future = [background(), background()], np.empty((count, HORIZON), np.int64)
    for i in range(count):
        for k in range(HORIZON):
            future[i, k] = len(pool)
            pool.append(picture(actions[i, k, 0]))
    bad = (far > 0.4) & hazards
    episode = np.repeat(np.arange(EPISODES), PER_EPISODE)
    rest = np.zeros((count, num_joints), np.float32)
    return Windows(
        frames=np.stack([picture(0.0), *pool[1:]]),
        context=np.zeros((count, CONTEXT), np.int64), future=future, positions=rest,
        velocities=rest.copy(), actions=actions, joints=actions + np.float32(0.01),
        hazard_time_s=np.where(bad, 0.35, np.inf).astype(np.float32),
        hazard_kind=np.where(bad, 1 << episode % 2, 0).astype(np.uint8),
        clearance=np.full((count, HORIZON), np.nan, np.float32),
        obstacles=np.full((count, 3, 7), np.nan, np.float32),
        camera=np.zeros((count, 6), np.float32), lamp=np.full((count, 3), np.nan, np.float32),
        in_contact=np.zeros(count, bool), episode=episode)


def background():
    """Return the picture without the square: a fixed texture."""
    rng = np.random.default_rng(5)
    return rng.integers(60, 120, (HEIGHT, WIDTH, 3), np.uint8)


def picture(angle):
    """Return the picture with the square where joint 0 at ``angle`` puts it."""
    image = background()
    left = int(round(WIDTH / 2 - SQUARE_PX / 2 + 2 * HORIZON * float(np.clip(angle, -1.5, 1.5))))
    image[12:12 + SQUARE_PX, left:left + SQUARE_PX] = 250
    return image


def write_kinds(directory, names=('object', 'table')):
    """Write one small episode for each of the windows' episodes, to name the kinds of hazard."""
    paths = [directory / f'episode_{number:09d}.safetensors' for number in range(EPISODES)]
    for path in paths:
        write_episode(path, replace(make_episode(frames=3), hazard_kinds=names))
    return paths


def make_checkpoint(directory, num_joints=3, **changes):
    """Return a checkpoint without files: its config is all that an evaluation reads."""
    names = tuple(f'arm.{number}' for number in range(num_joints))
    ones = (1.0,) * num_joints
    config = tiny_config(joint_names=names, joint_mean=(0.0,) * num_joints, joint_std=ones,
                         velocity_std=ones, horizon=HORIZON, image_height=HEIGHT,
                         image_width=WIDTH, **changes)
    return Checkpoint(directory=directory, config=config, calibration=None, model_id='fake-0')


class FakeEngine:
    """
    Knows the rule of ``make_windows``, as far as it is told to listen to the action.

    :param listens: use the action; otherwise risk and frames are those of an arm at rest.
    :param noise: of the risk; the uncertainty is exactly how far off it may be.
    :param has_sampler: draw futures around the mean frames.
    """

    name, device = 'fake', 'cpu'

    def __init__(self, *, listens=True, noise=0.0, has_sampler=True):
        self.listens, self.noise, self.has_sampler = listens, noise, has_sampler
        self.closed = False

    def warm_up(self):
        """Do nothing."""

    def check(self, inputs):
        """Predict one chunk."""
        actions = inputs.actions if self.listens else inputs.actions * 0
        doubt = self.noise * abs(float(np.sin(1e4 * inputs.actions[-1, 0])))
        risk = np.float32(np.clip(0.5 + (actions[-1, 0] - 0.4) / 4, 0, 1))
        risk = np.clip(risk + np.float32(doubt) * (1 if risk < 0.5 else -1), 0, 1)
        steps = np.linspace(0.5, 1, len(actions), dtype=np.float32)
        return CheckOutput(risk * steps, steps * 0 + np.float32(doubt), actions.copy(), actions)

    def check_batch(self, inputs):
        """Predict several chunks."""
        return [self.check(item) for item in inputs]

    def decode(self, output):
        """Draw the square where the action puts it, two shades too dark: less sharp edges."""
        frames = np.stack([picture(action[0]) for action in output.latents]).astype(np.float32)
        return np.clip(0.8 * frames, 0, 255).astype(np.uint8)

    def sample(self, output, *, num_futures, num_steps=4, seed=0, guidance=1.0):
        """Draw the true frames with noise of a level for each future, 0 for the last."""
        if not self.has_sampler:
            raise EngineError('this checkpoint has no sampler')
        rng = np.random.default_rng(seed)
        frames = np.stack([picture(action[0]) for action in output.latents]).astype(np.float32)
        levels = np.linspace(num_futures - 1, 0, num_futures)
        made = [frames + rng.normal(0, 1, frames.shape) * level for level in levels]
        return np.clip(np.round(made), 0, 255).astype(np.uint8)

    def close(self):
        """Remember that it was closed."""
        self.closed = True
