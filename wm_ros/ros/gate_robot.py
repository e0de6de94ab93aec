# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the gate gets its robot description from, when that is a file."""

from pathlib import Path

from wm_ros.gate.config import GateConfig


def read_urdf(config: GateConfig) -> str | None:
    """
    Read ``robot_description_file``.

    :returns: the text, or None where no file is set.
    :raises ValueError: naming the path and what is wrong with it.
    """
    if not config.robot_description_file:
        return None
    path = Path(config.robot_description_file)
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f'robot_description_file is {config.robot_description_file!r}: {error}; give the '
            'path of a URDF') from error
