# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train a world model, and write a checkpoint from a run."""

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wm_ros.errors import WorldModelError
from wm_ros.verbs.check_engines import add_check_options, check_engines
from wm_ros.verbs.shared import add_verb, console, positive, positive_float, progress_bar

CACHE = 'cache'


def train(arguments: argparse.Namespace) -> None:
    """Train a world model from episodes."""
    import time

    from wm_ros.inference.checkpoint import resolve_checkpoint
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.recipe import read_recipe
    from wm_ros.training.start import remember_start
    from wm_ros.training.trainer import build_trainer
    from wm_ros.verbs.training_display import TrainingDisplay
    began = time.monotonic()
    recipe = read_recipe(arguments.config, arguments.sets, steps=arguments.steps)
    settings = recipe.train_config()
    init = resolve_checkpoint(arguments.init) if arguments.init else None
    start = start_model(init) if init else None
    geometry = read_geometry(arguments.geometry) if arguments.geometry else None
    with progress_bar() as progress:
        loading = progress.add_task('reading episodes', total=None)
        trainer, windows = build_trainer(
            arguments.data, arguments.out, settings, start=start, geometry=geometry,
            lenient=arguments.change_settings, cache=arguments.cache or arguments.out / CACHE,
            **recipe.model,
            on_load=lambda done, total: progress.update(loading, completed=done, total=total))
        if trainer.is_main:
            remember_start(arguments.out, init, is_new=not trainer.step)
        deadline = arguments.max_minutes and began + 60 * arguments.max_minutes
        with stopping_by_signal(trainer):
            trainer.run(TrainingDisplay(progress, trainer), deadline=deadline)
    if not trainer.is_main:
        return
    if not trainer.is_done:
        console.print(f'stopped after step {trainer.step} of {settings.steps}, with the state '
                      f'saved in {arguments.out}; give the same command to go on')
        return
    write_checkpoint(trainer.average.cpu(), windows, trainer.model_config,
                     arguments.out / 'checkpoint', seed=settings.seed,
                     baseline=kept_baseline(init, settings.only))
    console.print(f"checkpoint in {arguments.out / 'checkpoint'}; "
                   "next: wm-ros calibrate --checkpoint that --data held-out episodes")


def export(arguments: argparse.Namespace) -> None:
    """Write a checkpoint from a training run that may still be going on, or check one."""
    from wm_ros.inference.checkpoint import resolve_checkpoint
    from wm_ros.inference.weights import load_model
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.training.recipe import read_recipe
    from wm_ros.training.start import remembered_start
    from wm_ros.training.trainer import BEST_FILE, build_trainer
    if arguments.renew:
        renew(arguments.checkpoint)
        if not arguments.check:
            return
    if arguments.checkpoint:
        check_engines(arguments, resolve_checkpoint(arguments.checkpoint))
        return
    check_given(arguments)
    recipe = read_recipe(arguments.config, arguments.sets, steps=arguments.steps)
    init = (resolve_checkpoint(arguments.init) if arguments.init
            else remembered_start(arguments.run_directory))
    trainer, windows = build_trainer(
        arguments.data, arguments.run_directory, recipe.train_config(), **recipe.model,
        start=start_model(init) if init else None,
        cache=arguments.cache or arguments.run_directory / CACHE,
        geometry=read_geometry(arguments.geometry) if arguments.geometry else None)
    if not trainer.step:
        raise WorldModelError(f'{arguments.run_directory}: no training state there; '
                              "give the --out of 'wm-ros train'")
    model, what = trainer.average.cpu(), f'step {trainer.step}'
    if arguments.best:
        path = arguments.run_directory / BEST_FILE
        if not path.is_file():
            raise WorldModelError(f'{path}: no weights were kept as the best: none were measured '
                                  'on held-out episodes with and without hazards yet')
        model = load_model(path, trainer.model_config)
        what = 'the step that did best on held-out episodes'
    write_checkpoint(model, windows, trainer.model_config, arguments.out,
                     seed=trainer.config.seed, baseline=kept_baseline(init, trainer.config.only))
    console.print(f'checkpoint of {what} in {arguments.out}')
    if arguments.check:
        check_engines(arguments, arguments.out)


