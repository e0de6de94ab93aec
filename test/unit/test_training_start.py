# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run's directory says which checkpoint the run began with."""

import pytest

pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from wm_ros.errors import CheckpointError  # noqa: E402
from wm_ros.training.start import (  # noqa: E402
    START_FILE,
    remember_start,
    remembered_start,
)
from wm_ros.training.state import locked  # noqa: E402


@pytest.fixture
def checkpoints(tmp_path):
    """Return two directories with weights."""
    found = [tmp_path / name for name in ('one', 'two')]
    for path in found:
        path.mkdir()
        (path / 'model.safetensors').write_bytes(path.name.encode())
    return found


def test_what_a_run_began_with_stays_until_it_begins_anew(tmp_path, checkpoints):
    run, (one, two) = tmp_path / 'run', checkpoints
    assert remembered_start(run) is None
    remember_start(run, one, is_new=True)
    assert remembered_start(run) == one
    # Later pieces begin with the state.
    remember_start(run, two, is_new=False)
    remember_start(run, None, is_new=False)
    assert remembered_start(run) == one
    remember_start(run, two, is_new=True)
    assert remembered_start(run) == two
    remember_start(run, None, is_new=True)
    assert remembered_start(run) is None


def test_a_run_of_an_older_program_learns_it_from_its_next_piece(tmp_path, checkpoints):
    remember_start(tmp_path / 'run', checkpoints[0], is_new=False)
    assert remembered_start(tmp_path / 'run') == checkpoints[0]


def test_nothing_is_written_beside_a_run_that_goes_on_elsewhere(tmp_path, checkpoints):
    remember_start(tmp_path / 'run', checkpoints[0], is_new=True)
    with locked(tmp_path / 'run'), pytest.raises(CheckpointError, match='another process trains'):
        remember_start(tmp_path / 'run', checkpoints[1], is_new=True)
    assert remembered_start(tmp_path / 'run') == checkpoints[0]


def test_a_checkpoint_elsewhere_is_found_from_anywhere(tmp_path, checkpoints, monkeypatch):
    monkeypatch.chdir(tmp_path)
    remember_start(tmp_path / 'run', checkpoints[0].relative_to(tmp_path), is_new=True)
    monkeypatch.chdir(checkpoints[1])
    assert remembered_start(tmp_path / 'run') == checkpoints[0]


@pytest.mark.parametrize(('change', 'text'), [
    (lambda run, one: (one / 'model.safetensors').unlink(), 'is not there any more'),
    (lambda run, one: (one / 'model.safetensors').write_bytes(b'x'), 'holds other weights now'),
    (lambda run, one: (run / START_FILE).write_text('{'), 'cannot be read'),
    (lambda run, one: (run / START_FILE).write_text('{}'), 'cannot be read'),
    (lambda run, one: (run / START_FILE).write_text('[]'), 'cannot be read')])
def test_a_beginning_that_is_gone_is_told_with_what_to_do(tmp_path, checkpoints, change, text):
    run, one = tmp_path / 'run', checkpoints[0]
    remember_start(run, one, is_new=True)
    change(run, one)
    with pytest.raises(CheckpointError, match=f'{START_FILE}.*{text}.*give --init'):
        remembered_start(run)
