# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Two hosts on this one: network namespaces that see each other through one cable and nobody else.

Needs Linux, iproute2's ``ip`` and the privilege to use it.
"""

import contextlib
import os
import shutil
import subprocess
from types import TracebackType

from wm_ros.faults.fault import NotMeasured

_PATHS = '/usr/sbin:/sbin:/usr/bin:/bin'
_ADDRESSES = ('10.213.0.1/24', '10.213.0.2/24')
_TIMEOUT_S = 20.0


class Cable:
    """
    A veth pair between the namespaces ``here`` and ``there``, gone when the block ends.

    :raises NotMeasured: saying what this host lacks.
    """

    def __init__(self) -> None:
        self.here, self.there = (f'wm{os.getpid()}{side}' for side in 'ab')

    def __enter__(self) -> 'Cable':
        """Make both namespaces."""
        try:
            for name in (self.here, self.there):
                ip('netns', 'add', name)
            ip('link', 'add', self.here, 'netns', self.here, 'type', 'veth', 'peer',
               'name', self.there, 'netns', self.there)
            for name, address in zip((self.here, self.there), _ADDRESSES, strict=True):
                ip('-n', name, 'address', 'add', address, 'dev', name)
                ip('-n', name, 'link', 'set', 'lo', 'up')
                ip('-n', name, 'link', 'set', name, 'up')
        except NotMeasured:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Remove both namespaces."""
        self._remove()

    def _remove(self) -> None:
        for name in (self.here, self.there):
            with contextlib.suppress(NotMeasured):
                ip('netns', 'delete', name)


def plug(there: str, *, is_in: bool) -> None:
    """
    Plug the cable in or out at its far end: the near one keeps its address and has no carrier.

    :param there: name of the far namespace.
    :raises NotMeasured: with the words of ``ip``.
    """
    ip('-n', there, 'link', 'set', there, 'up' if is_in else 'down')


def ip(*words: str) -> None:
    """
    Run ``ip``.

    :raises NotMeasured: if it is not there, or with its words if it fails.
    """
    program = shutil.which('ip', path=os.pathsep.join([os.environ.get('PATH', ''), _PATHS]))
    if program is None:
        raise NotMeasured("cutting a network needs 'ip': install iproute2")
    done = subprocess.run([program, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode:
        raise NotMeasured(f"cutting a network needs network namespaces and the privilege to make "
                          f"them: 'ip {' '.join(words)}' says {done.stderr.strip()!r}")
