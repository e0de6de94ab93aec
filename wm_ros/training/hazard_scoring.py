# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Score hazards window by window, beside a classifier without a camera, and by kind of hazard.

A window is positive if a hazard follows within 0.8 s, or within the horizon where that is shorter.

Letters: N windows, H steps, J joints.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import read_episode
from wm_ros.data.windows import Windows
from wm_ros.inference.checkpoint import BASELINE_FILE, Checkpoint
from wm_ros.inference.engine import Engine
from wm_ros.training.baseline import baseline_risk, read_baseline
from wm_ros.training.bootstrap import group_rows
from wm_ros.training.hazard_metrics import calibration_error, ranking_figures
from wm_ros.training.metrics import auroc, recall_threshold
from wm_ros.training.scoring import command_windows, score_windows
from wm_ros.training.uncertainty_metrics import ause, ause_random, spearman

HAZARD_HORIZON_S = 0.8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class HazardScores:
    """
    What was predicted for each window that starts without contact, and what came.

    :param index: which windows, int64 (N,).
    :param episode: which episode each is of, int64 (N,).
    :param step: the step at which hazards are asked for, from 0.
    :param risk: float32 (N, H).
    :param uncertainty: of the ensemble, float32 (N, H).
    :param kinematic: risk of the classifier without a camera, float32 (N,); None without one.
    :param hazard: a hazard by that step, bool (N,).
    :param time_s: of the first hazard after the anchor, float32 (N,), s; inf for none.
    :param kinds: name of each kind of hazard to the windows whose hazard is of it, bool (N,).
    :param at_rest: a command is about to start from rest, bool (N,).
    :param joint_error: absolute, float32 (N, H, J), rad.
    :param joint_error_command: of taking each command as reached, float32 (N, H, J), rad.
    """

    index: NDArray[np.int64]
    episode: NDArray[np.int64]
    step: int
    risk: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    kinematic: NDArray[np.float32] | None
    hazard: NDArray[np.bool_]
    time_s: NDArray[np.float32]
    kinds: dict[str, NDArray[np.bool_]]
    at_rest: NDArray[np.bool_]
    joint_error: NDArray[np.float32]
    joint_error_command: NDArray[np.float32]

    @property
    def score(self) -> NDArray[np.float32]:
        """Return the risk at the step that is asked for, float32 (N,)."""
        return self.risk[:, self.step]

    @property
    def doubt(self) -> NDArray[np.float32]:
        """Return the ensemble's uncertainty at that step, float32 (N,)."""
        return self.uncertainty[:, self.step]

    @property
    def mistake(self) -> NDArray[np.float32]:
        """Return how far the risk is from what came, |risk - hazard|, float32 (N,)."""
        return np.abs(self.score - self.hazard)

    def figures(self, rows: NDArray[np.int64]) -> dict[str, float | NDArray[np.floating]]:
        """Return the hazard, joint and ensemble figures of some rows by their names."""
        score, hazard, rest = self.score[rows], self.hazard[rows], self.at_rest[rows]
        mistake, doubt, coin = self.mistake[rows], self.doubt[rows], score * (1 - score)
        found = _risk_figures(score, hazard)
        baseline = (dict.fromkeys(found, float('nan')) if self.kinematic is None
                    else _risk_figures(self.kinematic[rows], hazard))
        return {
            **found, **{f'{name}_kinematic': value for name, value in baseline.items()},
            'premature_veto_share': _premature_share(score, hazard, self.time_s[rows]),
            'auroc_command': auroc(score[rest], hazard[rest]),
            'brier': float(np.square(mistake).mean()),
            'uncertainty_spearman': spearman(doubt, mistake),
            'uncertainty_spearman_coin': spearman(coin, mistake),
            'uncertainty_ause': ause(doubt, mistake), 'uncertainty_ause_coin': ause(coin, mistake),
            'uncertainty_ause_chance': ause_random(mistake),
            'joint_error_deg': np.degrees(self.joint_error[rows].mean((0, 2))),
            'joint_error_deg_command': np.degrees(self.joint_error_command[rows].mean((0, 2)))}

    def figures_by_kind(self, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return figures of each kind's hazards against all safe windows, by ``kind.figure``."""
        found: dict[str, float] = {}
        score, hazard = self.score[rows], self.hazard[rows]
        threshold = recall_threshold(score, hazard, 0.95)
        for name, kind in self.kinds.items():
            mine = kind[rows]
            asked = mine | ~hazard
            caught = float((score[mine] >= threshold).mean()) if mine.any() else float('nan')
            found |= {f'{name}.{figure}': value for figure, value in {
                **ranking_figures(score[asked], mine[asked]),
                'recall_at_95_recall': caught}.items()}
        return found


def _premature_share(score: NDArray[np.float32], hazard: NDArray[np.bool_],
                     time_s: NDArray[np.float32]) -> float:
    """Return which share of the false vetoes at 95 % recall come before a later hazard."""
    is_false = ~hazard & (score >= recall_threshold(score, hazard, 0.95))
    return float(np.isfinite(time_s[is_false]).mean()) if is_false.any() else float('nan')


def _risk_figures(score: NDArray[np.float32], hazard: NDArray[np.bool_]) -> dict[str, float]:
    return {**ranking_figures(score, hazard), 'ece': calibration_error(score, hazard)}


def score_hazards(engine: Engine, checkpoint: Checkpoint, windows: Windows, paths: list[Path], *,
                  on_progress: Callable[[int, int], None] = lambda done, total: None
                  ) -> HazardScores:
    """
    Run every window that starts without contact.

    :param paths: the episode files, in the order of ``windows.episode``.
    :param on_progress: called with how much is done and of how much.
    :raises CheckpointError: if the kinematics-only classifier cannot be read.
    """
    config = checkpoint.config
    free = np.flatnonzero(~windows.in_contact)
    path = checkpoint.directory / BASELINE_FILE
    baseline = read_baseline(path) if path.is_file() else None
    risk, uncertainty, joints = score_windows(
        engine, windows, free, on_progress=lambda done: on_progress(done, len(free)))
    step = hazard_step(config.step_s, config.horizon)
    hazard = windows.hazard_by_step(config.step_s)[free, step]
    kinematic = (None if baseline is None
                 else baseline_risk(baseline, windows, config)[free, step])
    return HazardScores(
        index=free, episode=windows.episode[free], step=step, risk=risk, uncertainty=uncertainty,
        kinematic=kinematic, hazard=hazard, time_s=windows.hazard_time_s[free],
        kinds={name: mask[free] & hazard for name, mask in kind_masks(windows, paths).items()
               if (mask[free] & hazard).any()},
        at_rest=np.isin(free, command_windows(windows)),
        joint_error=np.abs(joints - windows.joints[free]),
        joint_error_command=np.abs(windows.actions[free] - windows.joints[free]))


def hazard_step(step_s: float, horizon: int) -> int:
    """Return the step that ends 0.8 s after the anchor, or the last one, from 0."""
    return min(max(round(HAZARD_HORIZON_S / step_s), 1), horizon) - 1


def kind_masks(windows: Windows, paths: list[Path]) -> dict[str, NDArray[np.bool_]]:
    """
    Return which windows' first hazard is of each kind, bool (W,) by name.

    Episodes may name their bits differently; a hazard may be of several kinds at once.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    rows = np.flatnonzero(windows.hazard_kind)
    for part in group_rows(windows.episode[rows]):
        mine = rows[part]
        names = read_episode(paths[int(windows.episode[mine[0]])]).hazard_kinds
        for bit, name in enumerate(names):
            mask = masks.setdefault(name, np.zeros(len(windows), np.bool_))
            mask[mine] = (windows.hazard_kind[mine] >> bit & 1).astype(np.bool_)
    return masks


def warning_times(scores: HazardScores, lower: float | None) -> NDArray[np.float64]:
    """
    Return how long before its hazard each episode was first warned of it, s.

    The earliest window that has the hazard within its horizon and a risk over the threshold
    counts, so the horizon bounds it; 0 where there was no warning.

    :param lower: the calibrated threshold below which a chunk is OK; None takes the one that
        catches 95 % of these hazards.
    :returns: float64, one for each episode with a hazard.
    """
    ahead = np.isfinite(scores.time_s)
    if not scores.hazard.any() or not ahead.any():
        return np.zeros(0)
    threshold = np.quantile(scores.score[scores.hazard], 0.05) if lower is None else lower
    warned = ahead & (scores.risk.max(1) >= threshold)
    rows = np.flatnonzero(ahead)
    return np.array([
        scores.time_s[mine][warned[mine]].max(initial=0.0)
        for mine in (rows[part] for part in group_rows(scores.episode[rows]))], np.float64)
