# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Write evidence: one MCAP file that ROS tools play and that says by itself what it holds.

The first message is the record, JSON on ``RECORD_TOPIC``: what was decided, by which model, with
which parameters. It is first so that a file that was cut short still has it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wm_ros import __version__
from wm_ros.data.bag_topics import TEXT_TYPE
from wm_ros.data.evidence_buffer import Sample
from wm_ros.errors import DatasetError

RECORD_TOPIC = '/wm_evidence/record'
RECORD_VERSION = 1
_TEXT_DEFINITION = 'string data\n'
# Small, because damage costs a whole chunk; a picture is one by itself.
_CHUNK_BYTES = 64 * 1024


def write_evidence(path: Path, record: Mapping[str, Any], samples: Sequence[Sample],
                   definitions: Mapping[str, str]) -> int:
    """
    Write a file under a temporary name and rename it into place.

    :param path: where it appears once it is whole.
    :param record: what the file says of itself; JSON.
    :param samples: the messages, in any order.
    :param definitions: text of each type that occurs, with those that it is made of.
    :returns: its size, bytes.
    :raises DatasetError: if a type has no definition.
    :raises OSError: if it cannot be written.
    """
    missing = sorted({item.type for item in samples} - set(definitions))
    if missing:
        raise DatasetError(f"{path.name}: no definition of {', '.join(missing)}")
    scratch = scratch_path(path)
    try:
        with scratch.open('wb') as handle:
            _write(handle, record, samples, definitions)
            handle.flush()
            os.fsync(handle.fileno())
            size = handle.tell()
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return size


def scratch_path(path: Path) -> Path:
    """Return the temporary name of a file; it holds the process that writes it."""
    return path.with_name(f'.{path.name}.{os.getpid()}.tmp')


def _write(handle: Any, record: Mapping[str, Any], samples: Sequence[Sample],
           definitions: Mapping[str, str]) -> None:
    from mcap.writer import Writer
    writer = Writer(handle, chunk_size=_CHUNK_BYTES)
    writer.start(profile='ros2', library=f'wm_ros {__version__}')
    channels: dict[tuple[str, str], int] = {}
    schemas: dict[str, int] = {}
    ordered = sorted(samples, key=lambda sample: sample.stamp_ns)
    first_ns = ordered[0].stamp_ns if ordered else 0
    said = Sample(RECORD_TOPIC, TEXT_TYPE, first_ns, _text_cdr(json.dumps(record)))
    for sample in (said, *ordered):
        if sample.type not in schemas:
            text = _TEXT_DEFINITION if sample.type == TEXT_TYPE else definitions[sample.type]
            schemas[sample.type] = writer.register_schema(
                sample.type, 'ros2msg', text.encode('utf-8'))
        key = sample.topic, sample.type
        if key not in channels:
            channels[key] = writer.register_channel(sample.topic, 'cdr', schemas[sample.type])
        writer.add_message(channels[key], sample.stamp_ns, sample.data, sample.stamp_ns)
    writer.finish()


def _text_cdr(text: str) -> bytes:
    """Return a std_msgs/String, little-endian CDR."""
    data = text.encode('utf-8') + b'\0'
    return b'\0\1\0\0' + len(data).to_bytes(4, 'little') + data
