# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the rows of the catalogue to what injects and measures them."""

from collections.abc import Callable

from wm_ros.faults.fault import Fault
from wm_ros.faults.judging import Findings
from wm_ros.ros import (
    faults_camera,
    faults_clocks,
    faults_commands,
    faults_fleet,
    faults_lifecycle,
    faults_model,
    faults_processes,
    faults_response,
    faults_verdicts,
)
from wm_ros.ros.faults_rig import Rig

RigRow = Callable[[Rig, Findings], None]

_MODULES = (faults_camera, faults_clocks, faults_commands, faults_verdicts, faults_processes,
            faults_lifecycle, faults_fleet, faults_model, faults_response)
_ROWS = {row.__name__.replace('_', '-'): row for module in _MODULES for row in module.ROWS}


def names() -> set[str]:
    """Return the names of all rows that can be run."""
    return set(_ROWS)


def find_row(fault: Fault) -> RigRow | None:
    """Return what runs a fault, None if nothing does."""
    return None if fault.missing else _ROWS[fault.name]
