# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What Fast DDS leaves in shared memory when a process is killed.

A participant that ends removes its segment itself. One that is killed leaves it there, 32 MiB with
config/fastdds.xml, until somebody runs 'fastdds shm clean': a thousand kills fill the memory.

Not at once: somebody may still read what it sent last.
"""

import re
from pathlib import Path

# Fast DDS holds the file NAME_el of its own segment open for as long as it uses it. Ports are
# named by number; others listen there too, and Fast DDS mends those of the dead itself.
_LOCK = re.compile(r'/dev/shm/fastrtps_[0-9a-f]{16}_el')


def own_segments(pid: int) -> list[Path]:
    """Return the files of the segments that a running process owns; none if it has ended."""
    found: list[Path] = []
    try:
        descriptors = list(Path(f'/proc/{pid}/fd').iterdir())
    except OSError:
        return found
    for descriptor in descriptors:
        try:
            lock = descriptor.readlink()
        except OSError:  # closed meanwhile
            continue
        if _LOCK.fullmatch(str(lock)):
            found += [lock, lock.with_name(lock.name.removesuffix('_el'))]
    return found


def remove_segments(files: list[Path]) -> None:
    """Remove what ``own_segments`` found of a process that has ended since."""
    for file in files:
        file.unlink(missing_ok=True)
