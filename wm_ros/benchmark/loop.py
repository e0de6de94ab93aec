# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run one condition of the loop: real nodes, real DDS, and an observer that is none of them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wm_ros.benchmark.conditions import Condition
from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.loop_log import LoopLog
from wm_ros.benchmark.recording import PERIOD_S
from wm_ros.demo.conductor import follow
from wm_ros.demo.main import config_file, gate_arguments, predictor_arguments
from wm_ros.demo.processes import Processes, reserved_domain_id, ros_environment
from wm_ros.errors import WorldModelError

Figures = dict[str, Any]
_GOODBYE_S = 10.0
_WATCHED = ('wm_predictor', 'wm_gate', 'benchmark_robot', 'conductor')
# The gate's own default, which config/wm_gate.yaml states too.
_DECISION_TIMEOUT_S = 0.15


class Loop:
    """
    The loop, one condition after the other, each with processes of its own.

    :param config: settings.
    :param recording: what the robot replays, see ``recording``.
    :param on_partial: called now and then with the condition and its figures so far.
    """

    def __init__(self, config: BenchmarkConfig, recording: Path,
                 on_partial: Callable[[Condition, Figures], None]) -> None:
        self._config, self._recording, self._on_partial = config, recording, on_partial

    def run(self, condition: Condition, *, commands: int, has_predictor: bool = True
            ) -> Figures:
        """
        Run a condition to its end.

        :param commands: how many are sent.
        :param has_predictor: the real predictor; else one that allows everything at once.
        :returns: its figures; all processes have ended.
        :raises WorldModelError: if a process dies or does not answer, with the end of its log.
        """
        logs = self._config.output_directory / 'logs' / condition.name.replace(' ', '_')
        with reserved_domain_id() as domain_id:
            environment = {**ros_environment(domain_id, config_file('fastdds.xml')),
                           'WM_ROS_EXECUTOR': condition.executor}
            with Processes(logs, environment) as processes:
                conductor = self._start(processes, condition, commands, has_predictor)
                return self._follow(conductor, processes, condition, logs)

    def _start(self, processes: Processes, condition: Condition, commands: int,
               has_predictor: bool) -> 'subprocess.Popen[str]':
        """Start every process of a condition; returns the conductor."""
        for index in range(condition.busy_cores):
            processes.start(f'busy_{index}', 'wm_ros.benchmark.busy')
        processes.start('benchmark_robot', 'wm_ros.ros.benchmark_robot', [json.dumps({
            'recording': str(self._recording), 'period_s': PERIOD_S,
            'width_px': condition.width_px, 'height_px': condition.height_px,
            'rate_hz': condition.rate_hz, 'transport': condition.transport,
            'command_rate_hz': condition.command_rate_hz})])
        if has_predictor:
            processes.start('wm_predictor', 'wm_ros.ros.predictor_node', [
                *predictor_arguments(self._config.checkpoint, self._config.engine),
                # A machine that is too slow is to be measured, not refused.
                '-p', 'strict_budget:=false',
                '-p', f'image_transport:={condition.transport}'])
        else:
            processes.start('wm_predictor', 'wm_ros.ros.benchmark_predictor')
        # The arm is a recording and obeys no hold.
        processes.start('wm_gate', 'wm_ros.ros.gate_node', [
            *gate_arguments('enforce'), '-p', 'hold_tolerance:=1.0'])
        plan = {'commands': commands, 'has_predictor': has_predictor,
                'decision_timeout_s': _DECISION_TIMEOUT_S}
        return processes.start('conductor', 'wm_ros.ros.benchmark_conductor',
                               [json.dumps(plan)], reads_output=True)

    def _follow(self, conductor: 'subprocess.Popen[str]', processes: Processes,
                condition: Condition, logs: Path) -> Figures:
        """Collect the conductor's events until its end."""
        pids = {name: processes.pid(name) for name in _WATCHED}
        with LoopLog(condition, pids, logs / 'events.jsonl', self._on_partial) as log:
            for event in follow(conductor, processes, who='the conductor'):
                try:
                    log.take(event)
                except WorldModelError as error:
                    raise WorldModelError(processes.explain(str(error))) from error
                if log.is_over:
                    conductor.wait(_GOODBYE_S)
                    return log.to_dict()
        raise WorldModelError('the conductor ended without a result')
