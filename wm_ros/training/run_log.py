# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write the course of a run for TensorBoard."""

import math
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from wm_ros.training.validation import Validation

LOG_DIRECTORY = 'tensorboard'


class RunLog:
    """
    A TensorBoard log; a process that is not to write makes one that does nothing.

    Entries of steps that a killed run had done but not saved are hidden by those that take
    their place.
    """

    def __init__(self, directory: Path, step: int, *, is_writing: bool) -> None:
        self._writer = SummaryWriter(
            str(directory / LOG_DIRECTORY), purge_step=step + 1) if is_writing else None

    def __enter__(self) -> 'RunLog':
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def losses(self, step: int, losses: dict[str, float], *, learning_rate: float,
               gradient_norm: float, seconds: float) -> None:
        """Log one step, and how long a step took on average since the last entry, s."""
        values = {f'loss/{name}': value for name, value in losses.items()}
        self._scalars(step, {**values, 'optimiser/learning_rate': learning_rate,
                             'optimiser/gradient_norm': gradient_norm,
                             'time/step_s': seconds})

    def validation(self, step: int, found: Validation) -> None:
        """Log what was found on held-out episodes."""
        values = {f'held_out_loss/{name}': value for name, value in found.losses.items()}
        self._scalars(step, {**values, 'held_out/hazard_auroc': found.auroc})
        if self._writer is not None and found.frames is not None:
            self._writer.add_image('held_out/truth_above_prediction', found.frames, step,
                                   dataformats='HWC')
        if self._writer is not None:
            self._writer.flush()

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            if self._writer is not None and math.isfinite(value):
                self._writer.add_scalar(name, value, step)
