# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read what can be read of a bag's storage file that was cut short or never finished.

``rosbags`` needs a whole file. These readers go through it from its beginning, in the order in
which it was written, and stop where the damage begins.
"""

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

from wm_ros.errors import DatasetError

# topic, type, time when it was recorded (ns), CDR bytes
Raw = tuple[str, str, int, bytes]


def salvage(path: Path) -> Iterator[Raw]:
    """
    Yield the messages of a storage file up to its damage.

    :param path: an .mcap or .db3 file.
    :raises DatasetError: where the damage begins, naming file and message; not for a whole file.
    """
    read = {'.mcap': _salvage_mcap, '.db3': _salvage_sqlite3}.get(path.suffix)
    if read is None:
        raise DatasetError(f'{path}: not an .mcap or .db3 file')
    return read(path)


def _salvage_mcap(path: Path) -> Iterator[Raw]:
    from mcap.exceptions import McapError
    from mcap.records import Channel, Message, Schema
    from mcap.stream_reader import StreamReader
    from zstandard import ZstdError
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    count = 0
    try:
        with path.open('rb') as handle:
            for record in StreamReader(handle).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel):
                    channels[record.id] = record.topic, schemas.get(record.schema_id, '')
                elif isinstance(record, Message):
                    yield *channels[record.channel_id], record.log_time, record.data
                    count += 1
    except (McapError, ZstdError, struct.error, OSError, EOFError, KeyError, ValueError,
            RuntimeError) as error:
        raise _damage(path, count, error) from error


def _salvage_sqlite3(path: Path) -> Iterator[Raw]:
    count = 0
    try:
        connection = sqlite3.connect(f'{path.absolute().as_uri()}?mode=ro', uri=True)
        try:
            # Lets SQLite open a file that is shorter than its header says.
            connection.execute('PRAGMA writable_schema = ON')
            topics = {row[0]: (row[1], row[2]) for row in connection.execute(
                'SELECT id, name, type FROM topics')}
            # Without ORDER BY: sorting would read the damaged pages first.
            for topic, stamp, data in connection.execute(
                    'SELECT topic_id, timestamp, data FROM messages'):
                yield *topics[topic], stamp, data
                count += 1
        finally:
            connection.close()
    except (sqlite3.Error, KeyError) as error:
        raise _damage(path, count, error) from error


def _damage(path: Path, count: int, error: Exception) -> DatasetError:
    text = str(error) if str(error) not in ('', 'None') else type(error).__name__
    return DatasetError(
        f'{path}: damaged after message {count - 1} ({text}); what came before it is kept'
        if count else f'{path}: damaged before any message ({text})')
