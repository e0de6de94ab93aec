# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The ``wm-ros`` command: one function for each verb.

Exit codes: 0 done, 1 failed, 2 wrong usage. Errors go to stderr in one line.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from wm_ros.errors import WorldModelError

_console = Console()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code."""
    arguments = _build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except ValueError as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}\n')
        return 2
    except (WorldModelError, OSError) as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}\n')
        return 1
    except ImportError as error:
        sys.stderr.write(f'wm-ros {arguments.verb}: {error}; install what this verb needs: '
                         f'{_EXTRAS.get(arguments.verb, "make setup")}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f'wm-ros {arguments.verb}: stopped; what was finished is kept\n')
        return 130


_EXTRAS = {'train': "pip install 'wm_ros[train]'", 'export': "pip install 'wm_ros[train]'",
           'collect': "pip install 'wm_ros[sim]'", 'evaluate': "pip install 'wm_ros[sim]'"}


def collect(arguments: argparse.Namespace) -> None:
    """Collect play episodes in the simulation."""
    from wm_ros.simulation.collect import collect as run
    with _progress() as progress:
        task = progress.add_task('episodes', total=arguments.episodes)
        made = run(arguments.out, num_episodes=arguments.episodes, seed=arguments.seed,
                   workers=arguments.workers,
                   on_progress=lambda done: progress.update(task, completed=done))
    _console.print(f'{arguments.episodes} episodes in {arguments.out}, {made} of them new')


def record(arguments: argparse.Namespace) -> None:
    """Record an episode from a live graph."""
    from wm_ros.ros.recorder import run_recorder
    run_recorder(arguments)


def train(arguments: argparse.Namespace) -> None:
    """Train a world model from episodes."""
    from wm_ros.training.config import TrainConfig
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.trainer import LOG_EVERY, build_trainer
    settings = _settings(arguments, TrainConfig)
    start = _start_model(arguments.init) if arguments.init else None
    geometry = _read_geometry(arguments.geometry) if arguments.geometry else None
    with _progress() as progress:
        loading = progress.add_task('reading episodes', total=None)
        trainer, windows = build_trainer(
            arguments.data, arguments.out, settings, start=start, geometry=geometry,
            on_load=lambda done, total: progress.update(loading, completed=done, total=total))
        if trainer.step:
            progress.console.print(f'resuming at step {trainer.step}')
        task = progress.add_task('training', total=settings.steps, completed=trainer.step)

        def on_step(step: int, losses: Any) -> None:
            progress.update(task, completed=step)
            if step % LOG_EVERY == 0:
                parts = ' '.join(f'{name} {float(value):.4f}' for name, value in
                                 zip(losses._fields, losses, strict=True))
                progress.console.print(f'step {step}: {parts}')

        trainer.run(on_step, lambda step, value: progress.console.print(
            f'step {step}: held-out hazard AUROC {value:.4f}'))
    write_checkpoint(trainer.average, windows, trainer.model_config,
                     arguments.out / 'checkpoint', seed=settings.seed)
    _console.print(f"checkpoint in {arguments.out / 'checkpoint'}; "
                   "next: wm-ros calibrate --checkpoint that --data held-out episodes")


def evaluate(arguments: argparse.Namespace) -> None:
    """Measure a checkpoint on held-out episodes."""
    from wm_ros.data.episode import list_episodes
    from wm_ros.inference.checkpoint import resolve_checkpoint, write_json
    from wm_ros.training.evaluation import evaluate as run
    checkpoint = resolve_checkpoint(arguments.checkpoint)
    _check_writable(arguments.json)
    directory = arguments.data or _episode_cache(arguments.split, arguments.seed)
    if arguments.data is None:
        collect(argparse.Namespace(episodes=arguments.episodes, seed=arguments.seed,
                                   out=directory, workers=arguments.workers))
    paths = list_episodes(directory)[:arguments.episodes]
    with _progress() as progress:
        result = run(checkpoint, paths, engine=arguments.engine, num_threads=arguments.threads,
                     on_progress=_stages(progress))
    _print_evaluation(result.to_dict(), f'{arguments.split} split, seed {arguments.seed}')
    if arguments.json:
        write_json(arguments.json, {'split': arguments.split, 'seed': arguments.seed,
                                    **result.to_dict()})


def calibrate(arguments: argparse.Namespace) -> None:
    """Choose thresholds on held-out episodes."""
    from wm_ros.inference.checkpoint import resolve_checkpoint
    from wm_ros.training.calibrating import calibrate_checkpoint
    with _progress() as progress:
        result = calibrate_checkpoint(
            resolve_checkpoint(arguments.checkpoint), arguments.data,
            alpha_miss=arguments.alpha_miss, alpha_veto=arguments.alpha_veto,
            engine=arguments.engine, num_threads=arguments.threads, on_progress=_stages(progress))
    table = Table('figure', 'value', title='calibration')
    for item in fields(result):
        value = getattr(result, item.name)
        table.add_row(item.name, f'{value:.4f}' if isinstance(value, float) else str(value))
    _console.print(table)


def export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint from a training run that may still be going on."""
    from wm_ros.training.config import TrainConfig
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.trainer import build_trainer
    trainer, windows = build_trainer(
        arguments.data, arguments.run_directory, _settings(arguments, TrainConfig),
        geometry=_read_geometry(arguments.geometry) if arguments.geometry else None)
    if not trainer.step:
        raise WorldModelError(f'{arguments.run_directory}: no training state there; '
                              "give the --out of 'wm-ros train'")
    write_checkpoint(trainer.average, windows, trainer.model_config, arguments.out,
                     seed=trainer.config.seed)
    _console.print(f'checkpoint of step {trainer.step} in {arguments.out}')


