# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How TensorRT engines are built and where they are kept."""

import os
from dataclasses import dataclass, field
from pathlib import Path


def default_cache_dir() -> Path:
    """Return the user's own directory of engines, after the XDG base directories."""
    root = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(root) / 'wm_ros' / 'engines'


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """
    What is asked of a TensorRT engine.

    :param precision: fp32, fp16 or bf16.
    :param max_batch: most candidates in one pass.
    :param cache_dir: where engines are kept.
    :param pins: SHA-256 of the metadata of engines that were built elsewhere and may load.
    :param cuda_graphs: record runs and replay them.
    """

    precision: str = 'fp32'
    max_batch: int = 16
    cache_dir: Path = field(default_factory=default_cache_dir)
    pins: tuple[str, ...] = ()
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        """Refuse what no engine can be."""
        if not 1 <= self.max_batch <= 256:
            raise ValueError(f'max_batch is {self.max_batch}; allowed is 1 to 256')
        for pin in self.pins:
            if len(pin) != 64 or not set(pin) <= set('0123456789abcdef'):
                raise ValueError(f'pin {pin!r} is no SHA-256: give 64 hexadecimal digits in lower '
                                 "case, as 'sha256sum metadata.json' prints them")
