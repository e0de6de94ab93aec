# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Save and restore a training run without pickle.

Weights, their average and the optimiser's moments are one safetensors file that is renamed into
place; the step travels in its header. Batches are a function of the step, so nothing else has to
be remembered.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from wm_ros.errors import CheckpointError

STATE_FILE = 'train_state.safetensors'


class TrainState(NamedTuple):
    """A model in training: the model, its averaged twin, the optimiser and the steps done."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int


def save_state(directory: Path, state: TrainState, settings: dict[str, object]) -> None:
    """Write the state under a temporary name, sync it and rename it into place."""
    tensors = {f'model.{key}': value for key, value in state.model.state_dict().items()}
    tensors |= {f'average.{key}': value for key, value in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()['state'].items():
        for key, value in moments.items():
            tensors[f'optimizer.{index}.{key}'] = torch.as_tensor(value)
    directory.mkdir(parents=True, exist_ok=True)
    scratch = directory / f'.{STATE_FILE}.{os.getpid()}.tmp'
    header = {'step': str(state.step), 'settings': json.dumps(settings, sort_keys=True)}
    try:
        save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()},
                  scratch, metadata=header)
        with scratch.open('rb') as handle:
            os.fsync(handle.fileno())
        scratch.replace(directory / STATE_FILE)
    finally:
        scratch.unlink(missing_ok=True)


def load_state(directory: Path, state: TrainState, settings: dict[str, object]) -> TrainState:
    """
    Restore a run in place, or return the state as it is where there is nothing to restore.

    :raises CheckpointError: if the file is damaged or was made with other settings.
    """
    path = directory / STATE_FILE
    if not path.is_file():
        return state
    try:
        with safe_open(path, framework='pt') as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path}: not a whole training state ({error}); '
                              'delete it to train from the start') from error
    _check_settings(path, json.loads(header.get('settings', '{}')), settings)
    state.model.load_state_dict(_under('model', tensors))
    state.average.load_state_dict(_under('average', tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under('optimizer', tensors).items():
        index, key = name.split('.', 1)
        moments.setdefault(int(index), {})[key] = value
    groups = state.optimizer.state_dict()['param_groups']
    state.optimizer.load_state_dict({'state': moments, 'param_groups': groups})
    return state._replace(step=int(header['step']))


def _check_settings(path: Path, found: dict[str, object], wanted: dict[str, object]) -> None:
    wanted = json.loads(json.dumps(wanted))
    changed = [f'{key}: {found.get(key)!r} there, {wanted[key]!r} here'
               for key in wanted if found.get(key) != wanted[key]]
    if changed:
        raise CheckpointError(f'{path} was made with other settings ({"; ".join(changed)}); '
                              'use them again, or another --out')


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f'{prefix}.'
    return {key[len(start):]: value for key, value in tensors.items() if key.startswith(start)}
