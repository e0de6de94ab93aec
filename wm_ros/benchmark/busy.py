# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep one core busy until the process is interrupted, or its parent is gone."""

import contextlib
import os
import sys


def main() -> int:
    """Compute for nothing."""
    parent = os.getppid()
    with contextlib.suppress(KeyboardInterrupt):
        # A benchmark that was killed must not leave a core busy for ever.
        while os.getppid() == parent:
            sum(range(100_000))
    return 0


if __name__ == '__main__':
    sys.exit(main())
