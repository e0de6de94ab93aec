# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the benchmark."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wm_ros.config import check_settings, setting

PARTS = ('stages', 'engines', 'scaling', 'gate', 'loop', 'executor', 'peers')
COMMAND_RATE_HZ = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkConfig:
    """
    Settings of ``run_benchmark``; each field says its meaning in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    parts: tuple[str, ...] = setting(PARTS[:-1], choices=PARTS, required=True,
                                     help='what is measured')
    commands: int = setting(5000, range=(20, 10_000_000),
                            help='commands of the first condition of the loop, sent at 10 Hz')
    minutes: float = setting(0.0, unit='min', range=(0.0, 10_000.0),
                             help='length of the first condition; 0: commands decide')
    busy_cores: int = setting(1, range=(0, 256),
                              help='cores that a further condition keeps busy; 0: leave it out')
    conditions: int = setting(6, range=(1, 6), help='how many conditions of the loop are run')
    rounds: int = setting(60, range=(3, 100_000), help='repetitions of each timing')
    threads: int = setting(2, range=(1, 256),
                           help='threads of the engines outside the loop; the loop takes those of '
                                'config/wm_predictor.yaml')
    checkpoint: str = setting('default', required=True,
                              help="directory of the model, or 'default'")
    engine: str = setting('onnxruntime', choices=('onnxruntime', 'torch', 'tensorrt'),
                          help='what runs the model in the loop')
    output_directory: Path = Path('benchmark_output')
    json_path: Path | None = None
    resume: bool = setting(False, help='keep what an interrupted run has finished')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)

    @property
    def num_commands(self) -> int:
        """Commands of the loop's first condition."""
        return round(self.minutes * 60 * COMMAND_RATE_HZ) or self.commands

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the figures, as JSON can hold it."""
        values = asdict(self)
        for name in ('output_directory', 'json_path', 'resume', 'parts'):
            del values[name]
        return values
