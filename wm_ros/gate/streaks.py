# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What hysteresis counts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Streaks:
    """
    Counts in a row, for hysteresis.

    :param fresh: control ticks with every input fresh.
    :param refusals: refused verdicts, reset by a permission.
    :param vetoes: as refusals, but VETO only.
    :param permits: OK or SLOW since the last refusal or hold.
    :param oks: OK since the last other verdict.
    """

    fresh: int = 0
    refusals: int = 0
    vetoes: int = 0
    permits: int = 0
    oks: int = 0
