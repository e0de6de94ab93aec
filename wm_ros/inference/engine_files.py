# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of an engine cache: written whole or not at all, by one builder at a time."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wm_ros.errors import EngineError

_POLL_S = 0.2


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """Turn what the file system refuses into an EngineError that names the directory."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            f'{directory} cannot be written: {error.strerror}; make room there, or give a '
            'directory of your own with --cache-dir (parameter engine_cache_dir)') from error


@contextmanager
def locked(directory: Path, name: str, *, timeout_s: float,
           on_wait: Callable[[str], None] = lambda message: None) -> Iterator[None]:
    """
    Keep other builders of one engine out; the directory is made for this user alone.

    :param timeout_s: longest wait for another builder; 0 refuses at once.
    :param on_wait: told in words once if there is one.
    :raises EngineError: if another one still builds then, or the directory is unusable.
    """
    path = directory / f'{name}.lock'
    with writing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = path.open('a+', encoding='ascii')
    with file:
        _wait(file, path, timeout_s, on_wait)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        # The file stays: a lock on one that was removed would let two in.
        yield


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with path.open('wb') as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Wait until the disk has the names in a directory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _wait(file: Any, path: Path, timeout_s: float, on_wait: Callable[[str], None]) -> None:
    deadline, was_told = time.monotonic() + timeout_s, False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            file.seek(0)
            who = f'process {file.read() or "unknown"} is building this engine ({path})'
            if time.monotonic() >= deadline:
                raise EngineError(f'{who}; waited {timeout_s:.0f} s for it: try again when it is '
                                  'done, or give --wait more seconds') from error
            if not was_told:
                on_wait(f'{who}; waiting for it')
                was_told = True
            time.sleep(_POLL_S)
