# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Follow a conductor: the process that plays something out and tells it line by line."""

import json
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

from wm_ros.demo.processes import Processes
from wm_ros.errors import WorldModelError

_SILENCE_S = 180.0


def follow(conductor: 'subprocess.Popen[str]', processes: Processes, *, who: str
           ) -> Iterator[dict[str, Any] | None]:
    """
    Yield events as they come, and None when there was none for a moment.

    :param who: is said to be silent, in the error.
    :raises WorldModelError: if a process dies, or nothing comes for three minutes.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert conductor.stdout is not None
        for line in conductor.stdout:
            lines.put(line)

    threading.Thread(target=read, name='conductor', daemon=True).start()
    heard = time.monotonic()
    while True:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            processes.check()
            if time.monotonic() - heard > _SILENCE_S:
                raise WorldModelError(
                    f'{who} has been silent for {_SILENCE_S:g} s; the end of its log:\n'
                    f"{processes.tail('conductor')}") from None
            yield None
            continue
        heard = time.monotonic()
        yield json.loads(line)
