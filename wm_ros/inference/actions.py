# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Put a command on the model's grid: joint targets at the end of each of its steps."""

import numpy as np
from numpy.typing import NDArray

from wm_ros.datatypes import JointSample, Trajectory
from wm_ros.world_model.config import ModelConfig


def joint_columns(names: tuple[str, ...], wanted: tuple[str, ...]) -> list[int]:
    """
    Return the column of each wanted joint.

    :raises ValueError: naming the joints that are missing.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f'joints {missing} are missing: the model needs {list(wanted)}, '
                         f'given were {list(names)}')
    return [names.index(name) for name in wanted]


def model_actions(trajectory: Trajectory, start: JointSample, config: ModelConfig, *,
                  lead_s: float) -> NDArray[np.float32]:
    """
    Sample a command at the end of each step of the model.

    Before the command starts the joints stay where they are; after its last point they hold it;
    in between the controller interpolates linearly, as it does with positions alone.

    :param start: measured joints when the command starts.
    :param lead_s: how long after the newest camera frame the command starts, s.
    :returns: float32 (H, J), rad, in the model's joint order.
    :raises ValueError: if a joint of the model is in neither or the trajectory is empty.
    """
    if not len(trajectory.times):
        raise ValueError('the trajectory has no points')
    begin = start.positions[joint_columns(start.names, config.joint_names)]
    targets = np.tile(begin, (len(trajectory.times), 1))
    known = [name for name in config.joint_names if name in trajectory.joint_names]
    if not known:
        raise ValueError(f'none of the joints {list(trajectory.joint_names)} is one of the '
                         f"model's {list(config.joint_names)}")
    columns = joint_columns(config.joint_names, tuple(known))
    targets[:, columns] = trajectory.positions[:, joint_columns(
        trajectory.joint_names, tuple(known))]
    times, points = trajectory.times, targets
    if times[0] > 0:
        times, points = np.append(0.0, times), np.vstack([begin, points])
    ends = np.arange(1, config.horizon + 1) * config.step_s - lead_s
    return np.stack([np.interp(ends, times, column) for column in points.T], 1).astype(np.float32)
