# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn a training run into a checkpoint directory."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from wm_ros.data.windows import Windows
from wm_ros.inference.checkpoint import (
    BASELINE_FILE,
    CALIBRATION_FILE,
    CONFIG_FILE,
    DRIFT_FILE,
    GOLDEN_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
    write_json,
    write_manifest,
)
from wm_ros.inference.engine import CheckInput
from wm_ros.inference.export import export_graphs
from wm_ros.inference.golden import NUM_WINDOWS, make_golden, write_golden
from wm_ros.inference.torch_engine import TorchEngine
from wm_ros.inference.weights import load_model, save_model
from wm_ros.training.baseline import train_baseline
from wm_ros.training.scoring import window_input
from wm_ros.world_model.config import ModelConfig, config_to_dict
from wm_ros.world_model.model import WorldModel


def write_checkpoint(model: WorldModel, windows: Windows, config: ModelConfig, out: Path, *,
                     seed: int, baseline: Path | None = None) -> None:
    """
    Write weights, graphs, config, the kinematic baseline, golden frames and the manifest.

    The manifest comes last: until it is there, no loader takes the directory for a checkpoint.
    Thresholds of other weights are removed.

    :param baseline: the file of a kinematic baseline to keep; one is trained if None.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in (CALIBRATION_FILE, DRIFT_FILE):
        (out / name).unlink(missing_ok=True)
    save_model(out / WEIGHTS_FILE, model)
    export_graphs(model, out)
    write_json(out / CONFIG_FILE, config_to_dict(config))
    scratch = out / f'.{BASELINE_FILE}.{os.getpid()}.tmp'
    if baseline is None:
        save_file(train_baseline(windows, config, seed=seed), scratch)
    else:
        shutil.copyfile(baseline, scratch)
    scratch.chmod(0o644)
    scratch.replace(out / BASELINE_FILE)
    index = _telling_windows(windows)
    add_golden(out, config, [window_input(windows, int(i)) for i in index])


def renew_graphs(path: Path) -> None:
    """
    Export the graphs of a checkpoint's own weights again, in place.

    Nothing else of it changes, so that thresholds and golden frames hold as they are. The manifest
    comes last: until it is there, a loader says which file was altered.

    :raises CheckpointError: if a file is missing or altered.
    """
    checkpoint = load_checkpoint(path, is_for_export=True)
    export_graphs(load_model(path / WEIGHTS_FILE, checkpoint.config), path)
    write_manifest(path)


def add_golden(out: Path, config: ModelConfig, inputs: Sequence[CheckInput]) -> None:
    """
    Write golden frames into a checkpoint's directory, and its manifest.

    They are made by the weights themselves, so that an error of an exported graph shows.
    """
    engine = TorchEngine(
        Checkpoint(directory=out, config=config, calibration=None, model_id=out.name),
        num_threads=torch.get_num_threads())
    try:
        write_golden(out / GOLDEN_FILE, make_golden(engine, inputs))
    finally:
        engine.close()
    write_manifest(out)


def _telling_windows(windows: Windows) -> NDArray[np.int64]:
    """Choose a window with a hazard, where there is one, and the one with the most motion."""
    motion = np.abs(windows.actions[:, -1] - windows.positions).max(-1)
    order = np.argsort(-motion, kind='stable')
    has_hazard = np.isfinite(windows.hazard_time_s[order])
    first = order[np.argmax(has_hazard)]
    others = order[order != first][:NUM_WINDOWS - 1]
    return np.concatenate([[first], others])
