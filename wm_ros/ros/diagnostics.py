# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fill diagnostic_msgs/DiagnosticArray from plain values."""

from collections.abc import Mapping
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE


def status(name: str, level: bytes, message: str, *, hardware_id: str = '',
           values: Mapping[str, Any] | None = None) -> DiagnosticStatus:
    """
    Make one status line.

    :param name: what is reported on, by custom ``node: part``.
    :param level: OK, WARN, ERROR or STALE of this module.
    :param message: the reason in words; ``ok`` when all is well.
    :param hardware_id: which device, if any.
    :param values: figures; floats are written with six significant digits.
    :returns: the message.
    """
    return DiagnosticStatus(
        name=name, level=level, message=message, hardware_id=hardware_id,
        values=[KeyValue(key=key, value=_text(value)) for key, value in (values or {}).items()])


def array(stamp: Time, *statuses: DiagnosticStatus) -> DiagnosticArray:
    """
    Put status lines under one stamp.

    :param stamp: ROS time of the report.
    :param statuses: lines made by ``status``.
    :returns: the message for ``/diagnostics``.
    """
    message = DiagnosticArray(status=list(statuses))
    message.header.stamp = stamp
    return message


def _text(value: Any) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)
