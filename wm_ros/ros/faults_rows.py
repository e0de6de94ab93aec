# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From the rows of the catalogue to what injects and measures them."""

from collections.abc import Callable

from wm_ros.faults.fault import Fault
from wm_ros.faults.judging import Findings
from wm_ros.ros import (
    faults_action,
    faults_camera,
    faults_clocks,
    faults_commands,
    faults_fleet,
    faults_lifecycle,
    faults_model,
    faults_obstacle,
    faults_processes,
    faults_response,
    faults_verdicts,
)
from wm_ros.ros.faults_graph import Starter
from wm_ros.ros.faults_partition import partition
from wm_ros.ros.faults_rig import Rig

RigRow = Callable[[Rig, Findings], None]
# A row that starts its own graph; it returns the unsafe releases, in words.
OwnRow = Callable[[Starter, dict[str, list[str]], Findings], list[str]]

_MODULES = (faults_camera, faults_clocks, faults_commands, faults_verdicts, faults_processes,
            faults_lifecycle, faults_fleet, faults_model, faults_response, faults_action,
            faults_obstacle)
_ROWS = {row.__name__.replace('_', '-'): row for module in _MODULES for row in module.ROWS}
_OWN_ROWS: dict[str, OwnRow] = {
    row.__name__.replace('_', '-'): row for row in (partition,)}


def names() -> set[str]:
    """Return the names of all rows that can be run."""
    return {*_ROWS, *_OWN_ROWS}


def find_row(fault: Fault) -> RigRow | None:
    """Return what runs a fault, None if nothing does."""
    return None if fault.missing else _ROWS[fault.name]


def find_own_row(fault: Fault) -> OwnRow:
    """Return what runs a fault that starts a graph of its own."""
    return _OWN_ROWS[fault.name]
