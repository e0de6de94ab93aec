# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read what can be read of a bag's storage file that was cut short or never finished.

``rosbags`` needs a whole file. These readers go through it from its beginning, in the order in
which it was written, leave damaged chunks out and stop where nothing more can be told apart.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wm_ros.errors import DatasetError

# topic, type, time when it was recorded (ns), CDR bytes
Raw = tuple[str, str, int, bytes]


def salvage(path: Path, definitions: dict[str, str] | None = None) -> Iterator[Raw]:
    """
    Yield the messages of a storage file up to its damage.

    :param path: an .mcap or .db3 file.
    :param definitions: is given the text of each type that an .mcap file defines.
    :raises DatasetError: after the last one that can be read, naming the damage; not for a whole
        file.
    """
    if path.suffix == '.mcap':
        return _salvage_mcap(path, {} if definitions is None else definitions)
    if path.suffix == '.db3':
        return _salvage_sqlite3(path)
    raise DatasetError(f'{path}: not an .mcap or .db3 file')


def _salvage_mcap(path: Path, definitions: dict[str, str]) -> Iterator[Raw]:
    from mcap.records import Chunk
    from mcap.stream_reader import StreamReader
    schemas: dict[int, str] = {}
    channels: dict[int, tuple[str, str]] = {}
    count = num_chunks = 0
    lost: list[Exception] = []
    errors = _mcap_errors()
    try:
        with path.open('rb') as handle:
            for item in StreamReader(handle, emit_chunks=True).records:
                num_chunks += isinstance(item, Chunk)
                for raw in _messages(_parts(item, errors, lost), schemas, channels,
                                     definitions):
                    yield raw
                    count += 1
    except errors as error:
        raise _damage(path, count, error) from error
    if lost:
        raise DatasetError(f'{path}: {len(lost)} of {num_chunks} chunks are damaged '
                           f'({_words(lost[0])}); the others are kept')


def _messages(records: Iterable[Any], schemas: dict[int, str],
              channels: dict[int, tuple[str, str]], definitions: dict[str, str]) -> Iterator[Raw]:
    """Yield the messages among records; those of a channel that a damaged chunk held are lost."""
    from mcap.records import Channel, Message, Schema
    for record in records:
        if isinstance(record, Schema):
            schemas[record.id] = record.name
            if record.encoding == 'ros2msg':
                definitions[record.name] = record.data.decode('utf-8')
        elif isinstance(record, Channel):
            channels[record.id] = record.topic, schemas.get(record.schema_id, '')
        elif isinstance(record, Message) and record.channel_id in channels:
            yield *channels[record.channel_id], record.log_time, record.data


def _parts(item: Any, errors: tuple[type[Exception], ...], lost: list[Exception]) -> Iterable[Any]:
    """Return the records of a chunk, none if it is damaged; any other record as it is."""
    from mcap.records import Chunk
    from mcap.stream_reader import breakup_chunk
    if not isinstance(item, Chunk):
        return (item,)
    try:
        return breakup_chunk(item, validate_crc=True)
    except errors as error:
        lost.append(error)
        return ()


def _mcap_errors() -> tuple[type[Exception], ...]:
    from mcap.exceptions import McapError
    from zstandard import ZstdError
    # RuntimeError is lz4's; the last two come of sizes that are damaged.
    return (McapError, ZstdError, struct.error, OSError, EOFError, KeyError, ValueError,
            RuntimeError, MemoryError, OverflowError)


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
    return DatasetError(
        f'{path}: damaged after message {count - 1} ({_words(error)}); what came before it is kept'
        if count else f'{path}: damaged before any message ({_words(error)})')


def _words(error: Exception) -> str:
    return str(error) if str(error) not in ('', 'None') else type(error).__name__
