# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Load TensorRT, and what it says while it works."""

import re
from collections import deque
from typing import Any

from wm_ros.errors import EngineError

OLDEST = (10, 3)
_KEPT_LINES = 8


def load_tensorrt() -> Any:
    """
    Return the TensorRT module.

    Call after a CUDA device was found: without one some builds of TensorRT crash the process
    when they are used.

    :raises EngineError: if it is not installed or too old, saying what to install.
    """
    try:
        import tensorrt
    except ImportError as error:
        raise EngineError(
            "engine 'tensorrt' is not installed: pip install 'wm_ros[tensorrt]', on a Jetson "
            'apt-get install python3-libnvinfer; or set engine to another one '
            f'({error})') from error
    check_version(tensorrt)
    return tensorrt


def check_version(trt: Any) -> None:
    """Refuse a version older than what this was written for, naming both."""
    found = tuple(int(part) for part in re.findall(r'\d+', trt.__version__)[:2])
    if found < OLDEST:
        raise EngineError(f'TensorRT is {trt.__version__}, needed is '
                          f"{'.'.join(map(str, OLDEST))} or newer (JetPack 6 or newer)")


def make_log(trt: Any) -> Any:
    """
    Return a logger for TensorRT whose ``problems`` are its last errors and warnings.

    It must outlive everything that is made with it.
    """
    class Log(trt.ILogger):
        """Keeps what went wrong, for the message of the error that follows."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.problems: deque[str] = deque(maxlen=_KEPT_LINES)

        def log(self, severity: Any, message: str) -> None:
            """Take one line; called by TensorRT, from its own threads too."""
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                self.problems.append(message)

    return Log()
