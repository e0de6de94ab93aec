# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far a build is: on a small board it takes minutes, and silence looks like a crash."""

from collections.abc import Callable
from typing import Any

Progress = Callable[[str, int, int], None]


class BuildProgress:
    """
    Shows the outermost phases of one build; those inside them come and go by the hundred.

    Ctrl-C is kept and ends the build at its next step: an exception must not pass through
    TensorRT.

    :param name: of the graph.
    :param on_progress: called with (stage, done, total).
    """

    def __init__(self, name: str, on_progress: Progress) -> None:
        self._name, self._on_progress = name, on_progress
        self._totals: dict[str, int] = {}
        self.was_interrupted = False

    def start(self, phase: str, parent: str | None, total: int) -> None:
        """Take up a phase."""
        if parent is None:
            self._totals[phase] = total
            self._show(phase, 0)

    def step(self, phase: str, step: int) -> bool:
        """Show a step, counted from 0, and say whether to go on."""
        self._show(phase, step + 1)
        return not self.was_interrupted

    def finish(self, phase: str) -> None:
        """Show a phase as done."""
        self._show(phase, self._totals.get(phase, 0))

    def _show(self, phase: str, done: int) -> None:
        if phase not in self._totals:
            return
        try:
            self._on_progress(f'{self._name}: {phase}', done, self._totals[phase])
        except KeyboardInterrupt:
            self.was_interrupted = True


def make_monitor(trt: Any, progress: BuildProgress) -> Any:
    """Return a TensorRT monitor that tells ``progress``, or None where TensorRT has none."""
    if not hasattr(trt, 'IProgressMonitor'):
        return None

    class Monitor(trt.IProgressMonitor):
        """Passes on what TensorRT says."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            """Pass on."""
            progress.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            """Pass on."""
            return progress.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            """Pass on."""
            progress.finish(phase_name)

    return Monitor()
