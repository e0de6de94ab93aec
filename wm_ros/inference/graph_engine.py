# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What every engine does with the graphs of a checkpoint, whatever runs them.

Letters: B batch, F futures, H steps, J joints, N tokens, D channels, R channels of a residual.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import EngineError
from wm_ros.inference.checkpoint import GEOMETRY_FILES, SAMPLER_FILES, Checkpoint
from wm_ros.inference.engine import CheckInput, CheckOutput, risk_from_logits
from wm_ros.world_model.carrying import carry
from wm_ros.world_model.config import ModelConfig
from wm_ros.world_model.surface import Newest, make_surface

# Of a residual's noise: its tails give patches that no training frame had. Joints are drawn as
# far off, and as much together, as they are. Source: the truncation trick, Brock et al. 2019,
# arXiv 1809.11096.
_RESIDUAL_TEMPERATURE = 0.3


class Latents(NamedTuple):
    """
    What the decoder and the sampler need of one check, as arrays of the engine's own kind.

    :param tokens: of the context, (1, N, D).
    :param detail: of the context, (1, C, rows, columns).
    :param last: newest frame, (1, 3, h, w).
    :param camera: (1, 6).
    :param latents: (H, N, D).
    :param condition: (H, D).
    :param joints: (H, J).
    :param before: measured joints, (1, J).
    :param joint_error: how far off joints are, (H, J, J), see ``WorldModel.joint_error``.
    """

    tokens: Any
    detail: Any
    last: Any
    camera: Any
    latents: Any
    condition: Any
    joints: Any
    before: Any
    joint_error: Any


class Future(NamedTuple):
    """
    What one sampled future leaves to chance.

    :param residual: of each step, (H, N, R).
    :param off: independent deviates, of which the joints' errors are made, float64 (J,).
    """

    residual: Any
    off: NDArray[np.float64]


