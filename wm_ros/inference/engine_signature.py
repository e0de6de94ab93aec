# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Which engine files were built here.

An engine file is executable content: whoever writes one decides what runs in the process that
loads it. So its metadata, which holds its hash, is signed with a secret that only this user of
this machine has.
"""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from wm_ros.errors import EngineError

KEY_FILE = 'signing_key'
_KEY_BYTES = 32


def sign(directory: Path, content: bytes) -> str:
    """
    Return the signature of some content, with a key that is made on first use.

    :raises EngineError: if others may read the key or write to its directory.
    :raises OSError: if it cannot be made.
    """
    path = directory / KEY_FILE
    if not path.exists():
        _make_key(path)
    return hmac.new(_read_key(path), content, hashlib.sha256).hexdigest()


def is_signed(directory: Path, content: bytes, signature: str) -> bool:
    """
    Say whether this user signed some content here; False where there is no key.

    :raises EngineError: if others may read the key or write to its directory.
    """
    path = directory / KEY_FILE
    if not path.exists():
        return False
    made = hmac.new(_read_key(path), content, hashlib.sha256).hexdigest()
    # As bytes: a signature file may hold anything.
    return hmac.compare_digest(made.encode(), signature.encode())


def _make_key(path: Path) -> None:
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp')
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        # A link does not replace the key of a process that was faster.
        os.link(scratch, path)
    except FileExistsError:
        pass
    finally:
        scratch.unlink(missing_ok=True)


def _read_key(path: Path) -> bytes:
    _check_owner(path.parent, 0o022, f"chmod go-w '{path.parent}'")
    _check_owner(path, 0o077, f"chmod 600 '{path}'")
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise EngineError(f'{path} holds {len(key)} bytes, expected {_KEY_BYTES}; remove it and '
                          "run 'wm-ros build-engine' again")
    return key


def _check_owner(path: Path, forbidden: int, fix: str) -> None:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        raise EngineError(f'{path} belongs to user {found.st_uid}, this process to '
                          f'{os.geteuid()}: an engine there is not trusted; use a cache directory '
                          'of your own')
    if mode & forbidden:
        raise EngineError(f'{path} has mode {mode:o}, so others could replace engines; run: {fix}')
