# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Does the model listen to the action? Score windows again with actions that did not run.

What came stays the same, so a model that listens gets worse, and one that ignores the action
does not change at all.

Letters: N windows, H steps, J joints.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.windows import Windows
from wm_ros.inference.engine import Engine
from wm_ros.training.frame_metrics import unit_frames
from wm_ros.training.hazard_scoring import HazardScores
from wm_ros.training.metrics import auroc, psnr
from wm_ros.training.scoring import even_sample, score_windows, window_input

# What is done to the actions.
ALTERATIONS = ('zero', 'shuffled', 'flipped')
_SEED = 23
# Decoding is the dear part: frames of a tenth of the windows say enough.
_FRAME_SHARE = 10
# Each joint takes a pass of its own.
_JOINT_SHARE = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SensitivityScores:
    """
    Risks and frames under the true and under altered actions, of the same windows.

    :param rows: the rows of the hazard scores that were scored again, int64 (N,).
    :param hazard: what came, bool (N,).
    :param episode: int64 (N,).
    :param true: risk under the true action, float32 (N,).
    :param altered: risk under each alteration, float32 (N,).
    :param joint_rows: the rows of these for which each joint was moved alone, int64 (n,).
    :param joints: risk while one joint alone does what it was told, by joint, float32 (n,).
    :param frame_rows: the rows whose frames were decoded, int64 (m,).
    :param frame_error: mean squared error by alteration, and 'true', float64 (m, H).
    :param frame_change: mean absolute change of pixels against the frames under the true action,
        by alteration; of a joint that moves alone, against all joints held, float64 (m, H).
    """

    rows: NDArray[np.int64]
    hazard: NDArray[np.bool_]
    episode: NDArray[np.int64]
    true: NDArray[np.float32]
    altered: dict[str, NDArray[np.float32]]
    joint_rows: NDArray[np.int64]
    joints: dict[str, NDArray[np.float32]]
    frame_rows: NDArray[np.int64]
    frame_error: dict[str, NDArray[np.float64]]
    frame_change: dict[str, NDArray[np.float64]]

    def hazard_figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return the AUROC under each alteration, and how far it falls, by dotted names."""
        hazard = self.hazard[rows]
        true = auroc(self.true[rows], hazard)
        found = {'true.auroc': true}
        for name, risk in self.altered.items():
            value = auroc(risk[rows], hazard)
            found |= {f'{name}.auroc': value, f'{name}.auroc_drop': true - value}
        return found

    def joint_figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """
        Return the AUROC while one joint moves alone, and how much that moves the risk.

        :param rows: of ``joint_rows``.
        """
        hazard, held = self.hazard[self.joint_rows], self.altered['zero'][self.joint_rows]
        found = {}
        for name, risk in self.joints.items():
            found[f'joints.{name}.auroc'] = auroc(risk[rows], hazard[rows])
            found[f'joints.{name}.risk_change'] = float(np.abs(risk - held)[rows].mean())
        return found

    def frame_figures(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """
        Return the PSNR under each alteration, its drop and the change of pixels, last step.

        :param rows: of ``frame_rows``.
        """
        found = {}
        for name, error in self.frame_error.items():
            found[f'{name}.psnr'] = psnr(float(error[rows, -1].mean()))
        for name, change in self.frame_change.items():
            found[f'{name}.pixel_change'] = float(change[rows, -1].mean())
        for name in set(self.altered) & set(self.frame_error):
            found[f'{name}.psnr_drop'] = found['true.psnr'] - found[f'{name}.psnr']
        return found


def altered_actions(how: str, windows: Windows, index: NDArray[np.int64], *, seed: int = _SEED
                    ) -> NDArray[np.float32]:
    """
    Return the actions of chosen windows after an alteration, float32 (N, H, J), rad.

    :param how: ``zero`` holds the measured position, ``shuffled`` gives each window another
        one's actions as they are, ``flipped`` reflects them about the measured position.
    :raises ValueError: for another word.
    """
    actions = windows.actions[index]
    start = np.repeat(windows.positions[index][:, None], actions.shape[1], axis=1)
    if how == 'zero':
        return start
    if how == 'flipped':
        return 2 * start - actions
    if how == 'shuffled':
        return actions[partners(len(index), seed=seed)]
    raise ValueError(f'alteration {how!r} is not one of {ALTERATIONS}')


def partners(count: int, *, seed: int = _SEED) -> NDArray[np.int64]:
    """Return another row for each of ``count`` rows, each once: one random cycle."""
    order = np.random.default_rng(seed).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return found


def one_joint(joint: int, windows: Windows, index: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return actions in which one joint does what it was told and the others hold."""
    held = altered_actions('zero', windows, index)
    held[:, :, joint] = windows.actions[index][:, :, joint]
    return held


