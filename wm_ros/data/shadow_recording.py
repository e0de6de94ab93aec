# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read from a bag what gate and predictor said while the gate only watched.

The bag must define the types of this package, as rosbag2 and wm_evidence write it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wm_ros.data.bag_reader import Bag, open_bag, storage_files
from wm_ros.data.messages import stamp_to_ns
from wm_ros.data.problems import Problems
from wm_ros.datatypes import Decision, Reason
from wm_ros.errors import DatasetError

_TYPES = {'chunk': 'wm_ros/msg/ActionChunk', 'verdict': 'wm_ros/msg/Verdict',
          'state': 'wm_ros/msg/GateState', 'prediction': 'wm_ros/msg/Prediction'}
_PROBE = 'probe'


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ShadowCommand:
    """
    One command and what was said about it.

    :param stamp_ns: when the gate took it.
    :param decision: None if no verdict came.
    :param is_late: the verdict came after the command's time.
    :param horizon_s: how much of it was looked at, 0 if no model did.
    :param offsets_s: of each predicted step, from the start of the command.
    :param step_risk: risk by each of those steps.
    :param frames: predicted frames, a JPEG or PNG file for each step, where they were recorded.
    """

    chunk_id: int
    stamp_ns: int
    decision: Decision | None = None
    is_late: bool = False
    risk: float = float('nan')
    horizon_s: float = 0.0
    reasons: Reason = Reason.NONE
    model_id: str = ''
    offsets_s: tuple[float, ...] = ()
    step_risk: tuple[float, ...] = ()
    frames: tuple[bytes, ...] = ()


@dataclass(slots=True, eq=False)
class ShadowRecording:
    """
    All commands of a bag, and how the gate was set.

    :param num_states: states of the gate that were recorded.
    :param num_would_hold: in how many of them it would have held.
    :param num_enforcing: in how many of them it did not only watch.
    """

    path: Path
    commands: list[ShadowCommand] = field(default_factory=list)
    num_states: int = 0
    num_would_hold: int = 0
    num_enforcing: int = 0


def shadow_bags(path: Path) -> list[Path]:
    """
    Return the bags in a directory, or the bag that it is.

    :raises DatasetError: if there is none.
    """
    if path.is_file() or (path / 'metadata.yaml').is_file():
        return [path]
    found = sorted({item.parent if (item.parent / 'metadata.yaml').is_file() else item
                    for item in (*path.rglob('*.mcap'), *path.rglob('*.db3'))})
    if not found and not storage_files(path):
        raise DatasetError(f'{path}: no bag in it: no .mcap or .db3 file')
    return found


def read_shadow(path: Path, problems: Problems) -> ShadowRecording:
    """
    Read the commands of a bag.

    :param problems: is told what cannot be read.
    :raises DatasetError: if the bag has no commands or verdicts, or does not define their types.
    """
    bag = open_bag(path)
    topics = {name: [topic for topic, kind in bag.types.items() if kind == wanted]
              for name, wanted in _TYPES.items()}
    for name in ('chunk', 'verdict'):
        if not topics[name]:
            raise DatasetError(f'{path}: has no topic of type {_TYPES[name]}; record '
                               '/wm_gate/action_chunk, /wm_gate/state and /wm_predictor/verdict')
    found = ShadowRecording(path)
    commands: dict[int, ShadowCommand] = {}
    kinds = {topic: name for name, names in topics.items() for topic in names}
    for message in bag.messages(tuple(kinds)):
        try:
            _take(found, commands, kinds[message.topic], _decode(bag, message))
        except DatasetError as error:
            problems.add(f'{message.topic} decode', str(error))
    found.commands = list(commands.values())
    for text in bag.problems:
        problems.add(text, text)
    if not found.commands:
        raise DatasetError(f'{path}: no command in it but probes of the gate')
    return found


def _decode(bag: Bag, message: Any) -> Any:
    decoded = bag.decode(message)
    if decoded is None:
        raise DatasetError(f'{bag.path}: does not define {message.type}; record with MCAP, or '
                           'with a rosbag2 that stores message definitions')
    return decoded


def _take(found: ShadowRecording, commands: dict[int, ShadowCommand], kind: str,
          message: Any) -> None:
    if kind == 'state':
        found.num_states += 1
        found.num_would_hold += bool(message.would_hold)
        found.num_enforcing += bool(message.enforcing)
        return
    chunk_id = int(message.chunk_id)
    if kind == 'chunk':
        if message.source != _PROBE:
            commands.setdefault(chunk_id, ShadowCommand(
                chunk_id=chunk_id, stamp_ns=stamp_to_ns(message.header.stamp)))
    elif chunk_id in commands:
        add = _add_verdict if kind == 'verdict' else _add_prediction
        commands[chunk_id] = add(commands[chunk_id], message)


def _add_verdict(command: ShadowCommand, message: Any) -> ShadowCommand:
    if command.decision is not None:
        return command
    is_known = message.decision in Decision._value2member_map_
    has_model = stamp_to_ns(message.observation_stamp) > 0 and message.horizon > 0
    reasons = Reason(int(message.reasons))
    return replace(
        command, decision=Decision(message.decision) if is_known else Decision.INVALID,
        is_late=Reason.DEADLINE in reasons, reasons=reasons, model_id=str(message.model_id),
        risk=float(message.risk) if has_model else float('nan'),
        horizon_s=float(message.horizon) if has_model else 0.0)


def _add_prediction(command: ShadowCommand, message: Any) -> ShadowCommand:
    frames = tuple(bytes(frame.data) for frame in message.frames)
    if command.frames and not frames:
        return command
    return replace(command, offsets_s=_floats(message.offsets),
                   step_risk=_floats(message.risk), frames=frames)


def _floats(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
