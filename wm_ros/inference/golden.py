# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The golden frames of a checkpoint: stored inputs, and what its weights made of them.

A wrong engine, weights of another model, swapped colours, another normalisation or too coarse
numbers still give pictures and risks that look like some. They do not give these.

Letters: W stored windows, T context frames, H steps, J joints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from wm_ros.errors import CheckpointError
from wm_ros.inference.arrays import write_arrays
from wm_ros.inference.engine import CheckInput, Engine
from wm_ros.world_model.config import ModelConfig

# Pictures cost most, at each configure.
NUM_WINDOWS = 2


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Golden:
    """
    Stored inputs and outputs.

    :param images: RGB uint8 (W, T, h, w, 3), oldest first.
    :param joint_positions: float32 (W, J), rad.
    :param joint_velocities: float32 (W, J), rad/s.
    :param actions: float32 (W, H, J), rad.
    :param risk: float32 (W, H).
    :param joints: predicted, float32 (W, H, J), rad.
    :param frames: the mean frame of the last step, RGB uint8 (W, h, w, 3).
    """

    images: NDArray[np.uint8]
    joint_positions: NDArray[np.float32]
    joint_velocities: NDArray[np.float32]
    actions: NDArray[np.float32]
    risk: NDArray[np.float32]
    joints: NDArray[np.float32]
    frames: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """
    How far an engine may be from the stored outputs.

    :param risk: largest difference.
    :param joints_rad: largest difference, rad.
    :param frame: largest mean difference of a frame, of 255.
    """

    risk: float
    joints_rad: float
    frame: float


# By the numbers that an engine computes with. Swapped colours change a frame by tens of levels,
# a normalisation of another robot joints by tenths of a radian.
TOLERANCES = {'fp32': Tolerance(risk=2e-3, joints_rad=5e-4, frame=0.25),
              'fp16': Tolerance(risk=3e-2, joints_rad=5e-3, frame=1.0),
              'bf16': Tolerance(risk=6e-2, joints_rad=2e-2, frame=2.0),
              'int8': Tolerance(risk=1e-1, joints_rad=3e-2, frame=4.0)}


def make_golden(engine: Engine, inputs: Sequence[CheckInput]) -> Golden:
    """
    Run inputs on the engine whose outputs count as right.

    :raises EngineError: if the engine broke.
    """
    outputs = [engine.check(one) for one in inputs]
    return Golden(
        images=np.stack([one.images for one in inputs]),
        joint_positions=np.stack([one.joint_positions for one in inputs]),
        joint_velocities=np.stack([one.joint_velocities for one in inputs]),
        actions=np.stack([one.actions for one in inputs]),
        risk=np.stack([output.risk for output in outputs]),
        joints=np.stack([output.joint_positions for output in outputs]),
        frames=np.stack([engine.decode_step(output, len(output.risk) - 1)
                         for output in outputs]))


def compare_with_golden(
        golden: Golden, engine: Engine, *,
        convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = lambda image: image
        ) -> tuple[str, ...]:
    """
    Run the stored inputs, and say what is not as stored.

    :param convert: what the pictures of a camera go through on their way to the model; must give
        each picture (h, w, 3) back as it is.
    :returns: one text for each output that is too far off, with the number and the limit.
    :raises EngineError: if the engine broke.
    """
    limit = TOLERANCES[getattr(engine, 'precision', 'fp32')]
    found = make_golden(engine, [
        CheckInput(np.stack([convert(image) for image in images]), *rest)
        for images, *rest in zip(golden.images, golden.joint_positions, golden.joint_velocities,
                                 golden.actions, strict=True)])
    frames = np.abs(found.frames.astype(np.float64) - golden.frames).mean((1, 2, 3))
    differences = (
        ('risk', np.abs(found.risk - golden.risk).max(), limit.risk, ''),
        ('joints', np.abs(found.joints - golden.joints).max(), limit.joints_rad, ' rad'),
        ('frame', frames.max(), limit.frame, ' of 255'))
    # Written so that what is not a number is too far off.
    return tuple(f'{name} off by {value:.4g}{unit}, allowed is {most:g}'
                 for name, value, most, unit in differences if not value <= most)


def write_golden(path: Path, golden: Golden) -> None:
    """Write golden frames under a temporary name and rename them into place."""
    write_arrays(path, golden)


def read_golden(path: Path, config: ModelConfig) -> Golden:
    """
    Read what ``write_golden`` wrote.

    :raises CheckpointError: if the file is not whole or does not fit the model.
    """
    try:
        golden = Golden(**load_file(path))
    except (OSError, SafetensorError, TypeError) as error:
        raise CheckpointError(f'{path} cannot be read: {error}; export the checkpoint again with '
                              "'wm-ros export'") from error
    count, joints, steps = len(golden.images), len(config.joint_names), config.horizon
    picture = config.picture_height, config.image_width, 3
    shapes = {
        'images': (count, config.context_len, *picture), 'joint_positions': (count, joints),
        'joint_velocities': (count, joints), 'actions': (count, steps, joints),
        'risk': (count, steps), 'joints': (count, steps, joints), 'frames': (count, *picture)}
    for name, shape in shapes.items():
        if getattr(golden, name).shape != shape or not count:
            raise CheckpointError(f'{path}: {name} has shape {getattr(golden, name).shape}, the '
                                  f"model needs {shape}; export the checkpoint again with "
                                  "'wm-ros export'")
    return golden
