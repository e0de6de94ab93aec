# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Tiny runs for tests of the training, in this process and in others."""

import os
import subprocess
import sys
from pathlib import Path

from tiny_checkpoint import make_episode, tiny_config

from wm_ros.data.windows import cut_windows, join_windows
from wm_ros.training.config import TrainConfig
from wm_ros.training.observer import Observer
from wm_ros.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = {'steps': 6, 'batch_size': 8, 'threads': 1, 'warmup_steps': 2}


def make_windows():
    """Return the windows of three made-up episodes, two of them with a hazard."""
    return join_windows([
        cut_windows(make_episode(hazard_at=at), tiny_config(), number=number)
        for number, at in enumerate((None, 0.8, 1.2))])


def make_trainer(out, *, start=None, lenient=False, **changes):
    """Return a trainer of a tiny model on them, or of the one to start from."""
    windows = make_windows()
    return Trainer(windows, windows, tiny_config() if start is None else start.config,
                   TrainConfig(**{**SETTINGS, **changes}), out, start=start, lenient=lenient)


def weights(trainer):
    """Return all weights of a run by name: newest and averaged."""
    return {**{f'm.{k}': v for k, v in trainer.model.state_dict().items()},
            **{f'a.{k}': v for k, v in trainer.average.state_dict().items()}}


class Recorder(Observer):
    """Keeps what it hears."""

    def __init__(self):
        self.losses, self.validations, self.warnings = [], [], []

    def on_step(self, step, losses):
        """Keep the total loss."""
        self.losses.append(float(losses.total))

    def on_validation(self, step, found):
        """Keep what was found."""
        self.validations.append((step, found))

    def on_warning(self, step, text):
        """Keep the words."""
        self.warnings.append((step, text))


def start_python(code, *arguments, **environment):
    """Start a process that runs some lines and can import this rig."""
    paths = [ROOT, ROOT / 'test', *filter(None, [os.environ.get('PYTHONPATH')])]
    settings = {'OMP_NUM_THREADS': '1', 'PYTHONPATH': os.pathsep.join(map(str, paths))}
    return subprocess.Popen(
        [sys.executable, '-c', code, *map(str, arguments)], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **settings, **environment})
