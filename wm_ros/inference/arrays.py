# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write a record of arrays as safetensors, whole or not at all."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file


def write_arrays(path: Path, record: Any) -> None:
    """
    Write a record under a temporary name and rename it into place.

    :param record: a dataclass instance all of whose fields are arrays.
    """
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        save_file({name: np.ascontiguousarray(getattr(record, name))
                   for name in record.__dataclass_fields__}, scratch)
        scratch.chmod(0o644)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
