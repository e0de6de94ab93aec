# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
ROS parameters from a frozen config dataclass: one schema, no second list that can drift.

The main rule: an update is judged as a whole and either replaces the config object or changes
nothing. Structural settings are refused while the node is configured; tunable ones are accepted
at any time and reach the node as one new object.
"""

from collections.abc import Iterable
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, Generic, TypeVar, get_type_hints

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException, ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

from wm_ros.config import check_setting, is_missing

Config = TypeVar('Config')

_TYPES = {
    bool: Parameter.Type.BOOL, int: Parameter.Type.INTEGER, float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING, tuple[str, ...]: Parameter.Type.STRING_ARRAY,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY, tuple[int, ...]: Parameter.Type.INTEGER_ARRAY,
    tuple[bool, ...]: Parameter.Type.BOOL_ARRAY,
}
_NOT_OURS = ('use_sim_time', 'start_type_description_service')
_INT64_MAX = 2**63 - 1


class ParameterError(ValueError):
    """A parameter is missing, unknown or out of range; the message names it and the fix."""


class ConfigParameters(Generic[Config]):
    """
    Declare the fields of a config class on a node and keep the config in step with them.

    Declare in the node's constructor, call ``build`` in configure and ``release`` in cleanup.
    All calls belong to the executor thread; other threads may read ``config``, which is replaced
    and never changed.

    :param node: the node that owns the parameters.
    :param config_type: a frozen dataclass; the metadata of its fields is described in
        ``wm_ros.config.setting``.
    :raises ParameterError: for an override that is unknown, of a wrong type or out of range.
    """

    def __init__(self, node: Node, config_type: type[Config]) -> None:
        if not is_dataclass(config_type):
            raise TypeError(f'{config_type!r} is not a dataclass')
        self._node = node
        self._config_type = config_type
        self._hints = get_type_hints(config_type)
        self._fields = {item.name: item for item in fields(config_type)}
        self.config: Config | None = None
        for name in self._fields:
            self._declare(name)
        _refuse_unknown(node, self._fields)
        node.add_on_set_parameters_callback(self._judge_update)
        node.add_post_set_parameters_callback(self._take_update)

    def build(self) -> Config:
        """
        Make the config from the node's parameters and lock the structural ones.

        :returns: the config, also kept as ``config``.
        :raises ParameterError: naming the key that is missing or wrong.
        """
        self.config = self._make(self._values())
        return self.config

    def release(self) -> None:
        """Forget the config, so that structural parameters may change again."""
        self.config = None

    def _declare(self, name: str) -> None:
        item, hint = self._fields[name], self._hints[name]
        descriptor = describe(item.metadata, hint)
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        if default is MISSING or default == []:
            # An empty list would be declared as a list of bytes: give the type, not the value.
            default = None if descriptor.dynamic_typing else _TYPES[hint]
        try:
            self._node.declare_parameter(name, default, descriptor)
            value = self._read(name)
            if value is not None and not (item.metadata.get('required') and is_missing(value)):
                check_setting(name, value, hint, item.metadata)
        except (ParameterException, ValueError, TypeError) as error:
            raise ParameterError(f'parameter {name}: {error}') from error

    def _read(self, name: str) -> Any:
        try:
            value = self._node.get_parameter(name).value
        except ParameterUninitializedException:
            return None
        return _from_ros(value, self._hints[name])

    def _values(self) -> dict[str, Any]:
        return {name: self._read(name) for name in self._fields}

    def _make(self, values: dict[str, Any]) -> Config:
        given = {}
        for name, value in values.items():
            item = self._fields[name]
            if value is None and item.default is not MISSING:
                value = item.default
            if item.metadata.get('required', item.default is MISSING) and is_missing(value):
                text = item.metadata.get('help', 'give it a value')
                raise ParameterError(f'parameter {name} is not set: {text}')
            given[name] = value
        try:
            return self._config_type(**given)
        except (ValueError, TypeError) as error:
            raise ParameterError(f'parameter {error}') from error

    def _judge_update(self, parameters: list[Parameter]) -> SetParametersResult:
        """Refuse the whole update when one value in it, or their combination, is wrong."""
        try:
            ours = {parameter.name: parameter for parameter in parameters
                    if parameter.name in self._fields}
            new = {name: _from_ros(parameter.value, self._hints[name])
                   for name, parameter in ours.items()}
            for name, value in new.items():
                self._judge_one(name, value)
            if self.config is not None and new:
                self._make({**self._values(), **new})
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _judge_one(self, name: str, value: Any) -> None:
        metadata = self._fields[name].metadata
        if self.config is not None and not metadata.get('tunable'):
            if value != getattr(self.config, name):
                raise ParameterError(
                    f'{name} shapes the node and cannot change while it is configured; '
                    f'clean the node up first')
            return
        if value is None or (metadata.get('required') and is_missing(value)):
            return
        check_setting(name, value, self._hints[name], metadata)

    def _take_update(self, parameters: list[Parameter]) -> None:
        if self.config is not None and any(p.name in self._fields for p in parameters):
            self.config = self._make(self._values())


def describe(metadata: Any, hint: Any) -> ParameterDescriptor:
    """
    Make the descriptor that ``ros2 param describe`` shows.

    :param metadata: metadata of the field, as ``wm_ros.config.setting`` makes it.
    :param hint: the field's type.
    :returns: description, range and read_only. Floats and lists of floats are declared with
        dynamic typing, because ``timeout: 1`` in YAML is an integer and refusing it helps nobody.
    """
    unit, choices = metadata.get('unit'), metadata.get('choices')
    text = metadata.get('help', '') + (f' [{unit}]' if unit else '')
    kind = 'tunable' if metadata.get('tunable') else 'structural'
    descriptor = ParameterDescriptor(
        description=f'{text} ({kind})', read_only=bool(metadata.get('read_only', False)),
        additional_constraints=f"one of: {', '.join(choices)}" if choices else '')
    limits = metadata.get('range')
    if limits is not None and hint is float:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(limits[0]), to_value=float(limits[1]))]
    if limits is not None and hint is int:
        low, high = (int(max(-_INT64_MAX, min(_INT64_MAX, limit))) for limit in limits)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    descriptor.dynamic_typing = hint in (float, tuple[float, ...])
    return descriptor


def _from_ros(value: Any, hint: Any) -> Any:
    """Give a parameter's value the type of its field: floats from ints, tuples from arrays."""
    if value is None:
        return None
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if getattr(hint, '__origin__', None) is tuple and not isinstance(value, (str, float, int)):
        return tuple(map(float, value)) if _is_floats(value, hint) else tuple(value)
    return value


def _is_floats(value: Any, hint: Any) -> bool:
    return hint == tuple[float, ...] and all(isinstance(item, (int, float)) for item in value)


def _refuse_unknown(node: Node, known: Iterable[str]) -> None:
    """Refuse overrides that nobody declared: a misspelt key must not pass for a setting."""
    for name in getattr(node, '_parameter_overrides', {}):
        if node.has_parameter(name) or name in _NOT_OURS or name.startswith('qos_overrides.'):
            continue
        close = get_close_matches(name, list(known), n=1)
        hint = f'; did you mean {close[0]}?' if close else ''
        raise ParameterError(f'parameter {name} is unknown to {node.get_name()}{hint}')
