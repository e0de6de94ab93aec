# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the loop is measured with: camera, rate, transport, and who else wants the CPU."""

from dataclasses import asdict, dataclass
from typing import Any

from wm_ros.benchmark.config import COMMAND_RATE_HZ, BenchmarkConfig

BUSY = 'busy'
_LEAST_COMMANDS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """
    One condition of the loop.

    :param name: for figures and files.
    :param width_px: of the camera's picture, and so ``height_px``.
    :param rate_hz: of the camera.
    :param transport: raw or compressed.
    :param busy_cores: so many further processes never stop computing.
    :param share: commands as a share of those of the first condition.
    :param executor: of the predictor and the gate, single or events; empty: as deployed.
    :param command_rate_hz: of the policy.
    """

    name: str
    width_px: int = 640
    height_px: int = 480
    rate_hz: float = 30.0
    transport: str = 'raw'
    busy_cores: int = 0
    share: float = 1.0
    executor: str = ''
    command_rate_hz: float = COMMAND_RATE_HZ

    def num_commands(self, config: BenchmarkConfig) -> int:
        """Return how many commands are sent."""
        return max(_LEAST_COMMANDS, round(self.share * config.num_commands))

    def to_dict(self) -> dict[str, Any]:
        """Return the condition as JSON can hold it."""
        return asdict(self)


MAIN = Condition(name='640x480@30')


def loop_conditions(config: BenchmarkConfig) -> list[Condition]:
    """Return the conditions of the loop, the one that goals are stated for first."""
    found = [
        MAIN,
        Condition(name=BUSY, busy_cores=config.busy_cores, share=0.2),
        Condition(name='640x480@15', rate_hz=15.0, share=0.1),
        Condition(name='1280x720@15', width_px=1280, height_px=720, rate_hz=15.0, share=0.1),
        Condition(name='1280x720@30', width_px=1280, height_px=720, share=0.1),
        Condition(name='640x480@30 compressed', transport='compressed', share=0.1)]
    return [item for item in found[:config.conditions] if item.name != BUSY or item.busy_cores]
