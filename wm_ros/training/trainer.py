# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The training loop: resumable at any moment, early to say that something is wrong.

The same code runs in one process and, started with ``accelerate launch`` or ``torchrun``, in many:
each draws its own batches, gradients are averaged, and the first process writes.
"""

import copy
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from wm_ros.data.episode import list_episodes
from wm_ros.data.window_cache import cached_windows, entry_name, prune
from wm_ros.data.windows import Windows, load_windows
from wm_ros.errors import WorldModelError
from wm_ros.inference.weights import save_model
from wm_ros.training.batches import Batch, BatchSampler
from wm_ros.training.config import FREE_ON_RESUME, TrainConfig
from wm_ros.training.inferring import infer_config as infer_config
from wm_ros.training.inferring import kept_config, with_normalisation_of
from wm_ros.training.inferring import split_episodes as split_episodes
from wm_ros.training.losses import Losses, world_model_loss
from wm_ros.training.observer import Observer
from wm_ros.training.optimisation import (
    is_spike,
    learning_rate_at,
    make_optimizer,
    next_level,
    seed_noise,
    update_average,
)
from wm_ros.training.prefetch import Prefetcher
from wm_ros.training.processes import make_accelerator
from wm_ros.training.run_log import RunLog
from wm_ros.training.state import (
    Progress,
    TrainState,
    load_state,
    locked,
    save_state,
    stored_settings,
)
from wm_ros.training.validation import Validation, validate
from wm_ros.world_model.config import ModelConfig, config_to_dict
from wm_ros.world_model.geometry import Geometry
from wm_ros.world_model.model import WorldModel

BEST_FILE = 'best.safetensors'


class Objective(nn.Module):
    """The loss as a module, so that gradients are averaged over processes where it is called."""

    def __init__(self, model: WorldModel, config: TrainConfig) -> None:
        super().__init__()
        self.model, self._config = model, config

    def forward(self, batch: Batch) -> Losses:
        """Return the losses of a batch."""
        return world_model_loss(self.model, batch, self._config)


class _Step(NamedTuple):
    losses: Losses
    gradient_norm: float
    is_last: bool


class Trainer:
    """Trains one model on windows of episodes into a directory of states."""

    def __init__(self, windows: Windows, validation: Windows, model_config: ModelConfig,
                 config: TrainConfig, out: Path, *, start: WorldModel | None = None,
                 lenient: bool = False) -> None:
        """
        Build a run, or take one up where ``out`` holds its state.

        :param start: a model whose weights to start from; random ones if None.
        :param lenient: take up a state that was made with other data or training settings.
        :raises CheckpointError: if no state there is whole or it was made with other settings.
        :raises ValueError: if this machine cannot train at the wanted precision.
        """
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.accelerator = make_accelerator(config)
        self.model_config, self.config, self.out = model_config, config, out
        self._validation = validation
        processes = self.accelerator.num_processes
        self._batches = Prefetcher(
            BatchSampler(windows, config, model_config).draw,
            parts=[micro * processes + self.accelerator.process_index
                   for micro in range(config.accumulate)],
            depth=0 if self.accelerator.device.type == 'cpu' else config.threads)
        model = WorldModel(model_config)
        if start is not None:
            model.load_state_dict(start.state_dict())
        if config.only != 'all':
            _keep_all_but(config.only, model, start)
        # Convolutions of a CPU are faster on pixels than on planes.
        model.to(self.accelerator.device, memory_format=torch.channels_last)
        average = copy.deepcopy(model).eval().requires_grad_(False)
        self._settings = {
            'model': config_to_dict(model_config), 'windows': len(windows),
            'train': {key: value for key, value in asdict(config).items()
                      if key not in FREE_ON_RESUME},
            'batches_per_step': config.accumulate * processes}
        fresh = TrainState(model, average, make_optimizer(model, config), Progress())
        self._state, self.warning = load_state(
            out, fresh, self._settings, lenient=lenient,
            defaults={'model': _defaults(ModelConfig), 'train': _defaults(TrainConfig)})
        self.model, self.average, self.progress = model, average, self._state.progress
        self._objective, self._optimizer = self.accelerator.prepare(
            Objective(model, config), self._state.optimizer)
        if self.accelerator.scaler is not None and self.progress.scaler:
            self.accelerator.scaler.load_state_dict(self.progress.scaler)
        self._stopping = False
        self._saved_at = time.monotonic()
        self._step_s = 0.0

    @property
    def step(self) -> int:
        """Optimiser steps done."""
        return self.progress.step

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return bool(self.accelerator.is_main_process)

    @property
    def is_done(self) -> bool:
        """Whether all steps of the run are done."""
        return self.step >= self.config.steps

    def stop(self) -> None:
        """Ask for an end after the step that runs now; safe in a signal handler."""
        self._stopping = True

    def run(self, observer: Observer | None = None, *, stop_at: int | None = None,
            deadline: float | None = None) -> None:
        """
        Train to the end, saving on the way.

        :param stop_at: stop before this step, with the state saved; the end if None.
        :param deadline: end before this moment of ``time.monotonic()``, with the state saved, but
            not before one step is done: even the shortest pieces add up to a whole run.
        :raises WorldModelError: if the loss is not finite; the last good state stays.
        :raises CheckpointError: if another process trains in this directory.
        """
        watching = observer or Observer()
        end = self.config.steps if stop_at is None else min(stop_at, self.config.steps)
        holding = locked(self.out) if self.is_main else nullcontext()
        with holding, RunLog(self.out, self.step, is_writing=self.is_main) as log:
            self._saved_at = time.monotonic()
            self._loop(end, deadline, watching, log)
            self.save()
        self.accelerator.wait_for_everyone()

    def save(self) -> None:
        """Write the state of this step; only the first process does."""
        if not self.is_main:
            return
        if self.accelerator.scaler is not None:
            self.progress.scaler = self.accelerator.scaler.state_dict()
        save_state(self.out, self._state, self._settings)
        self._saved_at = time.monotonic()

    def validate(self) -> Validation:
        """Measure the averaged model on held-out episodes."""
        return validate(self.average, self._validation, self.config, self.accelerator.device)

    def _loop(self, end: int, deadline: float | None, observer: Observer, log: RunLog) -> None:
        is_last, last_log = False, self.step
        logged_at = time.monotonic()
        while self.step < end and not is_last:
            began = time.monotonic()
            # The next step must fit as well, or this one is the last.
            late = deadline is not None and began + 2 * self._step_s >= deadline
            done = self._train_step(wants_stop=late or self._stopping, observer=observer)
            is_last = done.is_last
            observer.on_step(self.step, done.losses)
            self._step_s = time.monotonic() - began
            if self.step % self.config.log_every == 0 or self.step == end or is_last:
                seconds = (time.monotonic() - logged_at) / max(1, self.step - last_log)
                log.losses(self.step, {name: float(part) for name, part in
                                       done.losses._asdict().items()},
                           learning_rate=learning_rate_at(self.step - 1, self.config),
                           gradient_norm=done.gradient_norm, seconds=seconds)
                last_log, logged_at = self.step, time.monotonic()
            if time.monotonic() + self._step_s - self._saved_at > self.config.checkpoint_every_s:
                self.save()
            if self.step % self.config.validate_every == 0 and self.is_main:
                self._look(observer, log)
                logged_at = time.monotonic()

    def _look(self, observer: Observer, log: RunLog) -> None:
        found = self.validate()
        log.validation(self.step, found)
        observer.on_validation(self.step, found)
        best = self.progress.best
        if self.config.keep_best and math.isfinite(found.auroc) and (
                best is None or found.auroc > best):
            save_model(self.out / BEST_FILE, self.average)
            self.progress.best, self.progress.best_step = found.auroc, self.step

    def _train_step(self, *, wants_stop: bool, observer: Observer) -> _Step:
        for group in self._optimizer.param_groups:
            group['lr'] = learning_rate_at(self.step, self.config)
        self._optimizer.zero_grad(set_to_none=True)
        parts = [self._backward(micro) for micro in range(self.config.accumulate)]
        norm = float(self.accelerator.clip_grad_norm_(
            self.model.parameters(), self.config.clip_norm))
        losses, is_last = self._mean(parts, wants_stop=wants_stop)
        self._check(float(losses.total), norm, observer)
        self._optimizer.step()
        self.progress.step += 1
        update_average(self.average, self.model, self.config.ema_decay, self.step)
        return _Step(losses, norm, is_last)

    def _backward(self, micro: int) -> Losses:
        """Add the gradient of one batch; the last one of a step averages over processes."""
        config, accelerator = self.config, self.accelerator
        part = micro * accelerator.num_processes + accelerator.process_index
        drawn = self._batches.draw(self.step, micro)
        seed_noise(config.seed, self.step, part)
        batch = type(drawn)(*(tensor.to(accelerator.device) for tensor in drawn))
        is_last = micro == config.accumulate - 1
        with nullcontext() if is_last else accelerator.no_sync(self._objective):
            losses = self._objective(batch)
            accelerator.backward(losses.total / config.accumulate)
        return Losses(*(value.detach() for value in losses))

    def _mean(self, parts: list[Losses], *, wants_stop: bool) -> tuple[Losses, bool]:
        """Return the mean losses of all batches of a step, and whether any process must stop."""
        values = torch.stack([torch.stack(part).float() for part in parts]).mean(0)
        both = torch.cat([values, values.new_tensor([float(wants_stop)])])
        both = self.accelerator.reduce(both, 'mean').cpu()
        return Losses(*both[:-1]), bool(both[-1] > 0)

    def _check(self, total: float, norm: float, observer: Observer) -> None:
        """Stop at a loss that is not finite, warn of one that leaps."""
        # A loss scaler meets infinite gradients on its way to the right scale, and skips them.
        if not math.isfinite(total) or (
                self.accelerator.scaler is None and not math.isfinite(norm)):
            raise WorldModelError(
                f'loss {total} or gradient norm {norm} is not finite at step {self.step}; the '
                f'state saved before it stays in {self.out}; lower learning_rate = '
                f'{self.config.learning_rate}')
        progress = self.progress
        if is_spike(progress.level, total, self.step, self.config.spike_factor):
            observer.on_warning(self.step, f'loss {total:.4g} is more than '
                                f'{self.config.spike_factor:g} times its level '
                                f'{progress.level:.4g}')
        progress.level = next_level(progress.level, total)


def _keep_all_but(part: str, model: WorldModel, start: WorldModel | None) -> None:
    """Leave one of ``PARTS`` to train."""
    if part == 'obstacles' and model.reach is None:
        raise ValueError(f'only = {part!r} needs known kinematics: give --geometry')
    if part != 'obstacles' and start is None:
        raise ValueError(f'only = {part!r} needs a model to start from: give --init')
    model.requires_grad_(False)
    for parameter in _trained(part, model):
        parameter.requires_grad_(True)


def _trained(part: str, model: WorldModel) -> list[nn.Parameter]:
    """Return what is trained of a part of the model."""
    if part == 'obstacles':
        return _seeing(model)
    if part == 'dynamics':
        kept = {id(parameter) for parameter in _seeing(model)}
        return [parameter for parameter in model.parameters() if id(parameter) not in kept]
    spread = [model.log_joint_error, model.joint_error_by_risk, model.joint_error_shared]
    if part == 'spread':
        return spread
    makers = [model.decoder, model.encoder.shade]
    if model.config.residual_dim:
        makers += [model.residual, model.flow]
    return spread + [p for maker in makers if maker is not None for p in maker.parameters()]


def _seeing(model: WorldModel) -> list[nn.Parameter]:
    """Return what sees where things stand; the arm's shadow is a matter of frames."""
    shade = {id(p) for p in model.encoder.shade.parameters()} if model.encoder.shade else set()
    field = [] if model.reach is None else model.reach.field.parameters()
    return [p for p in (*model.encoder.parameters(), *field) if id(p) not in shade]


