# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ('numpy', 'onnxruntime', 'torch', 'rclpy', 'ros-jazzy-rclpy')


def describe_machine() -> dict[str, Any]:
    """Return processor, cores, memory, load and versions, as JSON can hold them."""
    return {
        'cpu': _cpu_name(), 'cores': os.cpu_count(), 'memory_gib': _memory_gib(),
        'system': f'{platform.system()} {platform.machine()}',
        'python': platform.python_version(),
        'load_average_at_start': [round(value, 2) for value in os.getloadavg()],
        'packages': {name: found for name in _PACKAGES if (found := _version(name))}}


def _cpu_name() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(':', 1)[1].strip() for line in lines
                 if line.startswith('model name')), platform.processor())


def _memory_gib() -> float:
    return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ''
