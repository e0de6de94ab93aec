# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Find the text that defines a message type, in the form in which bags carry it."""

import re
from functools import lru_cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

_SEPARATOR = '=' * 80
_FIELD = re.compile(r'^\s*(?:([A-Za-z]\w*)/(?:msg/)?)?([A-Z]\w*)\s*(?:\[[^\]]*\])?\s+\w')


@lru_cache(maxsize=256)
def message_definition(kind: str) -> str:
    """
    Return a type's definition and after it those of every type that it is made of.

    :param kind: for example ``sensor_msgs/msg/Image``.
    :raises LookupError: naming the package or file that is not installed.
    """
    texts: dict[str, str] = {}
    waiting = [kind]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = _read(name)
            waiting += _parts(name, texts[name])
    first = texts.pop(kind)
    return '\n'.join([first, *(f'{_SEPARATOR}\nMSG: {name.replace("/msg/", "/")}\n{text}'
                               for name, text in texts.items())])


def _read(name: str) -> str:
    package, _, stem = name.partition('/msg/')
    try:
        path = Path(get_package_share_directory(package)) / 'msg' / f'{stem}.msg'
        return path.read_text(encoding='utf-8')
    except (PackageNotFoundError, OSError, ValueError) as error:
        raise LookupError(f'{name} is not installed ({error})') from error


def _parts(name: str, text: str) -> list[str]:
    """Return the types of a definition's fields that are messages."""
    own = name.partition('/')[0]
    found = []
    for line in text.splitlines():
        match = _FIELD.match(line.partition('#')[0])
        if match:
            found.append(f'{match.group(1) or own}/msg/{match.group(2)}')
    return found