def _defaults(kind: type[Any]) -> dict[str, Any]:
    return {item.name: item.default for item in fields(kind) if item.default is not MISSING}


def build_trainer(data: Path | list[Path], out: Path, config: TrainConfig, *,
                  start: WorldModel | None = None, lenient: bool = False,
                  cache: Path | None = None,
                  on_load: Callable[[int, int], None] = lambda done, total: None,
                  **sizes: int | float | str | tuple[str, ...] | Geometry | None
                  ) -> tuple[Trainer, Windows]:
    """
    Load directories of episodes and return a trainer and its training windows.

    :param start: a model to go on from; its config, normalisation included, is kept.
    :param lenient: take up a state that was made with other data or training settings.
    :param cache: where to keep decoded frames, which are then mapped; into memory if None. What
        other data left in a cache inside ``out`` is removed.
    """
    paths = [path for directory in (data if isinstance(data, list) else [data])
             for path in list_episodes(directory)]
    parts = split_episodes(paths, config.holdout)
    # What follows in held-out episodes is looked at as well, unless sight alone is trained.
    may_be_unfilmed = True, config.only == 'obstacles'
    if start is None:
        model_config = infer_config(parts[0], **sizes)
    else:
        model_config = kept_config(start.config, sizes)
    if lenient:
        model_config = with_normalisation_of(model_config, stored_settings(out))

    def load(part: list[Path], before: int, *, unfilmed: bool) -> Windows:
        def told(done: int) -> None:
            on_load(before + done, len(paths))

        if cache is None:
            return load_windows(part, model_config, threads=config.threads, unfilmed=unfilmed,
                                on_progress=told)
        return cached_windows(part, model_config, cache, threads=config.threads,
                              unfilmed=unfilmed, on_progress=told)

    accelerator = make_accelerator(config)
    with accelerator.main_process_first():
        windows = load(parts[0], 0, unfilmed=may_be_unfilmed[0])
        validation = load(parts[1], len(parts[0]), unfilmed=may_be_unfilmed[1])
    if cache is not None and cache.parent == out and accelerator.is_main_process:
        prune(cache, {entry_name(part, model_config, unfilmed=unfilmed)
                      for part, unfilmed in zip(parts, may_be_unfilmed, strict=True)})
    return Trainer(windows, validation, model_config, config, out, start=start,
                   lenient=lenient), windows
