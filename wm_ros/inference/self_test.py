# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Does the model listen to its actions? A few stored observations, run with true and other actions.

A model that predicts the same future whatever the command is may be right about the world and
still cannot judge a command. Users of large video models report exactly that, so it is tested
each time before a model may enforce anything.

Letters: W stored windows, T context frames, H steps, J joints.
"""

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

MAX_WINDOWS = 8
# Pictures cost most: decoding two windows twice tells enough.
_DECODED = 2
# Below this share of what it should be, an output ignores its actions. A trained model reaches
# several times as much, one that ignores them 0.
LEAST_SENSITIVITY = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class SelfTest:
    """
    Stored observations.

    :param images: RGB uint8 (W, T, h, w, 3), oldest first; several cameras above each other.
    :param joint_positions: float32 (W, J), rad.
    :param joint_velocities: float32 (W, J), rad/s.
    :param actions: the true ones, float32 (W, H, J), rad; about half of them end in a hazard.
    """

    images: NDArray[np.uint8]
    joint_positions: NDArray[np.float32]
    joint_velocities: NDArray[np.float32]
    actions: NDArray[np.float32]

    def inputs(self, actions: NDArray[np.float32]) -> list[CheckInput]:
        """Return the observations with these actions, (W, H, J)."""
        return [CheckInput(*parts) for parts in zip(
            self.images, self.joint_positions, self.joint_velocities, actions, strict=True)]

    def stay(self) -> NDArray[np.float32]:
        """Return actions of zero motion: the joints are told to stay where they are."""
        return np.repeat(self.joint_positions[:, None], self.actions.shape[1], axis=1)

    def shuffled(self) -> NDArray[np.float32]:
        """Return each window with the motion of the next one, from its own joints."""
        motion = np.roll(self.actions - self.stay(), 1, axis=0)
        return self.joint_positions[:, None] + motion


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """
    How far outputs follow the actions; 0 is not at all, about 1 is what one would expect.

    :param hazard: change of risk when actions are taken away or shuffled, relative to how risk
        varies between the windows.
    :param joints: change of predicted joints relative to the change of the actions.
    :param frames: change of the last predicted frame when actions are taken away, relative to
        how far that frame is from the newest one.
    """

    hazard: float
    joints: float
    frames: float

    @property
    def ignored(self) -> tuple[str, ...]:
        """Name the outputs that ignore the actions."""
        return tuple(name for name in ('hazard', 'joints', 'frames')
                     if not getattr(self, name) >= LEAST_SENSITIVITY)

    def __str__(self) -> str:
        """Give the numbers in words."""
        return (f'hazard {self.hazard:.3f}, joints {self.joints:.3f}, frames {self.frames:.3f}; '
                f'each must reach {LEAST_SENSITIVITY}')


def measure_sensitivity(test: SelfTest, engine: Engine) -> Sensitivity:
    """
    Run the stored observations with true, no and shuffled actions.

    :raises EngineError: if the engine broke.
    """
    stay, shuffled = test.stay(), test.shuffled()
    true, still, other = (engine.check_batch(test.inputs(actions))
                          for actions in (test.actions, stay, shuffled))
    risk, risk_still, risk_other = (
        np.stack([output.risk for output in outputs]) for outputs in (true, still, other))
    joints, joints_still = (
        np.stack([output.joint_positions for output in outputs]) for outputs in (true, still))
    moving = _most_motion(test)
    frames = [np.stack([engine.decode(outputs[i])[-1] for outputs in (true, still)]).astype(float)
              for i in moving]
    return Sensitivity(
        hazard=_ratio(np.stack([risk - risk_still, risk - risk_other]), risk - risk.mean(0)),
        joints=_ratio(joints - joints_still, test.actions - stay),
        frames=_ratio(np.stack([pair[0] - pair[1] for pair in frames]),
                      np.stack([pair[0] for pair in frames]) - test.images[moving, -1]))


def _most_motion(test: SelfTest) -> NDArray[np.int64]:
    motion = np.abs(test.actions[:, -1] - test.joint_positions).max(-1)
    return np.argsort(-motion)[:_DECODED]


def _ratio(change: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    """Return the ratio of root mean squares; 0 where nothing was expected or is a number."""
    size = float(np.sqrt(np.square(expected).mean()))
    value = float(np.sqrt(np.square(change).mean())) / size if size > 0 else 0.0
    return value if np.isfinite(value) else 0.0


def write_self_test(path: Path, test: SelfTest) -> None:
    """Write stored observations under a temporary name and rename them into place."""
    write_arrays(path, test)


def read_self_test(path: Path, config: ModelConfig) -> SelfTest:
    """
    Read what ``write_self_test`` wrote.

    :raises CheckpointError: if the file is not whole or does not fit the model.
    """
    try:
        test = SelfTest(**load_file(path))
    except (OSError, SafetensorError, TypeError) as error:
        raise CheckpointError(f'{path} cannot be read: {error}; calibrate the checkpoint again'
                              ) from error
    count, joints = len(test.images), len(config.joint_names)
    shapes = {
        'images': (count, config.context_len, config.picture_height, config.image_width, 3),
        'joint_positions': (count, joints), 'joint_velocities': (count, joints),
        'actions': (count, config.horizon, joints)}
    for name, shape in shapes.items():
        if getattr(test, name).shape != shape or count < 2:
            raise CheckpointError(f'{path}: {name} has shape {getattr(test, name).shape}, the '
                                  f'model needs {shape} and at least 2 windows; calibrate the '
                                  'checkpoint again')
    return test
