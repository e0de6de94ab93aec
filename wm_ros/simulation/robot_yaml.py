# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Read a tree of frozen dataclasses from YAML; every error says where in the file it is."""

from pathlib import Path
from typing import TypeVar

import yaml

from wm_ros.config import build_tree

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
