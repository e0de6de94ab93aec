# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read ``action_space_file``, and the statistics of a data set that it may name."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from wm_ros.config import build_tree
from wm_ros.gate.action_space import ActionSpaces
from wm_ros.gate.action_statistics import Statistics


def read_action_spaces(text_path: str) -> ActionSpaces | None:
    """
    Read the encodings of a policy's numbers.

    ``statistics: {file: ..., key: ...}`` takes the figures out of a JSON file, beside the YAML
    file, of the form of OpenVLA's ``dataset_statistics.json``.

    :param text_path: the YAML file; empty: none.
    :raises ValueError: naming the file, the place in it and the fix.
    """
    if not text_path:
        return None
    path = Path(text_path)
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        listed = content.get('spaces') if isinstance(content, dict) else None
        for space in listed if isinstance(listed, list) else ():
            _insert_statistics(space, path.parent)
        spaces: ActionSpaces = build_tree(ActionSpaces, content, '')
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise ValueError(f'action_space_file is {text_path!r}: {error}') from error
    return spaces


def _insert_statistics(space: Any, folder: Path) -> None:
    """Put the figures of a JSON file in the place of its name."""
    statistics = space.get('statistics') if isinstance(space, dict) else None
    if not isinstance(statistics, dict) or 'file' not in statistics:
        return
    if set(statistics) != {'file', 'key'}:
        raise ValueError(f'statistics is {statistics}; with file it has key and nothing else')
    path = folder / str(statistics['file'])
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise ValueError(f'statistics.file: {error}') from error
    found = content.get(statistics['key']) if isinstance(content, dict) else None
    figures = found.get('action') if isinstance(found, dict) else None
    if not isinstance(figures, dict):
        known = sorted(content) if isinstance(content, dict) else []
        raise ValueError(f'{path} has no {statistics["key"]!r} with an action; it has {known}')
    names = {item.name for item in fields(Statistics)}
    space['statistics'] = {name: value for name, value in figures.items() if name in names}
