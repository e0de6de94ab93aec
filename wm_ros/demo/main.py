# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the demo: start the processes, follow the conductor, show and write what came of it."""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from wm_ros.demo.conductor import follow
from wm_ros.demo.config import DemoConfig
from wm_ros.demo.processes import Processes, reserved_domain_id, ros_environment
from wm_ros.demo.result import DemoResult, Event, is_refused, make_result
from wm_ros.demo.sheet import draw_sheet, read_pictures, write_sheet
from wm_ros.demo.table import make_table
from wm_ros.errors import WorldModelError
from wm_ros.inference.checkpoint import load_checkpoint, resolve_checkpoint

SHEET_NAME = 'first_veto.png'
_GOODBYE_S = 10.0


def run_demo(config: DemoConfig, console: Console | None = None) -> DemoResult:
    """
    Play the same seeded episodes without and with the gate, over real ROS.

    Prints progress and a table; writes ``first_veto.png`` and logs into the output directory
    and, if asked, the figures as JSON. All processes have ended when it returns or raises.

    :param console: where to print; standard output by default.
    :raises CheckpointError: if the checkpoint cannot be used; then nothing was started.
    :raises WorldModelError: if a process dies or does not answer, with the end of its log.
    """
    console = console or Console()
    begin = time.monotonic()
    check_checkpoint(config.checkpoint)
    log_directory = config.output_directory / 'logs'
    profile = config_file('fastdds.xml')
    with tempfile.TemporaryDirectory() as scratch, reserved_domain_id() as domain_id, Processes(
            log_directory, ros_environment(domain_id, profile)) as processes:
        frames_path = Path(scratch) / 'veto.npz'
        conductor = start_all(processes, config, frames_path)
        events = _follow(conductor, processes, config, console)
        veto = next((event for event in reversed(events) if event['event'] == 'veto'), None)
        if veto is not None:
            _write_sheet(config, veto)
    result = make_result(events, mode=config.mode, seed=config.seed,
                         duration_s=time.monotonic() - begin)
    console.print(make_table(result))
    if veto is not None:
        console.print(f'contact sheet of the first veto: {config.output_directory / SHEET_NAME}')
    if config.json_path is not None:
        result.write(config.json_path)
    return result


def check_checkpoint(name: str) -> None:
    """
    Read the checkpoint before anything is started.

    :raises CheckpointError: if it is missing, altered or of another version.
    """
    if not name.startswith('package://'):
        load_checkpoint(resolve_checkpoint(name))


def start_all(processes: Processes, config: DemoConfig, frames_path: Path
              ) -> 'subprocess.Popen[str]':
    """Start the nodes and the conductor; returns the conductor."""
    processes.start('so101_sim', 'wm_ros.ros.so101_sim_node', _ros_arguments(
        'so101_sim.yaml', seed=config.first_seed))
    processes.start('play_policy', 'wm_ros.ros.play_policy', _ros_arguments(
        '', seed=config.first_seed, period_s=0.0, command_topic='arm_controller/joint_trajectory'))
    processes.start('wm_predictor', 'wm_ros.ros.predictor_node',
                    predictor_arguments(config.checkpoint, config.engine))
    processes.start('wm_gate', 'wm_ros.ros.gate_node', gate_arguments(config.mode))
    plan = {
        'episodes': config.episodes, 'commands_per_episode': config.commands_per_episode,
        'first_seed': config.first_seed, 'is_enforcing': config.mode == 'enforce',
        'frames_path': str(frames_path)}
    return processes.start(
        'conductor', 'wm_ros.ros.demo_conductor', [json.dumps(plan)], reads_output=True)


def predictor_arguments(checkpoint: str, engine: str) -> list[str]:
    """Return the command line of wm_predictor with the simulated camera."""
    return _ros_arguments('wm_predictor.yaml', checkpoint_path=checkpoint, engine=engine)


