# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Settings of the demo."""

from dataclasses import dataclass
from pathlib import Path

from wm_ros.config import check_settings, setting

# Training and calibration draw their episodes from below this offset of every seed.
HELD_OUT_OFFSET = 500_000


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoConfig:
    """
    Settings of ``run_demo``; each field says its meaning in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    episodes: int = setting(4, range=(1, 10_000), help='scenes, each played twice')
    seed: int = setting(7, range=(0, 1_000_000), help='decides scenes and commands')
    mode: str = setting('enforce', choices=('enforce', 'shadow'),
                        help='shadow forwards everything and reports what enforce would hold')
    headless: bool = setting(False, help='plain lines instead of a live display')
    commands_per_episode: int = setting(
        6, range=(1, 1000), help='most commands of one episode; a collision ends it early')
    json_path: Path | None = None
    output_directory: Path = Path('demo_output')
    checkpoint: str = setting('default', required=True,
                              help="directory of the model, or 'default'")
    engine: str = setting('onnxruntime', choices=('onnxruntime', 'torch', 'tensorrt'),
                          help='what runs the model')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)

    @property
    def first_seed(self) -> int:
        """Seed of the first episode; no collection of training data ever uses it."""
        return self.seed * 1_000_000 + HELD_OUT_OFFSET
