# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the evidence that wm_evidence wrote.

A file that is cut short or damaged is read up to the damage, which is told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_ros.data.bag_reader import Bag, BagMessage, open_in_file_order
from wm_ros.data.evidence_buffer import cdr_stamp_ns
from wm_ros.data.evidence_writer import RECORD_TOPIC, RECORD_VERSION
from wm_ros.errors import DatasetError

# What a replay needs of a message that the file itself defines, so that anything may be missing.
_CHUNK_FIELDS = ('header', 'chunk_id', 'digest', 'source', 'command_interface', 'trajectory',
                 'start_state', 'decide_by')
_VERDICT_FIELDS = ('header', 'chunk_id', 'digest', 'observation_stamp', 'horizon', 'decision',
                   'reasons', 'risk', 'risk_threshold', 'uncertainty', 'first_unsafe_step',
                   'model_id', 'message')


@dataclass(slots=True, eq=False)
class Evidence:
    """
    What a file holds; pictures are decoded when they are asked for.

    :param record: what it says of itself: trigger, model, parameters, topics.
    :param chunks: wm_ros/ActionChunk by its id.
    :param verdicts: wm_ros/Verdict by the id of its chunk, the first of each.
    :param joints: sensor_msgs/JointState by its stamp, ns.
    :param problems: what is damaged or missing.
    """

    path: Path
    record: Mapping[str, Any]
    chunks: dict[int, Any] = field(default_factory=dict)
    verdicts: dict[int, Any] = field(default_factory=dict)
    joints: dict[int, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    _bag: Bag | None = None
    _pictures: dict[str, dict[int, BagMessage]] = field(default_factory=dict)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order of the model."""
        return tuple(self._pictures)

    def picture_stamps(self, camera: str) -> list[int]:
        """Return the stamps of a camera's pictures, ns, oldest first."""
        return sorted(self._pictures[camera])

    def picture(self, camera: str, stamp_ns: int) -> Any:
        """
        Decode one picture's message.

        :raises DatasetError: if its bytes are damaged.
        """
        assert self._bag is not None
        return self._bag.decode(self._pictures[camera][stamp_ns])

    def parameters(self, node: str) -> Mapping[str, Any]:
        """
        Return the parameters that a node had.

        :raises DatasetError: if they are not in the file.
        """
        found = self.record.get('parameters', {}).get(node)
        if not isinstance(found, dict) or not found:
            raise DatasetError(f'{self.path}: the parameters of {node} are not in it; it did not '
                               'answer when the file was written')
        return found


def read_evidence(path: Path) -> Evidence:
    """
    Read a file.

    :raises DatasetError: if nothing can be read or it is not a file of wm_evidence.
    """
    bag = open_in_file_order(path)
    record = _read_record(bag)
    try:
        topics = record['topics']
        cameras = {str(name): str(topic) for name, topic in topics['cameras'].items()}
        names = {name: str(topics[name]) for name in ('chunk', 'verdict', 'joint_states')}
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f'{path}: its record names no topics ({error!r})') from error
    evidence = Evidence(path, record, _bag=bag, problems=bag.problems,
                        _pictures={name: {} for name in cameras})
    for message in bag.messages({*cameras.values(), *names.values()}):
        try:
            _take(evidence, message, cameras, names)
        except (DatasetError, ValueError) as error:
            evidence.problems.append(str(error))
    return evidence


def _take(evidence: Evidence, message: BagMessage, cameras: Mapping[str, str],
          names: Mapping[str, str]) -> None:
    assert evidence._bag is not None
    for name, topic in cameras.items():
        if topic == message.topic:
            evidence._pictures[name].setdefault(cdr_stamp_ns(message.data), message)
            return
    if message.topic == names['joint_states']:
        stamp_ns = cdr_stamp_ns(message.data)
        evidence.joints.setdefault(stamp_ns, evidence._bag.decode(message))
        return
    decoded = evidence._bag.decode(message)
    if decoded is None:
        raise DatasetError(f'{evidence.path}: it does not define {message.type}')
    is_chunk = message.topic == names['chunk']
    lacking = [name for name in (_CHUNK_FIELDS if is_chunk else _VERDICT_FIELDS)
               if not hasattr(decoded, name)]
    if lacking:
        raise DatasetError(f"{evidence.path}: its {message.type} has no {', '.join(lacking)}")
    kept = evidence.chunks if is_chunk else evidence.verdicts
    kept.setdefault(int(decoded.chunk_id), decoded)


def _read_record(bag: Bag) -> dict[str, Any]:
    if RECORD_TOPIC not in bag.types:
        raise DatasetError('; '.join(
            [f'{bag.path}: no {RECORD_TOPIC} in it, so wm_evidence did not write it',
             *bag.problems]))
    for message in bag.messages((RECORD_TOPIC,)):
        try:
            record = json.loads(bag.decode(message).data)
        except (ValueError, AttributeError) as error:
            raise DatasetError(f'{bag.path}: its record is not JSON ({error})') from error
        if not isinstance(record, dict) or record.get('version') != RECORD_VERSION:
            version = record.get('version') if isinstance(record, dict) else None
            raise DatasetError(f'{bag.path}: its record has version {version!r}; this wm_ros '
                               f'reads version {RECORD_VERSION}')
        return record
    raise DatasetError('; '.join([f'{bag.path}: its record is damaged', *bag.problems]))
