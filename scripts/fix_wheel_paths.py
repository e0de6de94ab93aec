# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Point the CMake files of the ROS wheels at this Python.

The wheels carry the include directories of the machine that built them, and CMake refuses to
configure when these do not exist. Running this twice changes nothing the second time.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

BUILDER = r'/opt/python/cp3\d+-cp3\d+'
BUILDER_NUMPY = re.compile(BUILDER + r'/lib/python3\.\d+/site-packages/numpy/[\w/]+')
BUILDER_PYTHON = re.compile(BUILDER + r'/include/python3\.\d+')


def fix_file(path: Path) -> bool:
    """
    Replace the builder's two include directories in one CMake file.

    :param path: the file to change in place.
    :returns: whether the file changed.
    """
    text = path.read_text(encoding='utf-8')
    fixed = BUILDER_NUMPY.sub(np.get_include(), text)
    fixed = BUILDER_PYTHON.sub(sysconfig.get_paths()['include'], fixed)
    if fixed == text:
        return False
    path.write_text(fixed, encoding='utf-8')
    return True


def main() -> int:
    """Fix every CMake file below this environment's share directory."""
    files = sorted(Path(sys.prefix, 'share').rglob('*.cmake'))
    num_fixed = sum(fix_file(path) for path in files)
    sys.stdout.write(f'fix_wheel_paths: {num_fixed} of {len(files)} CMake files changed\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
