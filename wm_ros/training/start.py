# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Remember in a run's own directory which checkpoint the run began with.

The state holds its weights, but not what the exported checkpoint keeps of it.
"""

import json
from pathlib import Path

from wm_ros.errors import CheckpointError
from wm_ros.inference.checkpoint import WEIGHTS_FILE, file_sha256, write_json
from wm_ros.training.state import locked

START_FILE = 'start.json'


def remember_start(out: Path, checkpoint: Path | None, *, is_new: bool) -> None:
    """
    Write down what a run begins with; a run that goes on keeps what is written there.

    :param out: directory of the run.
    :param checkpoint: directory of the checkpoint, None for random weights.
    :param is_new: whether no step is done yet.
    :raises CheckpointError: if another process trains in that directory.
    """
    path = out / START_FILE
    with locked(out):
        if path.is_file() and not is_new:
            return
        if checkpoint is None:
            path.unlink(missing_ok=True)
            return
        write_json(path, {'checkpoint': str(checkpoint.resolve()),
                          'weights_sha256': file_sha256(checkpoint / WEIGHTS_FILE)})


def remembered_start(out: Path) -> Path | None:
    """
    Return the checkpoint that a run began with, None where its directory names none.

    :raises CheckpointError: if it is gone or holds other weights.
    """
    path = out / START_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        checkpoint, digest = Path(content['checkpoint']), content['weights_sha256']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f'{path} cannot be read ({error!r}); give --init the checkpoint '
                              'that the run began with') from error
    weights = checkpoint / WEIGHTS_FILE
    if weights.is_file() and file_sha256(weights) == digest:
        return checkpoint
    what = 'holds other weights now' if weights.is_file() else 'is not there any more'
    raise CheckpointError(f'{path}: the run began with {checkpoint}, which {what}; put it back, '
                          'or give --init a copy of what it was')
