# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Make small episodes whose every value is known."""

import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from wm_ros.data.episode import Episode, encode_frame

MS = 1_000_000


def moving_picture(row, height=48, width=64):
    """Make a smooth picture whose bright bar is at another place in each row."""
    rgb = np.full((height, width, 3), (60, 90, 120), np.uint8)
    left = 4 + 3 * row % (width - 16)
    rgb[8:40, left:left + 8] = (210, 180, 40)
    return rgb


def make_episode(*, num_frames=6, seed=0, start_ms=0, joints=('a', 'b', 'c'), size=(48, 64),
                 **changes):
    """Make an episode with frames each 100 ms and joints each 20 ms."""
    rng = np.random.default_rng(seed)
    frames = start_ms + 100 * np.arange(num_frames)
    samples = start_ms + 20 * np.arange(5 * (num_frames - 1) + 1)
    count = len(samples)
    positions = np.cumsum(rng.uniform(0.0, 0.04, (count, len(joints))), axis=0)
    values = {
        'frames': tuple(encode_frame(moving_picture(row, *size)) for row in range(num_frames)),
        'frame_stamps_ns': frames * MS, 'joint_stamps_ns': samples * MS, 'joint_names': joints,
        'positions': positions.astype(np.float32),
        'velocities': rng.normal(size=positions.shape).astype(np.float32),
        'efforts': rng.normal(size=positions.shape).astype(np.float32),
        'setpoints': (positions + rng.normal(size=positions.shape)).astype(np.float32),
        'hazards': np.where(np.arange(count) % 7 == 3, 1 + np.arange(count) % 3, 0).astype(
            np.uint8),
        'clearance': rng.uniform(0, 0.1, count).astype(np.float32),
        'hazard_kinds': ('object', 'table', 'self'), 'camera_name': 'front',
        'info': {'seed': seed, 'scene': {'objects': []}}}
    return Episode(**{**values, **changes})


def edit_file(path, change):
    """Change the tensors and the metadata of an episode file, as damage or other programs do."""
    with safe_open(path, framework='numpy') as handle:
        meta = json.loads(handle.metadata()['episode'])
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    changed = change(tensors, meta)
    save_file(tensors, path, metadata={
        'episode': json.dumps(meta if changed is None else changed)})
