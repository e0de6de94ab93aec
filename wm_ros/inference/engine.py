# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The engine protocol: what runs a checkpoint's graphs.

Letters: B batch, T context frames, H steps, J joints, h w image.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine_settings import EngineSettings

ENGINES = ('onnxruntime', 'torch', 'torch_compile', 'tensorrt')


@dataclass(frozen=True, slots=True, eq=False)
class CheckInput:
    """
    One check, joints in the model's order.

    :param images: context, RGB uint8 (T, h, w, 3), oldest first; several cameras stand above each
        other in the order of ``ModelConfig.cameras``.
    :param joint_positions: float32 (J,), rad.
    :param joint_velocities: float32 (J,), rad/s.
    :param actions: joint targets at the end of each step, float32 (H, J), rad; H may be anything
        from 1 to ``ModelConfig.horizon``. What is predicted for a step is the same for any H.
    """

    images: NDArray[np.uint8]
    joint_positions: NDArray[np.float32]
    joint_velocities: NDArray[np.float32]
    actions: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class CheckOutput:
    """
    The consequence of one check.

    :param risk: probability that a hazard has happened by each step, float32 (H,), not falling.
    :param uncertainty: standard deviation of the ensemble's probabilities, float32 (H,).
    :param joint_positions: predicted, float32 (H, J), rad.
    :param latents: what ``decode`` needs; its content is the engine's own.
    """

    risk: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    joint_positions: NDArray[np.float32]
    latents: object


class Engine(Protocol):
    """Runs the graphs of one checkpoint; owned by one thread."""

    name: str
    device: str

    def warm_up(self) -> None:
        """Run everything once, so that the first real check is not the slow one."""

    def check(self, inputs: CheckInput) -> CheckOutput:
        """Predict one chunk. Raise EngineError if the engine broke."""

    def check_batch(self, inputs: list[CheckInput]) -> list[CheckOutput]:
        """
        Predict several chunks in one pass; of images that they share the encoder runs once.

        :param inputs: candidates, all with the same number of steps.
        :raises ValueError: if there is none, or their steps differ or are not the model's.
        """

    def begin_frames(self, output: CheckOutput) -> bool:
        """
        Do what the frames of a check share, so that the first takes no longer than the others.

        :returns: False if that is done already, or nothing is shared.
        """

    def decode(self, output: CheckOutput) -> NDArray[np.uint8]:
        """Decode the mean frames of a check, RGB uint8 (H, h, w, 3)."""

    def decode_step(self, output: CheckOutput, step: int, future: Any = None
                    ) -> NDArray[np.uint8]:
        """
        Decode the frame of one step, RGB uint8 (h, w, 3).

        :param step: counted from 0.
        :param future: from ``begin_future``; the mean frame if None.
        """

    def begin_future(self, output: CheckOutput, rng: np.random.Generator, *, num_steps: int = 4,
                     guidance: float = 1.0, temperature: float = 1.0) -> Any:
        """
        Draw what one sampled future leaves to chance, to decode it step by step.

        :param rng: one state of it gives the same future on every engine.
        :raises EngineError: if the checkpoint has no sampler.
        """

    def sample(self, output: CheckOutput, *, num_futures: int, num_steps: int = 4, seed: int = 0,
               guidance: float = 1.0, temperature: float = 1.0) -> NDArray[np.uint8]:
        """
        Sample futures of a check, RGB uint8 (F, H, h, w, 3).

        :param num_futures: F; one seed gives the same futures on every engine.
        :param num_steps: of the sampler; more follow the flow more closely.
        :param guidance: how strongly futures follow the action; 1 as they were learned.
        :param temperature: spread of the noise; less keeps nearer to the likeliest future.
        :raises EngineError: if the checkpoint has no sampler.
        """

    def close(self) -> None:
        """Free what the engine holds."""


def risk_from_logits(logits: NDArray[np.float32]
                     ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """
    Return risk and uncertainty of an ensemble.

    A hazard that has happened by step k has happened by step k + 1: the risk never falls.

    :param logits: float32 (..., H, M).
    :returns: risk and standard deviation, float32 (..., H).
    """
    members = 1 / (1 + np.exp(-logits.astype(np.float64)))
    risk = np.maximum.accumulate(members.mean(-1), axis=-1)
    return risk.astype(np.float32), members.std(-1).astype(np.float32)


def make_engine(name: str, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1,
                settings: EngineSettings | None = None) -> Engine:
    """
    Return the engine that was asked for, or fail: nothing is replaced silently.

    :param name: one of ENGINES.
    :param num_threads: on the CPU.
    :param settings: which TensorRT engine; others take none.
    :raises EngineError: if the engine is unknown or not installed, saying what to install.
    """
    if name not in ENGINES:
        raise EngineError(f'engine {name!r} is unknown; choose one of '
                          f"{', '.join(map(repr, ENGINES))}")
    if name == 'onnxruntime':
        from wm_ros.inference.onnx_engine import OnnxEngine
        return OnnxEngine(checkpoint, device=device, num_threads=num_threads)
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise EngineError(f"engine {name!r} needs torch: pip install 'wm_ros[train]', or set "
                          "engine to 'onnxruntime'") from error
    if name == 'tensorrt':
        from wm_ros.inference.tensorrt_engine import open_engine
        return open_engine(checkpoint, device=device, settings=settings or EngineSettings())
    from wm_ros.inference.torch_engine import TorchEngine
    return TorchEngine(checkpoint, device=device, num_threads=num_threads,
                       should_compile=name == 'torch_compile')
