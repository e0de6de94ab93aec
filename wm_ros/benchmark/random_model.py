# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models of other sizes with random weights: their time is that of trained ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from wm_ros.inference.checkpoint import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    load_checkpoint,
    write_json,
    write_manifest,
)
from wm_ros.world_model.config import ModelConfig, config_to_dict


def random_checkpoint(config: ModelConfig, directory: Path, **changes: Any) -> Checkpoint:
    """
    Write and open a checkpoint of random weights.

    :param config: what it is made after.
    :param directory: made if it is not there.
    :param changes: fields of the config that differ.
    :raises ValueError: if the changed sizes do not fit each other.
    """
    import torch

    from wm_ros.inference.export import export_graphs
    from wm_ros.inference.weights import save_model
    from wm_ros.world_model.model import WorldModel
    changed = replace(config, **changes)
    directory.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = WorldModel(changed).eval()
    save_model(directory / WEIGHTS_FILE, model)
    export_graphs(model, directory)
    write_json(directory / CONFIG_FILE, config_to_dict(changed))
    write_manifest(directory)
    return load_checkpoint(directory)
