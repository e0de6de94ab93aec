# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Turn a training run into a checkpoint directory."""

import os
from pathlib import Path

from safetensors.numpy import save_file

from wm_ros.data.windows import Windows
from wm_ros.inference.checkpoint import (
    BASELINE_FILE,
    CALIBRATION_FILE,
    CONFIG_FILE,
    DRIFT_FILE,
    WEIGHTS_FILE,
    write_json,
    write_manifest,
)
from wm_ros.inference.export import export_graphs
from wm_ros.inference.weights import save_model
from wm_ros.training.baseline import train_baseline
from wm_ros.world_model.config import ModelConfig, config_to_dict
from wm_ros.world_model.model import WorldModel


def write_checkpoint(model: WorldModel, windows: Windows, config: ModelConfig, out: Path, *,
                     seed: int) -> None:
    """
    Write weights, graphs, config, the kinematic baseline and the manifest.

    The manifest comes last: until it is there, no loader takes the directory for a checkpoint.
    Thresholds of other weights are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in (CALIBRATION_FILE, DRIFT_FILE):
        (out / name).unlink(missing_ok=True)
    save_model(out / WEIGHTS_FILE, model)
    export_graphs(model, out)
    write_json(out / CONFIG_FILE, config_to_dict(config))
    scratch = out / f'.{BASELINE_FILE}.{os.getpid()}.tmp'
    save_file(train_baseline(windows, config, seed=seed), scratch)
    scratch.chmod(0o644)
    scratch.replace(out / BASELINE_FILE)
    write_manifest(out)
