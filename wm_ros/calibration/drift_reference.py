# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the drift test compares with: nominal scores and how they were made, in one file."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from wm_ros.calibration.drift import check_sample
from wm_ros.calibration.surprise import NoveltyModel
from wm_ros.errors import CalibrationError

FORMAT = 'wm_ros.drift_reference'
VERSION = 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DriftReference:
    """
    Scores of the calibration's episodes, the highest of each episode: episodes are exchangeable.

    :param novelty: scores how unlike the calibration's pictures a picture is; fitted to other
        episodes than those of ``novelty_scores``.
    :param novelty_scores: float32 (N,).
    :param error_scores: of predicted frames against what was seen, float32 (M,).
    :param step: index of the predicted step that is compared.
    :param joint_tolerance_rad: further from the predicted joints, another command ran.
    :param weights_sha256: of the weights that made the predictions.
    :param data_sha256: over the names and bytes of the episodes.
    """

    novelty: NoveltyModel
    novelty_scores: NDArray[np.float32]
    error_scores: NDArray[np.float32]
    step: int
    joint_tolerance_rad: float
    weights_sha256: str
    data_sha256: str

    def __post_init__(self) -> None:
        """Refuse samples that are too small, and shapes that do not fit."""
        check_sample('novelty', self.novelty_scores)
        check_sample('error', self.error_scores)
        size = len(self.novelty.mean)
        if self.novelty.precision.shape != (size, size):
            raise CalibrationError(f'novelty has {size} means and a precision of shape '
                                   f'{self.novelty.precision.shape}')
        if not (self.step >= 0 and self.joint_tolerance_rad > 0):
            raise CalibrationError(f'step = {self.step} and joint_tolerance_rad = '
                                   f'{self.joint_tolerance_rad} must not be negative')


def write_reference(path: Path, reference: DriftReference) -> None:
    """Write a reference under a temporary name and rename it into place."""
    facts = {'format': FORMAT, 'version': VERSION, 'step': reference.step,
             'joint_tolerance_rad': reference.joint_tolerance_rad,
             'weights_sha256': reference.weights_sha256, 'data_sha256': reference.data_sha256}
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        save_file({'mean': reference.novelty.mean, 'precision': reference.novelty.precision,
                   'novelty_scores': reference.novelty_scores,
                   'error_scores': reference.error_scores},
                  scratch, metadata={'wm_ros': json.dumps(facts)})
        scratch.chmod(0o644)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def read_reference(path: Path) -> DriftReference:
    """
    Read what ``write_reference`` wrote.

    :raises CalibrationError: if the file is not whole, not of this version or too small.
    """
    try:
        with safe_open(path, framework='np') as file:
            facts = json.loads((file.metadata() or {}).get('wm_ros', '{}'))
            arrays = {name: file.get_tensor(name)
                      for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, ValueError) as error:
        raise CalibrationError(f'{path} cannot be read: {error}; calibrate the checkpoint again'
                               ) from error
    found = facts.pop('format', None), facts.pop('version', None)
    if found != (FORMAT, VERSION):
        raise CalibrationError(f'{path} is {found[0]!r} version {found[1]!r}, this program reads '
                               f'{FORMAT!r} version {VERSION}; calibrate the checkpoint again')
    try:
        novelty = NoveltyModel(arrays.pop('mean'), arrays.pop('precision'))
        return DriftReference(novelty=novelty, **arrays, **facts)
    except (KeyError, TypeError) as error:
        raise CalibrationError(f'{path} lacks or has too many entries: {error}; calibrate the '
                               'checkpoint again') from error