def score_sensitivity(engine: Engine, windows: Windows, scores: HazardScores,
                      joint_names: tuple[str, ...], *, max_windows: int,
                      on_progress: Callable[[int, int], None] = lambda done, total: None
                      ) -> SensitivityScores:
    """
    Score an even sample of windows again under each alteration.

    :param max_windows: of them; a quarter for each joint alone, a tenth with frames.
    :param on_progress: called with the passes done and of how many.
    """
    rows = even_sample(np.arange(len(scores.index)), max_windows)
    joint_rows = even_sample(np.arange(len(rows)), max(1, len(rows) // _JOINT_SHARE))
    frame_rows = even_sample(np.arange(len(rows)), max(1, len(rows) // _FRAME_SHARE))
    total, done = len(ALTERATIONS) + len(joint_names) + 1, 0

    def risk(actions: NDArray[np.float32], which: NDArray[np.int64]) -> NDArray[np.float32]:
        nonlocal done
        made = score_windows(engine, windows, which, actions=actions)[0][:, scores.step]
        done += 1
        on_progress(done, total)
        return made

    index = scores.index[rows]
    altered = {how: risk(altered_actions(how, windows, index), index) for how in ALTERATIONS}
    few = index[joint_rows]
    joints = {name: risk(one_joint(number, windows, few), few)
              for number, name in enumerate(joint_names)}
    error, change = _frames(engine, windows, index[frame_rows], joint_names)
    on_progress(total, total)
    return SensitivityScores(
        rows=rows, hazard=scores.hazard[rows], episode=scores.episode[rows],
        true=scores.score[rows], altered=altered, joint_rows=joint_rows, joints=joints,
        frame_rows=frame_rows, frame_error=error, frame_change=change)


def _frames(engine: Engine, windows: Windows, index: NDArray[np.int64],
            joint_names: tuple[str, ...]
            ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return errors and changes of frames, float64 (m, H) by alteration or joint."""
    told = {'true': windows.actions[index],
            **{how: altered_actions(how, windows, index) for how in ALTERATIONS},
            **{f'joints.{name}': one_joint(number, windows, index)
               for number, name in enumerate(joint_names)}}
    errors: dict[str, list[NDArray[np.float64]]] = {}
    changes: dict[str, list[NDArray[np.float64]]] = {}
    for row, i in enumerate(index):
        truth = unit_frames(windows.frames[windows.future[i]])
        made = {name: unit_frames(engine.decode(engine.check(
            window_input(windows, int(i), actions[row])))) for name, actions in told.items()}
        for name, frames in made.items():
            alone = name.startswith('joints.')
            if not alone:
                errors.setdefault(name, []).append(
                    np.square(frames - truth).mean((1, 2, 3), dtype=np.float64))
            if name != 'true':
                changes.setdefault(name, []).append(np.abs(
                    frames - made['zero' if alone else 'true']).mean((1, 2, 3), dtype=np.float64))
    return ({name: np.stack(rows) for name, rows in errors.items()},
            {name: np.stack(rows) for name, rows in changes.items()})
