# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on the CPU: the default engine."""

from typing import cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import Checkpoint
from wm_ros.inference.engine import CheckInput, CheckOutput, split_outputs
from wm_ros.world_model.config import ModelConfig


class OnnxEngine:
    """Runs the three exported graphs; threads are set, so that a core is left for the robot."""

    name = 'onnxruntime'

    def __init__(self, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1
                 ) -> None:
        if device != 'cpu':
            raise EngineError(f"engine 'onnxruntime' runs on 'cpu', not on {device!r}")
        self.device = device
        self._config = checkpoint.config
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        # Waiting threads that spin would take the core that the gate and the camera need.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        options.log_severity_level = 3
        try:
            self._encode, self._predict, self._decode = (
                onnxruntime.InferenceSession(
                    str(checkpoint.graph(name)), options, providers=['CPUExecutionProvider'])
                for name in ('encode', 'predict', 'decode'))
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'{checkpoint.directory}: onnxruntime refuses the exported graphs: '
                              f'{error}') from error

    def warm_up(self) -> None:
        """Run every graph twice."""
        for _ in range(2):
            self.decode(self.check(blank_input(self._config)))

    def check(self, inputs: CheckInput) -> CheckOutput:
        """Predict one chunk."""
        return self.check_batch([inputs])[0]

    def check_batch(self, inputs: list[CheckInput]) -> list[CheckOutput]:
        """Predict several chunks in one pass."""
        images = np.stack([item.images for item in inputs])
        try:
            tokens, detail, last, obstacles = self._encode.run(None, {'images': images})
            logits, joints, latents, maps = self._predict.run(None, {
                'tokens': tokens, 'obstacles': obstacles,
                'positions': np.stack([item.joint_positions for item in inputs]),
                'velocities': np.stack([item.joint_velocities for item in inputs]),
                'actions': np.stack([item.actions for item in inputs])})
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise EngineError(f'onnxruntime failed on a check: {error}') from error
        return split_outputs(logits, joints, latents, maps, detail, last)

    def decode(self, output: CheckOutput) -> NDArray[np.uint8]:
        """Decode the frames of a check."""
        latents, maps, detail, last = cast(tuple[NDArray[np.float32], ...], output.latents)
        frames = [self._decode.run(None, {
            'latents': step[None], 'maps': where[None], 'detail': detail[None],
            'last': last[None]})[0][0] for step, where in zip(latents, maps, strict=True)]
        return np.stack(frames)

    def close(self) -> None:
        """Drop the sessions."""
        del self._encode, self._predict, self._decode


def blank_input(config: ModelConfig) -> CheckInput:
    """Return a check of grey frames and joints at rest."""
    mean = np.array(config.joint_mean, np.float32)
    images = np.full((config.context_len, config.image_height, config.image_width, 3), 128,
                     np.uint8)
    return CheckInput(images, mean, np.zeros_like(mean), np.tile(mean, (config.horizon, 1)))
