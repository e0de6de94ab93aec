# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Eager torch: for development, and the reference that exported graphs are compared with."""

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import WEIGHTS_FILE, Checkpoint
from wm_ros.inference.engine import CheckInput, CheckOutput, split_outputs
from wm_ros.inference.graphs import DecodeGraph, EncodeGraph, PredictGraph
from wm_ros.inference.onnx_engine import blank_input
from wm_ros.inference.weights import load_model


class TorchEngine:
    """Runs the weights themselves on a CPU or CUDA device."""

    name = 'torch'

    def __init__(self, checkpoint: Checkpoint, *, device: str = 'cpu', num_threads: int = 1
                 ) -> None:
        if device.startswith('cuda') and not torch.cuda.is_available():
            raise EngineError(f'device {device!r} was asked for, but torch {torch.__version__} '
                              "sees no CUDA device; set device to 'cpu'")
        torch.set_num_threads(num_threads)
        self.device = device
        self._config = checkpoint.config
        model = load_model(checkpoint.directory / WEIGHTS_FILE, checkpoint.config).to(device)
        self._encode, self._predict, self._decode = (
            EncodeGraph(model), PredictGraph(model), DecodeGraph(model))

    def warm_up(self) -> None:
        """Run every part twice."""
        for _ in range(2):
            self.decode(self.check(blank_input(self._config)))

    def check(self, inputs: CheckInput) -> CheckOutput:
        """Predict one chunk."""
        return self.check_batch([inputs])[0]

    @torch.no_grad()
    def check_batch(self, inputs: list[CheckInput]) -> list[CheckOutput]:
        """Predict several chunks in one pass."""
        def gather(name: str) -> torch.Tensor:
            stacked = np.stack([getattr(item, name) for item in inputs])
            return torch.from_numpy(stacked).to(self.device)

        try:
            tokens, detail, last, obstacles = self._encode(gather('images'))
            logits, joints, latents, maps = self._predict(
                tokens, obstacles, gather('joint_positions'), gather('joint_velocities'),
                gather('actions'))
            values, joints = logits.cpu().numpy(), joints.cpu().numpy()
        except RuntimeError as error:
            raise EngineError(f'torch failed on a check: {error}') from error
        return split_outputs(values, joints, latents, maps, detail, last)

    @torch.no_grad()
    def decode(self, output: CheckOutput) -> NDArray[np.uint8]:
        """Decode the frames of a check."""
        latents, maps, detail, last = cast(tuple[torch.Tensor, ...], output.latents)
        frames = [self._decode(step[None], where[None], detail[None], last[None])[0]
                  for step, where in zip(latents, maps, strict=True)]
        return torch.stack(frames).cpu().numpy()

    def close(self) -> None:
        """Drop the weights."""
        del self._encode, self._predict, self._decode
