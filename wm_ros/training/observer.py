# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a training run tells whoever watches it."""

from wm_ros.training.losses import Losses
from wm_ros.training.validation import Validation


class Observer:
    """What a caller hears of a run; each method does nothing unless it is overridden."""

    def on_step(self, step: int, losses: Losses) -> None:
        """Hear of a step that is done."""

    def on_validation(self, step: int, found: Validation) -> None:
        """Hear what was found on held-out episodes."""

    def on_warning(self, step: int, text: str) -> None:
        """Hear that something looks wrong."""
