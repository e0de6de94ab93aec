# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Save and restore a training run without pickle.

Weights, their average and the optimiser's moments are one safetensors file that is renamed into
place; what else a run has to remember travels in its header. Batches and noise are functions of
the step, so no generator's state has to be kept. The state before is kept as well: a newest file
that the disk has damaged costs one interval of work, not the run.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from wm_ros.errors import CheckpointError

STATE_FILE = 'train_state.safetensors'
PREVIOUS_FILE = 'train_state.previous.safetensors'
LOCK_FILE = '.train.lock'
FORMAT = 'wm_ros.train_state'
VERSION = '2'


@dataclass(kw_only=True, slots=True)
class Progress:
    """
    How far a run is.

    :param step: optimiser steps done.
    :param level: running level of the loss, which a spike is measured against; None at first.
    :param best: highest held-out AUROC so far; None before the first.
    :param best_step: the step it was measured at.
    :param scaler: state of the loss scaler of fp16, empty without one.
    """

    step: int = 0
    level: float | None = None
    best: float | None = None
    best_step: int | None = None
    scaler: dict[str, Any] = field(default_factory=dict)


class TrainState(NamedTuple):
    """A model in training: the model, its averaged twin, the optimiser and how far it is."""

    model: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress


def save_state(directory: Path, state: TrainState, settings: dict[str, Any]) -> None:
    """
    Write the state under a temporary name, sync it and rename it into place.

    At every moment the directory holds a whole state under STATE_FILE once it ever did.

    :param settings: what a run that takes this up must share with it, JSON.
    """
    tensors = {f'model.{key}': value for key, value in state.model.state_dict().items()}
    tensors |= {f'average.{key}': value for key, value in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()['state'].items():
        for key, value in moments.items():
            tensors[f'optimizer.{index}.{key}'] = torch.as_tensor(value)
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    values = {name: getattr(state.progress, name) for name in Progress.__slots__}
    header = {'format': FORMAT, 'version': VERSION, 'progress': json.dumps(values),
              'settings': json.dumps(settings, sort_keys=True), 'sha256': _digest(tensors)}
    directory.mkdir(parents=True, exist_ok=True)
    scratch = directory / f'.{STATE_FILE}.{os.getpid()}.tmp'
    try:
        save_file(tensors, scratch, metadata=header)
        scratch.chmod(0o644)
        _sync(scratch)
        _keep_previous(directory)
        scratch.replace(directory / STATE_FILE)
        _sync(directory)
    finally:
        scratch.unlink(missing_ok=True)


def load_state(directory: Path, state: TrainState, settings: dict[str, Any],
               defaults: dict[str, dict[str, Any]] | None = None, *, lenient: bool = False
               ) -> tuple[TrainState, str]:
    """
    Restore a run in place, or return the state as it is where there is nothing to restore.

    :param defaults: values of settings that a state of an older program does not name.
    :param lenient: take up a state whose settings differ in anything but the model.
    :returns: the state, and a warning for people, empty if there is nothing to warn of.
    :raises CheckpointError: if no file there is whole, or if it was made with other settings.
    """
    damage = ''
    for name in (STATE_FILE, PREVIOUS_FILE):
        path = directory / name
        if not path.is_file():
            continue
        try:
            header, tensors = _read(path)
        except CheckpointError as error:
            damage = damage or str(error)
            continue
        found = json.loads(header['settings'])
        changed = _differences(found, json.loads(json.dumps(settings)), defaults or {})
        fatal = [text for key, text in changed if key.startswith('model') or not lenient]
        if fatal:
            raise CheckpointError(f'{path} was made with other settings ({"; ".join(fatal)}); '
                                  'use them again, or another --out')
        try:
            progress = _restore(state, tensors, json.loads(header['progress']))
        except (RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(f'{path} does not fit this program: {error}; use the version '
                                  'that wrote it, or another --out') from error
        warnings = [f'{damage}; going on from {path} instead'] if damage else []
        warnings += [f'changed since {path}: {text}' for _, text in changed]
        return state._replace(progress=progress), '; '.join(warnings)
    if damage:
        raise CheckpointError(f'{damage}; delete it to train from the start')
    return state, ''


def stored_settings(directory: Path) -> dict[str, Any] | None:
    """Return the settings that the newest readable state was made with, None if there is none."""
    for name in (STATE_FILE, PREVIOUS_FILE):
        with suppress(SafetensorError, OSError, KeyError, TypeError, json.JSONDecodeError), \
                safe_open(directory / name, framework='pt') as handle:
            found: dict[str, Any] = json.loads(handle.metadata()['settings'])
            return found
    return None


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """
    Hold a directory for one run; the lock goes with the process, whatever ends it.

    :raises CheckpointError: if another process holds it.
    """
    import fcntl
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK_FILE).open('w') as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f'{directory}: another process trains there; wait for it, or '
                                  'give another --out') from error
        for left in directory.glob(f'.{STATE_FILE}.*.tmp'):
            left.unlink(missing_ok=True)
        yield


def _keep_previous(directory: Path) -> None:
    """Let the newest state also be the previous one, without a moment that has neither."""
    current, scratch = directory / STATE_FILE, directory / f'.{PREVIOUS_FILE}.tmp'
    if not current.is_file():
        return
    scratch.unlink(missing_ok=True)
    try:
        os.link(current, scratch)
        scratch.replace(directory / PREVIOUS_FILE)
    except OSError:
        # A file system without hard links: for a moment only the previous state has a name.
        current.replace(directory / PREVIOUS_FILE)
    finally:
        scratch.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # Some network file systems cannot sync a directory.
            os.fsync(handle)
    finally:
        os.close(handle)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework='pt') as handle:
            header = handle.metadata() or {}
            tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f'{path}: not a whole training state ({error})') from error
    found = header.get('format'), header.get('version')
    if found != (FORMAT, VERSION):
        raise CheckpointError(f'{path}: format {found[0]!r} version {found[1]!r}, this program '
                              f'reads {FORMAT!r} version {VERSION!r}')
    if header.get('sha256') != _digest(tensors):
        raise CheckpointError(f'{path}: not a whole training state (its checksum is wrong)')
    return header, tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        total.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy())
    return total.hexdigest()


def _restore(state: TrainState, tensors: dict[str, Tensor], values: dict[str, Any]) -> Progress:
    state.model.load_state_dict(_under('model', tensors))
    state.average.load_state_dict(_under('average', tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _under('optimizer', tensors).items():
        index, key = name.split('.', 1)
        moments.setdefault(int(index), {})[key] = value
    groups = state.optimizer.state_dict()['param_groups']
    state.optimizer.load_state_dict({'state': moments, 'param_groups': groups})
    return Progress(**values)


def _differences(found: dict[str, Any], wanted: dict[str, Any],
                 defaults: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Return name and description of every setting that is not the same."""
    changed = []
    for key, value in wanted.items():
        old, new = found.get(key), value
        if not (isinstance(old, dict) and isinstance(new, dict)):
            old, new = {'': old}, {'': new}
        known = json.loads(json.dumps(defaults.get(key, {})))
        for name in new:
            before = old[name] if name in old else known.get(name)
            if before != new[name]:
                full = f'{key}.{name}' if name else key
                changed.append((full, f'{full}: {before!r} there, {new[name]!r} here'))
    return changed


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f'{prefix}.'
    return {key[len(start):]: value for key, value in tensors.items() if key.startswith(start)}
