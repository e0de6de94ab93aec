# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The training loop: resumable at any moment, early to say that something is wrong."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wm_ros.data.episode import list_episodes, read_episode
from wm_ros.data.windows import Windows, load_windows
from wm_ros.errors import WorldModelError
from wm_ros.training.batches import BatchSampler
from wm_ros.training.config import TrainConfig
from wm_ros.training.losses import Losses, world_model_loss
from wm_ros.training.metrics import auroc
from wm_ros.training.state import TrainState, load_state, save_state
from wm_ros.world_model.config import ModelConfig, config_to_dict
from wm_ros.world_model.geometry import Geometry
from wm_ros.world_model.model import WorldModel

LOG_EVERY = 50
VALIDATE_EVERY = 500
_VALIDATION_WINDOWS = 1024


def split_episodes(paths: list[Path], holdout: int) -> tuple[list[Path], list[Path]]:
    """Return training and validation episodes: every ``holdout``-th is for validation."""
    return [p for i, p in enumerate(paths) if i % holdout], paths[::holdout]


def infer_config(paths: list[Path], **sizes: int | float | Geometry | None) -> ModelConfig:
    """Return a config with joints, camera and normalisation taken from up to 100 episodes."""
    episodes = [read_episode(path) for path in paths[:: max(1, len(paths) // 100)]]
    first = episodes[0]
    positions = np.concatenate([episode.positions for episode in episodes])
    velocities = np.concatenate([episode.velocities for episode in episodes])

    def rounded(values: np.ndarray, least: float) -> tuple[float, ...]:
        return tuple(round(max(float(v), least), 4) for v in values)

    return ModelConfig(
        joint_names=first.joint_names, camera_name=first.camera_name,
        joint_mean=rounded(positions.mean(0), -math.inf),
        joint_std=rounded(positions.std(0), 0.05),
        velocity_std=rounded(velocities.std(0), 0.05), **sizes)  # type: ignore[arg-type]


class Trainer:
    """Trains one model from a directory of episodes into a directory of states."""

    def __init__(self, windows: Windows, validation: Windows, model_config: ModelConfig,
                 config: TrainConfig, out: Path, *, start: WorldModel | None = None) -> None:
        """
        Build a run, or take one up where ``out`` holds its state.

        :param start: a model whose weights to start from; random ones if None.
        :raises CheckpointError: if the state there is damaged or was made with other settings.
        """
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.model_config, self.config, self.out = model_config, config, out
        self._validation = validation
        self._sampler = BatchSampler(windows, config, step_s=model_config.step_s,
                                     num_members=model_config.num_hazard_heads)
        model = WorldModel(model_config)
        if start is not None:
            model.load_state_dict(start.state_dict())
        average = copy.deepcopy(model).eval().requires_grad_(False)
        self._settings = {'model': config_to_dict(model_config), 'train': asdict(config),
                          'windows': len(windows)}
        optimizer = torch.optim.AdamW(_groups(model, config.weight_decay),
                                      lr=config.learning_rate, betas=(0.9, 0.98))
        self._state = load_state(
            out, TrainState(model, average, optimizer, 0), self._settings)
        self.model, self.average, self.step = model, average, self._state.step

    def run(self, on_step: Callable[[int, Losses], None] = lambda step, losses: None,
            on_validation: Callable[[int, float], None] = lambda step, value: None,
            *, stop_at: int | None = None) -> None:
        """
        Train to the end, saving on the way.

        :param stop_at: stop before this step, with the state saved; the end if None.
        :raises WorldModelError: if the loss is not finite; the last good state stays.
        """
        last_save = time.monotonic()
        end = self.config.steps if stop_at is None else min(stop_at, self.config.steps)
        while self.step < end:
            losses = self._train_step()
            on_step(self.step, losses)
            if self.step % VALIDATE_EVERY == 0:
                on_validation(self.step, self.validate())
            if time.monotonic() - last_save > self.config.checkpoint_every_s:
                self.save()
                last_save = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the state of this step."""
        save_state(self.out, self._state._replace(step=self.step), self._settings)

    def validate(self) -> float:
        """Return the hazard AUROC of the averaged model on held-out episodes."""
        windows = self._validation
        free = np.flatnonzero(~windows.in_contact)
        chosen = free[:: max(1, len(free) // _VALIDATION_WINDOWS)]
        scores = []
        with torch.no_grad():
            for part in np.array_split(chosen, max(1, len(chosen) // 64)):
                images = torch.from_numpy(windows.frames[windows.context[part]])
                context = self.average.encode(images.permute(0, 1, 4, 2, 3).float() / 255)
                made = self.average.predict(
                    context.tokens, context.obstacles,
                    torch.from_numpy(windows.positions[part]),
                    torch.from_numpy(windows.velocities[part]),
                    torch.from_numpy(windows.actions[part]))
                scores.append(made.hazard_logits.sigmoid().mean(-1).amax(1).numpy())
        hazard = windows.hazard_by_step(self.model_config.step_s)[chosen, -1]
        return auroc(np.concatenate(scores), hazard)

    def _train_step(self) -> Losses:
        config = self.config
        for group in self._state.optimizer.param_groups:
            group['lr'] = config.learning_rate * _schedule(self.step, config)
        losses = world_model_loss(self.model, self._sampler.draw(self.step), config)
        self._state.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        total = float(losses.total.detach())
        if not math.isfinite(total) or not math.isfinite(float(norm)):
            raise WorldModelError(
                f'loss {total} or gradient norm {float(norm)} is not finite at '
                f'step {self.step}; the state saved before it stays in {self.out}; '
                f'lower learning_rate = {config.learning_rate}')
        self._state.optimizer.step()
        self.step += 1
        # A young average would remember the random start for too long.
        decay = min(config.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        return Losses(*(part.detach() for part in losses))


def build_trainer(data: Path, out: Path, config: TrainConfig, *, start: WorldModel | None = None,
                  on_load: Callable[[int, int], None] = lambda done, total: None,
                  **sizes: int | float | Geometry | None) -> tuple[Trainer, Windows]:
    """
    Load a directory of episodes and return a trainer and its training windows.

    :param start: a model to go on from; its config, normalisation included, is kept.
    """
    paths = list_episodes(data)
    train, held_out = split_episodes(paths, config.holdout)
    model_config = infer_config(train, **sizes) if start is None else start.config
    windows = load_windows(train, model_config, threads=config.threads,
                           on_progress=lambda done: on_load(done, len(paths)))
    validation = load_windows(held_out, model_config, threads=config.threads)
    return Trainer(windows, validation, model_config, config, out, start=start), windows


def _groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    return [{'params': matrices, 'weight_decay': decay}, {'params': others, 'weight_decay': 0.0}]


def _schedule(step: int, config: TrainConfig) -> float:
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