def renew(name: str | None) -> None:
    """Export the graphs of a checkpoint's own weights again, in place."""
    from wm_ros.inference.checkpoint import resolve_checkpoint
    from wm_ros.training.exporting import renew_graphs
    if not name:
        raise ValueError('--renew exports the graphs of a checkpoint again: give --checkpoint')
    path = resolve_checkpoint(name)
    renew_graphs(path)
    console.print(f'the graphs of {path} are exported again from its weights')


def check_given(arguments: argparse.Namespace) -> None:
    """Raise ValueError unless an export has its options, or is only a check."""
    missing = [option for option, value in (
        ('--data', arguments.data), ('--run', arguments.run_directory), ('--out', arguments.out))
        if not value]
    if missing:
        raise ValueError(f"give {', '.join(missing)} to write a checkpoint, or --check "
                         '--checkpoint DIR to compare engines on one that is there')


@contextmanager
def stopping_by_signal(trainer: Any) -> Iterator[None]:
    """Let SIGTERM and SIGINT end a run after its step, with the state saved."""
    before = {number: signal.signal(number, lambda *_: trainer.stop())
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def add_parser(verbs: Any) -> None:
    """Add the verbs of this module."""
    parser = add_verb(verbs, train)
    parser.add_argument('--data', type=Path, required=True, nargs='+',
                        help='directories of episodes')
    parser.add_argument('--out', type=Path, required=True, help='state and checkpoint; resumes')
    parser.add_argument('--init', help="checkpoint to start from: a directory, or 'default'")
    parser.add_argument('--max-minutes', '--stop-after', type=positive_float, metavar='MINUTES',
                        help='end this piece of the run in time, with its state saved')
    parser.add_argument('--change-settings', action='store_true',
                        help='take up a run with other data or training settings than it had')
    _add_settings(parser)
    parser = add_verb(verbs, export)
    parser.add_argument('--data', type=Path, nargs='+', help='as for train')
    parser.add_argument('--run', type=Path, dest='run_directory', help='the --out of train')
    parser.add_argument('--out', type=Path, help='checkpoint directory')
    parser.add_argument('--init', help='as for train, where the run does not remember it or the '
                        'checkpoint is elsewhere now')
    parser.add_argument('--best', action='store_true',
                        help='the weights that did best on held-out episodes, not the newest')
    parser.add_argument('--renew', action='store_true',
                        help="export the graphs of --checkpoint's own weights again, in place")
    add_check_options(parser)
    _add_settings(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--geometry', type=Path,
                        help='JSON of links and camera, such as config/so101_geometry.json')
    parser.add_argument('--config', help='YAML file with sections model and train, or the name '
                        'of a shipped one: tiny, small, base')
    parser.add_argument('--cache', type=Path, help='directory for decoded frames, which several '
                        'runs may share; inside the run by default')
    parser.add_argument('--steps', type=positive)
    parser.add_argument('--set', action='append', default=[], metavar='KEY=VALUE', dest='sets',
                        help='a training setting, or model.KEY=VALUE; may be repeated')


def start_model(path: Path) -> Any:
    from wm_ros.inference.checkpoint import WEIGHTS_FILE, load_checkpoint
    from wm_ros.inference.weights import load_model
    # Of its graphs nothing is needed.
    checkpoint = load_checkpoint(path, is_for_export=True)
    return load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config)


def kept_baseline(init: Path | None, part: str) -> Path | None:
    """Return the kinematic baseline of where a run begins, if what judges commands stays."""
    from wm_ros.inference.checkpoint import BASELINE_FILE
    if init is None or part not in ('frames', 'spread'):
        return None
    path = init / BASELINE_FILE
    # Weights alone have none; found out only at the end of a run it would cost the checkpoint.
    return path if path.is_file() else None


def read_geometry(path: Path) -> Any:
    import json

    from wm_ros.world_model.geometry import geometry_from_dict
    try:
        return geometry_from_dict(json.loads(path.read_text(encoding='utf-8')))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