def demo(arguments: argparse.Namespace) -> None:
    """Run the same commands ungated and gated, and print the difference."""
    from wm_ros.demo.config import DemoConfig
    from wm_ros.demo.main import run_demo
    _check_writable(arguments.json)
    run_demo(DemoConfig(
        episodes=arguments.episodes, seed=arguments.seed, mode=arguments.mode,
        headless=arguments.headless, json_path=arguments.json, output_directory=arguments.output,
        checkpoint=arguments.checkpoint, engine=arguments.engine))


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='wm-ros', description='Predict the consequence of a robot command before it runs.')
    verbs = parser.add_subparsers(dest='verb', required=True, metavar='VERB')
    _add_collect(verbs)
    _add_record(verbs)
    _add_train(verbs)
    _add_evaluate(verbs)
    _add_calibrate(verbs)
    _add_demo(verbs)
    return parser


def _verb(verbs: Any, run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
    parser = verbs.add_parser(run.__name__, help=run.__doc__, description=run.__doc__)
    parser.set_defaults(run=run)
    return parser


def _add_collect(verbs: Any) -> None:
    parser = _verb(verbs, collect)
    parser.add_argument('--episodes', type=_positive, required=True)
    parser.add_argument('--seed', type=_natural, required=True)
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    _add_workers(parser)


def _add_record(verbs: Any) -> None:
    parser = _verb(verbs, record)
    parser.add_argument('--out', type=Path, required=True, help='directory of episodes')
    parser.add_argument('--camera', default='/camera/image_raw', help='image topic')
    parser.add_argument('--compressed', action='store_true', help='topic is a CompressedImage')
    parser.add_argument('--joint-states', default='/joint_states')
    parser.add_argument('--command', default='/arm_controller/joint_trajectory',
                        help='JointTrajectory topic of the controller')
    parser.add_argument('--hazard', default='', help='wm_ros/Contacts topic, if there is one')
    parser.add_argument('--duration', type=_positive_float, default=math.inf, help='s')


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, train)
    parser.add_argument('--data', type=Path, required=True, help='directory of episodes')
    parser.add_argument('--out', type=Path, required=True, help='state and checkpoint; resumes')
    parser.add_argument('--init', help="checkpoint to start from: a directory, or 'default'")
    _add_settings(parser)
    parser = _verb(verbs, export)
    parser.add_argument('--data', type=Path, required=True, help='as for train')
    parser.add_argument('--run', type=Path, required=True, dest='run_directory',
                        help='the --out of train')
    parser.add_argument('--out', type=Path, required=True, help='checkpoint directory')
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--geometry', type=Path,
                        help='JSON of links and camera, such as config/so101_geometry.json')
    parser.add_argument('--config', type=Path, help='YAML file of training settings')
    parser.add_argument('--steps', type=_positive)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='sets',
                        help='a training setting, may be repeated')


