# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Let gate and predictor run for a long time: nothing released without a verdict, memory flat.

The loop of the benchmark with one condition. What was counted so far is on disk every half
minute; an interrupted soak can be resumed with a new graph, whose memory is judged by itself.
"""

import json
import tempfile
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from wm_ros.benchmark.conditions import Condition
from wm_ros.benchmark.config import BenchmarkConfig
from wm_ros.benchmark.loop import Loop
from wm_ros.benchmark.machine import describe_machine
from wm_ros.benchmark.recording import record_sway
from wm_ros.benchmark.soak_figures import Part, is_held, sum_up
from wm_ros.config import check_settings, setting
from wm_ros.errors import WorldModelError
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint, write_json

FORMAT, VERSION = 'wm_ros.soak', 1
_CAMERA_HZ = 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SoakConfig:
    """
    Settings of ``run_soak``; each field says its meaning in its metadata.

    :raises ValueError: from the constructor, naming the setting, its value and what is allowed.
    """

    minutes: float = setting(60.0, unit='min', range=(0.05, 100_000.0), help='of commands')
    rate: float = setting(20.0, unit='Hz', range=(0.5, 200.0), help='of commands')
    checkpoint: str = setting('default', required=True,
                              help="directory of the model, or 'default'")
    engine: str = setting('onnxruntime', choices=('onnxruntime', 'torch', 'tensorrt'),
                          help='what runs the model')
    output_directory: Path = Path('soak_output')
    json_path: Path | None = None
    resume: bool = setting(False, help='go on with the file of an interrupted soak')

    def __post_init__(self) -> None:
        """Check each setting."""
        check_settings(self)

    def to_dict(self) -> dict[str, Any]:
        """Return what decides the figures, as JSON can hold it."""
        return {key: value for key, value in asdict(self).items()
                if key not in ('output_directory', 'json_path', 'resume')}


def run_soak(config: SoakConfig, console: Console | None = None) -> dict[str, Any]:
    """
    Run the graph for some minutes; writes the report now and then and at the end.

    All processes have ended when it returns or raises.

    :returns: the report, as the JSON file holds it.
    :raises CheckpointError: if the checkpoint cannot be used; then nothing was started.
    :raises WorldModelError: if an earlier report cannot be resumed, or a process dies.
    """
    console = console or Console()
    checkpoint = load_checkpoint(resolve_checkpoint(config.checkpoint))
    path = config.json_path or config.output_directory / 'soak.json'
    about = {'format': FORMAT, 'version': VERSION, 'settings': config.to_dict(),
             'model_id': checkpoint.model_id, 'machine': describe_machine(),
             'date': datetime.now(timezone.utc).isoformat(timespec='seconds')}
    report = SoakReport(path, about, config)
    left_min = config.minutes - report.done_min
    if left_min <= 0:
        raise WorldModelError(f'{path} has {report.done_min:g} minutes already; give more '
                              '--minutes, or leave --resume out')
    with tempfile.TemporaryDirectory() as scratch:
        recording = Path(scratch) / 'sway.safetensors'
        console.print('recording what the robot will replay')
        record_sway(recording)
        console.print(f'{left_min:g} minutes at {config.rate:g} Hz; figures so far in {path}')
        loop = Loop(
            BenchmarkConfig(checkpoint=config.checkpoint, engine=config.engine,
                            output_directory=config.output_directory),
            recording, lambda _condition, figures: report.write(figures))
        figures = loop.run(
            Condition(name='soak', rate_hz=_CAMERA_HZ, command_rate_hz=config.rate),
            commands=max(1, round(left_min * 60 * config.rate)))
    report.write(figures, is_complete=True)
    return report.content


class SoakReport:
    """
    The report of a soak, whole on disk each time that it is written.

    :param path: of the JSON file.
    :param about: machine, settings and so on; written as they are.
    :param config: settings.
    :raises WorldModelError: if an earlier report shall be resumed and cannot be.
    """

    def __init__(self, path: Path, about: dict[str, Any], config: SoakConfig) -> None:
        self._path, self._about, self._rate_hz = path, about, config.rate
        self._earlier = earlier_parts(path, config) if config.resume else []
        self.content: dict[str, Any] = {}

    @property
    def done_min(self) -> float:
        """Minutes that earlier runs have finished."""
        return float(sum(part['minutes'] for part in self._earlier))

    def write(self, figures: Part, *, is_complete: bool = False) -> None:
        """Write the report with the figures of the part that runs, or has just ended."""
        minutes = round(figures['commands'] / self._rate_hz / 60, 3)
        parts = [*self._earlier, {**figures, 'minutes': minutes}]
        content = {**self._about, 'is_complete': is_complete, **sum_up(parts)}
        content['held'] = is_held(content) if is_complete else None
        self.content = {**content, 'parts': parts}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, self.content)


def earlier_parts(path: Path, config: SoakConfig) -> list[Part]:
    """
    Read the parts of an interrupted soak with the same settings; none if there is no file.

    :raises WorldModelError: if the file is something else.
    """
    if not path.is_file():
        return []
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        found = content['format'], content['version'], content['settings']
        parts = list(content['parts'])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorldModelError(f'{path} is not a report of wm-ros faults soak: {error!r}; give '
                              'another --json, or leave --resume out') from error
    wanted = config.to_dict()
    # A soak may be made longer.
    if found[:2] != (FORMAT, VERSION) or {**found[2], 'minutes': 0} != {**wanted, 'minutes': 0}:
        raise WorldModelError(f'{path} was made with other settings, {found[2]}; give the same '
                              'ones, or leave --resume out')
    return parts
