# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A small episode and a whole small checkpoint: made-up values, real files."""

from pathlib import Path

import numpy as np

from wm_ros.calibration.thresholds import Promise, calibrate, calibration_to_dict
from wm_ros.data.episode import CameraFrames, Episode, encode_frame
from wm_ros.inference.checkpoint import (
    CALIBRATION_FILE,
    WEIGHTS_FILE,
    file_sha256,
    write_json,
    write_manifest,
)
from wm_ros.world_model.config import ModelConfig

JOINTS = ('pan', 'lift', 'grip')


def tiny_config(**changes) -> ModelConfig:
    """Return the config of a model with three joints and 32 x 48 pixels."""
    values = {
        'joint_names': JOINTS, 'camera_name': 'front', 'joint_mean': (0.0,) * 3,
        'joint_std': (1.0,) * 3, 'velocity_std': (1.0,) * 3, 'image_height': 32,
        'image_width': 48, 'horizon': 5, 'patch_px': 4, 'token_stride': 4, 'detail_dim': 16,
        'middle_dim': 16, 'dim': 32, 'num_blocks': 1, 'num_heads': 2, 'num_hazard_heads': 2,
        'residual_dim': 4, 'flow_blocks': 1}
    return ModelConfig(**{**values, **changes})


def make_episode(*, frames=20, names=JOINTS, hazard_at=None, main='front',
                 cameras=()):
    """
    Return an episode at 10 Hz and 50 Hz whose joint 0 is its own time in seconds.

    Further cameras see the same a little darker.
    """
    frame_ns = np.arange(frames) * 100_000_000 + 1_000_000_000
    joint_ns = np.arange((frames - 1) * 5 + 1) * 20_000_000 + 1_000_000_000
    seconds = (joint_ns - joint_ns[0]) / 1e9
    positions = np.stack([seconds, seconds * 10, seconds * 100], 1).astype(np.float32)
    hazards = np.zeros(len(joint_ns), np.uint8)
    if hazard_at is not None:
        hazards[round(hazard_at / 0.02)] = 2
    images = [np.full((48, 72, 3), 10 * i % 250, np.uint8) for i in range(frames)]
    extra = {name: CameraFrames(
        frames=tuple(encode_frame(image - np.minimum(image, 5 * place)) for image in images),
        stamps_ns=frame_ns) for place, name in enumerate(cameras, 1)}
    return Episode(
        camera_name=main, extra_cameras=extra,
        frames=tuple(encode_frame(image) for image in images), frame_stamps_ns=frame_ns,
        joint_names=names, joint_stamps_ns=joint_ns, positions=positions,
        velocities=positions * 0 + 1, efforts=positions * 0, setpoints=positions + 0.5,
        hazards=hazards)


def write_tiny_checkpoint(path: Path, *, calibrated: bool = True, **changes) -> ModelConfig:
    """Write a checkpoint of random weights, with changes of its config; needs torch."""
    import torch

    from wm_ros.data.windows import cut_windows
    from wm_ros.training.exporting import write_checkpoint
    from wm_ros.world_model.model import WorldModel
    torch.manual_seed(3)
    config = tiny_config(**changes)
    episode = make_episode(hazard_at=1.0, main=config.camera_name, cameras=config.extra_cameras)
    windows = cut_windows(episode, config)
    write_checkpoint(WorldModel(config), windows, config, path, seed=0)
    if calibrated:
        rng = np.random.default_rng(0)
        result = calibrate(
            rng.uniform(0.6, 0.9, 40), rng.uniform(0.0, 0.3, 40), Promise(),
            weights_sha256=file_sha256(path / WEIGHTS_FILE), data_sha256='d')
        write_json(path / CALIBRATION_FILE, calibration_to_dict(result))
        write_manifest(path)
    return config
