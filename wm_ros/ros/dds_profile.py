# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read from a Fast DDS profile how large a message may be to go through shared memory."""

import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
VARIABLES = (VARIABLE, 'FASTDDS_DEFAULT_PROFILES_FILE')


def profile_path(environment: Mapping[str, str] = os.environ) -> str:
    """Return the path of the profile that a process with this environment uses, '' if none."""
    return next((environment[name] for name in VARIABLES if environment.get(name)), '')


def segment_bytes(path: str) -> int:
    """
    Return the largest shared-memory segment that a profile sets, bytes.

    :returns: 0 if it sets none or cannot be read: Fast DDS then goes by its default.
    """
    try:
        root = ElementTree.fromstring(Path(path).read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, ElementTree.ParseError):
        return 0
    sizes = [item.text or '' for item in root.iter()
             if item.tag.rpartition('}')[2] == 'segment_size']
    return max((int(text) for text in map(str.strip, sizes) if text.isdigit()), default=0)
