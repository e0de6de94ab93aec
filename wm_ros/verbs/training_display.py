# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Show a training run on the terminal of the first process, and nowhere else."""

from rich.progress import Progress

from wm_ros.training.losses import Losses
from wm_ros.training.observer import Observer
from wm_ros.training.trainer import Trainer
from wm_ros.training.validation import Validation


class TrainingDisplay(Observer):
    """Progress with the time that is left, losses, validation and warnings."""

    def __init__(self, progress: Progress, trainer: Trainer) -> None:
        self._progress, self._is_main = progress, trainer.is_main
        self._log_every = trainer.config.log_every
        progress.disable = not trainer.is_main
        self._task = progress.add_task(
            'training', total=trainer.config.steps, completed=trainer.step)
        if trainer.warning:
            self._say(f'[yellow]{trainer.warning}[/yellow]')
        if trainer.step:
            self._say(f'resuming at step {trainer.step}')

    def on_step(self, step: int, losses: Losses) -> None:
        """Move the bar, and now and then show the losses."""
        self._progress.update(self._task, completed=step)
        if step % self._log_every == 0:
            self._say(f'step {step}: ' + _named(
                {name: float(value) for name, value in losses._asdict().items()}))

    def on_validation(self, step: int, found: Validation) -> None:
        """Show what was found on held-out episodes."""
        self._say(f'step {step}: held-out hazard AUROC {found.auroc:.4f} {_named(found.losses)}')

    def on_warning(self, step: int, text: str) -> None:
        """Show a warning."""
        self._say(f'[yellow]step {step}: {text}[/yellow]')

    def _say(self, text: str) -> None:
        if self._is_main:
            self._progress.console.print(text)


def _named(values: dict[str, float]) -> str:
    return ' '.join(f'{name} {value:.4f}' for name, value in values.items())