def _add_evaluate(verbs: Any) -> None:
    parser = _verb(verbs, evaluate)
    _add_model(parser)
    parser.add_argument('--split', choices=['id'], default='id')
    parser.add_argument('--seed', type=_natural, default=1001)
    parser.add_argument('--episodes', type=_positive, default=200)
    parser.add_argument('--data', type=Path, help='episodes to use instead of collecting')
    parser.add_argument('--json', type=Path)
    _add_workers(parser)


def _add_calibrate(verbs: Any) -> None:
    parser = _verb(verbs, calibrate)
    _add_model(parser)
    parser.add_argument('--data', type=Path, required=True, help='held-out episodes')
    parser.add_argument('--alpha-miss', type=float, default=0.05)
    parser.add_argument('--alpha-veto', type=float, default=0.05)


def _add_demo(verbs: Any) -> None:
    parser = _verb(verbs, demo)
    parser.add_argument('--episodes', type=_positive, default=4)
    parser.add_argument('--seed', type=_natural, default=7)
    parser.add_argument('--mode', choices=['enforce', 'shadow'], default='enforce')
    parser.add_argument('--headless', action='store_true', help='open no window')
    parser.add_argument('--json', type=Path)
    parser.add_argument('--output', type=Path, default=Path('demo_output'))
    parser.add_argument('--checkpoint', default='default')
    parser.add_argument('--engine', default='onnxruntime')


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--checkpoint', default='default', help="a directory, or 'default'")
    parser.add_argument('--engine', default='onnxruntime', help='onnxruntime or torch')
    parser.add_argument('--threads', type=_positive, default=2)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--workers', type=_positive, default=os.cpu_count() or 1)


def _start_model(name: str) -> Any:
    from wm_ros.inference.checkpoint import WEIGHTS_FILE, load_checkpoint, resolve_checkpoint
    from wm_ros.inference.weights import load_model
    checkpoint = load_checkpoint(resolve_checkpoint(name))
    return load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config)


def _read_geometry(path: Path) -> Any:
    import json

    from wm_ros.world_model.geometry import geometry_from_dict
    try:
        return geometry_from_dict(json.loads(path.read_text(encoding='utf-8')))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error


def _settings(arguments: argparse.Namespace, kind: type[Any]) -> Any:
    """Return settings from --config, then --steps, then --set; unknown keys are errors."""
    import yaml
    values = _read_yaml(arguments.config) if arguments.config else {}
    if arguments.steps is not None:
        values['steps'] = arguments.steps
    for item in arguments.sets:
        key, found, text = item.partition('=')
        if not found:
            raise ValueError(f'--set {item!r} must be KEY=VALUE')
        values[key] = yaml.safe_load(text)
    known = {item.name for item in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f'{unknown} are no training settings; there are {sorted(known)}')
    return kind(**values)


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml
    try:
        loaded = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not YAML: {error}') from error
    if not isinstance(loaded, dict):
        raise ValueError(f'{path} must hold keys and values')
    return loaded


def _check_writable(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise ValueError(f'--json {path}: there is no directory {path.absolute().parent}')


def _episode_cache(split: str, seed: int) -> Path:
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'wm_ros' / 'episodes' / f'{split}-{seed}'


def _progress() -> Progress:
    return Progress(
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=_console)


def _stages(progress: Progress) -> Callable[[str, int, int], None]:
    tasks: dict[str, Any] = {}

    def update(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage, total=total)
        progress.update(tasks[stage], completed=done)

    return update


def _print_evaluation(values: dict[str, Any], title: str) -> None:
    table = Table('figure', 'world model', 'baseline', title=title)
    pairs = {'auroc': 'auroc_kinematic',
             'false_veto_at_95_recall': 'false_veto_at_95_recall_kinematic',
             'psnr': 'psnr_copy', 'psnr_moving': 'psnr_moving_copy'}
    for name, value in values.items():
        if name in pairs.values():
            continue
        table.add_row(name, _cell(value), _cell(values.get(pairs.get(name, ''))))
    _console.print(table)
    _console.print('baselines: a classifier that sees joints and command but no camera; the '
                   'newest frame repeated. Lists are per step.')


def _cell(value: Any) -> str:
    if value is None:
        return ''
    if isinstance(value, list):
        return ' '.join(f'{item:.1f}' for item in value)
    return f'{value:.4f}' if isinstance(value, float) else str(value)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} must be at least 1')
    return value


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{value} must not be below 0')
    return value


def _positive_float(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} must be above 0')
    return value


if __name__ == '__main__':
    sys.exit(main())
