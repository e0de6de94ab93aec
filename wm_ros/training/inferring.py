# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the episodes themselves say about a run: which are held out, joints and their spread."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wm_ros.data.camera_views import check_cameras
from wm_ros.data.episode import read_episode
from wm_ros.data.windows import joint_order
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.geometry import Geometry

_MAX_EPISODES = 100
# A joint that hardly moved must not turn its noise into motion. Both floors leave a gripper in
# metres its own spread: fingers that move by a few centimetres have one of about 0.01.
_LEAST_STD = 0.005
_LEAST_VELOCITY_STD = 0.01


def split_episodes(paths: list[Path], holdout: int) -> tuple[list[Path], list[Path]]:
    """Return training and validation episodes: every ``holdout``-th is for validation."""
    return [p for i, p in enumerate(paths) if i % holdout], paths[::holdout]


def infer_config(paths: list[Path], **sizes: int | float | str | tuple[str, ...] | Geometry | None
                 ) -> ModelConfig:
    """
    Return a config with joints, camera and normalisation taken from up to 100 episodes.

    :param sizes: other fields of the config; ``extra_cameras`` must be in the episodes.
    :raises DatasetError: naming the file, if a camera or a joint of the first file is not in it,
        or its main camera is another.
    :raises ValueError: if sizes do not fit each other.
    """
    used = paths[:: max(1, len(paths) // _MAX_EPISODES)]
    episodes = [read_episode(path) for path in used]
    first = episodes[0]
    orders = [joint_order(episode, first.joint_names, str(path))
              for path, episode in zip(used, episodes, strict=True)]
    positions, velocities = (np.concatenate([
        np.take(getattr(episode, name), order, axis=1)
        for episode, order in zip(episodes, orders, strict=True)])
        for name in ('positions', 'velocities'))

    def rounded(values: np.ndarray, least: float) -> tuple[float, ...]:
        return tuple(round(max(float(v), least), 4) for v in values)

    config = ModelConfig(
        joint_names=first.joint_names, camera_name=first.camera_name,
        joint_mean=rounded(positions.mean(0), -math.inf),
        joint_std=rounded(positions.std(0), _LEAST_STD),
        velocity_std=rounded(velocities.std(0), _LEAST_VELOCITY_STD), **sizes)  # type: ignore[arg-type]
    for path, episode in zip(used, episodes, strict=True):
        check_cameras(episode, config.cameras, str(path), whose=str(used[0]))
    return config


def kept_config(config: ModelConfig, sizes: dict[str, Any]) -> ModelConfig:
    """
    Return the config of a model that is trained on.

    :raises ValueError: if other sizes were asked for than it has.
    """
    other = [f'{key} = {value!r}' for key, value in sizes.items()
             if value is not None and getattr(config, key) != value]
    if other:
        raise ValueError(f"{', '.join(other)}: the model to start from is another; leave it out, "
                         'or start from random weights')
    return config


def with_normalisation_of(config: ModelConfig, stored: dict[str, Any] | None) -> ModelConfig:
    """Return a config with the normalisation of a run's state, which other data must not move."""
    if stored is None:
        return config
    model = stored['model']
    return replace(config, joint_mean=tuple(model['joint_mean']),
                   joint_std=tuple(model['joint_std']), velocity_std=tuple(model['velocity_std']))
