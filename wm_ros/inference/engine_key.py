# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an engine file depends on; two engines with one key are interchangeable."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from wm_ros.inference.checkpoint import CONFIG_FILE, WEIGHTS_FILE, Checkpoint
from wm_ros.inference.engine_settings import EngineSettings
from wm_ros.world_model.config import ModelConfig

# TF32 would round float32 products to 10 bits: float32 shall mean float32.
BUILD_FLAGS = 'strongly typed, no TF32'
STEPS = 'steps'
_PACKAGE = Path(__file__).resolve().parents[1]
_EXPORTING = ('world_model/*.py', 'inference/graphs.py', 'inference/export.py',
              'inference/precision.py', 'inference/tensorrt_builder.py')


class DeviceFacts(NamedTuple):
    """What an engine file is bound to besides its content."""

    gpu: str
    capability: str
    num_multiprocessors: int
    cuda: str
    driver: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineKey:
    """
    Everything that decides what an engine file holds and where it runs.

    :param weights_sha256: of the weights, and so ``config_sha256`` of the model's config.
    :param exporter_sha256: of the code that makes graphs of weights.
    :param shapes: least, usual and largest batch of each graph, and number of steps; other axes
        are the config's.
    """

    weights_sha256: str
    config_sha256: str
    exporter_sha256: str
    shapes: dict[str, tuple[int, int, int]]
    precision: str
    flags: str
    tensorrt: str
    cuda: str
    driver: str
    gpu: str
    capability: str
    num_multiprocessors: int

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the key, hexadecimal."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the key as JSON has it."""
        made: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return made

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Say in words in what another key differs."""
        return [f'{name} is {value!r}, that engine has {other.get(name)!r}'
                for name, value in self.to_dict().items() if value != other.get(name)]


def make_key(checkpoint: Checkpoint, settings: EngineSettings, facts: DeviceFacts,
             tensorrt_version: str) -> EngineKey:
    """Return the key of an engine for a checkpoint on a device."""
    return EngineKey(
        weights_sha256=checkpoint.sha256[WEIGHTS_FILE],
        config_sha256=checkpoint.sha256[CONFIG_FILE], exporter_sha256=exporter_sha256(),
        shapes=engine_shapes(checkpoint.config, settings.max_batch), precision=settings.precision,
        flags=BUILD_FLAGS, tensorrt=tensorrt_version, cuda=facts.cuda, driver=facts.driver,
        gpu=facts.gpu, capability=facts.capability,
        num_multiprocessors=facts.num_multiprocessors)


def engine_shapes(config: ModelConfig, max_batch: int) -> dict[str, tuple[int, int, int]]:
    """Return the least, usual and largest batch of each graph, and number of steps."""
    steps = config.horizon
    one = (1, 1, 1)
    return {'encode': (1, 1, max_batch), 'predict': (1, 1, max_batch), 'decode': one,
            'shade': one, 'flow': (1, steps, steps), 'without_action': one,
            STEPS: (1, steps, steps)}


def exporter_sha256() -> str:
    """Hash the code between weights and graphs: a change of it makes other engines."""
    digest = hashlib.sha256()
    for pattern in _EXPORTING:
        for path in sorted(_PACKAGE.glob(pattern)):
            digest.update(path.name.encode() + b'\0' + path.read_bytes())
    return digest.hexdigest()
