# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A directory of evidence with bounded size, filled by a thread of its own.

The main rule: whoever hands over a case never waits. A disk that is slow or full costs evidence,
which is counted and told, and nothing else.
"""

import os
import queue
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from wm_ros.data.evidence_buffer import Sample
from wm_ros.data.evidence_writer import write_evidence
from wm_ros.errors import DatasetError

GLOB = 'evidence_*.mcap'
_SCRATCH = re.compile(r'^\.evidence_.*\.mcap\.(\d+)\.tmp$')
# More would only keep pictures in memory that the disk cannot take.
_MAX_WAITING = 2


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """
    What becomes one file.

    :param name: file name without suffix; names of later cases sort after it.
    :param record: what the file says of itself.
    :param samples: its messages.
    :param definitions: text of each of their types.
    """

    name: str
    record: Mapping[str, Any]
    samples: Sequence[Sample]
    definitions: Mapping[str, str]


class EvidenceStore:
    """
    Writes cases and removes the oldest files.

    All counters are written by the thread and may be read by any other.

    :param directory: is made if it is missing.
    :param max_bytes: of all files together; the one that is being written comes on top.
    :param on_written: told the path of each new file, on the store's thread.
    :raises OSError: if the directory cannot be made or read.
    :raises DatasetError: if the library that writes is not installed.
    """

    def __init__(self, directory: Path, *, max_bytes: int,
                 on_written: Callable[[Path], None] = lambda path: None) -> None:
        try:
            import_module('mcap.writer')
        except ImportError as error:
            raise DatasetError('evidence needs mcap, which is not installed: pip install mcap'
                               ) from error
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.max_bytes = directory, max_bytes
        self._on_written = on_written
        self.num_written = self.num_removed = self.num_lost = 0
        self.problem = ''
        self.num_bytes = 0
        self._waiting: queue.Queue[Case | None] = queue.Queue(_MAX_WAITING + 1)
        self._remove_scratch()
        self._make_room()
        self._thread = threading.Thread(target=self._run, name='evidence', daemon=True)
        self._thread.start()

    def submit(self, case: Case) -> bool:
        """Take a case, or refuse it because the disk is behind; returns at once."""
        if self._waiting.qsize() >= _MAX_WAITING:
            self.num_lost += 1
            self.problem = f'{case.name} is lost: the disk is {_MAX_WAITING} files behind'
            return False
        self._waiting.put_nowait(case)
        return True

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what waits and end the thread; safe to call twice."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(timeout_s)

    def files(self) -> list[Path]:
        """Return the files, oldest first."""
        return sorted(self.directory.glob(GLOB))

    def _run(self) -> None:
        while (case := self._waiting.get()) is not None:
            try:
                self._write(case)
                self.problem = ''
            except Exception as error:  # named guard: worker loop
                self.num_lost += 1
                self.problem = f'{case.name} is lost: {str(error) or repr(error)}'

    def _write(self, case: Case) -> None:
        path = self.directory / f'{case.name}.mcap'
        size = write_evidence(path, case.record, case.samples, case.definitions)
        if size > self.max_bytes:
            path.unlink()
            raise DatasetError(f'it has {size} bytes, and all files together may have '
                               f'{self.max_bytes}; raise max_disk_mb')
        self._make_room(keep=path)
        self.num_written += 1
        self._on_written(path)

    def _make_room(self, keep: Path | None = None) -> None:
        """Remove the oldest files until the rest fits."""
        sizes = {path: path.stat().st_size for path in self.files()}
        total = sum(sizes.values())
        for path, found in sizes.items():
            if total <= self.max_bytes:
                break
            if path != keep:
                path.unlink(missing_ok=True)
                self.num_removed += 1
                total -= found
        self.num_bytes = total

    def _remove_scratch(self) -> None:
        """Remove what a process left that was killed while it wrote."""
        for path in self.directory.iterdir():
            found = _SCRATCH.match(path.name)
            if found and not _is_running(int(found.group(1))):
                path.unlink(missing_ok=True)


def _is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
