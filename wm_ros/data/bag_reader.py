# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read rosbag2 bags (MCAP and sqlite3) without ROS.

A bag that is cut short, or that never got its metadata, is read up to the damage, which is then
told in ``Bag.problems``.
"""

import re
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from wm_ros.data.bag_salvage import Raw, salvage
from wm_ros.errors import DatasetError

# The same as msg/Contacts.msg, for machines on which that package is not built.
CONTACTS_TYPE = 'wm_ros/msg/Contacts'
CONTACTS_DEFINITION = (
    'std_msgs/Header header\nbool hazard\nstring[] pairs\nfloat64[] forces\n')
_BROKEN_MESSAGE = (struct.error, IndexError, ValueError, KeyError, AssertionError, TypeError)


@dataclass(frozen=True, slots=True)
class BagMessage:
    """
    One message of a bag.

    :param topic: its topic.
    :param type: for example ``sensor_msgs/msg/Image``.
    :param stamp_ns: when it was recorded.
    :param row: how many of its topic came before it.
    :param data: CDR bytes.
    """

    topic: str
    type: str
    stamp_ns: int
    row: int
    data: bytes


@dataclass(slots=True, eq=False)
class Bag:
    """
    An open bag.

    :param path: directory or storage file.
    :param types: type of each topic.
    :param counts: number of messages of each topic, as far as it is known before reading.
    :param problems: what is damaged; complete when all messages were read.
    :param definitions: what the bag itself says of its types, by name, as far as it does.
    """

    path: Path
    types: dict[str, str]
    counts: dict[str, int]
    problems: list[str] = field(default_factory=list)
    definitions: dict[str, str] = field(default_factory=dict)
    _files: tuple[Path, ...] = ()
    _store: Any = None

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """Yield the messages of some topics in the order of their recording."""
        rows: Counter[str] = Counter()
        try:
            for topic, kind, stamp_ns, data in self._raw(topics):
                yield BagMessage(topic, kind, stamp_ns, rows[topic], data)
                rows[topic] += 1
        except DatasetError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))

    def decode(self, message: BagMessage) -> Any:
        """
        Read a message's fields.

        :returns: an object with the message's fields; None for a type that is not known here.
        :raises DatasetError: naming bag, topic and row, if the bytes are not of that type.
        """
        from rosbags.serde import SerdeError
        store = typestore() if message.type in typestore().fielddefs else self._own_types()
        if message.type not in store.fielddefs:
            return None
        try:
            return store.deserialize_cdr(message.data, message.type)
        except (*_BROKEN_MESSAGE, SerdeError) as error:
            raise DatasetError(f'{self.path}: {message.topic} row {message.row} is not a whole '
                               f'{message.type} ({type(error).__name__}: {error})') from error

    def _own_types(self) -> Any:
        """Return the types that only the bag defines: a message may since have got new fields."""
        if self._store is None:
            self._store = _defined_types(self.definitions, self.problems)
        return self._store

    def _raw(self, topics: Collection[str]) -> Iterator[Raw]:
        if not self._files:
            yield from _read_whole(self.path, topics)
        for path in self._files:
            yield from (raw for raw in salvage(path) if raw[0] in topics)


def open_bag(path: Path) -> Bag:
    """
    Open a bag: a rosbag2 directory, an .mcap or a .db3 file.

    :raises DatasetError: if there is no bag or nothing of it can be read.
    """
    if not path.exists():
        raise DatasetError(f'{path}: no such bag')
    files = storage_files(path)
    if not files:
        raise DatasetError(f'{path}: not a bag: no .mcap or .db3 file in it')
    try:
        bag = _open_whole(path)
    except DatasetError as error:
        bag = _open_damaged(path, files, str(error))
    if not bag.types:
        raise DatasetError('; '.join(bag.problems) or f'{path}: no message in it')
    return bag


def open_in_file_order(path: Path) -> Bag:
    """
    Open an .mcap or .db3 file to read it from front to end, around what is damaged.

    :raises DatasetError: if there is no such file or nothing of it can be read.
    """
    if not path.is_file():
        raise DatasetError(f'{path}: no such file')
    bag = _open_damaged(path, (path,), '')
    if not bag.types:
        raise DatasetError('; '.join(bag.problems) or f'{path}: no message in it')
    return bag


def storage_files(path: Path) -> tuple[Path, ...]:
    """Return the storage files of a bag in the order of their numbers."""
    found = [path] if path.is_file() else [*path.glob('*.mcap'), *path.glob('*.db3')]
    return tuple(sorted((item for item in found if item.suffix in ('.mcap', '.db3')),
                        key=lambda item: [(part.isdigit(), int(part) if part.isdigit() else 0,
                                           part) for part in re.split(r'(\d+)', item.name)]))


@lru_cache(maxsize=1)
def typestore() -> Any:
    """Return the message types of Jazzy and this package's Contacts."""
    from rosbags.typesys import get_types_from_msg
    store = _jazzy_types()
    store.register(get_types_from_msg(CONTACTS_DEFINITION, CONTACTS_TYPE))
    return store


