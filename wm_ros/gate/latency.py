# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Decision latency over the last decisions."""

from collections import deque

import numpy as np


class LatencyWindow:
    """
    The last durations and their percentiles.

    :param size: how many durations are kept.
    """

    def __init__(self, size: int = 200) -> None:
        self._durations_ms: deque[float] = deque(maxlen=size)

    def add(self, duration_ns: int) -> None:
        """Add one duration, ns."""
        self._durations_ms.append(duration_ns / 1e6)

    @property
    def last_ms(self) -> float:
        """Return the newest duration, ms; 0 before any."""
        return self._durations_ms[-1] if self._durations_ms else 0.0

    def percentile_ms(self, percent: float) -> float:
        """
        Return a percentile of the durations by rounding up to a measured one, ms.

        :param percent: 0 to 100.
        :returns: 0 before any duration.
        """
        if not self._durations_ms:
            return 0.0
        return float(np.percentile(tuple(self._durations_ms), percent, method='higher'))
