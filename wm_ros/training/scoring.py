# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run an engine over windows, and choose the windows that stand for commands."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.windows import Windows
from wm_ros.inference.engine import CheckInput, Engine

_BATCH = 8
# A command begins where joints at rest are told to move within the first step.
_REST_RAD_S = 0.08
_BEFORE_RAD = 0.03


def window_input(windows: Windows, index: int, actions: NDArray[np.float32] | None = None
                 ) -> CheckInput:
    """
    Return one window as a check.

    :param actions: other joint targets than its own, float32 (H, J), rad.
    """
    return CheckInput(
        windows.frames[windows.context[index]], windows.positions[index],
        windows.velocities[index], windows.actions[index] if actions is None else actions)


def score_windows(engine: Engine, windows: Windows, index: NDArray[np.int64], *,
                  actions: NDArray[np.float32] | None = None,
                  on_progress: Callable[[int], None] = lambda done: None
                  ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """
    Return risk (W, H), uncertainty (W, H) and joint positions (W, H, J) of chosen windows.

    :param actions: other joint targets than the windows' own, float32 (W, H, J), rad.
    :param on_progress: called with the number of windows done.
    """
    given = windows.actions[index] if actions is None else actions
    risks, spreads, joints = [], [], []
    for begin in range(0, len(index), _BATCH):
        part = [window_input(windows, int(i), told) for i, told in zip(
            index[begin:begin + _BATCH], given[begin:begin + _BATCH], strict=True)]
        for output in engine.check_batch(part):
            risks.append(output.risk)
            spreads.append(output.uncertainty)
            joints.append(output.joint_positions)
        on_progress(min(begin + _BATCH, len(index)))
    return np.stack(risks), np.stack(spreads), np.stack(joints)


def even_sample(index: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return at most ``count`` entries, evenly spread: the same ones each time."""
    if count >= len(index):
        return index
    return index[np.arange(count) * len(index) // count]


def command_windows(windows: Windows) -> NDArray[np.int64]:
    """
    Return the windows in which a command is about to start from rest, free of contact.

    These are what the gate asks about: a chunk that has not begun. Windows later in a motion
    are nearer to what they end in and easier to judge. It starts in the second step; a model of
    one step sees no other than the first.
    """
    still = np.abs(windows.velocities).max(1) < _REST_RAD_S
    away = np.abs(windows.actions - windows.positions[:, None]).max(2)
    step = min(1, away.shape[1] - 1)
    starts = still & (away[:, :step] < _BEFORE_RAD).all(1) & (away[:, step] >= _BEFORE_RAD)
    return np.flatnonzero(starts & ~windows.in_contact)


def moving_windows(windows: Windows) -> NDArray[np.int64]:
    """Return the windows in which the arm is in mid-motion, free of contact."""
    moving = np.abs(windows.velocities).max(1) >= _REST_RAD_S
    return np.flatnonzero(moving & ~windows.in_contact)


def one_per_episode(windows: Windows, index: NDArray[np.int64], *, seed: int
                    ) -> NDArray[np.int64]:
    """Return one of the chosen windows of each episode, at random: episodes are exchangeable."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(index)
    _, first = np.unique(windows.episode[shuffled], return_index=True)
    return np.sort(shuffled[first])
