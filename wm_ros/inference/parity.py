# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How far two engines are apart on the same checks, and how far a precision allows them to be."""

from dataclasses import dataclass, fields

import numpy as np

from wm_ros.inference.checkpoint import SELF_TEST_FILE, Checkpoint
from wm_ros.inference.engine import CheckInput, Engine
from wm_ros.inference.graph_engine import blank_input
from wm_ros.inference.self_test import read_self_test


@dataclass(frozen=True, slots=True)
class Parity:
    """
    Differences of one engine from another, or the largest that are allowed.

    :param risk: largest, of probabilities.
    :param uncertainty: largest, of standard deviations of probabilities.
    :param joints_rad: largest.
    :param frame_levels: mean, in levels of 255. A mean, because the drawn arm's edge may fall on
        the next pixel when its joints differ in the last digit.
    """

    risk: float
    uncertainty: float
    joints_rad: float
    frame_levels: float

    def problems(self, limit: 'Parity') -> list[str]:
        """Say in words which differences are above a limit, or no numbers."""
        return [f'{item.name} differs by {getattr(self, item.name):.2g}, allowed is '
                f'{getattr(limit, item.name):.2g}' for item in fields(self)
                if not getattr(self, item.name) <= getattr(limit, item.name)]


# About ten times what the shipped checkpoint measures with 16 bits emulated on the CPU.
TOLERANCES = {
    'fp32': Parity(risk=1e-4, uncertainty=1e-4, joints_rad=1e-4, frame_levels=0.02),
    'fp16': Parity(risk=5e-3, uncertainty=5e-3, joints_rad=1e-3, frame_levels=0.1),
    'bf16': Parity(risk=3e-2, uncertainty=3e-2, joints_rad=7e-3, frame_levels=0.5)}


def golden_inputs(checkpoint: Checkpoint) -> list[CheckInput]:
    """
    Return checks to compare engines on: the checkpoint's own observations, else a grey one.

    :raises CheckpointError: if the observations cannot be read.
    """
    path = checkpoint.optional(SELF_TEST_FILE)
    if path is None:
        return [blank_input(checkpoint.config)]
    test = read_self_test(path, checkpoint.config)
    return test.inputs(test.actions)


def measure_parity(reference: Engine, engine: Engine, inputs: list[CheckInput]) -> Parity:
    """
    Run the same checks on two engines, and decode the last step of the first.

    :raises EngineError: if one of them broke.
    """
    pairs = list(zip(reference.check_batch(inputs), engine.check_batch(inputs), strict=True))

    def largest(name: str) -> float:
        return float(max(np.abs(getattr(one, name) - getattr(two, name)).max()
                         for one, two in pairs))

    frames = [made.decode_step(output, len(output.risk) - 1).astype(float)
              for made, output in zip((reference, engine), pairs[0], strict=True)]
    return Parity(
        risk=largest('risk'), uncertainty=largest('uncertainty'),
        joints_rad=largest('joint_positions'),
        frame_levels=float(np.abs(frames[0] - frames[1]).mean()))