class GraphEngine(ABC):
    """Checks, decodes and samples by running graphs by name; owned by one thread."""

    name = ''

    def __init__(self, checkpoint: Checkpoint, *, device: str) -> None:
        self.device = device
        self._config = checkpoint.config
        self._surface = make_surface(checkpoint.config)
        self._seen: list[tuple[Latents, Newest]] = []
        # Pictures of a check are not altered, so that the same array is the same observation.
        self._encoded: tuple[NDArray[np.uint8], list[Any]] | None = None
        self._has_sampler = all(checkpoint.optional(name) for name in SAMPLER_FILES.values())

    @abstractmethod
    def _run(self, graph: str, inputs: Mapping[str, Any]) -> list[Any]:
        """Run a graph on the engine's own arrays. Raise EngineError if it breaks."""

    @abstractmethod
    def _to_own(self, array: NDArray[Any]) -> Any:
        """Return an array as one of the engine's own."""

    @abstractmethod
    def _to_numpy(self, array: Any) -> NDArray[Any]:
        """Return one of the engine's own arrays as numpy's."""

    @abstractmethod
    def _repeat(self, array: Any, count: int) -> Any:
        """Return an array (1, ...) repeated to (count, ...)."""

    @property
    def graph_names(self) -> tuple[str, ...]:
        """Names of the graphs that this checkpoint has."""
        return ('encode', 'predict', 'decode', *(GEOMETRY_FILES if self._surface else ()),
                *(SAMPLER_FILES if self._has_sampler else ()))

    def warm_up(self) -> None:
        """Run everything twice, so that the first real check is not the slow one."""
        for _ in range(2):
            self.decode(self.check(blank_input(self._config)))

    def check(self, inputs: CheckInput) -> CheckOutput:
        """Predict one chunk."""
        return self.check_batch([inputs])[0]

    def check_batch(self, inputs: list[CheckInput]) -> list[CheckOutput]:
        """Predict several chunks in one pass; what they share of the observation is seen once."""
        check_steps([len(item.actions) for item in inputs], self._config.horizon)
        pictures, which = _distinct([item.images for item in inputs])
        seen = self._encode(pictures)
        tokens, detail, last, camera, *tables = seen
        gathered = {name: self._to_own(np.stack([getattr(item, f'{source}') for item in inputs]))
                    for name, source in (('positions', 'joint_positions'),
                                         ('velocities', 'joint_velocities'),
                                         ('actions', 'actions'))}
        logits, joints, latents, condition, joint_error = self._run('predict', {
            'tokens': tokens, 'camera': camera, **dict(zip(('tables',), tables, strict=False)),
            'which': self._to_own(np.array(which, np.int64)), **gathered})
        risk, spread = risk_from_logits(self._to_numpy(logits))
        predicted = self._to_numpy(joints)
        return [CheckOutput(risk[i], spread[i], predicted[i], Latents(
            tokens[v:v + 1], detail[v:v + 1], last[v:v + 1], camera[v:v + 1], latents[i],
            condition[i], joints[i], gathered['positions'][i:i + 1], joint_error[i]))
            for i, v in enumerate(which)]

    def begin_frames(self, output: CheckOutput) -> bool:
        """Do what the frames of a check share, see ``Engine.begin_frames``."""
        made = _latents(output)
        if self._surface is None or self._known(made) is not None:
            return False
        self._look(made)
        return True

    def decode(self, output: CheckOutput) -> NDArray[np.uint8]:
        """Decode the mean frames of a check, RGB uint8 (H, h, w, 3)."""
        return self._frames(output, None)

    def decode_step(self, output: CheckOutput, step: int, future: Future | None = None
                    ) -> NDArray[np.uint8]:
        """Decode the frame of one step, RGB uint8 (h, w, 3), see ``Engine.decode_step``."""
        made = _latents(output)
        one = made._replace(**{
            name: getattr(made, name)[step:step + 1]
            for name in ('latents', 'condition', 'joints', 'joint_error')})
        if future is None:
            size = self._config.grid[0] * self._config.grid[1], self._config.residual_dim
            residual, off = self._to_own(np.zeros((1, *size), np.float32)), None
        else:
            residual, off = future.residual[step:step + 1], future.off
        return self._frame(one, self._draw(one, self._look(made), off), residual)

    def begin_future(self, output: CheckOutput, rng: np.random.Generator, *, num_steps: int = 4,
                     guidance: float = 1.0, temperature: float = 1.0) -> Future:
        """Draw what a future leaves to chance, see ``Engine.begin_future``."""
        if not self._has_sampler:
            raise EngineError('this checkpoint has no sampler: train one with residual_dim above '
                              '0, or ask for the mean frames')
        if num_steps < 1:
            raise ValueError(f'num_steps = {num_steps} must be at least 1')
        made, without = _latents(output), None
        if guidance != 1:
            without = self._run('without_action', {'tokens': made.tokens})[0][0][
                :len(made.latents)]
        shape = self._config.grid[0] * self._config.grid[1], self._config.residual_dim
        # One noise for all steps of a future: what is left open is settled once.
        cooled = temperature * _RESIDUAL_TEMPERATURE
        noise = (cooled * rng.standard_normal((1, *shape))).astype(np.float32)
        residual = self._flow(noise, made.latents, without, num_steps, guidance)
        return Future(residual, temperature * rng.laplace(size=made.joints.shape[1:]))

    def sample(self, output: CheckOutput, *, num_futures: int, num_steps: int = 4, seed: int = 0,
               guidance: float = 1.0, temperature: float = 1.0) -> NDArray[np.uint8]:
        """Sample futures of a check, RGB uint8 (F, H, h, w, 3), see ``Engine.sample``."""
        if num_futures < 1:
            raise ValueError(f'num_futures = {num_futures} must be at least 1')
        rng, futures = np.random.default_rng(seed), []
        for _ in range(num_futures):
            future = self.begin_future(output, rng, num_steps=num_steps, guidance=guidance,
                                       temperature=temperature)
            futures.append(self._frames(output, future))
        return np.stack(futures)

    def _frames(self, output: CheckOutput, future: Future | None) -> NDArray[np.uint8]:
        return np.stack([self.decode_step(output, step, future)
                         for step in range(len(_latents(output).latents))])

    def _encode(self, pictures: list[NDArray[np.uint8]]) -> list[Any]:
        """Encode observations; the one before is still there if it is asked for again."""
        if len(pictures) == 1 and self._encoded is not None and self._encoded[0] is pictures[0]:
            return self._encoded[1]
        made = self._run('encode', {'images': self._to_own(np.stack(pictures))})
        self._encoded = (pictures[0], made) if len(pictures) == 1 else None
        return made

    def _look(self, made: Latents) -> Newest | None:
        """See where the arm is at the newest frame; None if its geometry is not known."""
        if self._surface is None:
            return None
        known = self._known(made)
        if known is not None:
            return known
        shade = self._run('shade', {'detail': made.detail, 'last': made.last})[0]
        before, camera, shade = (
            self._to_numpy(part) for part in (made.before, made.camera, shade))
        lamp = self._surface.find_lamp(before, camera, shade)
        newest = self._surface.newest(before, camera, lamp)
        # Kept for the other steps, as it costs as much as a frame. Of two checks: while one is
        # drawn step by step, a step of another may be compared with what came.
        self._seen = [*self._seen[-1:], (made, newest)]
        return newest

    def _known(self, made: Latents) -> Newest | None:
        return next((newest for seen, newest in self._seen if seen is made), None)

    def _draw(self, one: Latents, newest: Newest | None, off: NDArray[np.float64] | None
              ) -> dict[str, NDArray[Any]] | None:
        """
        Draw the arm at one step, as ``decode`` takes it; None if its geometry is not known.

        :param off: deviates of the joints' errors, (J,); none if None.
        """
        if self._surface is None or newest is None:
            return None
        joints = self._to_numpy(one.joints)
        if off is not None:
            joints = joints + self._to_numpy(one.joint_error) @ off
        drawn = self._surface.draw(joints.astype(np.float32), newest)
        return {'point': drawn.point, 'maps': drawn.maps,
                'moved': carry(self._to_numpy(one.last), drawn)}

    def _frame(self, one: Latents, drawn: dict[str, NDArray[Any]] | None, residual: Any
               ) -> NDArray[np.uint8]:
        inputs = {'latents': one.latents, 'detail': one.detail, 'last': one.last}
        if drawn is None:
            inputs['condition'] = one.condition
        else:
            inputs |= {name: self._to_own(part) for name, part in drawn.items()}
        if self._config.residual_dim:
            inputs['residual'] = residual
        frame: NDArray[np.uint8] = self._to_numpy(self._run('decode', inputs)[0])[0]
        return frame

    def _flow(self, noise: NDArray[np.float32], latents: Any, without: Any, num_steps: int,
              guidance: float) -> Any:
        """Return residuals of all steps, (H, N, R), by Euler steps from one noise (1, N, R)."""
        at = self._repeat(self._to_own(noise), len(latents))
        for step in range(num_steps):
            time = self._to_own(np.full(len(latents), step / num_steps, np.float32))
            inputs = {'noisy': at, 'time': time}
            velocity = self._run('flow', {**inputs, 'latents': latents})[0]
            if without is not None:
                free = self._run('flow', {**inputs, 'latents': without})[0]
                velocity = free + guidance * (velocity - free)
            at = at + velocity / num_steps
        return at


