# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that are not what they were: the real predictor must not be configured."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from wm_ros.faults.judging import Findings
from wm_ros.inference.checkpoint import resolve_checkpoint, write_manifest
from wm_ros.ros.faults_calls import CONFIGURE
from wm_ros.ros.faults_rig import Rig

_GRAPH_FILE, _GOLDEN_FILE = 'predict.onnx', 'golden.safetensors'
# A model of another build gives other numbers; these are far from rounding.
_SCALE = 1.2


def engine_file(rig: Rig, found: Findings) -> None:
    """Cut the graph short, and flip one of its bits."""
    def truncate(directory: Path) -> None:
        path = directory / _GRAPH_FILE
        path.write_bytes(path.read_bytes()[:-1000])

    def flip(directory: Path) -> None:
        path = directory / _GRAPH_FILE
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    for words, change in (('truncated', truncate), ('bit-flipped', flip)):
        _expect_failure(rig, found, words, change, _GRAPH_FILE)


def model_not_golden(rig: Rig, found: Findings) -> None:
    """Store golden frames that the weights do not give."""
    def swap_colours(directory: Path) -> None:
        _change_golden(directory, 'images', lambda images: images[..., ::-1])

    def scale_joints(directory: Path) -> None:
        _change_golden(directory, 'joint_positions', lambda joints: joints * _SCALE + 0.3)

    def other_weights(directory: Path) -> None:
        _change_golden(directory, 'risk', lambda risk: 1.0 - risk)

    for words, change in (('swapped colours', swap_colours), ('other scale', scale_joints),
                          ('other weights', other_weights)):
        _expect_failure(rig, found, words, change, 'golden')


def _change_golden(directory: Path, key: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = directory / _GOLDEN_FILE
    arrays = load_file(path)
    arrays[key] = np.ascontiguousarray(change(arrays[key])).astype(arrays[key].dtype)
    save_file(arrays, path)
    # The files agree with each other again: only running the model can tell.
    write_manifest(directory)


def _expect_failure(rig: Rig, found: Findings, words: str, change: Callable[[Path], None],
                    text: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / 'checkpoint'
        shutil.copytree(resolve_checkpoint('default'), directory)
        change(directory)
        name = rig.predictor_name
        rig.calls.set_together(name, checkpoint_path=str(directory))
        since_ns = time.time_ns()
        is_configured = rig.calls.change_state(name, CONFIGURE, timeout_s=120.0)
        found.check(not is_configured, f'{words}: not configured')
        rig.wait(lambda: rig.observer.logs_since(since_ns, text), 2.0)
        said = ' '.join(rig.observer.logs_since(since_ns, text))
        found.check(bool(said), f'{words}: the log says {said[:160]!r}')
        rig.calls.bring_to(name, 'unconfigured')


ROWS = (engine_file, model_not_golden)
