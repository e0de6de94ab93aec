# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train a world model, and write a checkpoint from a run."""

import argparse
from pathlib import Path
from typing import Any

from wm_ros.errors import WorldModelError
from wm_ros.verbs.shared import add_verb, console, positive, progress_bar, read_settings


def train(arguments: argparse.Namespace) -> None:
    """Train a world model from episodes."""
    from wm_ros.training.config import TrainConfig
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.trainer import LOG_EVERY, build_trainer
    settings = read_settings(arguments, TrainConfig)
    start = start_model(arguments.init) if arguments.init else None
    geometry = read_geometry(arguments.geometry) if arguments.geometry else None
    with progress_bar() as progress:
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
    console.print(f"checkpoint in {arguments.out / 'checkpoint'}; "
                   "next: wm-ros calibrate --checkpoint that --data held-out episodes")


def export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint from a training run that may still be going on."""
    from wm_ros.training.config import TrainConfig
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.trainer import build_trainer
    trainer, windows = build_trainer(
        arguments.data, arguments.run_directory, read_settings(arguments, TrainConfig),
        geometry=read_geometry(arguments.geometry) if arguments.geometry else None)
    if not trainer.step:
        raise WorldModelError(f'{arguments.run_directory}: no training state there; '
                              "give the --out of 'wm-ros train'")
    write_checkpoint(trainer.average, windows, trainer.model_config, arguments.out,
                     seed=trainer.config.seed)
    console.print(f'checkpoint of step {trainer.step} in {arguments.out}')


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, train)
    parser.add_argument('--data', type=Path, required=True, help='directory of episodes')
    parser.add_argument('--out', type=Path, required=True, help='state and checkpoint; resumes')
    parser.add_argument('--init', help="checkpoint to start from: a directory, or 'default'")
    _add_settings(parser)
    parser = add_verb(verbs, export)
    parser.add_argument('--data', type=Path, required=True, help='as for train')
    parser.add_argument('--run', type=Path, required=True, dest='run_directory',
                        help='the --out of train')
    parser.add_argument('--out', type=Path, required=True, help='checkpoint directory')
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--geometry', type=Path,
                        help='JSON of links and camera, such as config/so101_geometry.json')
    parser.add_argument('--config', type=Path, help='YAML file of training settings')
    parser.add_argument('--steps', type=positive)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='sets',
                        help='a training setting, may be repeated')


def start_model(name: str) -> Any:
    from wm_ros.inference.checkpoint import WEIGHTS_FILE, load_checkpoint, resolve_checkpoint
    from wm_ros.inference.weights import load_model
    checkpoint = load_checkpoint(resolve_checkpoint(name))
    return load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config)


def read_geometry(path: Path) -> Any:
    import json

    from wm_ros.world_model.geometry import geometry_from_dict
    try:
        return geometry_from_dict(json.loads(path.read_text(encoding='utf-8')))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
