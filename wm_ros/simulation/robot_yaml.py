# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a tree of frozen dataclasses from YAML; every error says where in the file it is."""

from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

T = TypeVar('T')


def read_tree(path: Path, kind: type[T]) -> T:
    """
    Read a YAML file into a dataclass.

    :raises ValueError: if there is no such file, or naming the file, the place in it and the
        fix: unknown or missing keys, wrong types, values that the dataclass refuses.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(f'{path}: no such file; give the YAML file of a robot, such as '
                         'config/robots/aloha.yaml') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not YAML: {error}') from error
    try:
        built: T = build_tree(kind, content, '')
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    return built


def build_tree(kind: Any, value: Any, where: str) -> Any:
    """
    Turn plain YAML values into what a type asks for.

    :param kind: a dataclass, ``tuple[X, ...]``, ``tuple[X, X]`` or a plain type.
    :param where: the place in the file, such as ``joints[3].play``; empty for the top.
    :raises ValueError: naming the place.
    """
    if is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if get_origin(kind) is not tuple:
        return float(value) if kind is float and type(value) is int else value
    if not isinstance(value, list):
        raise ValueError(f'{where} is {value!r}; expected a list')
    arguments = get_args(kind)
    if arguments[-1] is not Ellipsis and len(value) != len(arguments):
        raise ValueError(f'{where} has {len(value)} entries; expected {len(arguments)}')
    return tuple(build_tree(arguments[0], item, f'{where}[{index}]')
                 for index, item in enumerate(value))


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    place = where or 'the file'
    if not isinstance(value, dict):
        raise ValueError(f'{place} must hold keys and values, not {value!r}')
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(str(key) for key in value if key not in known)
    if unknown:
        raise ValueError(f'{place} has unknown keys {unknown}; there are {sorted(known)}')
    missing = [name for name, item in known.items() if name not in value
               and item.default is MISSING and item.default_factory is MISSING]
    if missing:
        raise ValueError(f'{place} lacks {missing}; {_help(known[missing[0]])}')
    hints = get_type_hints(kind)
    inner = {name: build_tree(hints[name], item, f'{where}.{name}' if where else name)
             for name, item in value.items()}
    try:
        return kind(**inner)
    except ValueError as error:
        raise ValueError(f'{where}: {error}' if where else str(error)) from error


def _help(item: Any) -> str:
    return f"{item.name}: {item.metadata.get('help', 'give it a value')}"
