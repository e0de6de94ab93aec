# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Settings as frozen dataclasses whose fields say what they mean.

One source for the command line, the YAML files and ROS parameters: the metadata of a field holds
``help``, ``unit``, ``range`` (lo, hi), ``choices``, ``tunable`` and ``required``. A config class
calls ``check_settings(self)`` in its ``__post_init__`` and adds its own cross-field rules.
"""

from dataclasses import MISSING, field, fields, is_dataclass
from math import isfinite
from typing import Any, get_args, get_origin, get_type_hints


def setting(default: Any = MISSING, *, help: str, unit: str = '',  # noqa: A002
            range: tuple[float, float] | None = None,  # noqa: A002
            choices: tuple[str, ...] = (), tunable: bool = False, required: bool = False) -> Any:
    """
    Declare one field of a config dataclass.

    :param default: value when nothing is given; leave out to make the field required.
    :param help: one sentence for people.
    :param unit: SI unit, empty for names and switches.
    :param range: lowest and highest allowed value, both included.
    :param choices: the allowed words.
    :param tunable: may change while the owner is configured.
    :param required: an empty value counts as missing.
    :returns: a dataclass field.
    """
    metadata = {'help': help, 'unit': unit, 'range': range, 'choices': choices,
                'tunable': tunable, 'required': required or default is MISSING}
    return field(default=default, metadata=metadata)


def check_setting(name: str, value: Any, expected: Any, metadata: Any) -> None:
    """
    Refuse a value of the wrong type, outside its range or not among its choices.

    :param name: the setting's name, for the message.
    :param value: the value; an int is taken where a float is expected.
    :param expected: bool, int, float, str or a ``tuple[...]`` of one of them.
    :param metadata: the field's metadata as ``setting`` makes it.
    :raises ValueError: names the setting, its value and what is allowed.
    """
    unit = f" {metadata['unit']}" if metadata.get('unit') else ''
    element = _element_type(expected)
    for item in value if element is not expected and _is_list(value) else (value,):
        if not _is_instance(item, element) or (element is not expected and not _is_list(value)):
            raise ValueError(f'{name} is {value!r}; expected {_type_name(expected)}')
        limits = metadata.get('range')
        if limits is not None and not limits[0] <= item <= limits[1]:
            raise ValueError(f'{name} is {item!r}; allowed is {limits[0]} to {limits[1]}{unit}')
        if isinstance(item, float) and not isfinite(item):
            raise ValueError(f'{name} is {item!r}; expected a finite number')
        choices = metadata.get('choices')
        if choices and item not in choices:
            raise ValueError(f"{name} is {item!r}; allowed is one of {', '.join(choices)}")


def check_settings(config: Any) -> None:
    """
    Check every field of a config dataclass against its type and metadata.

    :param config: an instance of a dataclass; call from ``__post_init__``.
    :raises ValueError: for the first field that is wrong, naming it, its value and the fix.
    """
    hints = get_type_hints(type(config))
    for item in fields(config):
        value = getattr(config, item.name)
        if item.metadata.get('required') and is_missing(value):
            text = item.metadata.get('help', 'give it a value')
            raise ValueError(f'{item.name} is not set; {text}')
        check_setting(item.name, value, hints[item.name], item.metadata)


def is_missing(value: Any) -> bool:
    """Tell whether a value of a required setting counts as not given."""
    return value is None or value == '' or (_is_list(value) and len(value) == 0)


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


def _is_list(value: Any) -> bool:
    return isinstance(value, (tuple, list))


def _element_type(expected: Any) -> Any:
    return get_args(expected)[0] if get_origin(expected) is tuple else expected


def _is_instance(value: Any, expected: Any) -> bool:
    if expected is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, expected)


def _type_name(expected: Any) -> str:
    element = _element_type(expected)
    return f'a list of {element.__name__}' if element is not expected else expected.__name__


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
