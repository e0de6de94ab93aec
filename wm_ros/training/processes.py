# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where a run computes: one process or many, on CPUs or GPUs, at which precision."""

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from wm_ros.training.config import TrainConfig


def make_accelerator(config: TrainConfig) -> Accelerator:
    """
    Return what runs a training on this machine's devices.

    :raises ValueError: if this machine cannot train at the wanted precision.
    """
    has_device = torch.cuda.is_available() or torch.backends.mps.is_available() or (
        hasattr(torch, 'xpu') and torch.xpu.is_available())
    # Unless it is told that there is only a CPU, accelerate takes each process for a run alone.
    # A batch without known obstacles, say, gives some parameters no gradient.
    accelerator = Accelerator(
        cpu=not has_device, mixed_precision=config.mixed_precision,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    if config.mixed_precision == 'fp16' and accelerator.device.type == 'cpu':
        raise ValueError("mixed_precision = 'fp16' needs a GPU; use bf16 or no")
    return accelerator
