# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Score one window of each class for each episode, an episode at a time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.episode_scores import EpisodeScores
from wm_ros.calibration.risk_control import timely_scores
from wm_ros.calibration.shorter import StepRisks
from wm_ros.data.episode import read_episode
from wm_ros.data.windows import Windows, iterate_windows
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import Engine, make_engine
from wm_ros.training.scoring import (
    command_windows,
    moving_windows,
    one_per_episode,
    score_windows,
)

_PICK_SEED = 17
_CLASSES = ('hazard', 'safe', 'moving_hazard', 'moving_safe')
_DOUBTS = ('hazard_doubt', 'safe_doubt')


def score_episodes(checkpoint: Checkpoint, paths: list[Path], *, engine: str, num_threads: int,
                   stop_s: float | None = None,
                   on_progress: Callable[[int], None] = lambda done: None) -> EpisodeScores:
    """
    Score the windows that stand for each episode.

    :param stop_s: how long the arm takes to stop, s. Windows in mid-motion and those before a
        hazard are scored as well where it is given, else their columns are NaN.
    :param on_progress: called with the number of episodes done.
    :raises DatasetError: naming the file that cannot be read or does not fit.
    """
    runner = make_engine(engine, checkpoint, num_threads=num_threads)
    columns = {name: np.full(len(paths), np.nan) for name in (*_CLASSES, *_DOUBTS, 'timely')}
    kinds = [''] * len(paths)
    shape = len(paths), checkpoint.config.horizon
    by_step = StepRisks(hazard=np.full(shape, np.nan), safe=np.full(shape, np.nan),
                        happened=np.zeros(shape, np.bool_))

    try:
        found = iterate_windows(paths, checkpoint.config, threads=num_threads)
        for number, windows in enumerate(found):
            picks = pick_windows(windows, checkpoint.config.step_s, seed=number,
                                 with_motion=stop_s is not None)
            found_scores, steps = _score(runner, windows, picks, stop_s)
            for name, value in found_scores.items():
                columns[name][number] = value
            for name, row in steps.items():
                getattr(by_step, name)[number] = row
            if picks['hazard'].size:
                happened = windows.hazard_by_step(checkpoint.config.step_s)
                by_step.happened[number] = happened[picks['hazard'][0]]
                mask = int(windows.hazard_kind[picks['hazard'][0]])
                kinds[number] = kind_name(mask, read_episode(paths[number]).hazard_kinds)
            on_progress(number + 1)
    finally:
        runner.close()
    return EpisodeScores(**columns, kind=tuple(kinds), by_step=by_step)


def pick_windows(windows: Windows, step_s: float, *, seed: int, with_motion: bool
                 ) -> dict[str, NDArray[np.int64]]:
    """
    Choose the windows of one episode: at most one of each class, and all before a hazard.

    :param windows: of one episode.
    :returns: indices by class; ``approach`` are the windows whose hazard is within the horizon.
    """
    hazard = windows.hazard_by_step(step_s)[:, -1]
    rest, moving = command_windows(windows), moving_windows(windows)
    pools = {'hazard': rest[hazard[rest]], 'safe': rest[~hazard[rest]]}
    if with_motion:
        pools |= {'moving_hazard': moving[hazard[moving]], 'moving_safe': moving[~hazard[moving]]}
    picks = {name: one_per_episode(windows, pool, seed=_PICK_SEED + seed)
             for name, pool in pools.items()}
    if with_motion:
        picks['approach'] = np.flatnonzero(
            np.isfinite(windows.hazard_time_s) & ~windows.in_contact)
    return picks


def kind_name(mask: int, names: tuple[str, ...]) -> str:
    """Return the kinds of hazard in a bit mask, such as 'object+table'."""
    found = [name for bit, name in enumerate(names) if mask >> bit & 1]
    return '+'.join(found) or 'unknown'


def _score(runner: Engine, windows: Windows, picks: dict[str, NDArray[np.int64]],
           stop_s: float | None) -> tuple[dict[str, float], dict[str, NDArray[np.float32]]]:
    """Return the scores by name, and the risks step by step of hazard and safe."""
    index = np.unique(np.concatenate(list(picks.values())))
    if not index.size:
        return {}, {}
    risks, spreads, _ = score_windows(runner, windows, index)
    worst = risks.argmax(1)[:, None]
    risk, doubt = (np.take_along_axis(part, worst, 1)[:, 0].astype(np.float64)
                   for part in (risks, spreads))
    at = dict(zip(index.tolist(), risk.tolist(), strict=True))
    doubts = dict(zip(index.tolist(), doubt.tolist(), strict=True))
    scores = {name: at[int(picks[name][0])] for name in _CLASSES
              if name in picks and picks[name].size}
    scores |= {f'{name}_doubt': doubts[int(picks[name][0])] for name in ('hazard', 'safe')
               if picks[name].size}
    if stop_s is not None:
        near = picks['approach']
        _, timely = timely_scores(np.array([at[int(i)] for i in near]),
                                  windows.hazard_time_s[near], windows.episode[near],
                                  stop_s=stop_s)
        if timely.size:
            scores['timely'] = float(timely[0])
    rows = dict(zip(index.tolist(), risks, strict=True))
    steps = {name: rows[int(picks[name][0])] for name in ('hazard', 'safe') if picks[name].size}
    return scores, steps
