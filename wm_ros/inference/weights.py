# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read and write a model's weights as safetensors."""

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from wm_ros.errors import CheckpointError
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.model import WorldModel


def load_model(path: Path, config: ModelConfig) -> WorldModel:
    """
    Return a model with the weights of a file, in evaluation mode.

    :raises CheckpointError: if the file is not whole or does not fit the config.
    """
    model = WorldModel(config)
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise CheckpointError(f'{path}: weights do not fit the config beside them: {error}'
                              ) from error
    return model.eval().requires_grad_(False)


def save_model(path: Path, model: WorldModel) -> None:
    """Write a model's weights under a temporary name and rename them into place."""
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        save_file({key: value.detach().cpu().contiguous()
                   for key, value in model.state_dict().items()}, scratch)
        scratch.chmod(0o644)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