def gate_arguments(mode: str) -> list[str]:
    """Return the command line of wm_gate; nothing stops a policy from playing on after vetoes."""
    return _ros_arguments('wm_gate.yaml', mode=mode, max_consecutive_vetoes=1_000_000)


def _ros_arguments(file_name: str, **values: str | float | int) -> list[str]:
    arguments = ['--ros-args']
    if file_name:
        arguments += ['--params-file', str(config_file(file_name))]
    for name, value in values.items():
        arguments += ['-p', f'{name}:={value}']
    return arguments


def config_file(name: str) -> Path:
    """Find a parameter file: in the source tree, or where the package is installed."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        for directory in (parent / 'config', parent / 'share' / 'wm_ros' / 'config'):
            if (directory / name).is_file():
                return directory / name
    raise WorldModelError(f"parameter file {name} is not installed; run 'make build'")


def _follow(conductor: 'subprocess.Popen[str]', processes: Processes, config: DemoConfig,
            console: Console) -> list[Event]:
    """Collect the conductor's events until its end, showing progress."""
    events: list[Event] = []
    log_path = config.output_directory / 'logs' / 'events.jsonl'
    with _Display(config, console) as display, log_path.open('w', encoding='utf-8') as log:
        for event in follow(conductor, processes, who='the demo'):
            if event is None:
                continue
            events.append(event)
            log.write(json.dumps(event) + '\n')
            if event['event'] == 'error':
                raise WorldModelError(processes.explain(f"the demo cannot go on: {event['text']}"))
            display.show(event)
            if event['event'] == 'end':
                conductor.wait(_GOODBYE_S)
                return events
    raise WorldModelError('the conductor ended without a result')


class _Display:
    """Show events as they come: a live bar for people, plain lines where nobody looks."""

    _LABELS = {'ungated': 'without the gate', 'gated': 'with the gate'}

    def __init__(self, config: DemoConfig, console: Console) -> None:
        self._config, self._console = config, console
        self._progress = Progress(
            TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
            TextColumn('{task.fields[news]}'), TimeElapsedColumn(), console=console,
            disable=config.headless)
        self._tasks = {
            phase: self._progress.add_task(label, total=config.episodes, start=False, news='')
            for phase, label in self._LABELS.items()}
        self._collisions = dict.fromkeys(self._LABELS, 0)
        self._refused = 0

    def __enter__(self) -> '_Display':
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        if event['event'] == 'status' and self._config.headless:
            self._console.print(event['text'])
        elif event['event'] == 'command':
            self._progress.start_task(self._tasks[event['phase']])
            self._refused += event['phase'] == 'gated' and is_refused(event, self._config.mode)
        elif event['event'] == 'episode':
            self._show_episode(event)

    def _show_episode(self, event: Event) -> None:
        phase = event['phase']
        self._collisions[phase] += event['collided']
        news = f'{self._collisions[phase]} collisions'
        if phase == 'gated':
            news += f', {self._refused} vetoes'
        self._progress.update(self._tasks[phase], advance=1, news=news)
        if self._config.headless:
            self._console.print(
                f"{self._LABELS[phase]}: episode {event['episode'] + 1} of "
                f"{self._config.episodes}, {event['commands']} commands, {news}")


def _write_sheet(config: DemoConfig, veto: Event) -> None:
    record = veto['record']
    hazard = record['first_hazard_s']
    truth = ('the simulator shows it to be harmless' if hazard is None else
             f'the simulator shows a collision after {hazard:.2f} s')
    sheet = draw_sheet(
        read_pictures(Path(veto['path'])), threshold=record['risk_threshold'],
        title=f"{record['decision']} {'+'.join(record['reasons'])}: command "
              f"{record['index'] + 1} of episode {record['episode'] + 1}",
        subtitle=f"{record['message']}; {truth}; decided in {record['verdict_ms']:.0f} ms")
    write_sheet(config.output_directory / SHEET_NAME, sheet)
