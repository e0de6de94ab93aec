# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Calibrate a checkpoint on held-out episodes, or check on others what was promised."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wm_ros.calibration.coverage import Coverage, coverage, refusal
from wm_ros.calibration.episode_scores import present
from wm_ros.calibration.fresh import Fresh, measure
from wm_ros.calibration.shorter import shorter_thresholds
from wm_ros.calibration.thresholds import (
    Calibration,
    Promise,
    calibrate,
    calibration_to_dict,
)
from wm_ros.inference.checkpoint import (
    CALIBRATION_FILE,
    WEIGHTS_FILE,
    file_sha256,
    load_checkpoint,
    write_json,
    write_manifest,
)
from wm_ros.training.abstaining import doubt_limit
from wm_ros.training.episode_scores import score_episodes


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """
    What a check found.

    :param rows: the coverage experiment, one for each alpha that the episodes support.
    :param refusals: why the others were left out, and how many more episodes they take.
    :param calibration: the thresholds in use; None if the checkpoint has none.
    :param fresh: what they did on these episodes.
    :param num_episodes: how many were scored.
    :param num_seen: how many of them the thresholds in use were chosen on.
    """

    rows: list[Coverage]
    refusals: list[str]
    calibration: Calibration | None
    fresh: Fresh | None
    num_episodes: int
    num_seen: int

    @property
    def is_fresh(self) -> bool:
        """Say whether these episodes can test the thresholds in use."""
        return self.num_seen == 0


def calibrate_checkpoint(checkpoint_path: Path, paths: list[Path], promise: Promise, *,
                         engine: str = 'onnxruntime', num_threads: int = 2,
                         on_progress: Callable[[str, int, int], None] = lambda *args: None
                         ) -> Calibration:
    """
    Score one command of each class for each episode, choose thresholds, write them.

    :raises CalibrationError: if the episodes cannot support the promises; nothing is written.
    """
    checkpoint = load_checkpoint(checkpoint_path, is_for_calibration=True)
    scores = score_episodes(
        checkpoint, paths, engine=engine, num_threads=num_threads,
        on_progress=lambda done: on_progress('score', done, len(paths)))
    hashes = [file_sha256(path) for path in paths]
    result = calibrate(
        present(scores.hazard), present(scores.safe), promise,
        weights_sha256=file_sha256(checkpoint.directory / WEIGHTS_FILE),
        data_sha256=dataset_sha256(paths, hashes))
    result = replace(result, episodes=tuple(hashes),
                     **doubt_limit(scores, result, promise.alpha_abstain))
    if scores.by_step is not None:
        result = replace(result, shorter=shorter_thresholds(scores.by_step, promise))
    write_json(checkpoint.directory / CALIBRATION_FILE, calibration_to_dict(result))
    write_manifest(checkpoint.directory)
    return result


def check_checkpoint(checkpoint_path: Path, paths: list[Path], alphas: Sequence[float], *,
                     repeats: int, seed: int = 0, confidence: float = 0.95, stop_s: float = 0.2,
                     engine: str = 'onnxruntime', num_threads: int = 2,
                     on_progress: Callable[[str, int, int], None] = lambda *args: None) -> Check:
    """
    Score every episode once, repeat split, calibrate, test, and try the thresholds in use.

    Nothing of the checkpoint is changed.

    :param alphas: promises to test.
    :param repeats: random splits for each.
    :param stop_s: how long the arm takes to stop, s; a warning later than that is late.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    scores = score_episodes(
        checkpoint, paths, engine=engine, num_threads=num_threads, stop_s=stop_s,
        on_progress=lambda done: on_progress('score', done, len(paths)))
    rows, refusals = [], []
    for done, alpha in enumerate(alphas, 1):
        reason = refusal(scores, alpha)
        if reason:
            refusals.append(reason)
        else:
            rows.append(coverage(scores, alpha, repeats=repeats, seed=seed,
                                 confidence=confidence))
        on_progress('resample', done, len(alphas))
    stored = checkpoint.calibration
    return Check(
        rows=rows, refusals=refusals, calibration=stored,
        fresh=None if stored is None else measure(stored, scores),
        num_episodes=len(paths), num_seen=0 if stored is None else _num_seen(stored, paths))


def dataset_sha256(paths: list[Path], hashes: list[str]) -> str:
    """Return one hash over the names and bytes of episode files, from those of their bytes."""
    total = hashlib.sha256()
    for path, digest in zip(paths, hashes, strict=True):
        total.update(f'{path.name} {digest}\n'.encode())
    return total.hexdigest()


def _num_seen(calibration: Calibration, paths: list[Path]) -> int:
    """Count the episodes that thresholds were chosen on; older ones know only all together."""
    hashes, known = [file_sha256(path) for path in paths], set(calibration.episodes)
    if known:
        return sum(digest in known for digest in hashes)
    return len(paths) if dataset_sha256(paths, hashes) == calibration.data_sha256 else 0
