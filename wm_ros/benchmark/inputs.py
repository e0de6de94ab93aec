# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks to time: the observations that the checkpoint carries, or grey ones where it has none."""

from dataclasses import replace

import numpy as np

from wm_ros.inference.checkpoint import SELF_TEST_FILE, Checkpoint
from wm_ros.inference.engine import CheckInput
from wm_ros.inference.graph_engine import blank_input
from wm_ros.inference.self_test import read_self_test


def real_inputs(checkpoint: Checkpoint) -> list[CheckInput]:
    """
    Return recorded observations with the commands that followed them.

    :raises CheckpointError: if the stored observations cannot be read.
    """
    path = checkpoint.optional(SELF_TEST_FILE)
    if path is None:
        return [blank_input(checkpoint.config)]
    test = read_self_test(path, checkpoint.config)
    return test.inputs(test.actions)


def shorter(inputs: CheckInput, steps: int) -> CheckInput:
    """Return the same check of the first steps only."""
    return replace(inputs, actions=np.ascontiguousarray(inputs.actions[:steps]))


def candidates(inputs: CheckInput, count: int, *, seed: int = 0) -> list[CheckInput]:
    """Return as many different commands for one observation."""
    rng = np.random.default_rng(seed)
    return [replace(inputs, actions=(
        inputs.actions + 0.05 * rng.standard_normal(inputs.actions.shape)).astype(np.float32))
        for _ in range(count)]


def fresh(inputs: list[CheckInput]) -> list[CheckInput]:
    """
    Return the same checks as if their pictures had just come in.

    An engine keeps the encoding of pictures that it knows; a repeated check would be too cheap.
    Commands for one observation go on sharing it.
    """
    copies = {id(item.images): item.images.copy() for item in inputs}
    return [replace(item, images=copies[id(item.images)]) for item in inputs]
