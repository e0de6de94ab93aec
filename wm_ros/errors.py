# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Errors of the world outside the program: files, engines, data, robots.

A caller's own mistake is a plain ``ValueError`` or ``TypeError``. Every message names the value
that was wrong and what to do about it.
"""


class WorldModelError(Exception):
    """Base of everything that can go wrong outside the caller's control."""


class CheckpointError(WorldModelError):
    """A checkpoint is missing, incomplete, altered or of another version."""


class CalibrationError(WorldModelError):
    """Thresholds are missing, or the data cannot support the promise that was asked for."""


class DatasetError(WorldModelError):
    """An episode file is missing, truncated or does not fit the others."""


class EngineError(WorldModelError):
    """An inference engine is not installed, refused to load or gave an unusable output."""


class ObservationError(WorldModelError):
    """Camera frames or joint states cannot be used: stale, malformed or incomplete."""


class SimulationError(WorldModelError):
    """The simulator cannot start: assets, display driver or scene are at fault."""
