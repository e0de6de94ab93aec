# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw training batches: a pure function of seed and step, so that a run resumes to the bit."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wm_ros.data.windows import Windows
from wm_ros.training.augmentation import (
    bend_colours,
    draw_curves,
    draw_fading,
    draw_turns,
    fade_colours,
    turn_images,
)
from wm_ros.training.config import TrainConfig
from wm_ros.world_model.config import ModelConfig

# Of measured joints, in standard deviations of the joint.
_JOINT_NOISE = 0.008


class Batch(NamedTuple):
    """
    One batch of windows.

    :param images: context, float32 (B, T, 3, h, w) in [0, 1].
    :param positions: float32 (B, J), rad.
    :param velocities: float32 (B, J), rad/s.
    :param actions: float32 (B, H, J), rad.
    :param joints: float32 (B, H, J), rad.
    :param steps: which steps are decoded of each window, int64 (B, K).
    :param targets: their frames, float32 (B, K, 3, h, w).
    :param hazard: happened by each step, float32 (B, H).
    :param obstacles: what stands where, see ``data.windows``, float32 (B, O, 7).
    :param camera: where the camera stands, its turns by augmentation included, float32 (B, 6), see
        ``Arm.project``.
    :param lamp: where the lamp is, see ``surface.Newest``, float32 (B, 3); NaN is not known.
    :param weight: of the hazard loss for each ensemble member, float32 (B, M).
    :param seed: of what the losses draw, int64 ().
    """

    images: Tensor
    positions: Tensor
    velocities: Tensor
    actions: Tensor
    joints: Tensor
    steps: Tensor
    targets: Tensor
    hazard: Tensor
    obstacles: Tensor
    camera: Tensor
    lamp: Tensor
    weight: Tensor
    seed: Tensor


def decoding_stride(frame_share: float) -> int:
    """Return every how many windows of a batch one has its frames decoded."""
    return max(1, round(1 / frame_share))


class BatchSampler:
    """Draws batches with a set share of windows that end in a hazard."""

    def __init__(self, windows: Windows, config: TrainConfig, model_config: ModelConfig) -> None:
        self._windows, self._config, self._model_config = windows, config, model_config
        self._hazard = windows.hazard_by_step(model_config.step_s)
        free = ~windows.in_contact
        self._risky = np.flatnonzero(free & self._hazard[:, -1])
        self._safe = np.flatnonzero(free & ~self._hazard[:, -1])
        self._contact = np.flatnonzero(windows.in_contact)
        self._frames = 0 if config.only in ('obstacles', 'spread') else config.frames_per_window
        # Rows of a batch whose frames are decoded.
        self._decoded = (range(0, config.batch_size, decoding_stride(config.frame_share))
                         if self._frames else ())
        self._filmed = windows.is_filmed
        if self._frames and not self._filmed.any():
            raise ValueError('no window has frames of what followed; train with episodes that '
                             'were filmed all the time beside those with glimpses')
        # Each member of the ensemble trusts other episodes more (online bootstrap,
        # Oza and Russell 2001): what the data does not settle, they settle differently.
        shape = int(windows.episode.max()) + 1, model_config.num_hazard_heads
        self._trust = np.random.default_rng([config.seed, 7]).poisson(1.0, shape).astype(
            np.float32)

    def draw(self, step: int, part: int = 0) -> Batch:
        """Return one of the batches of a step; each process and pass draws another part."""
        rng = np.random.default_rng([self._config.seed, 11, step, *([part] if part else [])])
        index = self._choose(rng)
        config, windows = self._config, self._windows
        size, horizon = config.batch_size, windows.actions.shape[1]
        # Each window decodes steps of its own, spread over the horizon.
        count = min(self._frames, horizon)
        steps = np.sort(rng.permuted(np.tile(np.arange(horizon), (size, 1)), axis=1)[:, :count])
        decoded = windows.future[index[:, None], steps]
        # What was not filmed is not decoded either; any picture will do.
        decoded = np.where(decoded < 0, windows.context[index, -1:], decoded)
        curves = draw_curves(rng, size, config.brightness, config.tint, config.gamma,
                             config.invert_share)
        fading = draw_fading(rng, size, config.fading)
        turns = draw_turns(rng, size, config.camera_turn_rad, config.camera_turn_share)
        trust = self._trust[windows.episode[index]] * ~windows.in_contact[index, None]
        noise = (_JOINT_NOISE * np.array(self._model_config.joint_std) * rng.normal(
            size=windows.positions[index].shape)).astype(np.float32)
        both = np.concatenate([windows.context[index], decoded], axis=1)
        pictures = self._images(both, curves, fading, turns)
        num_context = windows.context.shape[1]
        return Batch(
            images=pictures[:, :num_context], targets=pictures[:, num_context:],
            positions=torch.from_numpy(windows.positions[index] + noise),
            velocities=torch.from_numpy(windows.velocities[index]),
            actions=torch.from_numpy(windows.actions[index]),
            joints=torch.from_numpy(windows.joints[index]),
            steps=torch.from_numpy(steps),
            hazard=torch.from_numpy(self._hazard[index].astype(np.float32)),
            obstacles=torch.from_numpy(windows.obstacles[index]),
            camera=torch.from_numpy(windows.camera[index] + np.pad(turns, ((0, 0), (0, 3)))),
            lamp=torch.from_numpy(windows.lamp[index]),
            weight=torch.from_numpy(trust.astype(np.float32)),
            seed=torch.tensor(int(rng.integers(2 ** 62))))

    def _choose(self, rng: np.random.Generator) -> NDArray[np.int64]:
        size = self._config.batch_size
        risky = round(size * self._config.hazard_share) if self._risky.size else 0
        contact = size // 16 if self._contact.size else 0
        kinds = ((self._risky, risky), (self._contact, contact),
                 (self._safe, size - risky - contact))
        chosen = np.concatenate([rng.choice(kind, count) for kind, count in kinds])
        of_row = [kind for kind, count in kinds for _ in range(count)]
        for row in self._decoded:
            if not self._filmed[chosen[row]]:
                # Of the same kind if there is one, or the share of hazards would change.
                among = of_row[row][self._filmed[of_row[row]]]
                chosen[row] = rng.choice(among if among.size else np.flatnonzero(self._filmed))
        return chosen

    def _images(self, index: NDArray[np.int64], curves: NDArray[np.float32],
                fading: NDArray[np.float32], turns: NDArray[np.float32]) -> Tensor:
        """Return pictures (B, N, 3, h, w) of pool indices (B, N), changed for each window."""
        pool = self._windows.frames
        made = [fade_colours(bend_colours(
            turn_images(pool[mine], turn, self._model_config), curve), float(share))
            for mine, turn, curve, share in zip(index, turns, curves, fading, strict=True)]
        return torch.from_numpy(np.stack(made)).permute(0, 1, 4, 2, 3).contiguous()
