# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Keep one core busy until the process is interrupted."""

import contextlib
import sys


def main() -> int:
    """Compute for nothing."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            sum(range(100_000))
    return 0


if __name__ == '__main__':
    sys.exit(main())