def blank_input(config: ModelConfig) -> CheckInput:
    """Return a check of grey frames and joints at rest."""
    mean = np.array(config.joint_mean, np.float32)
    images = np.full((config.context_len, config.picture_height, config.image_width, 3), 128,
                     np.uint8)
    return CheckInput(images, mean, np.zeros_like(mean), np.tile(mean, (config.horizon, 1)))


def _distinct(images: list[NDArray[np.uint8]]) -> tuple[list[NDArray[np.uint8]], list[int]]:
    """Return each array once, and which of them each entry is."""
    found: dict[int, int] = {}
    which = [found.setdefault(id(item), len(found)) for item in images]
    return [images[which.index(place)] for place in range(len(found))], which


def check_steps(steps: list[int], horizon: int) -> None:
    """
    Refuse a batch that the model cannot look at in one pass.

    :param steps: of each chunk.
    :raises ValueError: naming the number that is wrong and what is allowed.
    """
    if not steps:
        raise ValueError('no chunks to check: give at least 1 candidate')
    if len(set(steps)) > 1:
        raise ValueError(f'chunks of one batch have {steps} steps; give all the same number')
    if not 1 <= steps[0] <= horizon:
        raise ValueError(f'chunks have {steps[0]} steps; the model looks 1 to {horizon} steps '
                         'ahead')


def _latents(output: CheckOutput) -> Latents:
    assert isinstance(output.latents, Latents)
    return output.latents
