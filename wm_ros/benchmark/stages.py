# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Time the stages of a check: start the process that does it, and summarise."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.statistics import summarise
from wm_ros.demo.main import config_file
from wm_ros.demo.processes import Processes, reserved_domain_id, ros_environment
from wm_ros.errors import WorldModelError

_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Stages:
    """
    The stages process.

    :param config: settings.
    :param recording: whose pictures and commands are used.
    """

    config: BenchmarkConfig
    recording: Path

    def run(self) -> dict[str, Any]:
        """
        Time all stages.

        :returns: a summary of each stage in ms.
        :raises WorldModelError: if the process fails, with the end of its log.
        """
        config = self.config
        plan = {'recording': str(self.recording), 'checkpoint': config.checkpoint,
                'engine': config.engine, 'threads': config.threads, 'rounds': config.rounds}
        with reserved_domain_id() as domain_id, Processes(
                config.output_directory / 'logs' / 'stages',
                ros_environment(domain_id, config_file('fastdds.xml'))) as processes:
            process = processes.start('stages', 'wm_ros.ros.benchmark_stages',
                                      [json.dumps(plan)], reads_output=True)
            try:
                output, _ = process.communicate(timeout=_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise WorldModelError(f'the stages took longer than {_TIMEOUT_S:g} s') from error
            if process.returncode:
                raise WorldModelError(processes.explain('stages failed'))
        return {'threads': config.threads, 'engine': config.engine, 'ms': {
            name: summarise(values).to_dict() for name, values in json.loads(output).items()}}