def _jazzy_types() -> Any:
    from rosbags.typesys import Stores, get_typestore
    return get_typestore(Stores.ROS2_JAZZY)


def _defined_types(definitions: Mapping[str, str], problems: list[str]) -> Any:
    """Return Jazzy's types and those of some definitions; one that cannot be read is told."""
    from rosbags.typesys import TypesysError, get_types_from_msg
    store = _jazzy_types()
    for name, text in definitions.items():
        try:
            found = get_types_from_msg(text, name)
            store.register({key: value for key, value in found.items()
                            if key not in store.fielddefs})
        except (*_BROKEN_MESSAGE, TypesysError) as error:
            problems.append(f'the definition of {name} cannot be read ({error})')
    return store


def _reader_errors() -> tuple[type[Exception], ...]:
    from rosbags.rosbag2 import ReaderError
    try:
        from apsw import Error as SqliteError
    except ImportError:  # before 0.11 rosbags used the standard library's
        from sqlite3 import Error as SqliteError  # type: ignore[assignment]
    # RuntimeError and MemoryError: lz4, and a size that is damaged.
    return (ReaderError, SqliteError, *_zstd_errors(), struct.error, OSError, EOFError, ValueError,
            KeyError, IndexError, TypeError, AssertionError, RuntimeError, MemoryError,
            OverflowError)


def _zstd_errors() -> tuple[type[Exception], ...]:
    """Return the error of the library that rosbags decompresses with; that differs by version."""
    found = []
    for name in ('compression.zstd', 'backports.zstd', 'zstandard'):
        try:
            found.append(import_module(name).ZstdError)
        except (ImportError, AttributeError):
            continue
    return tuple(found)


def _open_whole(path: Path) -> Bag:
    from rosbags.rosbag2 import Reader
    if path.is_dir() and not (path / 'metadata.yaml').is_file():
        raise DatasetError(f'{path}: has no metadata.yaml, so its recording was not finished')
    try:
        with Reader(path) as reader:
            topics = reader.topics
            if path.suffix == '.mcap' and reader.message_count and not reader.storage.chunks:
                # rosbags reads such a file only if its messages happen to be in order of time.
                raise DatasetError(f'{path}: has no index')
            return Bag(path, {name: item.msgtype or '' for name, item in topics.items()},
                       {name: item.msgcount for name, item in topics.items()},
                       definitions=_read_definitions(reader))
    except _reader_errors() as error:
        raise DatasetError(f'{path}: {error}') from error


def _read_definitions(reader: Any) -> dict[str, str]:
    """Return the definitions that a bag carries: none, from some recorders."""
    return {item.msgtype: item.msgdef.data for item in reader.connections
            if item.msgdef.data and item.msgdef.format.name == 'MSG'}


def _read_whole(path: Path, topics: Collection[str]) -> Iterator[Raw]:
    from rosbags.rosbag2 import Reader
    count = expected = 0
    try:
        with Reader(path) as reader:
            wanted = [item for item in reader.connections if item.topic in topics]
            expected = sum(reader.topics[topic].msgcount for topic in topics
                           if topic in reader.topics)
            # No connections would mean all of them.
            for connection, stamp_ns, data in reader.messages(wanted) if wanted else ():
                yield connection.topic, connection.msgtype, stamp_ns, bytes(data)
                count += 1
    except _reader_errors() as error:
        raise DatasetError(f'{path}: damaged after message {count - 1} of the topics that were '
                           f'read ({type(error).__name__}: {error}); what came before it is '
                           'kept') from error
    if count < expected:
        raise DatasetError(f'{path}: {expected - count} of {expected} messages are damaged; the '
                           'others are kept')


def _open_damaged(path: Path, files: tuple[Path, ...], reason: str) -> Bag:
    """Find out by reading it once what there is in a bag that cannot be opened."""
    types: dict[str, str] = {}
    counts: Counter[str] = Counter()
    bag = Bag(path, types, counts, _files=files)
    broken = False
    for file in files:
        try:
            for topic, kind, _, _ in salvage(file, bag.definitions):
                types[topic] = kind
                counts[topic] += 1
        except DatasetError as error:
            broken = True
            bag.problems.append(str(error))
    if not broken and path.is_dir():
        bag.problems.append(f'{reason}; its storage files were read instead')
    return bag
