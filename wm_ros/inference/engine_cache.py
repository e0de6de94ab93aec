# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
A directory of built engines: ``KEY/`` holds plans, metadata and the metadata's signature.

An engine appears by one rename and is verified as a whole before any of it is used. Processes
that build the same engine take turns.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wm_ros.errors import EngineError
from wm_ros.inference.engine_files import locked, sync_directory, write_synced, writing
from wm_ros.inference.engine_key import EngineKey
from wm_ros.inference.engine_signature import is_signed, sign

METADATA_FILE, SIGNATURE_FILE = 'metadata.json', 'metadata.hmac'
# Of the key's 64 digits; the whole key is in the metadata.
_NAME_DIGITS = 32
_BUILD = "'wm-ros build-engine'"


class EngineCache:
    """
    Stores and verifies engines.

    :param directory: made on first use, for this user alone.
    :param pins: SHA-256 of the metadata files that are trusted wherever they were built.
    """

    def __init__(self, directory: Path, *, pins: tuple[str, ...] = ()) -> None:
        self.directory, self._pins = directory, frozenset(pins)

    def entry(self, key: EngineKey) -> Path:
        """Return the directory of an engine, whether it is there or not."""
        return self.directory / key.digest[:_NAME_DIGITS]

    def load(self, key: EngineKey) -> dict[str, bytes]:
        """
        Return the plans of an engine by graph.

        What is returned is what was hashed: nothing is read twice.

        :raises EngineError: if there is none, it was altered, or it is not trusted; with the
            reason and the command that helps.
        """
        entry = self.entry(key)
        try:
            content = (entry / METADATA_FILE).read_bytes()
        except FileNotFoundError as error:
            raise EngineError(self._explain_absence(key)) from error
        except OSError as error:
            raise EngineError(f'{entry}: {error.strerror}; engines are read from --cache-dir or '
                              'the parameter engine_cache_dir') from error
        self._check_trust(entry, content)
        metadata = _parse(entry / METADATA_FILE, content)
        differences = key.differences(metadata.get('key', {}))
        if differences:
            raise EngineError(f"{entry} holds another engine: {'; '.join(differences)}; build it "
                              f'again with {_BUILD}')
        return {name: _read_plan(entry / f'{name}.plan', digest)
                for name, digest in metadata['sha256'].items()}

    def store(self, key: EngineKey, plans: Mapping[str, bytes], notes: Mapping[str, Any]
              ) -> Path:
        """
        Write an engine beside its place and rename it there.

        :param notes: further content of the metadata.
        :returns: its metadata file, whose SHA-256 may be pinned.
        :raises EngineError: if the directory cannot be written, with its name and the reason.
        """
        entry = self.entry(key)
        scratch = self.directory / f'.{entry.name}.{os.getpid()}.tmp'
        with writing(self.directory):
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                for name, plan in plans.items():
                    write_synced(scratch / f'{name}.plan', plan)
                hashes = {name: hashlib.sha256(plan).hexdigest() for name, plan in plans.items()}
                content = json.dumps(
                    {'key': key.to_dict(), 'sha256': hashes, **notes}, indent=2).encode()
                write_synced(scratch / METADATA_FILE, content)
                write_synced(scratch / SIGNATURE_FILE, sign(self.directory, content).encode())
                sync_directory(scratch)
                self._put(scratch, entry)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return entry / METADATA_FILE

    @contextmanager
    def lock(self, key: EngineKey, *, timeout_s: float,
             on_wait: Callable[[str], None] = lambda message: None) -> Iterator[None]:
        """Keep other builders of the same engine out, see ``engine_files.locked``."""
        name = self.entry(key).name
        with locked(self.directory, name, timeout_s=timeout_s, on_wait=on_wait):
            # What builders of this engine left when they were killed.
            for path in self.directory.glob(f'.{name}.*.tmp'):
                shutil.rmtree(path, ignore_errors=True)
            yield

    def timing_cache(self, key: EngineKey) -> bytes:
        """Return what earlier builds on this device measured, empty if none did."""
        with suppress(OSError):
            return self._timing_path(key).read_bytes()
        return b''

    def store_timing_cache(self, key: EngineKey, content: bytes) -> None:
        """
        Keep what a build measured for later ones on this device.

        :raises EngineError: if the directory cannot be written.
        """
        path = self._timing_path(key)
        scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
        with writing(self.directory):
            try:
                write_synced(scratch, content)
                scratch.replace(path)
            finally:
                scratch.unlink(missing_ok=True)

    def _timing_path(self, key: EngineKey) -> Path:
        what = json.dumps([key.tensorrt, key.cuda, key.driver, key.gpu, key.capability])
        return self.directory / f'timing-{hashlib.sha256(what.encode()).hexdigest()[:16]}.cache'

    def _check_trust(self, entry: Path, content: bytes) -> None:
        found = hashlib.sha256(content).hexdigest()
        if found in self._pins:
            return
        signature = ''
        with suppress(OSError, UnicodeDecodeError):
            signature = (entry / SIGNATURE_FILE).read_text(encoding='ascii')
        if not is_signed(self.directory, content, signature):
            raise EngineError(
                f'{entry / METADATA_FILE} was not written here or was altered: SHA-256 {found}. '
                f'An engine file can run any code: build it here with {_BUILD}, or, if you know '
                'where it comes from, add that SHA-256 to engine_pins')

    def _explain_absence(self, key: EngineKey) -> str:
        text = f'{self.directory} has no engine for this; build it with {_BUILD}'
        for path in sorted(self.directory.glob(f'*/{METADATA_FILE}')):
            with suppress(OSError, ValueError, AttributeError):
                other = json.loads(path.read_bytes())['key']
                if other.get('weights_sha256') == key.weights_sha256:
                    text += (f". {path.parent.name} has the same weights, but "
                             f"{'; '.join(key.differences(other))}")
        return text

    def _put(self, scratch: Path, entry: Path) -> None:
        if entry.exists():
            # A directory that is not empty cannot be replaced by a rename.
            old = self.directory / f'.{entry.name}.{secrets.token_hex(4)}.tmp'
            entry.rename(old)
            shutil.rmtree(old, ignore_errors=True)
        scratch.rename(entry)
        sync_directory(self.directory)


def _parse(path: Path, content: bytes) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads(content)
        if not isinstance(metadata['sha256'], dict):
            raise TypeError('sha256 is no object')
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f'{path} cannot be read: {error!r}; build the engine again with '
                          f'{_BUILD}') from error
    return metadata


def _read_plan(path: Path, digest: str) -> bytes:
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise EngineError(f'{path}: {error.strerror}; build the engine again with {_BUILD}'
                          ) from error
    found = hashlib.sha256(plan).hexdigest()
    if found != digest:
        raise EngineError(f'{path} was altered: {len(plan)} bytes with SHA-256 {found[:16]}..., '
                          f'the metadata says {digest[:16]}...; build the engine again with '
                          f'{_BUILD}')
    return plan
